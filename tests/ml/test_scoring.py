"""Scores from tabulated fields against those worked out from the host atoms."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from data.errors import SettingsError
from ml.descriptors import Describer
from ml.devices import default_device
from ml.encoder import EncoderSettings, radial_moments
from ml.fields import (
    COARSEST_ANGSTROM,
    LARGEST_LOSS,
    Fields,
    build_fields,
    fields_file,
    grid_shape,
    store_fields,
)
from ml.fitting import fit_surrogate
from ml.graphs import GuestSites, HostArrays
from ml.surrogate import Surrogate
from ml.training import LabelSet, kinds_of, new_encoder, pretrain_encoders

LATTICE = np.array([[7.0, 0.0, 0.0], [1.5, 7.5, 0.0], [-1.0, 1.5, 6.5]])
HOST = HostArrays(
    LATTICE,
    np.array([[0.2, 0.4, 0.1], [1.9, 0.1, 0.3], [2.9, 1.6, 0.2], [1.5, 2.1, 1.8], [0.3, 1.9, 2.9]]),
    np.array([30, 8, 8, 6, 1]),
)
CO2 = GuestSites(("C", "O", "O"), np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.16], [0.0, 0.0, -1.16]]))
SINGLE = GuestSites(("X",), np.zeros((1, 3)))
METHANOL_LIKE = GuestSites(
    ("H", "O", "H", "C", "H", "H"), np.random.default_rng(4).normal(size=(6, 3)) * 0.8
)
TEMPERATURE_K = 300.0
OWN_ERROR_SHARE = 0.02


def insertions(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    quaternions = rng.normal(size=(count, 4))
    return rng.random((count, 3)), quaternions / np.linalg.norm(quaternions, axis=1)[:, None]


def shells(sites: np.ndarray, depth: float) -> np.ndarray:
    """A soft attractive shell around every host atom, over nearest images."""
    gap = (sites[:, None] - HOST.positions_angstrom) @ np.linalg.inv(LATTICE)
    distance = np.linalg.norm((gap - np.round(gap)) @ LATTICE, axis=-1)
    strength = depth * (1.0 + 0.1 * HOST.atomic_numbers)
    wall = 60.0 * np.exp(-3.0 * distance)
    return (wall - strength * np.exp(-((distance - 3.0) ** 2))).sum(axis=1)


def energies(
    guest: GuestSites, fractional: np.ndarray, quaternions: np.ndarray, depth: float
) -> np.ndarray:
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_quat(quaternions, scalar_first=True).as_matrix()
    sites = np.einsum("bij,mj->bmi", turn, guest.positions_angstrom)
    sites += (fractional @ LATTICE)[:, None]
    return shells(sites.reshape(-1, 3), depth).reshape(len(sites), -1).sum(axis=1)


def fit(guest: GuestSites, labels: int = 60) -> Surrogate:
    """A surrogate on encoders briefly pretrained, from energies alone."""
    torch.set_num_threads(1)
    places = insertions(400, 0)
    encoders = pretrain_encoders(
        HOST, guest, *places, energies(guest, *places, 1.0), members=2, seed=3, steps=40
    )
    known = insertions(labels, 2)
    baseline, reference = (energies(guest, *known, depth) for depth in (1.0, 2.0))
    return fit_surrogate(
        encoders, HOST, guest, LabelSet(*known, baseline, reference),
        temperature_k=TEMPERATURE_K, seed=0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def plain() -> Surrogate:
    return fit(CO2)


@pytest.fixture(scope="module")
def fast(plain: Surrogate) -> Surrogate:
    assert plain.describer is not None
    return plain.with_fields(build_fields(plain.describer))


@pytest.fixture(scope="module")
def trial() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Insertions with no site closer to a host atom than guests come."""
    from scipy.spatial.transform import Rotation

    fractional, quaternions = insertions(3000, 9)
    turn = Rotation.from_quat(quaternions, scalar_first=True).as_matrix()
    sites = np.einsum("bij,mj->bmi", turn, CO2.positions_angstrom)
    sites += (fractional @ LATTICE)[:, None]
    gap = (sites[:, :, None] - HOST.positions_angstrom) @ np.linalg.inv(LATTICE)
    nearest = np.linalg.norm((gap - np.round(gap)) @ LATTICE, axis=-1).min(axis=(1, 2))
    kept = nearest > 1.9
    places = fractional[kept], quaternions[kept]
    return *places, energies(CO2, *places, 1.0)


