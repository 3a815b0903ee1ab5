"""`widomill ui`: the Prefect UI with everything of this project in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ui = typer.Typer(name="ui", help="The Prefect UI: server, worker, deployments, notifications.")


@ui.callback(invoke_without_command=True)
def serve(
    context: typer.Context,
    sample: Annotated[
        bool, typer.Option("--sample", help="start a small campaign to look at")
    ] = False,
    until_done: Annotated[
        bool, typer.Option("--until-done", help="end with the sample campaign")
    ] = False,
    host: Annotated[str, typer.Option(help="address the server listens on")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(help="port of the server", show_default="any that is free")
    ] = None,
    folder: Annotated[
        Path, typer.Option(help="home of the database, the logs and the sample", file_okay=False)
    ] = Path("runs/ui"),
) -> None:
    """Serve the Prefect UI with a worker and the deployments of prefect.yaml, until Ctrl-C."""
    if context.invoked_subcommand is not None:
        return
    from flows.ui import run_ui

    done = run_ui(
        folder.absolute(),
        port=port,
        host=host,
        sample=sample or until_done,
        until_done=until_done,
        say=typer.echo,
    )
    raise typer.Exit(0 if done else 1)


@ui.command()
def notify(
    url: Annotated[str, typer.Argument(metavar="URL", help="address that gets a POST")],
) -> None:
    """Let the server of PREFECT_API_URL call a webhook when a campaign ends, however it ends."""
    from flows.automations import notify_webhook

    typer.echo(notify_webhook(url))
