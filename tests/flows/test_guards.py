"""A result says itself where it is weak, with the number, and says nothing where it is sound."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chem.references.likeness import likeness
from flows.guards import calibration_guard, guards, likeness_guard

SOUND: dict[str, Any] = {
    "henry_mol_per_kg_pa": 1e-5,
    "henry_relative_standard_error": 0.04,
    "temperature_k": 298.15,
    "stopped_because": "target error reached",
    "qst_kj_per_mol": 35.0,
    "binding_energy_kj_per_mol": -42.0,
    "largest_weight_share": 0.02,
    "effective_samples": 4000.0,
    "labels": 120,
    "correction_effective_samples": 35.0,
    "failed_share": 0.0,
    "pockets_blocked": True,
    "pockets_given": False,
    "channels": [1],
}


def test_a_sound_result_has_no_warnings() -> None:
    assert guards(SOUND) == []
    assert calibration_guard(1.0) == ()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"henry_mol_per_kg_pa": -1e-6}, "negative"),
        ({"qst_kj_per_mol": 180.0}, "180 kJ/mol is no physisorption"),
        ({"binding_energy_kj_per_mol": -900.0}, "-900 kJ/mol"),
        ({"largest_weight_share": 0.6}, "60 % of the answer"),
        ({"effective_samples": 12.0}, "only 12 effective insertions"),
        ({"correction_effective_samples": 1.0}, "rests on 1.0 effective labels"),
        ({"failed_share": 0.08}, "8.0 % of the answer"),
        ({"stopped_because": "label budget spent"}, "stopped at 4.0 %"),
        ({"henry_mol_per_kg_pa": 0.0}, "no room"),
    ],
)
def test_each_weak_point_is_told_with_its_number(changed: dict[str, Any], said: str) -> None:
    (warning,) = guards(SOUND | changed)
    assert said in warning


def test_what_does_not_apply_is_not_said() -> None:
    assert guards(SOUND | {"labels": 0, "correction_effective_samples": 1.0}) == []
    assert guards(SOUND | {"henry_mol_per_kg_pa": 0.0, "channels": []}) == []
    assert guards(SOUND | {"binding_energy_kj_per_mol": None}) == []


@pytest.mark.parametrize("factor", [0.1, 7.0])
def test_a_calibration_that_drifted_is_told(factor: float) -> None:
    assert f"{factor:.1f}" in calibration_guard(factor)[0]


BASELINE = np.linspace(-30.0, -8.0, 30)


@pytest.mark.parametrize("factor", [27.2, 1 / 27.2, 4.4, 96.5, -1.0])
def test_a_factor_on_all_energies_is_told(factor: float) -> None:
    rng = np.random.default_rng(5)
    energy = BASELINE * rng.uniform(0.8, 1.2, 30)
    assert likeness_guard(likeness(energy, BASELINE, 298.15)) == ()
    (warning,) = likeness_guard(likeness(factor * energy, BASELINE, 298.15))
    said = float(warning.partition("energies are ")[2].partition(" times")[0])
    assert said == pytest.approx(factor, rel=0.1)


def test_walls_and_few_labels_are_no_factor() -> None:
    energy = np.where(np.arange(30) < 5, 2e5, BASELINE)
    (warning,) = likeness_guard(likeness(energy, BASELINE, 298.15))
    assert "5 of 30 labels" in warning
    assert "2e+05 kJ/mol" in warning
    few = likeness(np.full(7, -300.0), BASELINE[:7], 298.15)
    assert np.isnan(few.ratio)
    assert likeness_guard(few) == ()
    assert likeness_guard(likeness(np.full(30, np.nan), BASELINE, 298.15)) == ()
