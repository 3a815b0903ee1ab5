import numpy as np
import pytest
from common.pool import Pool, mixed_rows
from novelty import Population, examine, volumes

from ml.training import LabelSet

TEMPERATURE_K = 300.0
THERMAL = 0.00831446261815324 * TEMPERATURE_K


def harmonic(counts: dict[float, int]) -> tuple[Pool, np.ndarray]:
    """Positions in harmonic wells at several temperatures: U = x^2 / 2 kJ/mol."""
    rng = np.random.default_rng(0)
    places, tempering = [], []
    for factor, count in counts.items():
        places.append(rng.normal(0.0, np.sqrt(THERMAL * factor), count))
        tempering.append(np.full(count, factor))
    x = np.concatenate(places)
    none = np.zeros((len(x), 3)), np.zeros((len(x), 4))
    labels = LabelSet(*none, 0.5 * x**2, 0.5 * x**2)
    guide = np.where(np.arange(len(x)) % 2, "baseline", "surrogate")
    return Pool(labels, guide, np.concatenate(tempering)), x


def test_volumes_undo_the_densities_that_labels_were_drawn_from():
    """Weighted labels stand for the line: Boltzmann averages at any temperature come out."""
    pool, x = harmonic({1.0: 3000, 2.0: 2000, 4.0: 1000})
    weight = volumes(pool, TEMPERATURE_K)
    for factor in (1.0, 1.5, 3.0):
        share = weight * np.exp(-0.5 * x**2 / (factor * THERMAL))
        assert np.average(x**2, weights=share) == pytest.approx(factor * THERMAL, rel=0.08)


def test_a_signal_that_knows_the_errors_saves_labels_and_a_blind_one_costs_some():
    rng = np.random.default_rng(1)
    count = 3000
    mean = rng.normal(-30.0, 3.0, count)
    hidden = np.exp(rng.normal(0.0, 0.8, count))
    energy = mean + 0.3 * hidden * rng.normal(size=count)
    noise = np.exp(rng.normal(0.0, 0.8, count))
    signals = {"auto-encoder": hidden, "principal components": noise}
    sd = 0.3 * np.exp(rng.normal(0.0, 0.1, count))
    weight = np.exp((mean - mean.mean()) / THERMAL)
    found = examine(Population(energy, mean, sd, weight, signals), TEMPERATURE_K)
    knowing, blind = (found["signals"][name] for name in signals)
    assert found["ideal"] < knowing["ratios"]["1.0"] < 0.9
    assert blind["ratios"]["1.0"] > 1.1
    assert knowing["partial"] > 0.3
    assert abs(blind["partial"]) < 0.08


def test_every_beginning_of_a_training_set_is_the_same_mix():
    pool, x = harmonic({1.0: 400, 3.0: 400})
    allowed = np.arange(len(x)) % 5 > 0
    rows = mixed_rows(pool, np.random.default_rng(2), 200, allowed)
    assert len(np.unique(rows)) == len(rows) == 200
    assert allowed[rows].all()
    for size in (50, 100, 200):
        hot = (pool.guide[rows[:size]] == "baseline").sum()
        assert hot == pytest.approx(0.4 * size, abs=2)
