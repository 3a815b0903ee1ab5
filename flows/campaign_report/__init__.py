"""The report of a campaign: one HTML file, made from the files of its folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flows.campaign.folder import CampaignFolder


def write_campaign_report(folder: CampaignFolder) -> Path:
    """Write the report of a campaign, finished or not.

    Args:
        folder: the campaign.

    Returns:
        The path of the page: one file that shows everything without a network.

    Raises:
        RunFolderError: the folder is no campaign, or a file in it is damaged.
    """
    from data.store import write_text
    from flows.campaign_report.page import render

    write_text(folder.report_path, render(folder.require()))
    return folder.report_path
