"""Stand-ins for the work of a campaign, in a module that workers can import."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flows.campaign.work import UnitItem, UnitRecord

PATTERN = "WIDOMILL_SCALE_PATTERN"
"""Environment variable: folder of a finished unit that every other is a copy of."""
KEPT = ("settings.json", "result.json", "results.parquet", "provenance.json")


@dataclass(frozen=True)
class Sleep:
    """A reference call that takes a fixed time, s; the number makes items different."""

    number: int
    seconds: float


def sleep(item: Sleep) -> int:
    """Take the time and return the number."""
    time.sleep(item.seconds)
    return item.number


def copied_unit(item: UnitItem) -> UnitRecord:
    """Stand in for a classical unit: put the files of a finished one in its place."""
    from flows.campaign.work import UnitRecord
    from flows.settings import HenrySettings

    folder = Path(HenrySettings.model_validate_json(item.settings).out)
    folder.mkdir(parents=True, exist_ok=True)
    pattern = Path(os.environ[PATTERN])
    for name in KEPT:
        if (pattern / name).is_file():
            shutil.copyfile(pattern / name, folder / name)
    return UnitRecord(item.unit_id, 0.0, 0)
