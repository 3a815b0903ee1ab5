"""The Prefect flow ``campaign``: a campaign file, or its content as parameters."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from data.errors import CampaignStopped, SettingsError
from flows.campaign.job import run_campaign
from flows.campaign.prefect_view import PrefectView
from flows.campaign.read import Campaign, check_campaign, read_campaign
from flows.campaign.settings import CampaignSettings


def _run_name() -> str:
    parameters = flow_run.parameters
    settings = parameters.get("settings")
    if settings is None:
        return f"campaign {Path(str(parameters.get('file') or '')).stem}"
    return f"campaign {settings['name'] if isinstance(settings, dict) else settings.name}"


@flow(
    name="campaign",
    flow_run_name=_run_name,
    description="Henry coefficients of many hosts and guests; goes on where it was left",
    persist_result=False,
    validate_parameters=True,
)
def campaign(
    settings: CampaignSettings | None = None,
    file: str | None = None,
    retry_failed: bool = False,
) -> dict[str, Any]:
    """Run a campaign, or what is missing of it.

    Args:
        settings: what a campaign file says; relative paths start from the working directory.
        file: path of a campaign file, instead.
        retry_failed: also try units that failed for a reason that lasts.

    Returns:
        The fields of :class:`flows.campaign.job.CampaignSummary`.

    Raises:
        CampaignStopped: it was cancelled; running it again goes on.
    """
    checked = _checked(settings, file)
    with PrefectView(checked.settings.name) as view:
        summary = run_campaign(checked, view=view, retry_failed=retry_failed)
    if not summary.complete:
        raise CampaignStopped(
            f"{checked.settings.name} was stopped with {summary.waiting} units to go. Run it "
            f"again, or `widomill campaign resume {summary.folder}`."
        )
    return asdict(summary)


def _checked(settings: CampaignSettings | None, file: str | None) -> Campaign:
    if file:
        if settings is not None:
            raise SettingsError("Give the settings of the campaign or a file with them, not both.")
        return read_campaign(Path(file))
    if settings is None:
        raise SettingsError("Give the settings of the campaign, or a file with them.")
    return check_campaign(settings, Path.cwd())
