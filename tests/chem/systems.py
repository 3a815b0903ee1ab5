"""Small made-up systems for the tests of the classical level, and the plain Widom average."""

import numpy as np

from data.constants import GAS_CONSTANT_KJ_PER_MOL_K
from data.records import Estimate, Guest, Host, PairTable

TRICLINIC = np.array([[7.9, 0.3, -0.2], [-2.1, 8.6, 0.4], [1.7, 2.4, 9.3]])


def host(lattice, fractional, charges=None):
    count = len(fractional)
    return Host(
        name="made-up",
        lattice_angstrom=np.asarray(lattice, dtype=float),
        fractional=np.asarray(fractional, dtype=float),
        elements=("X",) * count,
        labels=tuple(f"X{i}" for i in range(count)),
        charges_e=None if charges is None else np.asarray(charges, dtype=float),
    )


def guest(positions, charges=None):
    positions = np.asarray(positions, dtype=float)
    count = len(positions)
    zeros = np.zeros(count)
    return Guest(
        name="made-up",
        site_types=("G",) * count,
        site_elements=(None,) * count,
        positions_angstrom=positions,
        charges_e=zeros if charges is None else np.asarray(charges, dtype=float),
        epsilon_k=zeros,
        sigma_angstrom=zeros,
        atom_elements=(),
        atom_positions_angstrom=np.zeros((0, 3)),
        molar_mass_g_per_mol=1.0,
    )


def pairs(the_host, the_guest, epsilon_k, sigma):
    """Pair table from well depths in kelvin; scalars or (m, n) arrays."""
    shape = (len(the_guest.site_types), len(the_host.elements))
    host_charges = the_host.charges_e
    return PairTable(
        epsilon_kj_per_mol=np.broadcast_to(epsilon_k, shape) * GAS_CONSTANT_KJ_PER_MOL_K,
        sigma_angstrom=np.array(np.broadcast_to(sigma, shape), dtype=float),
        guest_charges_e=the_guest.charges_e,
        host_charges_e=np.zeros(shape[1]) if host_charges is None else host_charges,
        force_field="made-up",
    )


def triclinic(charged=True):
    """Seven atoms in a skewed cell with a bent guest; one guest site and one atom have no LJ."""
    rng = np.random.default_rng(7)
    the_host = host(
        TRICLINIC, rng.random((7, 3)), [0.9, -0.5, -0.4, 0.3, -0.3, 0.7, -0.7] if charged else None
    )
    the_guest = guest(
        [[0.0, 0.1, 0.0], [1.1, -0.3, 0.2], [-0.9, -0.4, 0.5]],
        [-0.8, 0.5, 0.3] if charged else None,
    )
    epsilon = rng.uniform(20.0, 90.0, (3, 7))
    epsilon[2], epsilon[:, 4] = 0.0, 0.0
    sigma = rng.uniform(2.2, 3.0, (3, 7))
    return the_host, the_guest, pairs(the_host, the_guest, epsilon, sigma)


def insertions(n, seed=1):
    """Uniform positions and orientations."""
    from chem.rotations import random_quaternions

    rng = np.random.default_rng(seed)
    return rng.random((n, 3)), random_quaternions(rng, n)


def free(model, n, seed=1):
    """Insertions without overlap, with their energies."""
    fractional, quaternions = insertions(60 * n, seed)
    energy, overlap = model.energies(fractional, quaternions)
    kept = np.nonzero(~overlap)[0][:n]
    assert len(kept) == n
    return fractional[kept], quaternions[kept], energy[kept]


def widom(energies, beta):
    """<exp(-beta U)> with its standard error."""
    weights = np.exp(-beta * energies)
    error = weights.std(ddof=1) / np.sqrt(len(weights))
    return Estimate(weights.mean(), error, weights.sum() ** 2 / (weights**2).sum())
