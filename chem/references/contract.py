"""The contract every reference level keeps, and the records it returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from data.records import Guest, Host

LabelStatus = Literal["ok", "retried", "failed"]
LOWEST_KJ_PER_MOL = -300.0
"""No small molecule is bound with more, chemisorbed or not: below, an energy is a mistake."""


LATE = "it did not come back within"
"""How the reason of a call begins that was given up for its wall time."""


@dataclass(frozen=True)
class LabelResult:
    """The reference interaction energy of one insertion.

    Attributes:
        energy_kj_per_mol: ``E(host+guest) - E(host) - E(guest)``, kJ/mol; nan if it failed.
        force_kj_per_mol_angstrom: (3,) net force on the guest, kJ/mol/angstrom, or None.
        torque_kj_per_mol: (3,) torque about the guest's body origin in the space frame,
            kJ/mol, or None.
        status: "ok", "retried" (usable, second attempt with safer settings) or "failed".
        reason: why it was retried or failed; empty otherwise.
        seconds: wall time spent on it.
    """

    energy_kj_per_mol: float
    force_kj_per_mol_angstrom: np.ndarray | None
    torque_kj_per_mol: np.ndarray | None
    status: LabelStatus
    reason: str
    seconds: float


@runtime_checkable
class Reference(Protocol):
    """A level of theory bound to one host and one guest.

    Attributes:
        name: the level as the user wrote it.
        level_key: content hash of the level: settings, model file, package versions.
        key: content hash of the level and of how the label cell is built from the host's; with
            the hashes of host, guest and geometry it addresses a label.
        atomistic: whether real atoms are seen (False for classical sites).
        slow: whether one label may take minutes, so that self-checks in large cells are skipped.
        cell_note: which cell the labels were computed in, and how guest images enter.
        image_distance_angstrom: distance between a guest and its nearest periodic image;
            infinite where images do not enter.
        warnings: remarks a result should carry.
    """

    name: str
    level_key: str
    key: str
    atomistic: bool
    slow: bool
    cell_note: str
    image_distance_angstrom: float
    warnings: tuple[str, ...]

    def interaction_energies(
        self, fractional: np.ndarray, quaternions: np.ndarray, *, forces: bool = False
    ) -> list[LabelResult]:
        """Label insertions.

        Args:
            fractional: (B, 3) fractional positions of the body origin in the host's cell.
            quaternions: (B, 4) unit quaternions (w, x, y, z).
            forces: whether net force and torque are wanted as well.

        Returns:
            B results in order; a call that fails is a result with status "failed".
        """
        ...

    def for_host(
        self, host: Host, guest: Guest, replication: tuple[int, int, int] | None = None
    ) -> Reference:
        """Return the same level bound to another host and guest, sharing what was loaded.

        Args:
            host: the framework.
            guest: the molecule.
            replication: label cell to use instead of the one chosen for this host.
        """
        ...


def net_force_and_torque(
    atom_forces: np.ndarray, atom_positions: np.ndarray, origin: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the net force and the torque about ``origin`` of forces on the guest's atoms.

    Args:
        atom_forces: (k, 3) forces, kJ/mol/angstrom.
        atom_positions: (k, 3) positions in space, angstrom.
        origin: (3,) body origin in space, angstrom.

    Returns:
        (3,) force in kJ/mol/angstrom and (3,) torque in kJ/mol.
    """
    return atom_forces.sum(axis=0), np.cross(atom_positions - origin, atom_forces).sum(axis=0)


def failed_label(reason: str, seconds: float) -> LabelResult:
    """Return the record of a call that gave no usable energy."""
    return LabelResult(float("nan"), None, None, "failed", reason, seconds)


def why_implausible(energy_kj_per_mol: float) -> str:
    """Return what rules an energy out; empty where nothing does. High ones are walls."""
    if np.isfinite(energy_kj_per_mol) and energy_kj_per_mol >= LOWEST_KJ_PER_MOL:
        return ""
    return (
        f"{energy_kj_per_mol:.6g} kJ/mol is no energy of a molecule in a host, which is above "
        f"{LOWEST_KJ_PER_MOL:g}: a wrong unit, a wrong electronic state, or a model far outside "
        "what it was fitted to"
    )


def plausible(results: Sequence[LabelResult]) -> list[LabelResult]:
    """Return labels with those that cannot be true turned into failed ones."""
    return [
        result
        if result.status == "failed" or not why_implausible(result.energy_kj_per_mol)
        else failed_label(why_implausible(result.energy_kj_per_mol), result.seconds)
        for result in results
    ]
