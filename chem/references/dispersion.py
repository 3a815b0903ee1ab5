"""Dispersion beside a reference that lacks it: D3(BJ) with the PBE parameters.

Grimme, Antony, Ehrlich, Krieg, J. Chem. Phys. 132 (2010) 154104; Grimme, Ehrlich, Goerigk,
J. Comput. Chem. 32 (2011) 1456 (Becke-Johnson damping). Two-body terms, from the simple-dftd3
library.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from data.constants import AVOGADRO_PER_MOL

BOHR_ANGSTROM = 0.529177210903
HARTREE_J = 4.3597447222071e-18
KJ_PER_MOL_PER_HARTREE = HARTREE_J * AVOGADRO_PER_MOL * 1e-3


class PeriodicD3:
    """D3(BJ, PBE) energies of one set of atoms in one cell, for many positions.

    Args:
        elements: n element symbols.
        lattice: (3, 3) cell vectors as rows, angstrom.
    """

    def __init__(self, elements: tuple[str, ...], lattice: np.ndarray) -> None:
        from ase.data import atomic_numbers
        from dftd3.interface import RationalDampingParam

        self._numbers = np.array([atomic_numbers[e] for e in elements], dtype=np.int32)
        self._lattice = np.ascontiguousarray(lattice / BOHR_ANGSTROM)
        self._damping = RationalDampingParam(method="pbe")
        self._model: Any = None

    def energy(
        self, positions: np.ndarray, *, forces: bool = False
    ) -> tuple[float, np.ndarray | None]:
        """Return the energy in kJ/mol and, where asked, (n, 3) forces in kJ/mol/angstrom."""
        from dftd3.interface import DispersionModel

        bohr = np.ascontiguousarray(positions / BOHR_ANGSTROM)
        if self._model is None:
            periodic = np.array([True, True, True])
            self._model = DispersionModel(self._numbers, bohr, self._lattice, periodic)
        else:
            self._model.update(bohr, self._lattice)
        result = self._model.get_dispersion(self._damping, grad=forces)
        energy = float(result["energy"]) * KJ_PER_MOL_PER_HARTREE
        if not forces:
            return energy, None
        return energy, -np.asarray(result["gradient"]) * KJ_PER_MOL_PER_HARTREE / BOHR_ANGSTROM


class DispersionInteraction:
    """``E(host+guest) - E(host) - E(guest)`` of D3(BJ, PBE), all three in the same cell.

    Args:
        host_elements: n element symbols.
        host_positions: (n, 3) positions, angstrom.
        lattice: (3, 3) cell vectors as rows, angstrom.
        guest_elements: k element symbols.
    """

    def __init__(
        self,
        host_elements: tuple[str, ...],
        host_positions: np.ndarray,
        lattice: np.ndarray,
        guest_elements: tuple[str, ...],
    ) -> None:
        self._host_positions = host_positions
        self._both = PeriodicD3(host_elements + guest_elements, lattice)
        self._guest = PeriodicD3(guest_elements, lattice)
        self._host_energy = PeriodicD3(host_elements, lattice).energy(host_positions)[0]

    def interaction(
        self, guest_positions: np.ndarray, *, forces: bool = False
    ) -> tuple[float, np.ndarray | None]:
        """Return the energy in kJ/mol and (k, 3) guest forces in kJ/mol/angstrom, or None."""
        every = np.vstack([self._host_positions, guest_positions])
        both, all_forces = self._both.energy(every, forces=forces)
        alone, guest_forces = self._guest.energy(guest_positions, forces=forces)
        energy = both - self._host_energy - alone
        if all_forces is None or guest_forces is None:
            return energy, None
        return energy, all_forces[len(self._host_positions) :] - guest_forces
