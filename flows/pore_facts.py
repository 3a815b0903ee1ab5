"""What the search for pores found, as facts of a result, and what a reader must be told of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.pores import PoresRecord


def pore_facts(pores: PoresRecord, excluded_share: float) -> dict[str, Any]:
    """Return what the search for pores found.

    Args:
        pores: of the run.
        excluded_share: share of the whole in pockets out of reach.
    """
    return {
        "excluded_share": excluded_share,
        "pockets": pores.pockets,
        "channels": list(pores.channels),
        "pockets_blocked": pores.blocked,
        "pockets_given": pores.given,
    }


def is_closed(facts: Mapping[str, Any]) -> bool:
    """Whether blocking pockets leaves nothing."""
    return bool(facts["pockets_blocked"] and not facts["pockets_given"] and not facts["channels"])


def pore_warnings(facts: dict[str, Any], wanted: bool) -> list[str]:
    """Say what is left out, or why nothing is.

    Args:
        facts: of :func:`pore_facts`.
        wanted: whether the run was to leave out pockets.
    """
    if is_closed(facts):
        return [
            "no pore of this host lets the guest through: the Henry coefficient is zero. "
            "--keep-pockets counts the closed pores all the same"
        ]
    if facts["pockets"] and not facts["pockets_blocked"] and wanted:
        return [
            "the baseline finds no pore that lets the guest through; since the reference decides, "
            "nothing is left out"
        ]
    share = facts["excluded_share"]
    if not facts["pockets_blocked"] or not facts["pockets"] or not share > 0:
        return []
    return [
        f"closed pockets left out: {facts['pockets']}, about {100 * share:.2g} % of what the "
        "answer would be with them (--keep-pockets)"
    ]
