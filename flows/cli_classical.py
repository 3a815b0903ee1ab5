"""Commands of the classical level beyond the Henry coefficient."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from flows.cli_options import (
    BlockPockets,
    Charges,
    Cluster,
    CutoffAngstrom,
    Energies,
    ForceField,
    Guest,
    Host,
    JsonOutput,
    LennardJones,
    Orchestration,
    Out,
    PocketThresholdKt,
    Seed,
    TailCorrection,
    TemperaturesK,
    Workers,
)


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (isotherm, capacity, pores, selectivity):
        app.command()(command)


def isotherm(
    host: Host,
    guest: Guest,
    pressure_pa: Annotated[list[float], typer.Option(help="pressure in Pa; repeatable")],
    temperature_k: TemperaturesK = None,
    force_field: ForceField = "UFF",
    charges: Charges = "cif",
    cutoff_angstrom: CutoffAngstrom = None,
    lj: LennardJones = None,
    tail_correction: TailCorrection = None,
    energies: Energies = "auto",
    block_pockets: BlockPockets = True,
    initialisation_cycles: Annotated[int, typer.Option(help="cycles before the average")] = 2000,
    production_cycles: Annotated[int, typer.Option(help="cycles that are averaged")] = 10000,
    ideal_gas: Annotated[
        bool, typer.Option("--ideal-gas", help="fugacity equals pressure, not Peng-Robinson")
    ] = False,
    own_images: Annotated[
        bool, typer.Option("--own-images", help="guests see their own images, as in RASPA")
    ] = False,
    workers: Workers = 2,
    cluster: Cluster = None,
    orchestration: Orchestration = True,
    seed: Seed = 0,
    out: Out = None,
    json_output: JsonOutput = False,
) -> None:
    """Compute an adsorption isotherm by grand-canonical Monte Carlo."""
    from data.store import plain
    from flows.isotherm_picture import print_isotherm
    from flows.launch import launch_isotherm
    from flows.settings import IsothermSettings, make

    values = {
        "host": host,
        "guest": guest,
        "pressures_pa": tuple(pressure_pa),
        "temperatures_k": tuple(temperature_k or [298.15]),
        "force_field": force_field,
        "charges": charges,
        "cutoff_angstrom": cutoff_angstrom,
        "lj": lj,
        "tail_correction": tail_correction,
        "energies": energies,
        "block_pockets": block_pockets,
        "initialisation_cycles": initialisation_cycles,
        "production_cycles": production_cycles,
        "ideal_gas": ideal_gas,
        "own_images": own_images,
        "workers": workers,
        "cluster": None if cluster is None else str(cluster),
        "seed": seed,
        "out": "" if out is None else str(out),
    }
    settings = make(IsothermSettings, "isotherm", values)
    result = launch_isotherm(settings, orchestration=orchestration)
    if json_output:
        typer.echo(json.dumps(plain(result), allow_nan=False))
    else:
        print_isotherm(result, settings.run_dir)


def capacity(
    run_dir: Annotated[Path, typer.Argument(metavar="DIR", help="a finished isotherm")],
    adsorb: Annotated[str, typer.Option(help="loaded state, TEMPERATURE_K:PRESSURE_PA")],
    desorb: Annotated[str, typer.Option(help="emptied state, TEMPERATURE_K:PRESSURE_PA")],
) -> None:
    """Print the working capacity between two points of an isotherm."""
    from flows.isotherm_run import capacity as working_capacity

    found = working_capacity(run_dir, adsorb, desorb)
    typer.echo(
        f"working capacity {found['working_capacity_mol_per_kg']:.4g} +- "
        f"{found['standard_error_mol_per_kg']:.2g} mol/kg between {adsorb} and {desorb}"
    )


def pores(
    host: Host,
    guest: Annotated[str, typer.Option(help="guest whose pockets are looked for")] = "CH4",
    force_field: ForceField = "UFF",
    charges: Charges = "none",
    pocket_threshold_kt: PocketThresholdKt = 15.0,
    block_file: Annotated[
        Path | None, typer.Option(help="write the pockets as a RASPA block file")
    ] = None,
    json_output: JsonOutput = False,
) -> None:
    """Print pore diameters, void fractions, channels and closed pockets of a host."""
    from data.store import plain
    from flows.pores import describe_pores, print_pores
    from flows.settings import make_settings

    settings = make_settings(
        host=host,
        guest=guest,
        force_field=force_field,
        charges=charges,
        pocket_threshold_kt=pocket_threshold_kt,
        reference="classical",
    )
    facts = describe_pores(settings, block_file)
    if json_output:
        typer.echo(json.dumps(plain({"pores": facts}), allow_nan=False))
    else:
        print_pores(facts)


def selectivity(
    one: Annotated[Path, typer.Argument(metavar="DIR1", help="finished run of the first guest")],
    two: Annotated[Path, typer.Argument(metavar="DIR2", help="finished run of the second guest")],
    json_output: JsonOutput = False,
) -> None:
    """Print the Henry selectivity of two guests from two finished runs of one host."""
    from data.store import plain
    from flows.ratio import print_selectivities, selectivities

    found = selectivities(one, two)
    if json_output:
        typer.echo(json.dumps(plain({"selectivity": found}), allow_nan=False))
    else:
        print_selectivities(found)
