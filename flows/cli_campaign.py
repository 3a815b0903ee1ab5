"""`widomill campaign`: many hosts and guests from one file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli_options import JsonOutput, Orchestration

if TYPE_CHECKING:
    from flows.campaign.job import CampaignSummary
    from flows.campaign.read import Campaign

campaign = typer.Typer(
    name="campaign", no_args_is_help=True, help="Many hosts and guests from one file."
)
File = Annotated[Path, typer.Argument(metavar="FILE", help="a campaign file")]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="the folder of a campaign")]
RetryFailed = Annotated[
    bool, typer.Option("--retry-failed", help="also try units that failed for a lasting reason")
]
Out = Annotated[
    Path | None, typer.Option(help="folder of the campaign", show_default="what the file says")
]
EXIT_STOPPED = 130


@campaign.command()
def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="file to write")] = Path(
        "campaign.yaml"
    ),
    name: Annotated[
        str | None, typer.Option(help="name of the campaign", show_default="the file's")
    ] = None,
) -> None:
    """Write a commented campaign file to start from."""
    from data.errors import SettingsError
    from data.store import write_text
    from flows.campaign.example import example
    from flows.campaign.hosts import safe_id

    if file.exists():
        raise SettingsError(f"{file} is there already. Give another name, or remove it.")
    write_text(file, example(safe_id(name or file.stem), str(file)))
    typer.echo(f"Wrote {file}. Edit it, then: widomill campaign plan {file}")


@campaign.command()
def plan(
    file: File,
    measure: Annotated[
        bool, typer.Option("--measure/--no-measure", help="measure levels of unknown cost first")
    ] = True,
    out: Out = None,
    json_output: JsonOutput = False,
) -> None:
    """Check a campaign file and print what it will do and cost."""
    from dataclasses import asdict

    from data.store import plain
    from flows.campaign.plan import make_plan
    from flows.campaign.plan import measure as measure_costs
    from flows.campaign.read import read_campaign
    from flows.campaign.show import print_plan

    checked = read_campaign(file, out=str(out.absolute()) if out else None)
    told = measure_costs(checked) if measure else []
    made = make_plan(checked)
    if json_output:
        typer.echo(json.dumps(plain({**asdict(made), "hours": made.hours, "notes": told})))
    else:
        print_plan(made, told)


@campaign.command()
def run(
    file: File,
    out: Out = None,
    retry_failed: RetryFailed = False,
    orchestration: Orchestration = True,
    json_output: JsonOutput = False,
) -> None:
    """Run a campaign, or what is missing of it."""
    from flows.campaign.read import read_campaign

    checked = read_campaign(file, out=str(out.absolute()) if out else None)
    _run(checked, retry_failed, orchestration, json_output)


@campaign.command()
def resume(
    folder: Folder,
    retry_failed: RetryFailed = False,
    orchestration: Orchestration = True,
    json_output: JsonOutput = False,
) -> None:
    """Go on with a campaign from its folder."""
    from flows.campaign.job import reopen

    _run(reopen(folder), retry_failed, orchestration, json_output)


@campaign.command()
def status(
    folder: Folder,
    watch: Annotated[bool, typer.Option("--watch", help="refresh until it has ended")] = False,
    json_output: JsonOutput = False,
) -> None:
    """Show how far a campaign is."""
    from flows.campaign.folder import CampaignFolder
    from flows.campaign.status import as_json, show_status
    from flows.campaign.status import status as status_of

    if json_output:
        now = status_of(CampaignFolder(folder).require())
        typer.echo(json.dumps(as_json(now), allow_nan=False))
    else:
        show_status(folder, watch=watch)


@campaign.command()
def report(folder: Folder) -> None:
    """Rebuild the report of a campaign, one HTML file."""
    from flows.campaign.folder import CampaignFolder
    from flows.campaign_report import write_campaign_report

    typer.echo(write_campaign_report(CampaignFolder(folder).require()))


@campaign.command()
def export(
    folder: Folder,
    format: Annotated[str, typer.Option(help="parquet | csv | aif | xyz")] = "csv",
    out: Annotated[
        Path | None, typer.Option(help="file or folder to write", show_default="DIR/export/...")
    ] = None,
) -> None:
    """Write the results as a table or as AIF files, or the labels as extended XYZ."""
    from flows.campaign.export.export import export as export_as
    from flows.campaign.folder import CampaignFolder

    record = export_as(CampaignFolder(folder).require(), format, out)
    typer.echo(f"{record.rows} rows in {record.path}")
    for told in record.left_out:
        typer.echo(f"left out: {told}", err=True)


def _run(checked: Campaign, retry_failed: bool, orchestration: bool, json_output: bool) -> None:
    from dataclasses import asdict

    from data.errors import CampaignStopped
    from flows.campaign.launch import launch_campaign
    from flows.campaign.show import print_summary

    try:
        summary: CampaignSummary = launch_campaign(
            checked, retry_failed=retry_failed, orchestration=orchestration
        )
    except CampaignStopped as stopped:
        typer.echo(str(stopped), err=True)
        raise typer.Exit(EXIT_STOPPED) from None
    if json_output:
        typer.echo(json.dumps(asdict(summary)))
    else:
        print_summary(summary)
    if not summary.complete:
        raise typer.Exit(EXIT_STOPPED)
