"""Fields and checks through the cache: what decides them is in their address."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from chem.grids import fields as fields_module
from chem.grids.cache import GridCache
from chem.grids.check import GridCheck, check_grid, from_array, to_array
from chem.grids.fields import FieldRequest, HostFields, compute_fields
from chem.grids.model import GridModel
from data.records import content_hash
from data.streams import stream

FORMAT = 1
"""Raised whenever the numbers in a file change their meaning or the way they are made."""


def _place(request: FieldRequest) -> tuple[object, ...]:
    """What decides every field: cell, atoms, grid and constants of the method."""
    host = request.model.host
    return (
        FORMAT,
        np.asarray(host.lattice_angstrom, dtype=np.float64),
        np.asarray(host.fractional, dtype=np.float64),
        request.dims,
        request.symmetry is None,
        fields_module.SPLIT_ANGSTROM,
        fields_module.EWALD_PRECISION,
        fields_module.CAP_ANGSTROM,
        fields_module.STEP_K_SHARE,
        fields_module.MOST_WAVES_TIMES_ATOMS,
    )


def lennard_jones_key(request: FieldRequest, row: int) -> str:
    """Return the address of one Lennard-Jones field."""
    settings = request.model.settings
    return content_hash(
        "lennard-jones",
        *_place(request),
        request.epsilon_kj_per_mol[row],
        request.sigma_angstrom[row],
        settings.cutoff_angstrom,
        settings.lj,
        request.model.quantum_angstrom2,
    )


def potential_key(request: FieldRequest) -> str:
    """Return the address of the potential."""
    charges = np.asarray(request.model.pairs.host_charges_e, dtype=np.float64)
    return content_hash("potential", *_place(request), charges)


def fields_of(
    request: FieldRequest, cache: GridCache | None, threads: int
) -> tuple[HostFields, bool]:
    """Read the fields that are in the cache, compute and keep the others.

    Args:
        request: what is wanted.
        cache: where to look, or None.
        threads: how many to use.

    Returns:
        The fields, and whether all were read.
    """
    if cache is None:
        return compute_fields(request, threads), False
    keys = [lennard_jones_key(request, row) for row in range(len(request.epsilon_kj_per_mol))]
    found = [cache.get(key) for key in keys]
    potential = cache.get(potential_key(request)) if request.with_potential else None
    missing = [row for row, field in enumerate(found) if not _fits(field, request)]
    wants_potential = request.with_potential and not _fits(potential, request)
    if missing or wants_potential:
        part = replace(
            request,
            epsilon_kj_per_mol=request.epsilon_kj_per_mol[missing],
            sigma_angstrom=request.sigma_angstrom[missing],
            with_potential=wants_potential,
        )
        made = compute_fields(part, threads)
        for place, row in enumerate(missing):
            found[row] = made.lennard_jones[place]
            cache.put(keys[row], made.lennard_jones[place])
        if wants_potential:
            potential = made.potential
            cache.put(potential_key(request), potential)
    if potential is None:
        potential = np.zeros((0, 0, 0), dtype=np.float32)
    every = [field for field in found if field is not None]
    return HostFields(np.stack(every), potential), not (missing or wants_potential)


def _fits(field: np.ndarray | None, request: FieldRequest) -> bool:
    """Whether a stored field has the form asked for."""
    return field is not None and field.shape == request.dims and field.dtype == np.float32


def stored_check(
    cache: GridCache | None,
    grid: GridModel,
    temperatures_k: tuple[float, ...],
    bias_target: float,
) -> GridCheck:
    """Return the check of a grid, from the cache if it was made before."""

    def make() -> np.ndarray:
        rng = stream(0, grid.hash, "grid check")
        return to_array(check_grid(grid, temperatures_k, bias_target, rng))

    if cache is None:
        return from_array(make())
    key = content_hash("check", FORMAT, grid.hash, tuple(temperatures_k), bias_target)
    return from_array(cache.get_or_make(key, make))
