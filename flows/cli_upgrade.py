"""The command that takes a finished run one reference level up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(upgrade)


def upgrade(
    run_dir: Annotated[Path, typer.Argument(metavar="DIR", help="finished run with a reference")],
    reference: Annotated[
        str,
        typer.Option(
            help="higher level: ase:MODULE:CALLABLE | mace:PATH | mace-dac | "
            "xtb[:GFN1-xTB|GFN2-xTB] | forcefield:NAME_OR_PATH"
        ),
    ],
    max_labels: Annotated[int, typer.Option(help="most calls at the higher level")] = 40,
    explore_share: Annotated[
        float, typer.Option(help="part of them drawn from a tempered density")
    ] = 0.15,
    workers: Annotated[int, typer.Option(help="worker processes")] = 2,
    cluster: Annotated[
        Path | None, typer.Option(help="YAML file that says where to run  [default: this machine]")
    ] = None,
    orchestration: Annotated[
        bool,
        typer.Option(
            "--orchestration/--no-orchestration", help="Prefect and Dask, or this process alone"
        ),
    ] = True,
    seed: Annotated[int, typer.Option(help="random seed")] = 0,
    json_output: Annotated[
        bool, typer.Option("--json", help="print one JSON object on standard output")
    ] = False,
    accept_offset: Annotated[
        bool, typer.Option("--accept-offset", help="use a reference that fails its self-check")
    ] = False,
    trust_model_file: Annotated[
        bool,
        typer.Option(
            "--trust-model-file", help="load a model file of unknown SHA-256 (it can run code)"
        ),
    ] = False,
) -> None:
    """Correct a finished run by a few labels at a higher reference level."""
    from data.store import plain
    from flows.settings import make
    from flows.upgrade import UpgradeSettings, print_upgrade
    from flows.upgrade_run import launch_upgrade

    values = {
        "run_dir": str(run_dir),
        "reference": reference,
        "max_labels": max_labels,
        "explore_share": explore_share,
        "workers": workers,
        "cluster": None if cluster is None else str(cluster),
        "seed": seed,
        "accept_offset": accept_offset,
        "trust_model_file": trust_model_file,
    }
    settings = make(UpgradeSettings, "upgrade", values)
    results = launch_upgrade(settings, orchestration=orchestration)
    if json_output:
        typer.echo(json.dumps(plain({"results": results}), allow_nan=False))
    else:
        print_upgrade(results, settings.folder)
