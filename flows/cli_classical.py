"""Commands of the classical level beyond the Henry coefficient."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (isotherm, capacity, pores, selectivity):
        app.command()(command)


def isotherm(
    host: Annotated[str, typer.Argument(help="CIF path or the name of a bundled host")],
    guest: Annotated[str, typer.Option(help="bundled guest, or a RASPA3 molecule JSON")],
    pressure_pa: Annotated[list[float], typer.Option(help="pressure in Pa; repeatable")],
    temperature_k: Annotated[
        list[float] | None, typer.Option(help="temperature in K; repeatable  [default: 298.15]")
    ] = None,
    force_field: Annotated[str, typer.Option(help="force field, name or file")] = "UFF",
    charges: Annotated[str, typer.Option(help="cif | eqeq | eeq | none | a file")] = "cif",
    cutoff_angstrom: Annotated[
        float | None, typer.Option(help="cutoff in angstrom  [default: the force field's, else 12]")
    ] = None,
    lj: Annotated[str | None, typer.Option(help="truncated | shifted | force-shifted")] = None,
    tail_correction: Annotated[
        bool | None, typer.Option("--tail-correction/--no-tail-correction", help="host-guest tail")
    ] = None,
    energies: Annotated[str, typer.Option(help="auto | direct | grid")] = "auto",
    block_pockets: Annotated[
        bool, typer.Option("--block-pockets/--keep-pockets", help="leave out pores out of reach")
    ] = True,
    initialisation_cycles: Annotated[int, typer.Option(help="cycles before the average")] = 2000,
    production_cycles: Annotated[int, typer.Option(help="cycles that are averaged")] = 10000,
    ideal_gas: Annotated[
        bool, typer.Option("--ideal-gas", help="fugacity equals pressure, not Peng-Robinson")
    ] = False,
    own_images: Annotated[
        bool, typer.Option("--own-images", help="guests see their own images, as in RASPA")
    ] = False,
    workers: Annotated[int, typer.Option(help="worker processes")] = 2,
    cluster: Annotated[Path | None, typer.Option(help="YAML file that says where to run")] = None,
    orchestration: Annotated[
        bool,
        typer.Option(
            "--orchestration/--no-orchestration", help="Prefect and Dask, or this process alone"
        ),
    ] = True,
    seed: Annotated[int, typer.Option(help="random seed")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="run folder  [default: a name under runs/]")
    ] = None,
    json_output: Annotated[
        bool, typer.Option("--json", help="print one JSON object on standard output")
    ] = False,
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
    host: Annotated[str, typer.Argument(help="CIF path or the name of a bundled host")],
    guest: Annotated[str, typer.Option(help="guest whose pockets are looked for")] = "CH4",
    force_field: Annotated[str, typer.Option(help="force field, name or file")] = "UFF",
    charges: Annotated[str, typer.Option(help="cif | eqeq | eeq | none | a file")] = "none",
    pocket_threshold_kt: Annotated[
        float, typer.Option(help="barrier that closes a pore, kT at 298.15 K")
    ] = 15.0,
    block_file: Annotated[
        Path | None, typer.Option(help="write the pockets as a RASPA block file")
    ] = None,
    json_output: Annotated[
        bool, typer.Option("--json", help="print one JSON object on standard output")
    ] = False,
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
    json_output: Annotated[
        bool, typer.Option("--json", help="print one JSON object on standard output")
    ] = False,
) -> None:
    """Print the Henry selectivity of two guests from two finished runs of one host."""
    from data.store import plain
    from flows.ratio import print_selectivities, selectivities

    found = selectivities(one, two)
    if json_output:
        typer.echo(json.dumps(plain({"selectivity": found}), allow_nan=False))
    else:
        print_selectivities(found)
