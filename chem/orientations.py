"""Bins of equal measure over the orientations of a rigid guest.

A rotation is written R = Rz(phi) Ry(theta) Rz(psi) A^-1, where A turns z onto the guest's own
axis, so that (theta, phi) is where that axis points and psi the turn about it. The uniform
(Haar) measure is flat in (cos theta, phi, psi): equal boxes in these three are bins of equal
probability, and a uniform point of a box is a uniform rotation of its bin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.records import Guest

LINEAR_BINS = (6, 10, 1)
GENERAL_BINS = (4, 8, 4)
_SAME_PLACE_ANGSTROM = 1e-6
_ON_AXIS_ANGSTROM = 1e-4


@dataclass(frozen=True)
class OrientationBins:
    """A grid of equal boxes in (cos theta, phi, psi).

    Attributes:
        shape: boxes along cos theta, phi and psi.
        alignment: (4,) unit quaternion (w, x, y, z) that turns z onto the guest's axis.
        inverts: whether turning the axis end for end gives the same molecule.
    """

    shape: tuple[int, int, int] = (1, 1, 1)
    alignment: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)
    inverts: bool = False

    @property
    def count(self) -> int:
        """Number of bins."""
        return int(np.prod(self.shape))

    def opposite(self) -> np.ndarray:
        """Return (count,) the bin of each bin's axis turned end for end (psi left alone)."""
        n_cos, n_phi, n_psi = self.shape
        every = np.arange(self.count).reshape(self.shape)
        flipped = np.roll(every[::-1], -(n_phi // 2), axis=1)
        return flipped.reshape(n_cos * n_phi * n_psi)


def orientation_bins(guest: Guest) -> OrientationBins:
    """Choose the bins of a guest: none for a single point, axis only for a linear one.

    Args:
        guest: the molecule; its force-field sites and its atoms both count.
    """
    every = np.vstack([guest.positions_angstrom, guest.atom_positions_angstrom])
    sites = np.asarray(guest.positions_angstrom, dtype=float)
    spread = np.linalg.norm(every, axis=1)
    if spread.max(initial=0.0) < _SAME_PLACE_ANGSTROM or np.ptp(sites, axis=0).max() == 0.0:
        return OrientationBins()
    axis = every[int(spread.argmax())] / spread.max()
    off_axis = np.linalg.norm(every - np.outer(every @ axis, axis), axis=1)
    alignment = _turn_z_onto(axis)
    if off_axis.max() > _ON_AXIS_ANGSTROM:
        return OrientationBins(GENERAL_BINS, alignment)
    return OrientationBins(LINEAR_BINS, alignment, _inverts(guest))


def _turn_z_onto(axis: np.ndarray) -> tuple[float, float, float, float]:
    """Return the shortest rotation of z onto a unit vector, as a quaternion."""
    x, y, z = (float(v) for v in axis)
    if z < -1.0 + 1e-12:
        return (0.0, 1.0, 0.0, 0.0)
    raw = np.array([1.0 + z, -y, x, 0.0])
    w, i, j, k = raw / np.linalg.norm(raw)
    return (float(w), float(i), float(j), float(k))


def _inverts(guest: Guest) -> bool:
    """Whether a linear guest is mapped onto itself by inversion through its origin."""
    parameters = np.column_stack([guest.charges_e, guest.epsilon_k, guest.sigma_angstrom])
    for site, own in zip(guest.positions_angstrom, parameters, strict=True):
        near = np.linalg.norm(guest.positions_angstrom + site, axis=1) < _ON_AXIS_ANGSTROM
        if not any(np.allclose(own, other) for other in parameters[near]):
            return False
    return True
