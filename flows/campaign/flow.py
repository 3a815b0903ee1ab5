"""The Prefect flow ``campaign``: a campaign file, or its content as parameters."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed

from data.errors import CampaignBusyError, CampaignStopped, SettingsError
from flows.campaign.job import CampaignSummary, run_campaign
from flows.campaign.notify import notify
from flows.campaign.page.prefect_view import PrefectView
from flows.campaign.read import Campaign, check_campaign, read_campaign
from flows.campaign.settings import CampaignSettings

BUSY_S = 2.0


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
    on_completion=[notify],
    on_failure=[notify],
    on_cancellation=[notify],
    on_crashed=[notify],
)
def campaign(
    settings: CampaignSettings | None = None,
    file: str | None = None,
    retry_failed: bool = False,
    wait: bool = True,
) -> Any:
    """Run a campaign, or what is missing of it.

    Args:
        settings: what a campaign file says; relative paths start from the working directory.
        file: path of a campaign file, instead.
        retry_failed: also try units that failed for a reason that lasts.
        wait: while another process works on the same campaign, wait and take up what it leaves;
            otherwise that is an error.

    Returns:
        Completed, with the fields of :class:`flows.campaign.job.CampaignSummary`; or Cancelled,
        and running it again goes on.

    Raises:
        CampaignBusyError: another process works on it, and ``wait`` is off.
    """
    checked = _checked(settings, file)
    with PrefectView(checked.settings.name) as view:
        while True:
            try:
                summary = run_campaign(checked, view=view, retry_failed=retry_failed)
                break
            except CampaignBusyError as busy:
                if not wait:
                    raise
                _wait_for_turn(view, busy)
    if not summary.complete:
        return Cancelled(
            message=f"{checked.settings.name} was stopped with {summary.waiting} units to go. Run "
            f"it again, or `widomill campaign resume {summary.folder}`."
        )
    return Completed(message=outcome(summary), data=asdict(summary))


def outcome(summary: CampaignSummary) -> str:
    """Return how a campaign ended, in a line."""
    all_units = f"{summary.finished} units have their answer, {summary.failed} failed"
    if summary.done_now == 0:
        return f"Nothing to do: {all_units}. {summary.folder}"
    return f"{summary.done_now} units done now; {all_units}. {summary.folder}"


def _wait_for_turn(view: PrefectView, busy: CampaignBusyError) -> None:
    """Wait a little for the other process, and give up if the UI says so."""
    logging.getLogger("prefect.flow_runs").info("%s", busy)
    if view.gate() == "stop":
        raise CampaignStopped(f"Cancelled before it began. {busy}")
    time.sleep(BUSY_S)


def _checked(settings: CampaignSettings | None, file: str | None) -> Campaign:
    if file:
        if settings is not None:
            raise SettingsError("Give the settings of the campaign or a file with them, not both.")
        return read_campaign(Path(file))
    if settings is None:
        raise SettingsError("Give the settings of the campaign, or a file with them.")
    return check_campaign(settings, Path.cwd())
