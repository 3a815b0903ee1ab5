"""What the Lennard-Jones pair potential becomes at the cutoff and for light guests.

With v(r) = 4 eps ((s/r)^12 - (s/r)^6), the pair energy within the cutoff rc is

- truncated: w(r);
- shifted: w(r) - w(rc), so that the energy is continuous;
- force-shifted: w(r) - w(rc) - (r - rc) w'(rc), so that energy and force are [1],

with w = v for a classical guest. A light guest (H2, He, Ne) spreads over its thermal
wavelength; to second order its Gaussian average over v is the quadratic Feynman-Hibbs
potential [2, 3]::

    w(r) = v(r) + Q (v''(r) + 2 v'(r) / r),    Q = hbar^2 / (24 mu k_B T)

mu is the reduced mass of what moves. The host is rigid, that is, infinitely heavy, so mu is
the guest's whole mass here; others take the pair's reduced mass m1 m2 / (m1 + m2) with a
single host atom, which makes Q larger (H2 with O: by an eighth). The potential depends on
the temperature, and energies made with it hold for that one only. Only Lennard-Jones is
corrected: the Laplacian of the host's Coulomb potential is zero. The next term of the
series grows as (Q s^-2)^2: below some 40 K for H2 use path integrals.

References:
    [1] Allen, Tildesley, Computer Simulation of Liquids, 2nd ed., 2017, section 5.2.
    [2] Feynman, Hibbs, Quantum Mechanics and Path Integrals, 1965, section 10-3.
    [3] Sese, Mol. Phys. 81 (1994) 1297.
"""

from __future__ import annotations

import math

import numpy as np

from data.constants import (
    AVOGADRO_PER_MOL,
    BOLTZMANN_J_PER_K,
    GAS_CONSTANT_KJ_PER_MOL_K,
    PLANCK_J_S,
)
from data.errors import SettingsError

TRUNCATIONS = ("truncated", "shifted", "force-shifted")


def quantum_angstrom2(mass_g_per_mol: float, temperature_k: float) -> float:
    """Return Q = hbar^2 / (24 mu k_B T) of the Feynman-Hibbs potential, square angstrom.

    Args:
        mass_g_per_mol: reduced mass mu; that of the guest with a rigid host.
        temperature_k: temperature.

    Raises:
        SettingsError: the mass is unknown (NaN) or zero.
    """
    if not (math.isfinite(mass_g_per_mol) and mass_g_per_mol > 0.0):
        raise SettingsError(
            "the Feynman-Hibbs potential needs the guest's mass, which is unknown: its real atoms "
            "are not given. Use a bundled guest, or a YAML guest file with an atoms list"
        )
    mass_kg = mass_g_per_mol * 1e-3 / AVOGADRO_PER_MOL
    hbar_j_s = PLANCK_J_S / (2.0 * math.pi)
    return hbar_j_s**2 / (24.0 * mass_kg * BOLTZMANN_J_PER_K * temperature_k) * 1e20


def cutoff_terms(
    epsilon_kj_per_mol: np.ndarray,
    sigma_angstrom: np.ndarray,
    cutoff_angstrom: float,
    lj: str,
    quantum: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Return shift and slope of the pair energy w(r) - shift - slope r.

    Args:
        epsilon_kj_per_mol: well depths, kJ/mol, any shape.
        sigma_angstrom: diameters, angstrom, same shape.
        cutoff_angstrom: cutoff rc.
        lj: one of `TRUNCATIONS`.
        quantum: Q of the module docstring, square angstrom.

    Returns:
        Shift in kJ/mol and slope in kJ/(mol angstrom), both zero where truncated.
    """
    from chem.kernels import lennard_jones

    none = np.zeros(np.shape(epsilon_kj_per_mol))
    if lj == "truncated":
        return none, none.copy()
    # The kernel's own function, as plain Python on arrays: one place for the physics.
    value, derivative = lennard_jones.py_func(
        cutoff_angstrom**2, 4.0 * epsilon_kj_per_mol, sigma_angstrom**2, 0.0, 0.0, quantum
    )
    if lj == "shifted":
        return value, none
    slope = 2.0 * cutoff_angstrom * derivative
    return value - cutoff_angstrom * slope, slope


def core_radii_angstrom(
    epsilon_kj_per_mol: np.ndarray, sigma_angstrom: np.ndarray, core_energy_k: float
) -> np.ndarray:
    """Return the distance where the Lennard-Jones pair energy reaches the core energy.

    Solves 4 eps ((s/r)^12 - (s/r)^6) = E, that is (s/r)^6 = (1 + sqrt(1 + E/eps)) / 2. The
    Feynman-Hibbs term only adds to the energy this far inside: the radius stays conservative.

    Args:
        epsilon_kj_per_mol: well depths, kJ/mol.
        sigma_angstrom: diameters, angstrom, same shape.
        core_energy_k: core energy over k_B, kelvin.

    Returns:
        Radii in angstrom, zero where the pair does not interact.
    """
    energy = core_energy_k * GAS_CONSTANT_KJ_PER_MOL_K
    interacting = (epsilon_kj_per_mol > 0.0) & (sigma_angstrom > 0.0)
    depth = np.where(interacting, epsilon_kj_per_mol, 1.0)
    sixth_power = 0.5 * (1.0 + np.sqrt(1.0 + energy / depth))
    return np.where(interacting, sigma_angstrom / sixth_power ** (1.0 / 6.0), 0.0)
