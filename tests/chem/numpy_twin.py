"""The classical energy once more, in plain numpy and double loops: slow, and shares no code."""

import itertools
import math

import numpy as np
from scipy.special import erfc

COULOMB = 1389.3545764438198  # e^2 N_A / (4 pi eps0), kJ angstrom / (mol e^2), CODATA 2018


def quaternion_matrix(q):
    """Rotation matrix by v -> q v q*, one Hamilton product per basis vector."""

    def product(a, b):
        scalar = a[0] * b[0] - a[1:] @ b[1:]
        return np.append(scalar, a[0] * b[1:] + b[0] * a[1:] + np.cross(a[1:], b[1:]))

    conjugate = q * np.array([1.0, -1.0, -1.0, -1.0])
    columns = [product(product(q, np.append(0.0, e)), conjugate)[1:] for e in np.eye(3)]
    return np.array(columns).T


def site_positions(lattice, body, fractional, quaternion):
    rotation = quaternion_matrix(quaternion)
    return np.array([rotation @ site + lattice.T @ fractional for site in body])


def lattice_shifts(lattice, reach):
    """All lattice vectors up to a generous reach."""
    volume = abs(np.linalg.det(lattice))
    ranges = []
    for i in range(3):
        area = np.linalg.norm(np.cross(lattice[(i + 1) % 3], lattice[(i + 2) % 3]))
        steps = math.ceil(reach * area / volume) + 1
        ranges.append(range(-steps, steps + 1))
    return np.array([np.array(n) @ lattice for n in itertools.product(*ranges)])


def pair_energy(r, eps, sigma, quantum=0.0):
    """Lennard-Jones plus the quadratic Feynman-Hibbs term, and the slope of both."""
    high, low = 4 * eps * sigma**12, 4 * eps * sigma**6
    value = high * r**-12.0 - low * r**-6.0
    first = -12 * high * r**-13.0 + 6 * low * r**-7.0
    second = 156 * high * r**-14.0 - 42 * low * r**-8.0
    third = -2184 * high * r**-15.0 + 336 * low * r**-9.0
    spread = second + 2 * first / r
    spread_slope = third + 2 * second / r - 2 * first / r**2
    return value + quantum * spread, first + quantum * spread_slope


def short_range(host, body_positions, pairs, cutoff, lj, alpha, quantum):
    """Lennard-Jones and erfc sums over atoms and images."""
    lattice, atoms = host.lattice_angstrom, host.positions_angstrom
    shifts = lattice_shifts(lattice, cutoff + 2 * np.linalg.norm(lattice, axis=1).max())
    total = 0.0
    for i, site in enumerate(body_positions):
        for j, atom in enumerate(atoms):
            r = np.linalg.norm(site - atom - shifts, axis=1)
            r = r[r < cutoff]
            eps, sigma = pairs.epsilon_kj_per_mol[i, j], pairs.sigma_angstrom[i, j]
            edge, slope = pair_energy(cutoff, eps, sigma, quantum)
            total += np.sum(pair_energy(r, eps, sigma, quantum)[0])
            if lj != "truncated":
                total -= len(r) * edge
            if lj == "force-shifted":
                total -= slope * np.sum(r - cutoff)
            if alpha is not None:
                charge = pairs.guest_charges_e[i] * pairs.host_charges_e[j]
                total += COULOMB * charge * np.sum(erfc(alpha * r) / r)
    return total


def long_range(host, body_positions, pairs, alpha, k_cutoff):
    """The reciprocal sum over both half spaces, wave by wave."""
    lattice, atoms = host.lattice_angstrom, host.positions_angstrom
    reciprocal = 2 * math.pi * np.linalg.inv(lattice).T
    limits = np.ceil(k_cutoff * np.linalg.norm(lattice, axis=1) / (2 * math.pi)).astype(int)
    total = 0.0
    for index in itertools.product(*(range(-n, n + 1) for n in limits)):
        k = np.array(index) @ reciprocal
        k2 = k @ k
        if k2 == 0.0 or k2 > k_cutoff**2:
            continue
        host_wave = np.sum(pairs.host_charges_e * np.exp(-1j * atoms @ k))
        guest_wave = np.sum(pairs.guest_charges_e * np.exp(1j * body_positions @ k))
        total += math.exp(-k2 / (4 * alpha**2)) / k2 * (host_wave * guest_wave).real
    return COULOMB * 4 * math.pi / host.volume_angstrom3 * total


def closest_over_core(host, body_positions, core):
    """Smallest distance over core radius of any site pair (below one: an overlap)."""
    shifts = lattice_shifts(host.lattice_angstrom, 8.0)
    ratio = math.inf
    for i, site in enumerate(body_positions):
        for j, atom in enumerate(host.positions_angstrom):
            if core[i, j] > 0.0:
                r = np.linalg.norm(site - atom - shifts, axis=1).min()
                ratio = min(ratio, r / core[i, j])
    return ratio


def energy(
    host,
    guest,
    pairs,
    fractional,
    quaternion,
    cutoff,
    lj="truncated",
    alpha=None,
    k_cutoff=0.0,
    quantum=0.0,
):
    """Interaction energy of one insertion in kJ/mol, without core or tail."""
    sites = site_positions(host.lattice_angstrom, guest.positions_angstrom, fractional, quaternion)
    total = short_range(host, sites, pairs, cutoff, lj, alpha, quantum)
    if alpha is not None:
        total += long_range(host, sites, pairs, alpha, k_cutoff)
    return total
