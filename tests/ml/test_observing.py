"""How far labels are followed: those far up a wall, of the reference or of the baseline, less."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pair_world import GUEST, TEMPERATURE_K, host_of, insertions, own_encoders

from data.constants import GAS_CONSTANT_KJ_PER_MOL_K
from ml import observing
from ml.encoder import Encoder
from ml.fitting import fit_surrogate
from ml.graphs import HostArrays
from ml.training import LabelSet

THERMAL = GAS_CONSTANT_KJ_PER_MOL_K * TEMPERATURE_K


def made_up(baseline: list[float], energy: list[float]) -> LabelSet:
    count = len(energy)
    return LabelSet(
        np.zeros((count, 3)),
        np.tile([1.0, 0.0, 0.0, 0.0], (count, 1)),
        np.array(baseline),
        np.array(energy),
    )


def stretch(baseline: list[float], energy: list[float]) -> np.ndarray:
    return observing.observations(made_up(baseline, energy), THERMAL).stretch.numpy()


def test_noise_grows_where_an_energy_lies_far_above_the_deepest() -> None:
    found = stretch([-38.0, -36.0, -20.0, 0.0, 10.0], [-40.0, -35.0, -12.0, 0.0, 30.0])
    assert np.all(found[:3] == 1.0)
    assert 1.0 < found[3] < 30.0 < found[4]


def test_noise_grows_where_a_baseline_lies_far_above_those_of_deep_labels() -> None:
    energy = [-40.0, -39.0, -38.0, -30.0, -30.0, -30.0]
    found = stretch([-38.0, -36.0, -35.0, 10.0, 40.0, 230.0], energy)
    assert np.all(found[:4] == 1.0)
    assert 30.0 < found[4] < 1e4 < found[5]


def test_a_baseline_that_is_high_wherever_the_reference_binds_is_no_reason_for_doubt() -> None:
    energy = [-40.0, -39.0, -38.0, -30.0, -30.0]
    found = stretch([25.0, 30.0, 35.0, 60.0, 300.0], energy)
    assert np.all(found[:4] == 1.0)
    assert found[4] > 1e4


@pytest.fixture(scope="module")
def host() -> HostArrays:
    return host_of(3)


@pytest.fixture(scope="module")
def encoders(host: HostArrays) -> tuple[Encoder, ...]:
    return own_encoders(host)


def error(labels: LabelSet, host: HostArrays, encoders: tuple[Encoder, ...]) -> tuple[float, float]:
    """Return the error and the stated deviation, medians over insertions never labelled."""
    surrogate = fit_surrogate(encoders, host, GUEST, labels, temperature_k=TEMPERATURE_K, seed=1)
    unseen = insertions(host, 400, 9)
    mean, spread = surrogate.predict(
        unseen.fractional, unseen.quaternions, unseen.baseline_kj_per_mol, exact=True
    )
    return float(np.median(np.abs(mean - unseen.energy_kj_per_mol))), float(np.median(spread))


def test_a_baseline_that_is_wrong_in_a_few_places_spoils_no_other(
    host: HostArrays, encoders: tuple[Encoder, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the reference binds and the baseline does not, by 100 to 300 kJ/mol."""
    labels = insertions(host, 60, 8)
    walls = np.argsort(labels.energy_kj_per_mol)[5:45:8]
    baseline = labels.baseline_kj_per_mol.copy()
    baseline[walls] += np.array([120.0, 260.0, 90.0, 300.0, 180.0])
    without = labels.rows(np.setdiff1d(np.arange(60), walls))
    wrong = replace(labels, baseline_kj_per_mol=baseline)
    clean, spread = error(without, host, encoders)
    spoiled, wide = error(wrong, host, encoders)
    monkeypatch.setattr(observing, "DOUBTED_KT", np.inf)
    followed, widest = error(wrong, host, encoders)
    assert spoiled < 0.05 * followed
    assert wide < 0.2 * widest
    assert spoiled < 5.0 * clean
    assert wide < 10.0 * spread
