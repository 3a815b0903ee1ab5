"""The reference's self-check, before the first label."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.context import load_context, reference_level

if TYPE_CHECKING:
    from chem.references.contract import Reference
    from chem.system import System


@dataclass(frozen=True)
class CheckItem:
    """A run whose reference is to be checked."""

    run_dir: str
    accept_offset: bool


@dataclass(frozen=True)
class CheckRecord:
    """The outcome: passed or accepted, with the measured numbers in words.

    Attributes:
        message: what was measured.
        offset_kj_per_mol: accepted offset, None when the check passed.
        warnings: remarks every result must carry.
        key: content hash of the reference.
    """

    message: str
    offset_kj_per_mol: float | None
    warnings: tuple[str, ...]
    key: str


def cache_dir() -> Path:
    """Return the user's cache folder of widomill."""
    given = os.environ.get("WIDOMILL_CACHE") or os.environ.get("XDG_CACHE_HOME")
    base = Path(given) if given else Path.home() / ".cache"
    return base if os.environ.get("WIDOMILL_CACHE") else base / "widomill"


def check_reference_level(item: CheckItem) -> CheckRecord:
    """Hold the run's reference against its contract.

    Raises:
        OffsetReferenceError: it failed and the offset was not accepted.
    """
    context = load_context(item.run_dir)
    return check_level(reference_level(item.run_dir), context.system, item.accept_offset)


def check_level(reference: Reference, system: System, accept_offset: bool) -> CheckRecord:
    """Hold a reference against its contract for a system.

    Raises:
        OffsetReferenceError: it failed and the offset was not accepted.
    """
    from chem.references.selfcheck import check_reference

    check = check_reference(
        reference,
        system.host,
        system.guest,
        cache_dir=cache_dir(),
        accept_offset=accept_offset,
    )
    warnings = reference.warnings
    if not check.passed:
        warnings = (*warnings, f"reference accepted in spite of its self-check: {check.message}")
    return CheckRecord(
        check.message, None if check.passed else check.offset_kj_per_mol, warnings, reference.key
    )
