"""What is said of a host or guest besides its parameters: formula, space group, moments."""

from __future__ import annotations

from typing import Any

import numpy as np

from data.constants import ELEMENTARY_CHARGE_C, SPEED_OF_LIGHT_M_PER_S
from data.records import Guest, Host

DEBYE_PER_E_ANGSTROM = ELEMENTARY_CHARGE_C * 1e-10 * SPEED_OF_LIGHT_M_PER_S * 1e21
"""1 D = 1e-21 / c C m."""
SYMMETRY_TOLERANCE_ANGSTROM = 0.01


def formula(host: Host) -> str:
    """Return the formula of the cell, in Hill order, with the formula units taken out."""
    from ase.formula import Formula

    cell = Formula.from_list(list(host.elements))
    unit, count = cell.reduce()
    return f"{unit.format('hill')}" + (f" x {count}" if count > 1 else "")


def space_group(host: Host) -> str:
    """Return symbol and number of the space group of the atoms, whatever their charges.

    Found by spglib (Togo, Shinohara, Tanaka, Sci. Technol. Adv. Mater. Methods 4 (2024)
    2384822) with a tolerance of 0.01 angstrom.
    """
    import spglib
    from ase.data import atomic_numbers

    numbers = [atomic_numbers[element] for element in host.elements]
    cell: Any = (host.lattice_angstrom, host.fractional, numbers)
    found = spglib.get_symmetry_dataset(cell, symprec=SYMMETRY_TOLERANCE_ANGSTROM)
    return "not found" if found is None else f"{found.international} ({found.number})"


def dipole_debye(guest: Guest) -> float:
    """Return the dipole moment of the point charges, debye."""
    moment = guest.charges_e @ guest.positions_angstrom
    return float(np.linalg.norm(moment)) * DEBYE_PER_E_ANGSTROM


def quadrupole_debye_angstrom(guest: Guest) -> np.ndarray:
    """Return the (3,) principal values of the traceless quadrupole, ascending.

    Theta = 1/2 sum_i q_i (3 r_i r_i - r_i^2 1) about the centre of mass, so that for a linear
    molecule along z Theta_zz = sum_i q_i z_i^2; in debye angstrom, also called buckingham.
    """
    r = guest.positions_angstrom
    squares = (r**2).sum(axis=1)
    tensor = 1.5 * (r.T * guest.charges_e) @ r - 0.5 * (guest.charges_e @ squares) * np.eye(3)
    values: np.ndarray = np.linalg.eigvalsh(tensor) * DEBYE_PER_E_ANGSTROM
    return values
