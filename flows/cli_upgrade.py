"""The command that takes a finished run one reference level up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from data.constants import LABEL_SECONDS
from flows.cli_options import (
    AcceptOffset,
    Cluster,
    JsonOutput,
    LabelSeconds,
    Orchestration,
    Seed,
    TrustModelFile,
    Workers,
)


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
    workers: Workers = 2,
    cluster: Cluster = None,
    orchestration: Orchestration = True,
    seed: Seed = 0,
    json_output: JsonOutput = False,
    label_seconds: LabelSeconds = LABEL_SECONDS,
    accept_offset: AcceptOffset = False,
    trust_model_file: TrustModelFile = False,
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
        "label_seconds": label_seconds,
        "accept_offset": accept_offset,
        "trust_model_file": trust_model_file,
    }
    settings = make(UpgradeSettings, "upgrade", values)
    results = launch_upgrade(settings, orchestration=orchestration)
    if json_output:
        typer.echo(json.dumps(plain({"results": results}), allow_nan=False))
    else:
        print_upgrade(results, settings.folder)