def test_fields_cost_a_small_share_of_the_surrogates_own_error(plain, fast, trial) -> None:
    mean, sd = plain.predict(*trial)
    other, spread = fast.predict(*trial)
    own_error = np.sqrt(((mean - energies(CO2, *trial[:2], 2.0)) ** 2).mean())
    assert np.sqrt(((mean - other) ** 2).mean()) < OWN_ERROR_SHARE * own_error
    assert np.abs(mean - other).max() < 0.2 * own_error
    np.testing.assert_allclose(spread, sd, rtol=0.05)
    assert np.ptp(mean - trial[2]) > 2.0


@pytest.mark.parametrize("guest", [SINGLE, METHANOL_LIKE], ids=["one site", "three types"])
def test_any_guest_is_scored_as_from_the_host_atoms(guest: GuestSites) -> None:
    plain = fit(guest, labels=25)
    assert plain.describer is not None
    fast = plain.with_fields(build_fields(plain.describer, 0.15))
    places = insertions(400, 5)
    baseline = energies(guest, *places, 1.0)
    mean, sd = plain.predict(*places, baseline)
    other, spread = fast.predict(*places, baseline)
    np.testing.assert_allclose(other, mean, atol=0.02 * np.ptp(mean - baseline))
    np.testing.assert_allclose(spread, sd, atol=0.05 * sd.max())


def test_asking_for_exactness_ignores_the_fields(plain, fast, trial) -> None:
    for one, other in zip(plain.predict(*trial), fast.predict(*trial, exact=True), strict=True):
        np.testing.assert_array_equal(one, other)


def test_lattice_translation_changes_nothing(fast, trial) -> None:
    fractional, quaternions, baseline = trial
    shifts = np.random.default_rng(0).integers(-3, 4, size=fractional.shape)
    moved = fast.predict(fractional + shifts, quaternions, baseline)
    for one, other in zip(fast.predict(*trial), moved, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-3)


def test_splitting_and_reordering_a_batch_changes_nothing(fast, trial) -> None:
    whole = fast.predict(*trial)
    order = np.random.default_rng(1).permutation(len(trial[0]))
    pieces = [
        fast.predict(*(part[rows] for part in trial))
        for rows in np.split(order, [1, 2, 17, 100, 101])
    ]
    for name in (0, 1):
        back = np.empty(len(order))
        back[order] = np.concatenate([piece[name] for piece in pieces])
        np.testing.assert_allclose(back, whole[name], atol=2e-3)


def test_swapping_identical_sites_changes_nothing(fast, trial) -> None:
    fractional, quaternions, baseline = trial
    w, x, y, z = quaternions.T
    flipped = np.stack([-x, w, z, -y], axis=1)
    for one, other in zip(
        fast.predict(*trial), fast.predict(fractional, flipped, baseline), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=2e-3)


def test_the_same_call_gives_the_same_bits(plain, fast, trial) -> None:
    assert plain.describer is not None
    again = plain.with_fields(build_fields(plain.describer))
    for one, other, third in zip(
        fast.predict(*trial), fast.predict(*trial), again.predict(*trial), strict=True
    ):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one, third)


def test_files_give_back_the_same_bits(plain, fast, trial, tmp_path: Path) -> None:
    assert plain.describer is not None
    name = store_fields(plain.describer, tmp_path)
    assert name is not None
    plain.save(tmp_path / "round.pt", fields_file=name)
    written = (tmp_path / name).stat().st_mtime_ns
    assert store_fields(plain.describer, tmp_path) == name
    assert (tmp_path / name).stat().st_mtime_ns == written
    expected = fast.predict(*trial)
    for _ in range(2):
        loaded = Surrogate.load(tmp_path / "round.pt", device="cpu")
        for one, other in zip(expected, loaded.predict(*trial), strict=True):
            np.testing.assert_array_equal(one, other)
        (tmp_path / name).unlink(missing_ok=True)


