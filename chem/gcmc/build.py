"""Lays out the arrays of a chain from an energy model and guest-guest parameters."""

from __future__ import annotations

import math
from itertools import product

import numpy as np

from chem.energies import ClassicalModel, core_radii_angstrom
from chem.energy_model import EnergyModel
from chem.ewald import screening_polynomial
from chem.gcmc.guest_mixing import GuestPairTable
from chem.gcmc.host_kernel import Direct
from chem.gcmc.layout import Box, GuestPairs, Model, Placement
from chem.gcmc.rng import fill_alias_table
from chem.gcmc.settings import GcmcSettings
from chem.gcmc.waves import build_waves
from chem.geometry import perpendicular_widths_angstrom
from chem.grids.arrays import GridArrays
from chem.pair_potential import cutoff_terms, quantum_angstrom2
from chem.proposal import Proposal
from chem.system import core_energy_k
from chem.tails import tail_energy_kj_per_mol
from data.constants import COULOMB_KJ_ANGSTROM_PER_MOL_E2
from data.errors import SettingsError

_HAIR = 1e-9


def choose_repeats(
    lattice_angstrom: np.ndarray, cutoff_angstrom: float, asked: tuple[int, int, int] | None = None
) -> tuple[int, int, int]:
    """Return the fewest cells along each vector so that the box is two cutoffs wide.

    Args:
        lattice_angstrom: (3, 3) cell vectors as rows.
        cutoff_angstrom: guest-guest cutoff.
        asked: what the user wants instead.

    Raises:
        SettingsError: the asked box is narrower than two cutoffs.
    """
    widths = perpendicular_widths_angstrom(lattice_angstrom)
    fewest = tuple(max(1, math.ceil(2.0 * cutoff_angstrom / w - _HAIR)) for w in widths)
    if asked is None:
        return fewest[0], fewest[1], fewest[2]
    if any(have < need for have, need in zip(asked, fewest, strict=True)):
        raise SettingsError(
            f"a box of {asked} cells is {np.round(np.array(asked) * widths, 2).tolist()} angstrom "
            f"wide; guests need two cutoffs, {2.0 * cutoff_angstrom:g} angstrom: at least {fewest} "
            "cells, or a shorter cutoff"
        )
    return asked


def build_model(
    model: EnergyModel,
    guest_pairs: GuestPairTable,
    temperature_k: float,
    settings: GcmcSettings,
    proposal: Proposal,
    blocked: np.ndarray | None = None,
) -> Model:
    """Return everything a chain reads.

    Args:
        model: host-guest energy.
        guest_pairs: guest-guest parameters.
        temperature_k: temperature; it sets the hard core of guest with guest.
        settings: box and Ewald settings.
        proposal: insertion density over the host's cell.
        blocked: (a, b, c) voxels of the host's cell, nonzero where no guest may be.
    """
    repeats = choose_repeats(
        model.host.lattice_angstrom, model.settings.cutoff_angstrom, settings.repeats
    )
    body = np.array(model.guest.positions_angstrom, dtype=np.float64).reshape(-1, 3)
    lattice = np.array(model.host.lattice_angstrom, dtype=np.float64) * np.array(repeats)[:, None]
    cutoff = model.settings.cutoff_angstrom
    charges = np.array(model.pairs.guest_charges_e, dtype=np.float64)
    waves, alpha = build_waves(charges, body, np.ascontiguousarray(lattice), cutoff, settings)
    return Model(
        body=body,
        box=_box(model, guest_pairs, body, np.ascontiguousarray(lattice), repeats),
        pairs=_pairs(model, guest_pairs, temperature_k, alpha),
        waves=waves,
        placement=_placement(proposal, blocked),
        direct=_direct(model),
        grids=_grids(model),
    )


