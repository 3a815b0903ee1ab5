"""Small hosts in which the reference adds a pair correction that all of them share."""

from __future__ import annotations

import numpy as np

from ml.encoder import Encoder
from ml.graphs import GuestSites, HostArrays, host_images
from ml.surrogate import Surrogate
from ml.training import LabelSet, pretrain_encoders

TEMPERATURE_K = 298.15
GUEST = GuestSites(("C", "O", "O"), np.array([[0.0, 0, 0], [0, 0, 1.16], [0, 0, -1.16]]))
STRENGTH = {6: -2.0, 8: -6.0, 30: -12.0}


def place(host: HostArrays, fractional: np.ndarray, quaternions: np.ndarray) -> np.ndarray:
    w, x, y, z = quaternions.T
    axis = np.stack([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)], axis=1)
    arms = GUEST.positions_angstrom[:, 2][None, :, None] * axis[:, None, :]
    return (fractional @ host.lattice_angstrom)[:, None, :] + arms


def energies(
    host: HostArrays, fractional: np.ndarray, quaternions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Baseline of soft spheres; the reference adds an attraction by element and site."""
    images, atoms = host_images(host, 7.0)
    lattice = host.lattice_angstrom
    fractional = fractional - np.floor(fractional)
    sites = place(host, fractional, quaternions)
    gaps = np.linalg.norm(sites[:, :, None, :] - images[None, None], axis=-1)
    baseline = 4.0 * ((3.0 / gaps) ** 12 - (3.0 / gaps) ** 6).sum(axis=(1, 2))
    strength = np.array([STRENGTH[int(z)] for z in host.atomic_numbers])[atoms]
    extra = (strength * np.exp(-0.5 * ((gaps - 3.2) / 0.7) ** 2)).sum(axis=(1, 2))
    assert lattice.shape == (3, 3)
    return baseline, baseline + 0.3 * extra


def host_of(seed: int) -> HostArrays:
    rng = np.random.default_rng(seed)
    lattice = np.diag(9.0 + rng.random(3))
    corners = np.array([[0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]])
    spread = corners + 0.06 * rng.random((4, 3))
    return HostArrays(lattice, spread @ lattice, np.array([30, 8, 8, 6]))


def insertions(host: HostArrays, count: int, seed: int) -> LabelSet:
    rng = np.random.default_rng(seed)
    fractional, quaternions = rng.random((6000, 3)), rng.normal(size=(6000, 4))
    quaternions /= np.linalg.norm(quaternions, axis=1, keepdims=True)
    baseline, reference = energies(host, fractional, quaternions)
    low = np.argsort(baseline)[:2000]
    rows = rng.choice(low, count, replace=False)
    return LabelSet(fractional[rows], quaternions[rows], baseline[rows], reference[rows])


def rms(surrogate: Surrogate, labels: LabelSet) -> float:
    place = labels.fractional, labels.quaternions, labels.baseline_kj_per_mol
    return float(
        np.sqrt(np.mean((surrogate.predict(*place, exact=True)[0] - labels.energy_kj_per_mol) ** 2))
    )


def own_encoders(target: HostArrays) -> tuple[Encoder, ...]:
    free = insertions(target, 800, 5)
    place = free.fractional, free.quaternions, free.baseline_kj_per_mol
    return pretrain_encoders(target, GUEST, *place, members=1, seed=1, steps=80)
