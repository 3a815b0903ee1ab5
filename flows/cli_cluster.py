"""`widomill cluster`: is a cluster file right, and does the cluster answer?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

cluster = typer.Typer(name="cluster", no_args_is_help=True, help="Where runs and campaigns run.")


@cluster.callback()
def group() -> None:
    """Where runs and campaigns run."""


@cluster.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="a YAML cluster file")],
    timeout: Annotated[
        float, typer.Option(min=1.0, help="seconds to wait for a worker of each pool")
    ] = 120.0,
    folder: Annotated[
        Path, typer.Option(help="where runs will be; workers have to see it", file_okay=False)
    ] = Path(),
) -> None:
    """Say what a cluster file means, print the job script, run a smoke task on each pool."""
    from flows.cluster_check import check_cluster

    check_cluster(file, timeout, folder, typer.echo)
