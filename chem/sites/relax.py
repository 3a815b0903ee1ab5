"""Relaxation of a rigid guest in a rigid host, by forces and torques.

A placement is moved by a step of six lengths: a translation t and a rotation vector u over a
length l of the guest, so that both parts have similar stiffness. With theta = u / l,

    centre = centre0 + t,    R = exp([theta]x) R0,
    dE/dt = -sum_s F_s,      dE/du = -(1/l) J(theta)^T sum_s (r_s - centre) x F_s,

where J(theta) = 1 + (1 - cos a)/a^2 [theta]x + (a - sin a)/a^3 [theta]x^2, a = |theta|, is the
left Jacobian of the rotations [1]. A truncated pair energy has small steps at the cutoff, at
which a line search stops: the search starts afresh from there. At a saddle, found by the
curvatures, it goes on downhill.

References:
    [1] Barfoot, State Estimation for Robotics (Cambridge, 2017), chapter 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chem.rotations import rotate_sites

WALL_KJ_PER_MOL = 1e6
LONGEST_STEP_ANGSTROM = 1.0
SEARCHES = 8
ENOUGH_KJ_PER_MOL = 1e-7
DIFFERENCE_ANGSTROM = 1e-3
FLAT_KJ_PER_MOL_ANGSTROM2 = -0.05
KICK_ANGSTROM = 0.05
LEAST_LENGTH_ANGSTROM = 0.5
CONVERGED_KJ_PER_MOL_ANGSTROM = 0.5


@dataclass(frozen=True)
class Relaxed:
    """A local minimum of the interaction energy.

    Attributes:
        energy_kj_per_mol: its energy.
        fractional: (3,) position of the guest's body origin, in [0, 1).
        quaternion: (4,) orientation.
        slope_kj_per_mol_angstrom: the largest component of the gradient left.
    """

    energy_kj_per_mol: float
    fractional: np.ndarray
    quaternion: np.ndarray
    slope_kj_per_mol_angstrom: float

    @property
    def converged(self) -> bool:
        """Whether the gradient left is negligible; steps at the cutoff leave some 0.1."""
        return self.slope_kj_per_mol_angstrom < CONVERGED_KJ_PER_MOL_ANGSTROM


class RigidBody:
    """Energies and gradients of steps of a rigid guest away from one placement.

    Args:
        model: an energy model; its ``energies_and_forces`` is used where it has one, central
            differences of its ``energies`` otherwise.
        fractional: (3,) position of the body origin.
        quaternion: (4,) orientation.
    """

    def __init__(self, model: Any, fractional: np.ndarray, quaternion: np.ndarray) -> None:
        from scipy.spatial.transform import Rotation

        self._model = model
        self._body = np.asarray(model.guest.positions_angstrom, dtype=float).reshape(-1, 3)
        self._lattice = np.asarray(model.host.lattice_angstrom, dtype=float)
        self._inverse = np.linalg.inv(self._lattice)
        self._fractional = np.asarray(fractional, dtype=float)
        self._start = Rotation.from_quat(quaternion, scalar_first=True)
        radius = float(np.sqrt((self._body**2).sum(axis=1).mean()))
        self.length_angstrom = max(LEAST_LENGTH_ANGSTROM, radius)

    def moved(self, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (B, 3) fractional positions and (B, 4) quaternions after (B, 6) steps."""
        from scipy.spatial.transform import Rotation

        turned = Rotation.from_rotvec(steps[:, 3:] / self.length_angstrom) * self._start
        return self._fractional + steps[:, :3] @ self._inverse, turned.as_quat(scalar_first=True)

    def energy_and_gradient(self, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (B,) energies, kJ/mol, and (B, 6) gradients, kJ/mol/angstrom, of (B, 6) steps.

        In the hard core the energy is a large constant.
        """
        if not hasattr(self._model, "energies_and_forces"):
            return self._by_differences(steps)
        fractional, quaternions = self.moved(steps)
        energy, overlap, forces = self._model.energies_and_forces(fractional, quaternions)
        arms = rotate_sites(quaternions, self._body)
        torque = np.cross(arms, forces).sum(axis=1)
        turn = np.einsum("bij,bi->bj", left_jacobian(steps[:, 3:] / self.length_angstrom), torque)
        gradient = -np.concatenate([forces.sum(axis=1), turn / self.length_angstrom], axis=1)
        return np.where(overlap, WALL_KJ_PER_MOL, energy), gradient

    def _by_differences(self, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        shifts = DIFFERENCE_ANGSTROM * np.vstack([np.zeros(6), np.eye(6), -np.eye(6)])
        every = (steps[:, None] + shifts).reshape(-1, 6)
        energy, overlap = self._model.energies(*self.moved(every))
        energy = np.where(overlap, WALL_KJ_PER_MOL, energy).reshape(-1, 13)
        gradient = (energy[:, 1:7] - energy[:, 7:]) / (2.0 * DIFFERENCE_ANGSTROM)
        return energy[:, 0], gradient

    def curvatures(self) -> tuple[np.ndarray, np.ndarray]:
        """Return (6,) curvatures at the placement, rising, and (6, 6) their directions."""
        steps = DIFFERENCE_ANGSTROM * np.vstack([np.eye(6), -np.eye(6)])
        _, gradient = self.energy_and_gradient(steps)
        hessian = (gradient[:6] - gradient[6:]) / (2.0 * DIFFERENCE_ANGSTROM)
        values, vectors = np.linalg.eigh(0.5 * (hessian + hessian.T))
        return values, vectors


def left_jacobian(rotation_vectors: np.ndarray) -> np.ndarray:
    """Return (B, 3, 3) left Jacobians of (B, 3) rotation vectors, radian."""
    x, y, z = rotation_vectors.T
    nothing = np.zeros_like(x)
    cross = np.array([[nothing, -z, y], [z, nothing, -x], [-y, x, nothing]]).transpose(2, 0, 1)
    angle = np.maximum(np.linalg.norm(rotation_vectors, axis=1), 1e-4)[:, None, None]
    first, second = (1.0 - np.cos(angle)) / angle**2, (angle - np.sin(angle)) / angle**3
    return np.eye(3) + first * cross + second * (cross @ cross)


def relax(model: Any, fractional: np.ndarray, quaternion: np.ndarray) -> Relaxed:
    """Minimise the energy over position and orientation from one placement.

    Args:
        model: an energy model, see :class:`RigidBody`.
        fractional: (3,) position to start from.
        quaternion: (4,) orientation to start from.

    Returns:
        The minimum found; its energy is never above that of the start.
    """
    place, turn = np.asarray(fractional, dtype=float), np.asarray(quaternion, dtype=float)
    best = np.inf
    for _ in range(SEARCHES):
        body = RigidBody(model, place, turn)
        energy, step = _search(body)
        gained, best = best - energy, energy
        place, turn = (part[0] for part in body.moved(step[None]))
        if not gained > ENOUGH_KJ_PER_MOL:
            downhill = _off_the_saddle(RigidBody(model, place, turn), best)
            if downhill is None:
                break
            place, turn = downhill
    here, slope = RigidBody(model, place, turn).energy_and_gradient(np.zeros((1, 6)))
    return Relaxed(float(here[0]), place - np.floor(place), turn, float(np.abs(slope).max()))


def _search(body: RigidBody) -> tuple[float, np.ndarray]:
    """Return the lowest energy of one quasi-Newton search, and its (6,) step."""
    from scipy.optimize import minimize

    def value(step: np.ndarray) -> tuple[float, np.ndarray]:
        energy, gradient = body.energy_and_gradient(step[None])
        return float(energy[0]), gradient[0]

    found = minimize(
        value,
        np.zeros(6),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-LONGEST_STEP_ANGSTROM, LONGEST_STEP_ANGSTROM)] * 6,
        options={"maxiter": 60, "ftol": 1e-13, "gtol": 1e-5},
    )
    return float(found.fun), np.asarray(found.x)


def _off_the_saddle(body: RigidBody, energy: float) -> tuple[np.ndarray, np.ndarray] | None:
    """Return a lower placement along the direction of negative curvature, or None."""
    values, vectors = body.curvatures()
    if not values[0] < FLAT_KJ_PER_MOL_ANGSTROM2:
        return None
    kicks = KICK_ANGSTROM * np.stack([vectors[:, 0], -vectors[:, 0]])
    around, _ = body.energy_and_gradient(kicks)
    lower = int(np.argmin(around))
    if not around[lower] < energy:
        return None
    place, turn = body.moved(kicks[lower : lower + 1])
    return place[0], turn[0]
