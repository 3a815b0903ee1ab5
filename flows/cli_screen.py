"""`widomill screen`: a label budget where it can change who is among the best."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli_options import JsonOutput, Orchestration

if TYPE_CHECKING:
    from flows.campaign.read import Campaign

EXIT_STOPPED = 130
SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(screen)


def screen(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="a campaign file with `screen`")],
    out: Annotated[
        Path | None, typer.Option(help="folder of the campaign", show_default="what the file says")
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="print the ranking as it stands; run nothing")
    ] = False,
    orchestration: Orchestration = True,
    json_output: JsonOutput = False,
) -> None:
    """Rank many hosts at a reference level within a label budget, or go on with it."""
    from data.errors import CampaignStopped
    from flows.campaign.launch import launch_campaign
    from flows.campaign.read import read_campaign
    from flows.campaign.screen.screen import screen_of

    checked = read_campaign(file, out=str(out.absolute()) if out else None)
    screen_of(checked)
    complete = True
    if not show:
        try:
            complete = launch_campaign(checked, orchestration=orchestration).complete
        except CampaignStopped as stopped:
            typer.echo(str(stopped), err=True)
            raise typer.Exit(EXIT_STOPPED) from None
    _print(checked, json_output)
    if not complete:
        raise typer.Exit(EXIT_STOPPED)


def _print(checked: Campaign, json_output: bool) -> None:
    from flows.campaign.folder import CampaignFolder
    from flows.campaign.screen.ranking import ranking
    from flows.campaign.screen.screen import as_json, open_state, screen_of
    from flows.campaign.show_screen import print_ranking

    part = screen_of(checked)
    state = open_state(checked, CampaignFolder(checked.folder))
    rows = ranking(state, part, checked.settings.seed)
    if json_output:
        typer.echo(json.dumps(as_json(state, rows)))
    else:
        print_ranking(state, part, rows, max(SHOWN, part.top_k), checked.folder)