def _box(
    model: EnergyModel,
    guest_pairs: GuestPairTable,
    body: np.ndarray,
    lattice: np.ndarray,
    repeats: tuple[int, int, int],
) -> Box:
    """Return the supercell with the images that may matter."""
    cutoff = model.settings.cutoff_angstrom
    reach = cutoff + 2.0 * float(np.linalg.norm(body, axis=1).max())
    if reach > 2.0 * cutoff:
        raise SettingsError(
            f"guest {model.guest.name} is longer than the cutoff of {cutoff:g} angstrom; take a "
            "longer cutoff"
        )
    narrow = perpendicular_widths_angstrom(lattice) < 2.0 * reach
    steps = [(0, -1, 1) if axis else (0,) for axis in narrow]
    shifts = np.array(list(product(*steps)), dtype=np.float64) @ lattice
    tail = 0.0
    if model.settings.tail_correction:
        tail = tail_energy_kj_per_mol(
            guest_pairs.epsilon_kj_per_mol,
            guest_pairs.sigma_angstrom,
            cutoff,
            abs(float(np.linalg.det(lattice))),
            _pair_quantum(model),
        )
    return Box(
        lattice=lattice,
        inverse=np.ascontiguousarray(np.linalg.inv(lattice)),
        repeats=np.array(repeats, dtype=np.float64),
        unit_inverse=np.ascontiguousarray(np.linalg.inv(model.host.lattice_angstrom)),
        shifts=shifts,
        reach2=reach * reach,
        tail=tail,
        host_tail=float(getattr(model, "tail_energy_kj_per_mol", 0.0)),
    )


def _pair_quantum(model: EnergyModel) -> float:
    """Feynman-Hibbs Q of two guests, whose reduced mass is half of one."""
    kelvin = model.settings.feynman_hibbs_k
    if kelvin is None:
        return 0.0
    return quantum_angstrom2(0.5 * model.guest.molar_mass_g_per_mol, kelvin)


def _pairs(
    model: EnergyModel, guest_pairs: GuestPairTable, temperature_k: float, alpha: float
) -> GuestPairs:
    """Return the real-space terms between two guests."""
    epsilon, sigma = guest_pairs.epsilon_kj_per_mol, guest_pairs.sigma_angstrom
    cutoff, quantum = model.settings.cutoff_angstrom, _pair_quantum(model)
    shift, slope = cutoff_terms(epsilon, sigma, cutoff, model.settings.lj, quantum)
    core = core_radii_angstrom(epsilon, sigma, core_energy_k((temperature_k,)))
    charges = np.array(model.pairs.guest_charges_e, dtype=np.float64)
    return GuestPairs(
        four_epsilon=4.0 * epsilon,
        sigma2=sigma * sigma,
        shift=np.array(shift, dtype=np.float64),
        slope=np.array(slope, dtype=np.float64),
        quantum=quantum,
        core2=core * core,
        cutoff2=cutoff * cutoff,
        coulomb=COULOMB_KJ_ANGSTROM_PER_MOL_E2 * np.outer(charges, charges),
        screening=screening_polynomial(alpha, cutoff),
    )


def _placement(proposal: Proposal, blocked: np.ndarray | None) -> Placement:
    """Return the insertion density as an alias table, and what is blocked."""
    density = np.array(proposal.relative_density, dtype=np.float64).ravel()
    if not (density > 0.0).all():
        raise SettingsError("the insertion density must be positive everywhere in the cell")
    density /= density.mean()
    keep, alias = np.empty(len(density)), np.empty(len(density), dtype=np.int64)
    fill_alias_table(density, keep, alias)
    mask = np.zeros((1, 1, 1), dtype=np.int64)
    if blocked is not None:
        if np.ndim(blocked) != 3:
            raise SettingsError(
                f"the blocked voxels must be a 3-dimensional array, got shape {np.shape(blocked)}"
            )
        mask = np.array(np.asarray(blocked) != 0, dtype=np.int64, order="C")
    return Placement(
        voxels=proposal.voxels,
        bins=proposal.bins.shape,
        alignment=proposal.bins.alignment,
        keep=keep,
        alias=alias,
        log_density=np.log(density),
        blocked=mask,
    )


def _direct(model: EnergyModel) -> Direct | None:
    """Return the direct sums of a classical model, or None."""
    if not isinstance(model, ClassicalModel):
        return None
    return Direct(*model.kernel_inputs)


def _grids(model: EnergyModel) -> GridArrays | None:
    """Return the arrays of an energy grid, or None."""
    if isinstance(model, ClassicalModel):
        return None
    arrays = getattr(model, "arrays", None)
    if not isinstance(arrays, GridArrays):
        raise SettingsError(
            f"{type(model).__name__} cannot be used inside a chain; use direct sums or energy grids"
        )
    return arrays
