"""Labels shared by all runs of a user, addressed by content: none is ever paid for twice.

One folder per reference, host and guest, of small Parquet files; each is written once under the
hash of the labels in it and renamed into place, so that any number of processes may share the
store. A damaged file counts as absent. A store that cannot be written is no error: labels are in
the run's own folder in any case.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from data.errors import RunFolderError
from data.records import content_hash
from data.schemas import LABELS
from data.store import read_rows, write_rows

VARIABLE = "WIDOMILL_LABELS"
OFF = "off"
logger = logging.getLogger("widomill.labels")


def labels_folder() -> Path | None:
    """Return WIDOMILL_LABELS, else widomill/labels in the XDG data folder; None where it is off."""
    own = os.environ.get(VARIABLE)
    if own == OFF:
        return None
    if own:
        return Path(own).expanduser()
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "widomill" / "labels"


@lru_cache(maxsize=4096)
def _read_once(path: Path) -> list[dict[str, Any]]:
    """Return the labels of a file, which never change: its name is their hash."""
    return read_rows(path)


class LabelStore:
    """The labels of one reference, host and guest.

    Args:
        reference_key: content hash of the reference.
        host_hash: of the host.
        guest_hash: of the guest.
        folder: of the whole store; default: the user's.
    """

    def __init__(
        self, reference_key: str, host_hash: str, guest_hash: str, folder: Path | None = None
    ) -> None:
        base = folder or labels_folder()
        pair = f"{host_hash}-{guest_hash}"
        self._folder = base / reference_key / pair if base else None

    def find(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return the known labels among some, records of the ``labels`` schema by label key."""
        wanted = set(keys)
        return {row["label_key"]: dict(row) for row in self._rows() if row["label_key"] in wanted}

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep labels that have an energy; failures are worth another attempt elsewhere."""
        good = [row for row in rows if row["status"] != "failed"]
        if self._folder is None or not good:
            return
        name = content_hash(*sorted(row["label_key"] for row in good))
        path = self._folder / f"{name}.parquet"
        try:
            if not path.exists():
                write_rows(path, good, LABELS)
        except OSError as error:
            logger.warning("%s is not shared with other runs: %s", path, error)

    def _rows(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for path in sorted(self._folder.glob("*.parquet")) if self._folder else []:
            try:
                found += _read_once(path)
            except RunFolderError as error:
                logger.warning("%s is passed over: %s", path, error)
        return found
