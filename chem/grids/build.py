"""Builds the grid model of a classical model, and checks it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import numpy as np

from chem.energies import ClassicalModel
from chem.grids.assemble import assemble
from chem.grids.cache import GridCache
from chem.grids.check import GridCheck
from chem.grids.fields import FieldRequest
from chem.grids.kinds import choose_grid, site_kinds
from chem.grids.model import GridModel
from chem.grids.orbits import grid_symmetry, no_symmetry
from chem.grids.stored import fields_of, stored_check
from data.errors import SettingsError

BIAS_TARGET = 5e-4
SPACING_ANGSTROM = 0.2
"""Spacing that meets BIAS_TARGET for most guests at room temperature."""
COARSEST_ANGSTROM, FINEST_ANGSTROM = 0.25, 0.1
REFINEMENT = 0.8
STALLED = 0.8
"""A refinement should take more than half of a spline's bias; if less goes, it is no spline's."""
MOST_POINTS = 50_000_000


class GridAccuracyError(SettingsError):
    """No grid spacing reproduces direct sums well enough."""


class GridSizeError(SettingsError):
    """A grid would take too much memory."""


@dataclass(frozen=True)
class GridOptions:
    """How grids are built.

    Attributes:
        threads: how many to use.
        symmetry: whether to use the host's space group.
        most_points: refuse grids with more points, memory being 20 to 30 bytes a point.
    """

    threads: int = 1
    symmetry: bool = True
    most_points: int = MOST_POINTS


def build_grid_model(
    model: ClassicalModel,
    *,
    temperatures_k: tuple[float, ...],
    bias_target: float = BIAS_TARGET,
    cache: GridCache | None = None,
    threads: int = 1,
    spacing_angstrom: float | None = None,
    options: GridOptions | None = None,
) -> GridModel:
    """Build energy grids, check them against direct sums, refine them until they pass.

    Args:
        model: direct sums to reproduce.
        temperatures_k: temperatures the check is made at.
        bias_target: largest relative bias of the mean Boltzmann factor, that is, of K_H.
        cache: where to look for grids and keep them, or None.
        threads: how many to use; the result does not depend on it.
        spacing_angstrom: fixed spacing, not refined; None to choose it from the target.
        options: rarer choices.

    Returns:
        The checked model.

    Raises:
        GridAccuracyError: the check fails at the finest spacing, or refining does not help.
        GridSizeError: the grid would be too large.
        SettingsError: an argument is out of its bounds.
    """
    options = replace(options or GridOptions(), threads=threads)
    started = time.perf_counter()
    spacing = first_spacing_angstrom(bias_target)
    if spacing_angstrom is not None:
        spacing = spacing_angstrom
    before = math.inf
    while True:
        grid, from_cache = build_at(model, spacing, cache, options)
        check = stored_check(cache, grid, temperatures_k, bias_target)
        if check.passed:
            seconds = time.perf_counter() - started
            return grid.checked(replace(check, seconds=seconds, from_cache=from_cache))
        finer = REFINEMENT * spacing
        stalled = check.worst_bias > STALLED * before
        if spacing_angstrom is not None or finer < FINEST_ANGSTROM or stalled:
            raise GridAccuracyError(_failure(model, check))
        spacing, before = finer, check.worst_bias


def build_at(
    model: ClassicalModel,
    spacing_angstrom: float,
    cache: GridCache | None = None,
    options: GridOptions | None = None,
) -> tuple[GridModel, bool]:
    """Build the grid model at one spacing, unchecked.

    Args:
        model: direct sums.
        spacing_angstrom: largest distance of grid points along a cell vector.
        cache: where to look for grids and keep them, or None.
        options: rarer choices.

    Returns:
        The model, and whether all its fields came from the cache.

    Raises:
        GridSizeError: the grid would be too large.
    """
    options = options or GridOptions()
    kinds = site_kinds(model)
    parameters = np.concatenate([kinds.epsilon_kj_per_mol, kinds.sigma_angstrom])
    charged = bool(kinds.charge_e.any())
    charges = model.pairs.host_charges_e * charged
    symmetry = no_symmetry()
    if options.symmetry:
        symmetry = grid_symmetry(model.host, parameters, charges)
    dims, used = choose_grid(model.host.lattice_angstrom, spacing_angstrom, symmetry)
    _guard(model, dims, spacing_angstrom, options.most_points)
    request = FieldRequest(
        model, kinds.epsilon_kj_per_mol, kinds.sigma_angstrom, charged, dims, used
    )
    fields, from_cache = fields_of(request, cache, options.threads)
    arrays = assemble(model, kinds, fields, dims, options.threads)
    lengths = np.linalg.norm(model.host.lattice_angstrom, axis=1)
    return GridModel(model, arrays, float((lengths / np.array(dims)).max())), from_cache


def _guard(model: ClassicalModel, dims: tuple[int, int, int], spacing: float, most: int) -> None:
    """Refuse grids beyond the memory limit."""
    points = math.prod(dims)
    if points > most:
        raise GridSizeError(
            f"Energy grids of host {model.host.name} at {spacing:.3f} angstrom need "
            f"{' x '.join(map(str, dims))} = {points:.2g} points, above the limit of {most:.2g}. "
            "Use direct energies, or a primitive cell."
        )


def first_spacing_angstrom(bias_target: float) -> float:
    """Return the spacing to try first: the error of a cubic spline grows as its fourth power.

    Raises:
        SettingsError: the target is not positive.
    """
    if not bias_target > 0.0:
        raise SettingsError(f"the bias target must be positive, got {bias_target}")
    wanted = SPACING_ANGSTROM * (bias_target / BIAS_TARGET) ** 0.25
    return min(max(wanted, FINEST_ANGSTROM), COARSEST_ANGSTROM)


def _failure(model: ClassicalModel, check: GridCheck) -> str:
    """What is said when no grid is good enough."""
    worst = max(check.bias, key=lambda bias: abs(bias.mean))
    return (
        f"Energy grids of guest {model.guest.name} in host {model.host.name} miss direct sums by "
        f"{worst.mean:+.2g} of K_H (+/- {worst.standard_error:.1g}) at a spacing of "
        f"{check.spacing_angstrom:.3f} angstrom, more than the target of {check.bias_target:g}. "
        "Use direct energies, or a larger target."
    )
