"""One small campaign, really run, that tests of what comes out of campaigns share."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.campaign.folder import CampaignFolder, Failure
from flows.campaign.job import write_plan
from flows.campaign.read import read_campaign
from flows.campaign.units import units_of
from flows.console import SilentReporter
from flows.executors import PlainExecutor
from flows.report import write_report
from flows.run import run

CAMPAIGN = """\
name: outputs
hosts: [CALF-20, LTA_SI, SOD, MFI_SI, CAXVII]
guests: [Ar, CH4]
temperatures_k: [298.15, 350.0]
classical: {insertions: 3000, energies: direct, block_pockets: false}
references:
  - {level: "forcefield:DREIDING", hosts: [CALF-20], guests: [CH4], insertions: 3000,
     max_labels: 24, max_rounds: 1}
"""
HOSTILE = "<script>alert('reason')</script></script><img src=x onerror=alert(1)>"
FAILED_HOST = "MFI_SI"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> CampaignFolder:
    """A campaign with answers, a unit given up, and one that still waits; do not change it."""
    path = tmp_path_factory.mktemp("outputs") / "campaign.yaml"
    path.write_text(CAMPAIGN, encoding="utf-8")
    campaign = read_campaign(path)
    folder, units = CampaignFolder(campaign.folder), units_of(campaign)
    folder.path.mkdir(parents=True)
    write_plan(campaign, folder, units)
    for unit in units:
        if unit.host_id == FAILED_HOST:
            if unit.guest == "Ar":
                told = (unit.id, unit.host_id, unit.guest, unit.level, "StructureError", HOSTILE)
                folder.record_failure(Failure(*told, "2026-01-01T00:00:00+00:00", 1, False))
            continue
        run(unit.settings, PlainExecutor(), SilentReporter())
    for unit in units:
        if unit.host_id == "CALF-20":
            write_report(Path(unit.settings.out))
    return folder
