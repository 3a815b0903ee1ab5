"""Widom's average: exact limits, honest errors, and the same bits however it is run."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.special import erf, erfi

from chem.guests import load_guest
from chem.sampling import Plan, widom_average
from data.constants import GAS_CONSTANT_KJ_PER_MOL_K
from data.errors import SettingsError
from data.records import Guest, Host

CELL_ANGSTROM = 9.0
T = 300.0
CELL = Host("toy", CELL_ANGSTROM * np.eye(3), np.zeros((1, 3)), ("C",), ("C1",))
GUEST = load_guest("CO2")
THERMAL = GAS_CONSTANT_KJ_PER_MOL_K * T


@dataclass(frozen=True)
class Toy:
    """A cell whose Boltzmann average is known in closed form.

    A slab of the cell is hard. In the rest U = k d^2/2 - depth + lean (1 - cos^2 theta), with d
    the distance from the cell's centre along each of its axes.
    """

    stiffness: float = 20.0
    depth: float = 15.0
    lean: float = 8.0
    hard: float = 0.2
    host: Host = CELL
    guest: Guest = GUEST
    pairs = None

    def energies(self, fractional, quaternions):
        _, x, y, _ = quaternions.T
        cosine = 1.0 - 2.0 * (x * x + y * y)
        shift = CELL_ANGSTROM * (fractional - 0.5)
        energy = 0.5 * self.stiffness * (shift**2).sum(axis=1) - self.depth
        energy += self.lean * (1.0 - cosine**2)
        overlap = fractional[:, 0] < self.hard
        return np.where(overlap, np.inf, energy), overlap

    def exact(self, temperature_k: float = T) -> float:
        beta = 1.0 / (GAS_CONSTANT_KJ_PER_MOL_K * temperature_k)
        scale = np.sqrt(0.5 * beta * self.stiffness)

        def along(low: float, high: float) -> float:
            ends = scale * CELL_ANGSTROM * (np.array([low, high]) - 0.5)
            return np.sqrt(np.pi) / 2 * np.diff(erf(ends))[0] / scale / CELL_ANGSTROM

        lean = beta * self.lean
        turned = np.exp(-lean) * np.sqrt(np.pi) / 2 * erfi(np.sqrt(lean)) / np.sqrt(lean)
        place = along(self.hard, 1.0) * along(0.0, 1.0) ** 2
        return float(np.exp(beta * self.depth) * place * turned)


class HalfBlocked:
    """The upper half of the cell along z is out of reach."""

    def blocked(self, fractional):
        return fractional[:, 2] > 0.5


def test_an_empty_box_is_exactly_one():
    class Empty(Toy):
        def energies(self, fractional, quaternions):
            return np.zeros(len(fractional)), np.zeros(len(fractional), dtype=bool)

    for adaptive in (True, False):
        answer = widom_average(Empty(), (T,), Plan(10_000, 0.01, adaptive=adaptive))
        assert answer.pooled.moments[0].mean[0] == pytest.approx(1.0, rel=0.02 * adaptive + 1e-12)
        assert answer.reached


def test_a_closed_box_is_exactly_zero():
    answer = widom_average(Toy(hard=2.0), (T,), Plan(5_000))
    assert answer.pooled.moments[0].mean[0] == 0.0
    assert answer.pooled.overlap_fraction == pytest.approx(1.0)
    assert not answer.reached
    assert len(answer.pooled.lowest.weights) == 0


@pytest.mark.parametrize("adaptive", [True, False])
def test_closed_form(adaptive):
    toy, temperatures = Toy(), (250.0, 300.0, 400.0)
    answer = widom_average(toy, temperatures, Plan(600_000, 0.004, adaptive=adaptive, seed=3))
    errors = answer.pooled.relative_standard_errors
    for k, temperature in enumerate(temperatures):
        ratio = answer.pooled.moments[k].mean[0] / toy.exact(temperature)
        assert abs(ratio - 1.0) < 3.0 * errors[k]
    assert answer.pooled.overlap_fraction == pytest.approx(0.2, abs=0.01)


def test_mean_energy_is_the_temperature_derivative():
    """<U> = -d ln<W>/d beta of the closed form."""
    toy, step = Toy(), 0.5
    answer = widom_average(toy, (T,), Plan(400_000, 0.002, seed=5))
    mean, covariance = answer.pooled.moments[0].mean, answer.pooled.moments[0].table_covariance
    betas = [1.0 / (GAS_CONSTANT_KJ_PER_MOL_K * t) for t in (T - step, T + step)]
    slope = (np.log(toy.exact(T + step)) - np.log(toy.exact(T - step))) / (betas[1] - betas[0])
    ratio = mean[1] / mean[0]
    gradient = np.array([-ratio, 1.0]) / mean[0]
    error = np.sqrt(gradient @ covariance @ gradient)
    assert abs(ratio + slope) < 3.5 * error + 1e-3


def test_intervals_cover_and_errors_match_the_scatter():
    toy, runs = Toy(), 120
    exact = toy.exact()
    answers = [
        widom_average(toy, (T,), Plan(30_000, 0.02, seed=seed)).pooled for seed in range(runs)
    ]
    ratios = np.array([a.moments[0].mean[0] / exact for a in answers])
    errors = np.array([a.relative_standard_errors[0] for a in answers])
    hits = (np.abs(ratios - 1.0) < 2.04 * errors).mean()  # Student's t, 31 degrees of freedom
    assert hits > 0.95 - 3.0 * np.sqrt(0.05 * 0.95 / runs)
    assert abs(ratios.mean() - 1.0) < 3.5 * ratios.std() / np.sqrt(runs)
    assert 0.75 < ratios.std() / np.sqrt((errors**2).mean()) < 1.25


def test_adaptive_needs_far_fewer_insertions():
    toy = Toy(stiffness=100.0, depth=30.0)
    spread = {}
    for adaptive in (True, False):
        pooled = widom_average(toy, (T,), Plan(300_000, 1e-6, adaptive=adaptive)).pooled
        spread[adaptive] = pooled.insertions * pooled.relative_standard_errors[0] ** 2
    assert spread[True] < spread[False] / 20.0


def test_stops_at_the_target_and_not_before():
    loose = widom_average(Toy(), (T,), Plan(1_000_000, 0.05))
    tight = widom_average(Toy(), (T,), Plan(1_000_000, 0.003))
    short = widom_average(Toy(), (T,), Plan(20_000, 0.0005))
    assert loose.reached
    assert tight.reached
    assert tight.pooled.relative_standard_errors[0] <= 0.003
    assert loose.pooled.insertions < tight.pooled.insertions
    assert not short.reached
    assert short.evaluated <= 20_000


def test_threads_leave_every_bit():
    def run(threads: int):
        kept = []
        plan = Plan(400_000, 0.01, seed=7, threads=threads)
        answer = widom_average(Toy(), (T,), plan, keep=lambda k, b: kept.append((k, b)))
        return answer.pooled, kept

    (one, first), (two, second) = run(1), run(3)
    assert one.insertions == two.insertions
    assert (one.moments[0].mean == two.moments[0].mean).all()
    assert [k for k, _ in first] == list(range(len(second)))
    for (_, a), (_, b) in zip(first, second, strict=True):
        assert (a.known.energy_kj_per_mol == b.known.energy_kj_per_mol).all()


def test_pockets_are_left_out_and_accounted_for():
    toy = Toy()
    plan = Plan(200_000, 0.005, seed=2)
    whole = widom_average(toy, (T,), plan).pooled
    half = widom_average(toy, (T,), plan, pockets=HalfBlocked()).pooled
    both = np.hypot(whole.relative_standard_errors[0], half.relative_standard_errors[0])
    assert half.moments[0].mean[0] / whole.moments[0].mean[0] == pytest.approx(0.5, abs=2.0 * both)
    assert half.excluded_share[0] == pytest.approx(0.5, abs=0.05)
    assert whole.excluded_share[0] == 0.0
    assert (half.lowest.fractional[:, 2] <= 0.5).all()


def test_typical_insertions_are_a_sample_of_the_answer():
    toy = Toy()
    pooled = widom_average(toy, (T,), Plan(200_000, 0.005)).pooled
    energy = pooled.typical.energy_kj_per_mol
    factor = pooled.typical.weights * np.exp(-energy / THERMAL)
    assert factor.sum() / pooled.insertions == pytest.approx(pooled.moments[0].mean[0], rel=1e-9)
    mean = pooled.moments[0].mean[1] / pooled.moments[0].mean[0]
    assert (factor * energy).sum() / factor.sum() == pytest.approx(mean, abs=0.35)
    lowest = pooled.lowest.energy_kj_per_mol
    assert (np.diff(lowest) >= 0).all()
    assert lowest[0] < energy.mean() - THERMAL


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"insertions": 10}, "at least 64 insertions"),
        ({"target_error": 0.0}, "between 0 and 1"),
        ({"threads": 0}, "at least one thread"),
    ],
)
def test_plans_that_cannot_work(values, message):
    with pytest.raises(SettingsError, match=message):
        replace(Plan(), **values)
