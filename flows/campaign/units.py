"""Units: what a campaign is made of, one host, one guest and one level each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.schemas import UNITS
from data.store import read_rows, write_rows
from flows.campaign.hosts import HostEntry, safe_id
from flows.campaign.read import Campaign
from flows.campaign.settings import ReferencePart
from flows.settings import HenrySettings

CLASSICAL = "classical"


@dataclass(frozen=True)
class Unit:
    """One host, guest and level at all temperatures: one run folder.

    Attributes:
        id: name of the run folder.
        host_id: the host's id in the campaign.
        guest: name of the guest.
        level: "classical" or the reference as written.
        settings: of the run, as `widomill henry` takes them.
    """

    id: str
    host_id: str
    guest: str
    level: str
    settings: HenrySettings

    @property
    def is_classical(self) -> bool:
        """Whether the classical level is the answer asked for."""
        return self.level == CLASSICAL

    @property
    def title(self) -> str:
        """The unit in words."""
        return f"{self.host_id} {self.guest} {self.level}"


def units_of(campaign: Campaign) -> list[Unit]:
    """Return the units of a campaign: classical ones first, then each reference's."""
    return list(_units(campaign))


def _units(campaign: Campaign) -> Iterator[Unit]:
    settings = campaign.settings
    classical = settings.classical.model_dump(mode="json")
    for host in campaign.hosts:
        for guest in settings.guests:
            yield make_unit(campaign, host, guest, CLASSICAL, classical)
    for part in settings.references:
        values = reference_values(campaign, part)
        for host in campaign.hosts_of(part):
            for guest in part.guests or settings.guests:
                yield make_unit(campaign, host, guest, part.level, values)


def reference_values(campaign: Campaign, part: ReferencePart) -> dict[str, Any]:
    """Return the settings of a reference's runs: the classical level's, then its own.

    The reference that a screen spends its labels at begins with small lots, unless it says
    otherwise itself.
    """
    own = part.model_dump(mode="json", exclude={"level", "hosts", "guests"})
    screen = campaign.settings.screen
    if screen is not None and own["first_labels"] is None:
        screened = screen.level or campaign.settings.references[0].level
        own["first_labels"] = screen.first_labels if part.level == screened else None
    return {**campaign.settings.classical.model_dump(mode="json"), **own, "keep_insertions": None}


def make_unit(
    campaign: Campaign, host: HostEntry, guest: str, level: str, values: dict[str, Any]
) -> Unit:
    """Return one unit.

    Args:
        campaign: it belongs to.
        host: its host.
        guest: its guest, name or path.
        level: "classical" or a reference as written.
        values: settings of the level.
    """
    settings = HenrySettings(
        **values,
        host=host.source,
        guest=guest,
        temperatures_k=campaign.settings.temperatures_k,
        reference=level,
        seed=campaign.settings.seed,
        label_seconds=campaign.settings.limits.label_seconds,
        workers=1,
        threads=1,
    )
    name = Path(guest).stem
    word = safe_id(settings.kind)
    unit_id = f"{host.id}_{safe_id(name)}_{word}_{settings.hash[:8]}"
    out = str(campaign.folder / "runs" / unit_id)
    return Unit(unit_id, host.id, name, level, settings.model_copy(update={"out": out}))


def write_units(folder: Path, units: Sequence[Unit]) -> None:
    """Write the plan of a campaign, one row per unit."""
    rows = [
        {
            "unit": u.id,
            "host": u.host_id,
            "guest": u.guest,
            "level": u.level,
            "settings": u.settings.model_dump_json(exclude={"out"}),
        }
        for u in units
    ]
    write_rows(folder / "units.parquet", rows, UNITS)


def read_units(folder: Path) -> list[Unit]:
    """Return the units of a campaign's folder as last planned.

    Raises:
        RunFolderError: there is no plan, or it is damaged.
    """
    found = []
    for row in read_rows(folder / "units.parquet"):
        settings = HenrySettings.model_validate_json(row["settings"])
        out = str(folder / "runs" / row["unit"])
        found.append(
            Unit(
                row["unit"],
                row["host"],
                row["guest"],
                row["level"],
                settings.model_copy(update={"out": out}),
            )
        )
    return found
