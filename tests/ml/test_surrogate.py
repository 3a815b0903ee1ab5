"""The surrogate's symmetries, limits, derivatives and files, on a small made-up host."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from ml.fitting import fit_surrogate
from ml.graphs import SITE_CUTOFF_ANGSTROM, GuestSites, HostArrays
from ml.surrogate import (
    SMALLEST_SD_KJ_PER_MOL,
    Limits,
    Surrogate,
    load_encoders,
    prior_surrogate,
    save_encoders,
)
from ml.training import LabelSet, pretrain_encoders

LATTICE = np.array([[11.0, 0.0, 0.0], [2.0, 12.0, 0.0], [-1.5, 2.5, 10.5]])
HOST = HostArrays(
    LATTICE,
    np.array([[0.2, 0.4, 0.1], [1.9, 0.1, 0.3], [2.9, 1.6, 0.2], [1.5, 2.1, 1.8], [0.3, 1.9, 2.9]]),
    np.array([30, 8, 8, 6, 1]),
)
GUEST = GuestSites(
    ("C_co2", "O_co2", "O_co2"), np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.16], [0.0, 0.0, -1.16]])
)
TEMPERATURE_K = 300.0


def insertions(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    quaternions = rng.normal(size=(count, 4))
    return rng.random((count, 3)), quaternions / np.linalg.norm(quaternions, axis=1)[:, None]


def toy_energies(fractional: np.ndarray, quaternions: np.ndarray, depth: float) -> np.ndarray:
    """A soft attractive shell around every atom, summed over nearest images."""
    rotation = Rotation.from_quat(quaternions[:, [1, 2, 3, 0]]).as_matrix()
    sites = np.einsum("bij,mj->bmi", rotation, GUEST.positions_angstrom)
    sites = sites + (fractional @ LATTICE)[:, None]
    gap = sites[:, :, None] - HOST.positions_angstrom[None, None]
    gap = gap @ np.linalg.inv(LATTICE)
    distance = np.linalg.norm((gap - np.round(gap)) @ LATTICE, axis=-1)
    strength = depth * (1.0 + 0.1 * HOST.atomic_numbers)
    shells = -strength * np.exp(-((distance - 3.0) ** 2)) + 60.0 * np.exp(-3.0 * distance)
    return shells.sum(axis=(1, 2))


def make_labels(count: int, seed: int = 2) -> LabelSet:
    fractional, quaternions = insertions(count, seed)
    return LabelSet(
        fractional,
        quaternions,
        toy_energies(fractional, quaternions, 1.0),
        toy_energies(fractional, quaternions, 2.0),
    )


@pytest.fixture(scope="module")
def encoders():
    torch.set_num_threads(1)
    fractional, quaternions = insertions(500, 0)
    return pretrain_encoders(
        HOST,
        GUEST,
        fractional,
        quaternions,
        toy_energies(fractional, quaternions, 1.0),
        members=2,
        seed=5,
        steps=40,
    )


@pytest.fixture(scope="module")
def surrogate(encoders) -> Surrogate:
    return fit_surrogate(
        encoders, HOST, GUEST, make_labels(80), temperature_k=TEMPERATURE_K, seed=0
    )


@pytest.fixture(scope="module")
def trial() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    fractional, quaternions = insertions(60, 9)
    return fractional, quaternions, toy_energies(fractional, quaternions, 1.0)


def same(one: tuple[np.ndarray, ...], other: tuple[np.ndarray, ...]) -> None:
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-3)


def rebuilt(surrogate: Surrogate, host: HostArrays, guest: GuestSites) -> Surrogate:
    return Surrogate(host, guest, surrogate.limits, surrogate.encoders, surrogate.head)


def test_corrects_something(surrogate, trial) -> None:
    mean, sd = surrogate.predict(*trial)
    assert np.ptp(mean - trial[2]) > 2.0
    assert np.all(sd > 0.0)


def test_lattice_translation_changes_nothing(surrogate, trial) -> None:
    fractional, quaternions, baseline = trial
    shifts = np.random.default_rng(0).integers(-3, 4, size=fractional.shape)
    same(surrogate.predict(*trial), surrogate.predict(fractional + shifts, quaternions, baseline))


def test_rotating_host_and_guest_together_changes_nothing(surrogate, trial) -> None:
    fractional, quaternions, baseline = trial
    turn = Rotation.from_quat([0.3, -0.5, 0.2, 0.7])
    host = HostArrays(turn.apply(LATTICE), turn.apply(HOST.positions_angstrom), HOST.atomic_numbers)
    turned = (turn * Rotation.from_quat(quaternions[:, [1, 2, 3, 0]])).as_quat()[:, [3, 0, 1, 2]]
    same(
        surrogate.predict(*trial),
        rebuilt(surrogate, host, GUEST).predict(fractional, turned, baseline),
    )


def test_moving_the_origin_of_the_host_changes_nothing(surrogate, trial) -> None:
    fractional, quaternions, baseline = trial
    shift = np.array([3.3, -1.2, 20.0])
    host = replace(HOST, positions_angstrom=HOST.positions_angstrom + shift)
    moved = fractional + shift @ np.linalg.inv(LATTICE)
    same(
        surrogate.predict(*trial),
        rebuilt(surrogate, host, GUEST).predict(moved, quaternions, baseline),
    )


def test_order_of_atoms_changes_nothing(surrogate, trial) -> None:
    order = np.array([3, 0, 4, 2, 1])
    host = HostArrays(LATTICE, HOST.positions_angstrom[order], HOST.atomic_numbers[order])
    same(surrogate.predict(*trial), rebuilt(surrogate, host, GUEST).predict(*trial))


def test_replicating_the_cell_changes_nothing(surrogate, trial) -> None:
    fractional, quaternions, baseline = trial
    host = HostArrays(
        LATTICE * np.array([[2.0], [1.0], [1.0]]),
        np.vstack([HOST.positions_angstrom, HOST.positions_angstrom + LATTICE[0]]),
        np.tile(HOST.atomic_numbers, 2),
    )
    halved = fractional * np.array([0.5, 1.0, 1.0])
    same(
        surrogate.predict(*trial),
        rebuilt(surrogate, host, GUEST).predict(halved, quaternions, baseline),
    )


def test_swapping_identical_sites_changes_nothing(surrogate, trial) -> None:
    guest = GuestSites(("O_co2", "C_co2", "O_co2"), GUEST.positions_angstrom[np.array([2, 0, 1])])
    same(surrogate.predict(*trial), rebuilt(surrogate, HOST, guest).predict(*trial))


def test_turning_the_guest_onto_itself_changes_nothing(surrogate, trial) -> None:
    fractional, quaternions, baseline = trial
    poses = Rotation.from_quat(quaternions[:, [1, 2, 3, 0]])
    flipped = (poses * Rotation.from_rotvec([np.pi, 0.0, 0.0])).as_quat()[:, [3, 0, 1, 2]]
    same(surrogate.predict(*trial), surrogate.predict(fractional, flipped, baseline))
    same(surrogate.predict(*trial), surrogate.predict(fractional, -quaternions, baseline))


def test_other_insertions_of_the_batch_do_not_matter(surrogate, trial) -> None:
    mean, sd = surrogate.predict(*trial)
    alone = [surrogate.predict(*(part[i : i + 1] for part in trial)) for i in range(60)]
    np.testing.assert_allclose(mean, [m[0] for m, _ in alone], atol=1e-3)
    np.testing.assert_allclose(sd, [s[0] for _, s in alone], atol=1e-3)


def test_correction_and_its_slope_fade_to_zero_at_the_cutoff(encoders, surrogate) -> None:
    wide = HostArrays(40.0 * np.eye(3), np.full((1, 3), 20.0), np.array([8]))
    model = rebuilt(surrogate, wide, GUEST)
    distances = np.linspace(4.0, SITE_CUTOFF_ANGSTROM + 2.0, 400)
    fractional = np.column_stack([(20.0 + distances) / 40.0, np.full((400, 2), 0.5)])
    upright = np.tile([1.0, 0.0, 0.0, 0.0], (400, 1))
    correction, force, torque = model.correction_and_gradient(fractional, upright)
    _, sd = model.predict(fractional, upright, np.zeros(400))
    outside = distances >= SITE_CUTOFF_ANGSTROM
    assert np.all(correction[outside] == 0.0)
    assert np.all(force[outside] == 0.0)
    assert np.all(torque[outside] == 0.0)
    limits = surrogate.limits
    certain = max(SMALLEST_SD_KJ_PER_MOL, limits.calibration * limits.noise_kj_per_mol)
    np.testing.assert_allclose(sd[outside], certain)
    assert np.abs(correction[~outside]).max() > 0.1
    close = (~outside) & (distances > SITE_CUTOFF_ANGSTROM - 0.1)
    assert np.abs(correction[close]).max() < 1e-3
    assert np.abs(np.diff(correction)).max() < 0.2 * np.ptp(correction)


def test_force_and_torque_are_numeric_derivatives(surrogate) -> None:
    fractional, quaternions = insertions(12, 21)
    _, force, torque = surrogate.correction_and_gradient(fractional, quaternions)
    step = 2e-3
    for axis in range(3):
        unit = np.eye(3)[axis]
        move = step * unit @ np.linalg.inv(LATTICE)
        up = surrogate.correction_and_gradient(fractional + move, quaternions)[0]
        down = surrogate.correction_and_gradient(fractional - move, quaternions)[0]
        np.testing.assert_allclose(force[:, axis], -(up - down) / (2 * step), atol=0.02, rtol=0.01)
        poses = Rotation.from_quat(quaternions[:, [1, 2, 3, 0]])
        ends = []
        for sign in (1.0, -1.0):
            turned = (Rotation.from_rotvec(sign * step * unit) * poses).as_quat()
            ends.append(surrogate.correction_and_gradient(fractional, turned[:, [3, 0, 1, 2]])[0])
        numeric = -(ends[0] - ends[1]) / (2 * step)
        np.testing.assert_allclose(torque[:, axis], numeric, atol=0.02, rtol=0.01)


def test_predictions_stop_a_little_under_the_deepest_label(encoders) -> None:
    labels = make_labels(80)
    model = fit_surrogate(encoders, HOST, GUEST, labels, temperature_k=TEMPERATURE_K, seed=0)
    fractional, quaternions = insertions(40, 3)
    mean, _ = model.predict(fractional, quaternions, np.full(40, -500.0))
    floor = labels.energy_kj_per_mol.min() - 2.0 * 0.0083144626 * TEMPERATURE_K
    np.testing.assert_allclose(mean, floor, rtol=1e-6)


def test_high_baselines_are_left_alone(surrogate) -> None:
    fractional, quaternions = insertions(6, 4)
    baseline = np.array([200.0, 1e5, np.inf, 400.0, 151.0, np.inf])
    mean, sd = surrogate.predict(fractional, quaternions, baseline)
    np.testing.assert_array_equal(mean, baseline)
    np.testing.assert_array_equal(sd, surrogate.limits.prior_sd_kj_per_mol)


def test_calibration_stretches_the_deviation_only(encoders, surrogate, trial) -> None:
    stretched = fit_surrogate(
        encoders,
        HOST,
        GUEST,
        make_labels(80),
        temperature_k=TEMPERATURE_K,
        seed=0,
        calibration=2.0,
    )
    mean, sd = surrogate.predict(*trial)
    same_mean, wide = stretched.predict(*trial)
    np.testing.assert_array_equal(mean, same_mean)
    inside = (sd > 0.06) & (wide < 14.9)
    np.testing.assert_allclose(wide[inside], 2.0 * sd[inside])


def test_prior_is_the_baseline_with_a_constant_deviation(trial) -> None:
    mean, sd = prior_surrogate(HOST, GUEST, 7.5).predict(*trial)
    np.testing.assert_array_equal(mean, trial[2])
    np.testing.assert_array_equal(sd, 7.5)


def test_a_file_gives_back_the_same_bits(surrogate, trial, tmp_path: Path) -> None:
    path = tmp_path / "surrogate.pt"
    surrogate.save(path)
    again = Surrogate.load(path)
    for one, other in zip(surrogate.predict(*trial), again.predict(*trial), strict=True):
        np.testing.assert_array_equal(one, other)
    assert again.limits == surrogate.limits
    assert [p.name for p in tmp_path.iterdir()] == ["surrogate.pt"]
    torch.load(path, weights_only=True)


def test_the_prior_survives_a_file(trial, tmp_path: Path) -> None:
    prior_surrogate(HOST, GUEST, 4.0).save(tmp_path / "prior.pt")
    _, sd = Surrogate.load(tmp_path / "prior.pt").predict(*trial)
    np.testing.assert_array_equal(sd, 4.0)


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    torch.save({"specification": '{"format": "other"}'}, tmp_path / "x.pt")
    with pytest.raises(ValueError, match="expected a file of format"):
        Surrogate.load(tmp_path / "x.pt")


def test_encoders_survive_a_file(encoders, surrogate, trial, tmp_path: Path) -> None:
    save_encoders(encoders, tmp_path / "encoders.pt")
    again = load_encoders(tmp_path / "encoders.pt")
    model = Surrogate(HOST, GUEST, surrogate.limits, again, surrogate.head)
    np.testing.assert_array_equal(surrogate.predict(*trial)[0], model.predict(*trial)[0])


def test_limits_default_to_no_clip() -> None:
    assert Limits().lowest_kj_per_mol == -np.inf
    assert Limits().calibration == 1.0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_the_same_numbers(encoders, surrogate, trial) -> None:
    same(surrogate.predict(*trial), surrogate.to("cuda").predict(*trial))
    fitted = fit_surrogate(
        encoders, HOST, GUEST, make_labels(80), temperature_k=TEMPERATURE_K, seed=0, device="cuda"
    )
    np.testing.assert_allclose(surrogate.predict(*trial)[0], fitted.predict(*trial)[0], atol=0.05)
    surrogate.to("cpu")
