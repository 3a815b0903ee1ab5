"""Numbers that guard themselves: what a result has to say of its own weak points."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flows.pore_facts import is_closed

if TYPE_CHECKING:
    from chem.references.likeness import Likeness

DOMINANT_SHARE = 0.2
FEW_EFFECTIVE = 30.0
FEW_EFFECTIVE_LABELS = 10.0
LARGE_FAILED_SHARE = 0.01
LARGEST_HEAT_KJ_PER_MOL = 150.0
DEEPEST_KJ_PER_MOL = -250.0
"""Chemisorption of small molecules ends about here; below it an energy is a mistake."""
DRIFTED = 3.0
UNLIKE = 4.0
"""Reference over baseline energies; units of energy differ by more, levels by less."""
MOST_WALLS = 0.02


def guards(result: Mapping[str, Any]) -> list[str]:
    """Return the warnings that follow from the numbers of a result alone, each with its number.

    Args:
        result: one temperature's result, as in result.json, without its warnings.
    """
    found = [*_physical(result)]
    error = result["henry_relative_standard_error"]
    short = result["stopped_because"] != "target error reached"
    if short and result["henry_mol_per_kg_pa"] != 0:
        found.append(
            f"stopped at {100 * error:.1f} % relative standard error at "
            f"{result['temperature_k']} K: {result['stopped_because']}"
        )
    return found + _statistical(result)


def _physical(result: Mapping[str, Any]) -> list[str]:
    found = []
    if result["henry_mol_per_kg_pa"] < 0:
        found.append("too few labels: the corrected estimate is negative, which is no answer yet")
    if result["qst_kj_per_mol"] > LARGEST_HEAT_KJ_PER_MOL:
        found.append(
            f"a heat of adsorption of {result['qst_kj_per_mol']:.0f} kJ/mol is no physisorption: "
            "check the charges of the host and the parameters"
        )
    deepest = result["binding_energy_kj_per_mol"]
    if deepest is not None and deepest < DEEPEST_KJ_PER_MOL:
        found.append(
            f"the lowest energy, {deepest:.0f} kJ/mol, is below what any molecule is bound with: "
            "the level gives no sense close to an atom; look at binding_site.cif"
        )
    return found


def _statistical(result: Mapping[str, Any]) -> list[str]:
    found = []
    share = result["largest_weight_share"]
    if share > DOMINANT_SHARE:
        found.append(f"one insertion carries {100 * share:.0f} % of the answer")
    if result["henry_mol_per_kg_pa"] == 0:
        if not is_closed(result):
            found.append("the guest found no room in this host: the Henry coefficient is zero")
    elif result["effective_samples"] < FEW_EFFECTIVE:
        found.append(
            f"only {result['effective_samples']:.0f} effective insertions at "
            f"{result['temperature_k']} K"
        )
    labels = result["correction_effective_samples"]
    if result["labels"] and labels < FEW_EFFECTIVE_LABELS:
        found.append(
            f"the interval rests on {labels:.1f} effective labels at {result['temperature_k']} K: "
            "it may itself be off; more labels settle it"
        )
    if result["failed_share"] > LARGE_FAILED_SHARE:
        found.append(
            f"failed labels stood for {100 * result['failed_share']:.1f} % of the answer: those "
            "that came back stand for them, and the interval is wider by what they may hide"
        )
    return found


def likeness_guard(found: Likeness) -> tuple[str, ...]:
    """Return warnings where labels do not look like energies of this guest in this host.

    Args:
        found: the labels beside the baseline.
    """
    told = []
    if math.isfinite(found.ratio) and not 1.0 / UNLIKE < found.ratio < UNLIKE:
        told.append(
            f"the reference's energies are {found.ratio:.3g} times the baseline's (median of "
            f"{found.labels} labels where that binds): is its unit right? kcal for kJ is a factor "
            "of 4.2, hartree for eV one of 27, eV for kJ/mol one of 96"
        )
    if found.walls > MOST_WALLS * found.labels:
        told.append(
            f"{found.walls} of {found.labels} labels say that there is no room where the baseline "
            f"binds (up to {found.highest_kj_per_mol:.3g} kJ/mol): look at the reference's energies"
        )
    return tuple(told)


def calibration_guard(factor: float) -> tuple[str, ...]:
    """Return a warning where a surrogate's spread had to be corrected by a large factor.

    Args:
        factor: what the last surrogate's spread was multiplied with to fit held-out labels.
    """
    if 1.0 / DRIFTED <= factor <= DRIFTED:
        return ()
    return (
        f"the last surrogate's spread was off by a factor of {factor:.1f} against held-out labels: "
        "labels were not placed where they help most (the interval does not rest on it)",
    )
