"""Learning: a second force field on top of UFF for CO2 in CALF-20, and determinism."""

import numpy as np
import pytest
import torch

from chem.energies import ClassicalModel
from chem.force_fields import load_force_field
from chem.guests import load_guest
from chem.hosts import load_host
from chem.mixing import mix_pairs
from chem.rotations import random_quaternions, rotate_sites
from data.records import Guest
from ml.encoder import Encoder
from ml.fitting import fit_surrogate
from ml.graphs import GuestSites, HostArrays
from ml.surrogate import Surrogate, prior_surrogate
from ml.training import LabelSet, pretrain_encoders

TEMPERATURE_K = 298.15
THERMAL = 0.00831446261815324 * TEMPERATURE_K
ATOMIC_NUMBERS = {"H": 1, "C": 6, "N": 7, "O": 8, "Zn": 30}


class Problem:
    """Baseline UFF with charges, reference GenericMOFs without, for the same insertions."""

    def __init__(self) -> None:
        torch.set_num_threads(1)
        host, guest = load_host("CALF-20"), load_guest("CO2")
        self.guest_record: Guest = guest
        bare = load_host("CALF-20", charges="none")
        neutral = load_guest("CO2")
        neutral = type(neutral)(**{**neutral.__dict__, "charges_e": np.zeros(3)})
        self.host = HostArrays(
            host.lattice_angstrom,
            host.positions_angstrom,
            np.array([ATOMIC_NUMBERS[e] for e in host.elements]),
        )
        self.guest = GuestSites(guest.site_types, guest.positions_angstrom)
        self.baseline = ClassicalModel(host, guest, mix_pairs(host, guest, load_force_field("UFF")))
        self.reference = ClassicalModel(
            bare, neutral, mix_pairs(bare, neutral, load_force_field("GenericMOFs"))
        )
        rng = np.random.default_rng(0)
        self.fractional, self.quaternions = rng.random((60_000, 3)), random_quaternions(rng, 60_000)
        self.energies = self.baseline.energies(self.fractional, self.quaternions)[0]

    def draw(self, count: int, temperature_k: float, seed: int) -> np.ndarray:
        boltzmann = np.exp(-np.minimum(self.energies, 500.0) / (0.00831446 * temperature_k))
        rng = np.random.default_rng(seed)
        return rng.choice(len(boltzmann), count, replace=False, p=boltzmann / boltzmann.sum())

    def labels(self, index: np.ndarray, *, forces: bool = False) -> LabelSet:
        place = self.fractional[index], self.quaternions[index]
        if not forces:
            reference = self.reference.energies(*place)[0]
            return LabelSet(*place, self.energies[index], reference)
        reference, _, above = self.reference.energies_and_forces(*place)
        _, _, below = self.baseline.energies_and_forces(*place)
        site_forces = above - below
        arms = rotate_sites(place[1], self.guest.positions_angstrom)
        return LabelSet(
            *place,
            self.energies[index],
            reference,
            site_forces.sum(axis=1),
            np.cross(arms, site_forces).sum(axis=1),
        )


@pytest.fixture(scope="module")
def problem() -> Problem:
    return Problem()


def pretrain(problem: Problem, *, seed: int = 1, members: int = 2, steps: int = 150):
    index = np.concatenate([problem.draw(700, 1200.0, 1), np.arange(800)])
    return pretrain_encoders(
        problem.host,
        problem.guest,
        problem.fractional[index],
        problem.quaternions[index],
        problem.energies[index],
        members=members,
        seed=seed,
        steps=steps,
    )


@pytest.fixture(scope="module")
def encoders(problem) -> tuple[Encoder, ...]:
    return pretrain(problem)


@pytest.fixture(scope="module")
def test_labels(problem) -> LabelSet:
    return problem.labels(problem.draw(400, TEMPERATURE_K, 77))


def fit(problem: Problem, encoders, labels: LabelSet, **options) -> Surrogate:
    return fit_surrogate(
        encoders,
        problem.host,
        problem.guest,
        labels,
        temperature_k=TEMPERATURE_K,
        seed=3,
        **options,
    )


def errors(model: Surrogate, labels: LabelSet) -> tuple[float, float]:
    """Root mean square of the error and of the error over its predicted deviation."""
    mean, sd = model.predict(labels.fractional, labels.quaternions, labels.baseline_kj_per_mol)
    error = mean - labels.energy_kj_per_mol
    return float(np.sqrt(np.mean(error**2))), float(np.sqrt(np.mean((error / sd) ** 2)))


def training_index(problem: Problem, count: int) -> np.ndarray:
    half = count // 2
    return np.concatenate([problem.draw(half, TEMPERATURE_K, 5), problem.draw(half, 900.0, 6)])


def test_labels_teach_the_other_force_field(problem, encoders, test_labels) -> None:
    untaught, _ = errors(prior_surrogate(problem.host, problem.guest, 6.0), test_labels)
    model = fit(problem, encoders, problem.labels(training_index(problem, 120)))
    taught, scaled = errors(model, test_labels)
    assert taught < 0.15 * untaught
    assert taught < 1.0
    assert 0.2 < scaled < 2.5


