"""What a check found, and how much it matters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Weight = Literal["note", "warning", "refused"]
Verdict = Literal["accepted", "accepted with warning", "refused"]


@dataclass(frozen=True)
class Finding:
    """One remark of one check.

    Attributes:
        check: short name of the check, the same for all files (``solvent``, ``duplicate`` ...).
        weight: ``refused`` keeps the structure out, ``warning`` and ``note`` do not.
        text: what was found, where, and what to do.
    """

    check: str
    weight: Weight
    text: str


def verdict_of(findings: Iterable[Finding]) -> Verdict:
    """Return the verdict that the worst of the findings stands for."""
    weights = {finding.weight for finding in findings}
    if "refused" in weights:
        return "refused"
    return "accepted with warning" if "warning" in weights else "accepted"


def listed(names: Iterable[str], most: int = 6) -> str:
    """Return names joined by commas, shortened."""
    kept = list(dict.fromkeys(names))
    more = f" and {len(kept) - most} more" if len(kept) > most else ""
    return ", ".join(kept[:most]) + more
