"""Start a campaign under Prefect, or in this process alone."""

from __future__ import annotations

from flows.campaign.job import CampaignSummary, run_campaign
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
    """
    if not orchestration:
        return run_campaign(campaign, retry_failed=retry_failed)
    from flows.server import prefect_server

    with prefect_server(campaign.folder / "prefect", wait=False) as server:
        from flows.campaign.flow import campaign as flow

        server.wait()
        _say(f"Watch it at {server.ui_url}")
        return CampaignSummary(**flow(campaign.settings, None, retry_failed))


def _say(text: str) -> None:
    from rich.console import Console

    Console(stderr=True, highlight=False, soft_wrap=True).print(text)
