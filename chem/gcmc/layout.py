"""The plain arrays that the compiled chain reads and writes, in named groups.

Everything is allocated by `chem.gcmc.build`, once for each chain; the groups that a chain only
reads (`Box`, `GuestPairs`, `Waves`, `Placement`) may be shared by threads.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

INSERTION, DELETION, TRANSLATION, ROTATION, REINSERTION, EVERY = range(6)
MOVES = ("insertion", "deletion", "translation", "rotation", "reinsertion")
HOST, PAIR, WAVES, OWN = range(4)
"""Places in `State.totals`."""


class Box(NamedTuple):
    """The periodic simulation box: a supercell of the host's cell.

    lattice (3, 3) and inverse (3, 3) of the supercell; repeats (3,) of the host's cell;
    unit_inverse (3, 3) of the host's cell; shifts (k, 3) images, in angstrom, that may come
    near a guest besides the nearest one, the first being zero; reach2, squared distance of
    two guest centres beyond which no pair of their sites interacts; tail and host_tail, energy
    in kJ/mol beyond the cutoff of one guest with the uniform density of one other and of the
    host.
    """

    lattice: np.ndarray
    inverse: np.ndarray
    repeats: np.ndarray
    unit_inverse: np.ndarray
    shifts: np.ndarray
    reach2: float
    tail: float
    host_tail: float


class GuestPairs(NamedTuple):
    """Pair terms (m, m) between sites of two guests, as in `chem.kernels.Pairs`.

    core2 is the squared distance below which two sites overlap; coulomb the product of the
    charges times the Coulomb constant, all zero where there is no Coulomb part; screening the
    polynomial of `chem.ewald`.
    """

    four_epsilon: np.ndarray
    sigma2: np.ndarray
    shift: np.ndarray
    slope: np.ndarray
    quantum: float
    core2: np.ndarray
    cutoff2: float
    coulomb: np.ndarray
    screening: np.ndarray


class Waves(NamedTuple):
    """The reciprocal part of Ewald in the box, one half space of k = (h, k, l).

    rows (r, 2) all (h, k), those with the longest range of l first; columns (c, 2), for each l
    from -limits[2] on, where its waves start and how many rows it has, the first so many;
    limits (3,) largest index along each axis; green (waves,) in kJ/(mol e^2), so that the
    energy is half the sum of green |S(k)|^2, zero for waves beyond the cutoff; charges (m,);
    spread, the root of the largest possible sum of green |S|^2 of one guest; own_constant,
    self and intramolecular energy of one guest; own_images, whether a guest interacts with its
    own images.
    """

    limits: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    green: np.ndarray
    charges: np.ndarray
    spread: float
    own_constant: float
    own_images: bool


class Placement(NamedTuple):
    """Where guests are inserted: cells of position and orientation drawn by an alias table.

    voxels, bins and alignment as in `chem.proposal_kernels`; keep (n,) probability to stay in
    the cell drawn, else go to alias (n,); log_density (n,) density relative to uniform; blocked
    (a, b, c), nonzero where no guest's centre may be, voxel (i, j, k) being centred at
    (i/a, j/b, k/c) of the host's cell; one zero where nothing is blocked.
    """

    voxels: tuple[int, int, int]
    bins: tuple[int, int, int]
    alignment: tuple[float, float, float, float]
    keep: np.ndarray
    alias: np.ndarray
    log_density: np.ndarray
    blocked: np.ndarray


class Conditions(NamedTuple):
    """State point and moves.

    beta in mol/kJ; log_activity, ln(beta f V); thresholds (4,), cumulative probabilities of
    swap, translation, rotation and reinsertion; steps (2,), largest in angstrom and radian.
    """

    beta: float
    log_activity: float
    thresholds: np.ndarray
    steps: np.ndarray


class Model(NamedTuple):
    """All that decides the energy, and where guests are inserted.

    body (m, 3) sites of the guest in its own frame; the groups above; the host, of which either
    direct or grids is None.
    """

    body: np.ndarray
    box: Box
    pairs: GuestPairs
    waves: Waves
    placement: Placement
    direct: Any
    grids: Any


class State(NamedTuple):
    """One configuration.

    random (4,) generator state; number (1,) of guests; fractional centres (3, capacity) in the box,
    quaternions (4, capacity), offsets (m, 3, capacity) of the sites from the centre in angstrom
    and host (capacity,) energy of each; factors (2, k), structure factors of all guests; totals
    (4,), running energies, see `HOST` and its like.
    """

    random: np.ndarray
    number: np.ndarray
    centres: np.ndarray
    quaternions: np.ndarray
    offsets: np.ndarray
    host: np.ndarray
    factors: np.ndarray
    totals: np.ndarray


class Scratch(NamedTuple):
    """Work space of one chain.

    centre (3,), quaternion (4,), offsets (m, 3) of the guest on trial; old_centre (3,) and
    old_offsets (m, 3) of the pose it leaves; near (m, 3, entries) site vectors of close guests;
    separations (4, capacity); before, after (2, waves) structure factors, phases (3, 2, width)
    and rows (2, r) they are made of; sites (1, m, 3) fractional in the host's cell, points
    (1, m, 3) the same in angstrom, bins (1, m), energy (1,); cell (1,), uniforms (1, 6), place
    (1, 3) and turn (1, 4) of an insertion.
    """

    centre: np.ndarray
    quaternion: np.ndarray
    offsets: np.ndarray
    old_centre: np.ndarray
    old_offsets: np.ndarray
    near: np.ndarray
    separations: np.ndarray
    before: np.ndarray
    after: np.ndarray
    phases: np.ndarray
    rows: np.ndarray
    sites: np.ndarray
    points: np.ndarray
    bins: np.ndarray
    energy: np.ndarray
    cell: np.ndarray
    uniforms: np.ndarray
    place: np.ndarray
    turn: np.ndarray
