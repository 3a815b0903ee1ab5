"""How coefficients of pair potentials are laid out: cells of type and distance, times parts.

A cell is a type of site and a Gaussian of distance; parts are elements and classes of atoms, whose
coefficients add up to that of a kind of atom.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ml.atom_classes import FIRST_CLASS, element_of

LEVELS = 2
"""Spreads are those of elements and those of classes."""


def parts_of(kinds: Sequence[int]) -> list[int]:
    """Return what the coefficients of kinds of atoms are sums of: elements, then classes."""
    elements = sorted({element_of(kind) for kind in kinds})
    return [*elements, *(kind for kind in kinds if kind >= FIRST_CLASS)]


def place_of(parts: Sequence[int], part: int) -> int:
    """Return where a part stands among others; -1 where it does not."""
    return parts.index(part) if part in parts else -1


def membership(kinds: Sequence[int], parts: Sequence[int]) -> Tensor:
    """Return the (kinds, parts) matrix that tells which parts a kind's coefficient sums up."""
    rows = [[float(part in (kind, element_of(kind))) for part in parts] for kind in kinds]
    return torch.tensor(rows, dtype=torch.float64)


def columns_of(cells: int, width: int, places: Tensor) -> Tensor:
    """Return the indices of places in a (cells, width) array laid out in one row."""
    return (torch.arange(cells).unsqueeze(1) * width + places).flatten()


def levels_of(cells: int, parts: Sequence[int]) -> Tensor:
    """Return where the spread of each of (t * k * c,) coefficients lies among (2 * t * k,)."""
    level = torch.tensor([int(part >= FIRST_CLASS) for part in parts], dtype=torch.long)
    return columns_of(cells, 1, cells * level)


def spread_over(spreads: Tensor, parts: Sequence[int]) -> Tensor:
    """Return the (t * k * c,) standard deviations of parts from those of (2, t, k) levels."""
    return spreads.flatten()[levels_of(spreads.numel() // LEVELS, parts)]
