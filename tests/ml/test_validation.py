"""Held-out errors: exact against plain Gaussian-process algebra, and blind to no over-fit."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from chem.energies import ClassicalModel
from chem.force_fields import load_force_field
from chem.guests import load_guest
from chem.hosts import load_host
from chem.mixing import mix_pairs
from chem.rotations import random_quaternions
from ml.calibration import boltzmann_relevance
from ml.descriptors import Describer
from ml.fitting import fit_surrogate
from ml.graphs import GuestSites, HostArrays
from ml.kernels import gram
from ml.surrogate import Surrogate, prior_surrogate
from ml.training import LabelSet, pretrain_encoders
from ml.validation import Validation, cluster_folds, validate

TEMPERATURE_K = 298.15
THERMAL = 0.00831446261815324 * TEMPERATURE_K
ATOMIC_NUMBERS = {"H": 1, "C": 6, "N": 7, "O": 8, "Zn": 30}


def system() -> tuple[HostArrays, GuestSites, LabelSet]:
    """CO2 in CALF-20: 80 insertions, baseline UFF, reference DREIDING."""
    host, guest = load_host("CALF-20"), load_guest("CO2")
    models = [
        ClassicalModel(host, guest, mix_pairs(host, guest, load_force_field(name)))
        for name in ("UFF", "DREIDING")
    ]
    rng = np.random.default_rng(3)
    fractional, quaternions = rng.random((4000, 3)), random_quaternions(rng, 4000)
    below, above = (model.energies(fractional, quaternions)[0] for model in models)
    rows = np.argsort(below, kind="stable")[:80]
    numbers = np.array([ATOMIC_NUMBERS[e] for e in host.elements])
    return (
        HostArrays(host.lattice_angstrom, host.positions_angstrom, numbers),
        GuestSites(guest.site_types, guest.positions_angstrom),
        LabelSet(fractional[rows], quaternions[rows], below[rows], above[rows]),
    )


class Fitted:
    """A surrogate with untrained encoders, fitted to its labels."""

    def __init__(self) -> None:
        torch.set_num_threads(1)
        self.host, self.guest, self.labels = system()
        none = np.zeros((0, 3)), np.zeros((0, 4)), np.zeros(0)
        self.encoders = pretrain_encoders(self.host, self.guest, *none, members=1, seed=0)
        self.surrogate = self.fit(self.labels)

    def fit(self, labels: LabelSet) -> Surrogate:
        return fit_surrogate(
            self.encoders, self.host, self.guest, labels, temperature_k=TEMPERATURE_K, seed=0
        )


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return Fitted()


def test_clusters_stay_whole_and_folds_are_alike() -> None:
    rng = np.random.default_rng(0)
    clusters = rng.integers(0, 30, 200)
    folds = cluster_folds(clusters)
    assert all(len(np.unique(folds[clusters == c])) == 1 for c in range(30))
    counts = np.bincount(folds, minlength=5)
    assert counts.min() > 30
    assert counts.max() < 50


def test_held_out_errors_are_those_of_a_plain_gaussian_process(fitted: Fitted) -> None:
    labels, surrogate = fitted.labels, fitted.surrogate
    clusters = np.arange(80) // 4
    found = validate(surrogate, labels, clusters, TEMPERATURE_K)
    assert found is not None
    assert surrogate.head is not None
    kernel = surrogate.head.kernel
    places = torch.as_tensor(labels.fractional), torch.as_tensor(labels.quaternions)
    blocks = Describer(fitted.encoders, fitted.host, fitted.guest).describe(*places)
    parts = zip(kernel.amplitudes, kernel.lengths, blocks, strict=True)
    prior = sum(a**2 * gram(block, length) for a, length, block in parts).numpy()
    target = labels.energy_kj_per_mol - labels.baseline_kj_per_mol
    folds, mean, sd = cluster_folds(clusters), np.zeros(80), np.zeros(80)
    for fold in range(5):
        held, kept = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        noisy = prior[np.ix_(kept, kept)] + kernel.noise[0] ** 2 * np.eye(len(kept))
        across = np.linalg.solve(noisy, prior[np.ix_(kept, held)])
        mean[held] = across.T @ target[kept]
        variance = np.diag(prior)[held] - (across * prior[np.ix_(kept, held)]).sum(axis=0)
        sd[held] = np.sqrt(np.maximum(variance, 0.0))
    weight = boltzmann_relevance(labels.energy_kj_per_mol, THERMAL)
    limits = surrogate.limits
    answer = np.maximum(labels.baseline_kj_per_mol + mean, limits.lowest_kj_per_mol)
    error = np.sqrt(np.average((answer - labels.energy_kj_per_mol) ** 2, weights=weight))
    stated = limits.calibration * np.hypot(sd, limits.noise_kj_per_mol)
    assert found.held_out_kj_per_mol == pytest.approx(error, rel=2e-3)
    assert found.predicted_kj_per_mol == pytest.approx(
        np.sqrt(np.average(np.clip(stated, 0.05, 15.0) ** 2, weights=weight)), rel=2e-3
    )
    assert (found.labels, found.clusters) == (80, 20)
    assert found.training_kj_per_mol < found.held_out_kj_per_mol < found.baseline_kj_per_mol


def test_neighbours_on_both_sides_of_a_split_flatter(fitted: Fitted) -> None:
    """Every label twice: only a split that keeps the two together tells the truth."""
    twice = fitted.labels.rows(np.repeat(np.arange(40), 2))
    surrogate = fitted.fit(twice)
    together = validate(surrogate, twice, np.arange(80) // 2, TEMPERATURE_K)
    apart = validate(surrogate, twice, np.arange(80), TEMPERATURE_K)
    assert together is not None
    assert apart is not None
    assert apart.held_out_kj_per_mol < 0.5 * together.held_out_kj_per_mol


def test_labels_that_cannot_be_learned_are_called_so(fitted: Fitted) -> None:
    rng = np.random.default_rng(1)
    noise = fitted.labels.baseline_kj_per_mol + rng.normal(0.0, 4.0, 80)
    labels = replace(fitted.labels, energy_kj_per_mol=noise)
    found = validate(fitted.fit(labels), labels, np.arange(80) // 4, TEMPERATURE_K)
    assert found is not None
    assert "has learned little" in found.warning


def test_nothing_is_said_of_few_labels_or_of_the_prior(fitted: Fitted) -> None:
    few = fitted.labels.rows(np.arange(15))
    assert validate(fitted.fit(few), few, np.arange(15), TEMPERATURE_K) is None
    one = validate(fitted.surrogate, fitted.labels, np.zeros(80), TEMPERATURE_K)
    assert one is None
    prior = prior_surrogate(fitted.host, fitted.guest)
    assert validate(prior, fitted.labels, np.arange(80), TEMPERATURE_K) is None


def test_a_warning_needs_an_error_that_is_large_and_not_owned_up_to() -> None:
    good = Validation(100, 20, 4.0, 0.2, 0.8, 0.8, 0.7)
    assert good.warning == ""
    assert replace(good, predicted_kj_per_mol=0.6).warning == ""
    assert "over-fitted" in replace(good, predicted_kj_per_mol=0.3).warning
    assert replace(good, predicted_kj_per_mol=0.3, training_kj_per_mol=0.6).warning == ""
    assert "learned little" in replace(good, held_out_kj_per_mol=3.9).warning