def test_a_lonely_guest_gets_no_correction(plain) -> None:
    wide = HostArrays(26.0 * np.eye(3), np.full((1, 3), 13.0), np.array([8]))
    model = Surrogate(wide, CO2, plain.limits, plain.encoders, plain.head)
    assert model.describer is not None
    model = model.with_fields(build_fields(model.describer, 0.5))
    upright = np.tile([1.0, 0.0, 0.0, 0.0], (20, 1))
    fractional = np.column_stack([np.zeros(20), np.linspace(0.0, 1.0, 20), np.zeros(20)])
    mean, sd = model.predict(fractional, upright, np.zeros(20))
    np.testing.assert_allclose(mean, 0.0, atol=5e-3)
    exact = model.predict(fractional, upright, np.zeros(20), exact=True)
    np.testing.assert_allclose(sd, exact[1], atol=0.02)


def test_read_outs_are_reproduced_where_guests_can_be(fast, plain, trial) -> None:
    describer, fields = plain.describer, fast.fields
    assert describer is not None
    assert fields is not None
    positions = torch.as_tensor(trial[0] @ LATTICE)
    moments = radial_moments(
        describer.neighbours, describer.basis, describer.channels, positions
    ).detach()
    values = fields.at(positions)
    radial = len(describer.radial_scale(0))
    flags = moments[:, :, describer.width - describer.kinds : describer.width].flatten(1)
    expected = flags / describer.radial_scale(0)
    found = (values @ fields.read_outs[0])[:, :radial]
    assert float((found - expected).pow(2).sum(dim=1).mean().sqrt()) < 5e-3
    assert fields.loss <= LARGEST_LOSS
    encoder = describer.encoders[1]
    inputs = moments[:, :, describer.width : 2 * describer.width].flatten(1)
    hidden = inputs @ encoder.first_weight(1).T
    width = EncoderSettings().hidden
    found = (values @ fields.read_outs[1])[:, radial + width : radial + 2 * width]
    assert float((found - hidden).pow(2).mean().sqrt() / hidden.pow(2).mean().sqrt()) < 2e-3


def test_the_file_is_named_after_what_it_holds() -> None:
    kinds = kinds_of((HOST,), by_class=False)
    encoders = tuple(new_encoder(kinds, CO2, EncoderSettings(), 1, seed=s) for s in (0, 1))
    name = fields_file(Describer(encoders, HOST, CO2))
    assert name == fields_file(Describer(encoders, HOST, CO2))
    assert name != fields_file(Describer(encoders[::-1], HOST, CO2))
    moved = replace(HOST, positions_angstrom=HOST.positions_angstrom + 0.1)
    assert name != fields_file(Describer(encoders, moved, CO2))


def test_a_cell_too_large_is_not_tabulated() -> None:
    assert grid_shape(30.0 * np.eye(3)) is None
    assert grid_shape(10.0 * np.eye(3)) == (50, 50, 50)
    between = grid_shape(26.0 * np.eye(3))
    assert between is not None
    assert 26.0 / 0.2 > between[0] > 26.0 / COARSEST_ANGSTROM


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    torch.save({"specification": '{"format": "other"}'}, tmp_path / "x.pt")
    with pytest.raises(ValueError, match="expected a file of format"):
        Fields.load(tmp_path / "x.pt")


def test_the_device_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WIDOMILL_DEVICE", raising=False)
    assert default_device() == ("cuda" if torch.cuda.is_available() else "cpu")
    monkeypatch.setenv("WIDOMILL_DEVICE", "cpu")
    assert default_device() == "cpu"
    for wrong in ("gpu", "mps", "cuda:99"):
        monkeypatch.setenv("WIDOMILL_DEVICE", wrong)
        with pytest.raises(SettingsError, match=wrong):
            default_device()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_the_same_scores(fast, trial) -> None:
    for one, other in zip(fast.predict(*trial), fast.to("cuda").predict(*trial), strict=True):
        np.testing.assert_allclose(one, other, atol=5e-3)
