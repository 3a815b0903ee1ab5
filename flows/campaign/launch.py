"""Start a campaign under Prefect, or in this process alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from data.errors import CampaignStopped
from flows.campaign.folder import CampaignFolder
from flows.campaign.job import CampaignSummary, run_campaign
from flows.campaign.live import now
from flows.campaign.read import Campaign


def launch_campaign(
    campaign: Campaign, *, retry_failed: bool = False, orchestration: bool = True
) -> CampaignSummary:
    """Run a campaign, on the user's Prefect server or one of its own, or without any.

    Args:
        campaign: checked.
        retry_failed: also try units that failed for a reason that lasts.
        orchestration: whether it is shown in a Prefect UI.

    Raises:
        CampaignStopped: it was cancelled in the UI.
        CampaignBusyError: another process is working on it.
    """
    if not orchestration:
        return run_campaign(campaign, retry_failed=retry_failed)
    from flows.server import prefect_server

    with prefect_server(campaign.folder / "prefect", wait=False) as server:
        from flows.campaign.flow import campaign as flow

        server.wait()
        _say(f"Watch it at {server.ui_url}")
        # The flow gets settings whose paths are absolute: it may run in another folder.
        settings = campaign.settings.model_copy(update={"out": str(campaign.folder)})
        with _server_may_leave(campaign) as ended:
            told: Any = flow(settings, None, retry_failed, wait=False)
            ended.append(CampaignSummary(**told))
    return ended[0]


@contextlib.contextmanager
def _server_may_leave(campaign: Campaign) -> Iterator[list[CampaignSummary]]:
    """Take the summary from the files where the server was gone when the flow ended.

    Yields:
        A list for the summary; filled from the files if the server left.
    """
    import httpx
    from prefect.exceptions import CancelledRun

    ended: list[CampaignSummary] = []
    began = now()
    try:
        yield ended
    except CancelledRun as cancelled:
        raise CampaignStopped(str(cancelled)) from None
    except httpx.TransportError:
        sessions = CampaignFolder(campaign.folder).usage().get("sessions", [])
        if not sessions or sessions[-1]["ended"] < began:
            raise
        names = {field.name for field in fields(CampaignSummary)}
        last = {name: value for name, value in sessions[-1].items() if name in names}
        ended.append(CampaignSummary(**last))


def _say(text: str) -> None:
    from rich.console import Console

    Console(stderr=True, highlight=False, soft_wrap=True).print(text)
