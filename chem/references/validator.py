"""The validator every reference passes: what must hold of any energy of host and guest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from chem.references.contract import LabelResult, Reference
from chem.rotations import rotation_matrices
from data.errors import LabelFailure
from data.records import Guest, Host

VACUUM_CELL_ANGSTROM = 30.0


@dataclass(frozen=True)
class ContractReport:
    """Largest deviations found, in kJ/mol; forces per angstrom, torques per radian.

    Attributes:
        batch: a batch against one insertion at a time.
        lattice_translation: moved by lattice vectors.
        atom_order: host atoms in reverse order.
        rigid_rotation: host and guest turned together.
        vacuum: energy beside a single host atom some 26 angstrom away.
        force: net force against central differences, or None without forces.
        torque: torque against central differences, or None without forces.
        inputs_unmodified: whether every array passed in is as it was.
    """

    batch: float
    lattice_translation: float
    atom_order: float
    rigid_rotation: float
    vacuum: float
    force: float | None
    torque: float | None
    inputs_unmodified: bool

    def failures(
        self,
        energy_tolerance: float = 1e-3,
        gradient_tolerance: float = 0.05,
        vacuum_tolerance: float = 0.01,
    ) -> tuple[str, ...]:
        """Return what is out of tolerance, one line each.

        Args:
            energy_tolerance: kJ/mol.
            gradient_tolerance: kJ/mol/angstrom and kJ/mol/radian; a sharp cutoff anywhere in
                the model shows here, in central differences across it.
            vacuum_tolerance: kJ/mol, wide enough for a dispersion tail.
        """
        limits = dict.fromkeys(("batch", "lattice_translation", "atom_order"), energy_tolerance)
        limits |= {"rigid_rotation": energy_tolerance, "vacuum": vacuum_tolerance}
        limits |= {"force": gradient_tolerance, "torque": gradient_tolerance}
        found = asdict(self)
        lines = [
            f"{name}: {found[name]:.3g} is over {limit:.3g}"
            for name, limit in limits.items()
            if found[name] is not None and not found[name] <= limit
        ]
        return tuple(lines) if self.inputs_unmodified else (*lines, "inputs were modified")


def validate_reference(
    reference: Reference,
    host: Host,
    guest: Guest,
    fractional: np.ndarray,
    quaternions: np.ndarray,
    *,
    step: float = 2e-3,
) -> ContractReport:
    """Measure how well a reference keeps the contract.

    Args:
        reference: the level, bound to ``host`` and ``guest``.
        host: the framework.
        guest: the molecule.
        fractional: (B, 3) fractional positions of insertions away from the hard core.
        quaternions: (B, 4) unit quaternions.
        step: half-width of the central differences, angstrom and radian.

    Raises:
        LabelFailure: a label failed.
    """
    given = (fractional.copy(), quaternions.copy(), host.fractional.copy())
    labels = _ok(reference.interaction_energies(fractional, quaternions, forces=True))
    energies = _energies(labels)

    def again(bound: Reference, places: np.ndarray, turns: np.ndarray) -> float:
        return float(
            np.abs(_energies(_ok(bound.interaction_energies(places, turns))) - energies).max()
        )

    single = [
        _energies(_ok(reference.interaction_energies(f[None], q[None])))[0]
        for f, q in zip(fractional, quaternions, strict=True)
    ]
    steps = np.resize([[1, 0, 0], [0, -2, 0], [0, 0, 1], [1, 1, -1]], fractional.shape)
    turn, turned_host = _turned_host(host)
    turned = reference.for_host(turned_host, guest)
    shuffled = reference.for_host(_reversed(host), guest)
    unmodified = all(
        np.array_equal(a, b)
        for a, b in zip(given, (fractional, quaternions, host.fractional), strict=True)
    )
    force, torque = _gradient_errors(
        reference, host, fractional[0], quaternions[0], labels[0], step
    )
    return ContractReport(
        batch=float(np.abs(np.array(single) - energies).max()),
        lattice_translation=again(reference, fractional + steps, quaternions),
        atom_order=again(shuffled, fractional, quaternions),
        rigid_rotation=again(turned, fractional, _product(turn, quaternions)),
        vacuum=_vacuum_energy(reference, host, guest),
        force=force,
        torque=torque,
        inputs_unmodified=unmodified,
    )


def _ok(labels: Sequence[LabelResult]) -> Sequence[LabelResult]:
    for label in labels:
        if label.status == "failed":
            raise LabelFailure(label.reason)
    return labels


def _energies(labels: Sequence[LabelResult]) -> np.ndarray:
    return np.array([label.energy_kj_per_mol for label in labels])


def _reversed(host: Host) -> Host:
    charges = None if host.charges_e is None else host.charges_e[::-1].copy()
    return replace(
        host,
        fractional=host.fractional[::-1].copy(),
        elements=host.elements[::-1],
        labels=host.labels[::-1],
        charges_e=charges,
    )


def _turned_host(host: Host) -> tuple[np.ndarray, Host]:
    turn = np.array([[0.8, 0.2, -0.4, 0.4]]) / np.linalg.norm([0.8, 0.2, -0.4, 0.4])
    matrix = rotation_matrices(turn)[0]
    return turn, replace(host, lattice_angstrom=host.lattice_angstrom @ matrix.T)


def _product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Hamilton product of (1, 4) or (B, 4) quaternions: turn by ``right``, then ``left``."""
    w, v = left[:, :1], left[:, 1:]
    s, u = right[:, :1], right[:, 1:]
    scalar = w * s - (v * u).sum(axis=1, keepdims=True)
    return np.hstack([scalar, w * u + s * v + np.cross(np.broadcast_to(v, u.shape), u)])


def _vacuum_energy(reference: Reference, host: Host, guest: Guest) -> float:
    """Energy in the middle of a big cell with one host atom at its corners, absolute."""
    alone = replace(
        host,
        name=f"one {host.elements[0]}",
        lattice_angstrom=np.eye(3) * VACUUM_CELL_ANGSTROM,
        fractional=np.zeros((1, 3)),
        elements=host.elements[:1],
        labels=host.labels[:1],
        charges_e=None if host.charges_e is None else np.zeros(1),
    )
    bound = reference.for_host(alone, guest)
    middle = np.full((1, 3), 0.5)
    upright = np.array([[1.0, 0.0, 0.0, 0.0]])
    return float(abs(_energies(_ok(bound.interaction_energies(middle, upright)))[0]))


def _gradient_errors(
    reference: Reference,
    host: Host,
    place: np.ndarray,
    turn: np.ndarray,
    label: LabelResult,
    step: float,
) -> tuple[float | None, float | None]:
    if label.force_kj_per_mol_angstrom is None or label.torque_kj_per_mol is None:
        return None, None
    signs = np.vstack([np.eye(3), -np.eye(3)])
    moved = place + step * signs @ np.linalg.inv(host.lattice_angstrom)
    ahead = np.hstack([np.full((6, 1), np.cos(step / 2)), np.sin(step / 2) * signs])
    turned = _product(ahead, np.tile(turn, (6, 1)))
    by_move = _energies(_ok(reference.interaction_energies(moved, np.tile(turn, (6, 1)))))
    by_turn = _energies(_ok(reference.interaction_energies(np.tile(place, (6, 1)), turned)))
    force = (by_move[3:] - by_move[:3]) / (2.0 * step)
    torque = (by_turn[3:] - by_turn[:3]) / (2.0 * step)
    return (
        float(np.abs(force - label.force_kj_per_mol_angstrom).max()),
        float(np.abs(torque - label.torque_kj_per_mol).max()),
    )
