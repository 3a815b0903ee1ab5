"""Lays out the reciprocal part of the guest-guest Ewald sum for the chain."""

from __future__ import annotations

import math

import numpy as np

from chem.ewald import EwaldTable, build_table
from chem.gcmc.layout import Waves
from chem.gcmc.settings import GcmcSettings
from data.constants import COULOMB_KJ_ANGSTROM_PER_MOL_E2


def build_waves(
    charges_e: np.ndarray,
    body_angstrom: np.ndarray,
    lattice_angstrom: np.ndarray,
    cutoff_angstrom: float,
    settings: GcmcSettings,
) -> tuple[Waves, float]:
    """Return the reciprocal part, and the screening parameter alpha per angstrom.

    Args:
        charges_e: (m,) charges of a guest; all zero leaves everything out.
        body_angstrom: (m, 3) its sites.
        lattice_angstrom: (3, 3) vectors of the box as rows.
        cutoff_angstrom: of the real part.
        settings: precision and images.
    """
    # The Green function is the potential of a unit charge at the origin.
    unit = np.array([1.0 if charges_e.any() else 0.0])
    precision = settings.ewald_precision
    table = build_table(np.zeros((1, 3)), lattice_angstrom, unit, cutoff_angstrom, precision)
    alpha = table.alpha_per_angstrom
    rows, columns, green, indices = _columns(table)
    waves = Waves(
        limits=table.limits,
        rows=rows,
        columns=columns,
        green=green,
        charges=charges_e,
        spread=_spread(indices, green, lattice_angstrom, charges_e, body_angstrom),
        own_constant=_own_constant(charges_e, body_angstrom, alpha),
        own_images=settings.own_images,
    )
    return waves, alpha


def _columns(table: EwaldTable) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Sort the waves of a table by l, and within it by row.

    Returns:
        (r, 2) rows, (c, 2) start and count of each l, (waves,) Green function, zero where a
        row does not reach so far, and (waves, 3) indices.
    """
    firsts = table.rows[:, 2]
    lasts = firsts + table.row_lengths - 1
    farthest = np.maximum(np.abs(firsts), np.abs(lasts))
    order = np.argsort(-farthest, kind="stable")
    rows = np.ascontiguousarray(table.rows[order, :2])
    columns, green, indices, total = [], [], [np.zeros((0, 3))], 0
    for third in range(-int(table.limits[2]), int(table.limits[2]) + 1) if len(rows) else ():
        chosen = order[farthest[order] >= abs(third)]
        inside = (firsts[chosen] <= third) & (third <= lasts[chosen])
        place = np.where(inside, table.rows[chosen, 3] + third - firsts[chosen], 0)
        green.append(np.where(inside, table.coefficients[0, place], 0.0))
        indices.append(np.column_stack([table.rows[chosen, :2], np.full(len(chosen), third)]))
        columns.append((total, len(chosen)))
        total += len(chosen)
    return (
        rows,
        np.array(columns, dtype=np.int64).reshape(-1, 2),
        np.concatenate([np.zeros(0), *green]),
        np.concatenate(indices),
    )


def _spread(
    indices: np.ndarray,
    green: np.ndarray,
    lattice: np.ndarray,
    charges: np.ndarray,
    body: np.ndarray,
) -> float:
    """Bound the root of sum green |S|^2 of one guest in any pose.

    From |exp(ix) - 1 - ix| <= x^2 / 2: |S(k)| <= |Q| + k |dipole| + k^2/2 sum |q| r^2, and
    never above sum |q|.
    """
    k2 = ((2.0 * math.pi * indices @ np.linalg.inv(lattice).T) ** 2).sum(axis=1)
    dipole = float(np.linalg.norm(charges @ body))
    second = float(np.abs(charges) @ (body**2).sum(axis=1))
    series = abs(float(charges.sum())) + np.sqrt(k2) * dipole + 0.5 * k2 * second
    return float(np.sqrt(green @ np.minimum(series, np.abs(charges).sum()) ** 2))


def _own_constant(charges: np.ndarray, body: np.ndarray, alpha: float) -> float:
    """Self and intramolecular energy that the reciprocal sum holds for each guest, kJ/mol."""
    energy = alpha / math.sqrt(math.pi) * float(charges @ charges)
    for one in range(len(charges)):
        for two in range(one):
            r = float(np.linalg.norm(body[one] - body[two]))
            factor = math.erf(alpha * r) / r if r > 0.0 else 2.0 * alpha / math.sqrt(math.pi)
            energy += charges[one] * charges[two] * factor
    return COULOMB_KJ_ANGSTROM_PER_MOL_E2 * float(energy)