def test_forces_and_torques_teach_more(problem, encoders, test_labels) -> None:
    index = training_index(problem, 40)
    energies, _ = errors(fit(problem, encoders, problem.labels(index)), test_labels)
    everything, _ = errors(fit(problem, encoders, problem.labels(index, forces=True)), test_labels)
    assert everything < 0.75 * energies


def test_more_labels_teach_more(problem, encoders, test_labels) -> None:
    few, _ = errors(
        fit(problem, encoders, problem.labels(training_index(problem, 30))), test_labels
    )
    many, _ = errors(
        fit(problem, encoders, problem.labels(training_index(problem, 200))), test_labels
    )
    assert many < 0.6 * few


def test_deviations_grow_away_from_the_labels(problem, encoders) -> None:
    index = training_index(problem, 80)
    model = fit(problem, encoders, problem.labels(index))
    near = index[problem.energies[index] < 0.0]
    far = np.flatnonzero((problem.energies > 30.0) & (problem.energies < 55.0))[:200]
    at = [
        model.predict(problem.fractional[i], problem.quaternions[i], problem.energies[i])[1]
        for i in (near, far)
    ]
    assert np.median(at[1]) > 3.0 * np.median(at[0])


def test_shuffled_labels_make_a_bad_surrogate(problem, encoders, test_labels) -> None:
    labels = problem.labels(training_index(problem, 100), forces=True)
    right, _ = errors(fit(problem, encoders, labels), test_labels)
    wrong, _ = errors(fit(problem, encoders, labels, shuffle_labels=True), test_labels)
    assert wrong > 3.0 * right


def test_failed_and_hopeless_labels_change_nothing(problem, encoders, test_labels) -> None:
    labels = problem.labels(training_index(problem, 40))
    extra = np.array([0, 1, 2])
    spoiled = LabelSet(
        np.concatenate([labels.fractional, problem.fractional[extra]]),
        np.concatenate([labels.quaternions, problem.quaternions[extra]]),
        np.concatenate([labels.baseline_kj_per_mol, [5.0, 5.0, np.inf]]),
        np.concatenate([labels.energy_kj_per_mol, [np.nan, 5000.0, 3.0]]),
    )
    place = (test_labels.fractional, test_labels.quaternions, test_labels.baseline_kj_per_mol)
    clean = fit(problem, encoders, labels).predict(*place)
    np.testing.assert_array_equal(clean, fit(problem, encoders, spoiled).predict(*place))


def test_too_few_labels_give_the_prior(problem, encoders) -> None:
    labels = problem.labels(problem.draw(2, TEMPERATURE_K, 5))
    model = fit(problem, encoders, labels, prior_sd_kj_per_mol=5.0)
    mean, sd = model.predict(labels.fractional, labels.quaternions, labels.baseline_kj_per_mol)
    np.testing.assert_array_equal(mean, labels.baseline_kj_per_mol)
    np.testing.assert_array_equal(sd, 5.0)


@pytest.mark.parametrize("count", [3, 4])
def test_a_handful_of_labels_is_fitted(problem, encoders, count) -> None:
    labels = problem.labels(problem.draw(count, TEMPERATURE_K, 5), forces=True)
    model = fit(problem, encoders, labels)
    mean, _ = model.predict(labels.fractional, labels.quaternions, labels.baseline_kj_per_mol)
    before = np.abs(labels.baseline_kj_per_mol - labels.energy_kj_per_mol).mean()
    assert np.abs(mean - labels.energy_kj_per_mol).mean() < 0.5 * before


def test_same_seed_same_bits_and_another_seed_another_network(problem, test_labels) -> None:
    labels = problem.labels(training_index(problem, 30), forces=True)
    place = (test_labels.fractional, test_labels.quaternions, test_labels.baseline_kj_per_mol)
    runs = [
        fit(problem, pretrain(problem, seed=s, members=1, steps=12), labels).predict(*place)
        for s in (4, 4, 5)
    ]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert np.abs(runs[0][0] - runs[2][0]).max() > 1e-6


def test_pretraining_leaves_the_global_generator_alone(problem) -> None:
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    pretrain(problem, members=1, steps=2)
    assert torch.equal(before, torch.random.get_rng_state())


def test_pretraining_reports_progress_and_learns(problem) -> None:
    losses: list[float] = []
    index = problem.draw(900, 1200.0, 1)
    pretrain_encoders(
        problem.host,
        problem.guest,
        problem.fractional[index],
        problem.quaternions[index],
        problem.energies[index],
        members=1,
        seed=0,
        steps=80,
        progress=lambda step, loss: losses.append(loss),
    )
    assert len(losses) == 80
    assert np.mean(losses[-10:]) < 0.3 * np.mean(losses[:5])
