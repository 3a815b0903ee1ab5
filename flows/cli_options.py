"""Options that several commands share: one type, one help text each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Host = Annotated[str, typer.Argument(help="CIF path or the name of a bundled host")]
Guest = Annotated[str, typer.Option(help="bundled guest, or a RASPA3 molecule JSON")]
TemperaturesK = Annotated[
    list[float] | None, typer.Option(help="temperature in K; repeatable", show_default="298.15")
]
ForceField = Annotated[
    str, typer.Option(help="bundled force field, RASPA3 force_field.json or our YAML")
]
Charges = Annotated[
    str, typer.Option(help="host charges: cif | eqeq | eeq | none | a file of charges")
]
CutoffAngstrom = Annotated[
    float | None, typer.Option(help="cutoff in angstrom", show_default="the force field's, else 12")
]
LennardJones = Annotated[
    str | None,
    typer.Option(
        help="truncated | shifted | force-shifted", show_default="the force field's, else truncated"
    ),
]
TailCorrection = Annotated[
    bool | None,
    typer.Option(
        "--tail-correction/--no-tail-correction",
        help="analytic Lennard-Jones tail",
        show_default="the force field's, else none",
    ),
]
Energies = Annotated[
    str, typer.Option(help="auto | direct | grid: how classical energies are evaluated")
]
BlockPockets = Annotated[
    bool,
    typer.Option("--block-pockets/--keep-pockets", help="leave out pores the guest cannot reach"),
]
PocketThresholdKt = Annotated[
    float, typer.Option(help="barrier that closes a pore, kT at 298.15 K")
]
Workers = Annotated[int, typer.Option(help="worker processes")]
Cluster = Annotated[
    Path | None, typer.Option(help="YAML file that says where to run", show_default="this machine")
]
Orchestration = Annotated[
    bool,
    typer.Option(
        "--orchestration/--no-orchestration", help="Prefect and Dask, or this process alone"
    ),
]
Seed = Annotated[int, typer.Option(help="random seed")]
Out = Annotated[Path | None, typer.Option(help="run folder", show_default="a name under runs/")]
JsonOutput = Annotated[
    bool, typer.Option("--json", help="print one JSON object on standard output")
]
LabelSeconds = Annotated[
    float,
    typer.Option(help="wall time of one reference call through ASE or xTB, s; past it, it failed"),
]
AcceptOffset = Annotated[
    bool, typer.Option("--accept-offset", help="use a reference that fails its self-check")
]
TrustModelFile = Annotated[
    bool,
    typer.Option(
        "--trust-model-file", help="load a model file of unknown SHA-256 (it can run code)"
    ),
]
