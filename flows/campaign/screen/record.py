"""The record of a screen, screen.json: every lot, when, which host, why and what it found.

A batch of lots is written when it is decided, before anything is paid, so that a killed screen
goes on with the lots it had decided, and decides later ones from the same past.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from data.errors import RunFolderError
from data.store import plain, write_json

NAME = "screen.json"


@dataclass(frozen=True)
class Found:
    """What is known of a host and guest after a lot.

    Attributes:
        labels: labels of the lot.
        labels_total: labels of the run so far.
        henry_mol_per_kg_pa: Henry coefficient of the run so far.
        relative_standard_error: of it.
        degrees_of_freedom: of its error bar; None where there are many.
        qst_kj_per_mol: heat of adsorption.
        qst_standard_error: of it, kJ/mol.
        finished: when, ISO 8601.
        closed: why the run takes no more lots; empty while it does.
        failed: why the lot gave nothing; empty where it did.
    """

    labels: int
    labels_total: int
    henry_mol_per_kg_pa: float | None
    relative_standard_error: float | None
    degrees_of_freedom: float | None
    qst_kj_per_mol: float | None
    qst_standard_error: float | None
    finished: str
    closed: str = ""
    failed: str = ""


@dataclass(frozen=True)
class Lot:
    """One lot of labels: a round of one host's reference run.

    Attributes:
        number: from 1, in the order of decisions.
        batch: lots of one number were decided together.
        unit: run folder.
        host: id of the host.
        guest: name of the guest.
        round: number of the round within the run.
        decided: when, ISO 8601.
        reason: "contested", "member" or "undecided", see chem.screening.choice.
        probability: of the host to be among the top k, as then believed.
        believed: mean and deviation of ln K_H, as then believed.
        expected_labels: of the lot.
        found: what it found; None while it is open.
    """

    number: int
    batch: int
    unit: str
    host: str
    guest: str
    round: int
    decided: str
    reason: str
    probability: float
    believed: tuple[float, float]
    expected_labels: float
    found: Found | None = None


@dataclass
class ScreenRecord:
    """All lots so far, and how the screen stands.

    Attributes:
        asked: the settings that decided the lots.
        lots: in order.
        shares: expected share of the top k that is found, before each batch, with its error.
        stopped_because: why no more lots are given; empty while there may be more.
    """

    asked: dict[str, Any] = field(default_factory=dict)
    lots: list[Lot] = field(default_factory=list)
    shares: list[tuple[float, float]] = field(default_factory=list)
    stopped_because: str = ""

    @property
    def labels(self) -> int:
        """Labels paid."""
        return sum(lot.found.labels for lot in self.lots if lot.found)

    @property
    def open_lots(self) -> list[Lot]:
        """Lots decided and not done."""
        return [lot for lot in self.lots if lot.found is None]

    @property
    def batches(self) -> int:
        """Batches decided."""
        return self.lots[-1].batch if self.lots else 0

    def settle(self, number: int, found: Found) -> None:
        """Note what a lot found."""
        self.lots[number - 1] = replace(self.lots[number - 1], found=found)

    def last(self) -> dict[str, Lot]:
        """Return the last finished lot of each unit that gave an estimate."""
        return {lot.unit: lot for lot in self.lots if lot.found and lot.found.henry_mol_per_kg_pa}

    def rounds(self) -> dict[str, int]:
        """Return the lots of each unit."""
        return {lot.unit: lot.round for lot in self.lots}

    def closed(self) -> set[str]:
        """Return units that take no more lots."""
        return {x.unit for x in self.lots if x.found and (x.found.closed or x.found.failed)}

    def save(self, folder: Path) -> None:
        """Write screen.json."""
        content: dict[str, Any] = asdict(self)
        content["labels"] = self.labels
        write_json(folder / NAME, plain(content))

    @staticmethod
    def load(folder: Path, asked: Mapping[str, Any]) -> ScreenRecord:
        """Read screen.json; an empty record where there is none.

        Args:
            folder: of the campaign.
            asked: what is asked for now; another budget or stopping rule opens the screen again.

        Raises:
            RunFolderError: the file is damaged.
        """
        path = folder / NAME
        if not path.is_file():
            return ScreenRecord(dict(asked))
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            lots = [_lot(entry) for entry in content["lots"]]
            shares = [(float(a), float(b)) for a, b in content["shares"]]
            same = content["asked"] == plain(dict(asked))
            stopped = content["stopped_because"] if same else ""
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunFolderError(
                f"Cannot read {path}: {error}. Remove it to decide all lots again; labels that "
                "were paid are kept."
            ) from error
        return ScreenRecord(dict(asked), lots, shares, stopped)


def _lot(entry: Mapping[str, Any]) -> Lot:
    found = entry["found"]
    mean, spread = entry["believed"]
    values = {**entry, "believed": (mean, spread), "found": Found(**found) if found else None}
    return Lot(**values)
