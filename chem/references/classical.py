"""A classical force field as the reference: labels from a second parameter set.

It goes through the whole loop like any other reference, and a million labels cost seconds, so
every claim about the estimator can be checked against brute force.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from chem.energies import ClassicalModel, ClassicalSettings
from chem.references.contract import LabelResult, net_force_and_torque
from chem.rotations import rotate_sites
from data.errors import SettingsError
from data.records import Guest, Host, content_hash

OVERLAP_ENERGY_KJ_PER_MOL = 1e4


class ClassicalReference:
    """Lennard-Jones plus Ewald as a reference.

    An insertion inside this force field's hard core is a valid label of 1e4 kJ/mol, whose
    Boltzmann factor is zero in double precision at any temperature of interest.

    Args:
        name: the level as the user wrote it.
        model: the bound classical model.
        force_field: what the model was mixed from, needed to bind another host.
    """

    atomistic = False
    slow = False
    cell_note = "classical sites in the infinite host; guest images do not enter"
    image_distance_angstrom = float("inf")
    warnings: tuple[str, ...] = ()

    def __init__(self, name: str, model: ClassicalModel, force_field: Any = None) -> None:
        self.name = name
        self.level_key = content_hash("classical", model.hash)
        self.key = self.level_key
        self._model = model
        self._force_field = force_field

    def interaction_energies(
        self, fractional: np.ndarray, quaternions: np.ndarray, *, forces: bool = False
    ) -> list[LabelResult]:
        """Label insertions; see ``contract.Reference``."""
        began = time.perf_counter()
        fractional = np.asarray(fractional, dtype=np.float64)
        quaternions = np.asarray(quaternions, dtype=np.float64)
        site_forces: np.ndarray | None = None
        if forces:
            energy, overlap, site_forces = self._model.energies_and_forces(fractional, quaternions)
        else:
            energy, overlap = self._model.energies(fractional, quaternions)
        capped = np.minimum(np.where(overlap, np.inf, energy), OVERLAP_ENERGY_KJ_PER_MOL)
        seconds = (time.perf_counter() - began) / max(1, len(capped))
        if site_forces is None:
            return [LabelResult(float(e), None, None, "ok", "", seconds) for e in capped]
        arms = rotate_sites(quaternions, self._model.guest.positions_angstrom)
        inside = capped < OVERLAP_ENERGY_KJ_PER_MOL
        return [
            _result(float(capped[i]), site_forces[i] * inside[i], arms[i], seconds)
            if inside[i]
            else LabelResult(float(capped[i]), None, None, "ok", "", seconds)
            for i in range(len(capped))
        ]

    def for_host(
        self, host: Host, guest: Guest, replication: tuple[int, int, int] | None = None
    ) -> ClassicalReference:
        """Return the same force field bound to another host and guest.

        Raises:
            SettingsError: this reference wraps a model whose force field it does not know.
        """
        if self._force_field is None:
            raise SettingsError(
                "this classical reference was given a finished model without its force field, "
                "so it cannot be bound to another host"
            )
        from chem.hosts import replicate

        seen = host if replication is None else replicate(host, replication)
        return bind_force_field(self.name, seen, guest, self._force_field, self._model.settings)


def bind_force_field(
    name: str, host: Host, guest: Guest, force_field: Any, settings: ClassicalSettings
) -> ClassicalReference:
    """Mix a force field for a host and a guest and return it as a reference.

    Args:
        name: the level as the user wrote it.
        host: the framework.
        guest: the molecule.
        force_field: a ``chem.force_fields.ForceField``.
        settings: cutoff, truncation, tail and Ewald precision.
    """
    from chem.force_fields import mix_pairs

    model = ClassicalModel(host, guest, mix_pairs(host, guest, force_field), settings)
    return ClassicalReference(name, model, force_field)


def _result(energy: float, forces: np.ndarray, arms: np.ndarray, seconds: float) -> LabelResult:
    force, torque = net_force_and_torque(forces, arms, np.zeros(3))
    return LabelResult(energy, force, torque, "ok", "", seconds)
