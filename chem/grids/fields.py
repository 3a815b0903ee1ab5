"""The energy fields of a host on a regular grid: Lennard-Jones by site kind, and potential."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from chem import ewald
from chem.energies import ClassicalModel
from chem.geometry import images_near_cell
from chem.grids import far, near
from chem.grids.orbits import GridSymmetry, add_images, orbit_map
from chem.grids.radial import PairSplit, cap_series, screening_series, split_pairs
from data.constants import COULOMB_KJ_ANGSTROM_PER_MOL_E2

SPLIT_ANGSTROM = 4.5
EWALD_PRECISION = 1e-6
CAP_ANGSTROM = 0.9
"""Nearer than this to a nucleus the potential is that of a smooth cap instead of 1/r: only
sites without a wall of their own could get there, and those sit inside another site's wall."""
STEP_K_SHARE = 0.6
"""A truncated potential steps at the cutoff: its waves are kept up to this share of the grid's
Nyquist limit, where a smooth one needs no more than the potential does."""
MOST_WAVES_TIMES_ATOMS = 1e8
_PLANES_PER_PART = 4


@dataclass(frozen=True)
class FieldRequest:
    """Which fields of which host on which grid.

    Attributes:
        model: host, charges, cutoff and truncation.
        epsilon_kj_per_mol, sigma_angstrom: (rows, n) of site kinds with every host atom.
        with_potential: whether the potential of the host charges is wanted.
        dims: points along each cell vector.
        symmetry: operations that map host and grid onto themselves, or None.
    """

    model: ClassicalModel
    epsilon_kj_per_mol: np.ndarray
    sigma_angstrom: np.ndarray
    with_potential: bool
    dims: tuple[int, int, int]
    symmetry: GridSymmetry | None = None


@dataclass(frozen=True)
class HostFields:
    """What a grid model is made from.

    Attributes:
        lennard_jones: (rows, na, nb, nc) float32, kJ/mol.
        potential: (na, nb, nc) float32, kJ/(mol e), or (0, 0, 0) where not wanted.
    """

    lennard_jones: np.ndarray
    potential: np.ndarray


def compute_fields(request: FieldRequest, threads: int = 1) -> HostFields:
    """Compute fields on a grid: far parts by FFT, then the near parts in place."""
    model = request.model
    lattice = np.array(model.host.lattice_angstrom, dtype=np.float64)
    fractional = np.array(model.host.fractional, dtype=np.float64)
    charges = np.array(model.pairs.host_charges_e, dtype=np.float64) * request.with_potential
    table, types = np.unique(
        np.concatenate([request.epsilon_kj_per_mol, request.sigma_angstrom]),
        axis=1,
        return_inverse=True,
    )
    types = types.reshape(-1)
    alpha, k_cutoff = ewald.choose_parameters(SPLIT_ANGSTROM, EWALD_PRECISION)
    if model.settings.lj == "truncated":
        k_cutoff = max(k_cutoff, _step_k_cutoff(request))
    epsilon, sigma = np.split(table, 2)
    split = split_pairs(
        epsilon,
        sigma,
        model.settings.cutoff_angstrom,
        model.settings.lj,
        model.quantum_angstrom2,
        SPLIT_ANGSTROM,
        k_cutoff,
    )
    waves = far.structure_factors(
        fractional, lattice, types, table.shape[1], charges if charges.any() else None, k_cutoff
    )
    fields = _far_fields(waves, split, alpha, k_cutoff, request)
    images = _images(fractional, lattice, types, charges)
    _add_near(fields, images, _near_terms(split, alpha), lattice, request, threads)
    return fields


def _step_k_cutoff(request: FieldRequest) -> float:
    """Largest wave number, per angstrom, for a potential with a step."""
    host = request.model.host
    lengths = np.linalg.norm(host.lattice_angstrom, axis=1)
    nyquist = math.pi * float((np.array(request.dims) / lengths).min())
    # Half of the V k^3 / 6 pi^2 waves below k are summed, for each atom.
    affordable = MOST_WAVES_TIMES_ATOMS * 12.0 * math.pi**2
    affordable /= host.volume_angstrom3 * len(host.elements)
    return min(STEP_K_SHARE * nyquist, affordable ** (1.0 / 3.0))


