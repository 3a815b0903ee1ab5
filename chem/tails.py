"""The analytic long-range correction of a truncated Lennard-Jones interaction."""

from __future__ import annotations

import math

import numpy as np


def tail_energy_kj_per_mol(
    epsilon_kj_per_mol: np.ndarray,
    sigma_angstrom: np.ndarray,
    cutoff_angstrom: float,
    volume_angstrom3: float,
    quantum_angstrom2: float = 0.0,
) -> float:
    """Return the energy of one guest with everything beyond the cutoff, seen as uniform.

    Each guest site i sees host atom j of the cell spread evenly at density 1/V beyond the
    cutoff::

        U = sum_i sum_j (1/V) int_rc^inf 4 eps (s^12/r^12 - s^6/r^6) 4 pi r^2 dr
          = sum_i sum_j (16 pi eps / V) (s^12 / (9 rc^9) - s^6 / (3 rc^3))

    Every host-guest pair is counted once (in the textbook form with a prefactor 2 pi over
    all pairs of a mixture, host-guest and guest-host together give the same 4 pi; Allen and
    Tildesley, Computer Simulation of Liquids, 2nd ed., 2017, section 2.8). The guest's own
    images carry no tail. The correction is a constant: it does not depend on the insertion.

    The Feynman-Hibbs term Q (u'' + 2 u'/r) is Q times the Laplacian of u, so that its own
    integral is a surface term, ``-4 pi Q rc^2 u'(rc) / V`` a pair.

    Args:
        epsilon_kj_per_mol: (m, n) well depth of guest site by host atom, kJ/mol.
        sigma_angstrom: (m, n) diameter, angstrom.
        cutoff_angstrom: truncation distance, angstrom.
        volume_angstrom3: volume of the cell that holds the n host atoms.
        quantum_angstrom2: Q, square angstrom; zero for a classical guest.

    Returns:
        The correction in kJ/mol, negative for any usual cutoff.
    """
    sigma6 = sigma_angstrom**6
    repulsion, attraction = sigma6**2 / cutoff_angstrom**9, sigma6 / cutoff_angstrom**3
    integral = repulsion / 9.0 - attraction / 3.0
    surface = (12.0 * repulsion - 6.0 * attraction) * quantum_angstrom2 / cutoff_angstrom**2
    return float(
        16.0 * math.pi / volume_angstrom3 * np.sum(epsilon_kj_per_mol * (integral + surface))
    )