def _far_fields(
    waves: far.Waves, split: PairSplit, alpha: float, k_cutoff: float, request: FieldRequest
) -> HostFields:
    """Inverse transforms of the far parts."""
    volume = request.model.host.volume_angstrom3
    lennard_jones = np.zeros((len(split.shift), *request.dims), dtype=np.float32)
    for row, transforms in enumerate(split.transform):
        if transforms.any():
            sums = far.weigh_factors(transforms, waves.k2, waves.factors, k_cutoff)
            lennard_jones[row] = far.on_grid(waves, sums / volume, request.dims)
    if not request.with_potential:
        return HostFields(lennard_jones, np.zeros((0, 0, 0), dtype=np.float32))
    inside = (waves.k2 > 0.0) & (waves.k2 <= k_cutoff**2)
    k2 = np.where(inside, waves.k2, np.inf)
    green = COULOMB_KJ_ANGSTROM_PER_MOL_E2 * 4.0 * math.pi * np.exp(-k2 / (4.0 * alpha**2)) / k2
    sums = green * (waves.factors[0, -1] + 1j * waves.factors[1, -1])
    return HostFields(
        lennard_jones, far.on_grid(waves, sums / volume, request.dims).astype(np.float32)
    )


def _images(
    fractional: np.ndarray, lattice: np.ndarray, types: np.ndarray, charges: np.ndarray
) -> near.Images:
    """Every host image within reach of the cell."""
    positions, atoms = images_near_cell(fractional, lattice, SPLIT_ANGSTROM)
    return near.Images(
        np.ascontiguousarray(positions.T),
        types[atoms],
        COULOMB_KJ_ANGSTROM_PER_MOL_E2 * charges[atoms],
    )


def _near_terms(split: PairSplit, alpha: float) -> near.NearTerms:
    """The pair terms as the kernel reads them."""
    return near.NearTerms(
        split.four_epsilon,
        split.sigma2,
        split.shift,
        split.slope,
        split.polynomial,
        split.quantum,
        split.split_angstrom**2,
        screening_series(alpha, SPLIT_ANGSTROM),
        SPLIT_ANGSTROM**2,
        cap_series(CAP_ANGSTROM),
        CAP_ANGSTROM**2,
    )


def _add_near(
    fields: HostFields,
    images: near.Images,
    terms: near.NearTerms,
    lattice: np.ndarray,
    request: FieldRequest,
    threads: int,
) -> None:
    """Add the near parts, at one point of each orbit where there is symmetry."""
    planes = range(0, request.dims[0], _PLANES_PER_PART)

    def fill(wanted: np.ndarray, energies: np.ndarray, potential: np.ndarray) -> None:
        def part(first: int) -> None:
            last = min(first + _PLANES_PER_PART, request.dims[0])
            near.add_near(first, last, lattice, images, terms, wanted, energies, potential)

        run_parts(part, planes, threads)

    if request.symmetry is None:
        every = np.zeros((0, 0, 0), dtype=np.uint8)
        fill(every, fields.lennard_jones, fields.potential)
        return
    first = orbit_map(request.symmetry, request.dims)
    wanted = (first == np.arange(len(first))).astype(np.uint8).reshape(request.dims)
    energies = np.zeros_like(fields.lennard_jones)
    potential = np.zeros_like(fields.potential)
    fill(wanted, energies, potential)
    for row in range(len(energies)):
        add_images(energies[row].reshape(-1), first, fields.lennard_jones[row].reshape(-1))
    if potential.size:
        add_images(potential.reshape(-1), first, fields.potential.reshape(-1))


def run_parts(part: Callable[[int], None], starts: Iterable[int], threads: int) -> None:
    """Call ``part`` for every start, on several threads if asked."""
    if threads <= 1:
        for start in starts:
            part(start)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(part, starts))
