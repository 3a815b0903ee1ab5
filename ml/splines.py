"""Periodic cubic B-splines on a grid of the unit cell, for many fields at once."""

from __future__ import annotations

import torch
from torch import Tensor

COLUMNS_AT_ONCE = 16


def spline_taps(fractional: Tensor, shape: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    """Return which coefficients a point needs and their weights.

    Args:
        fractional: (s, 3) float64 fractional coordinates, any image.
        shape: grid points along each cell vector.

    Returns:
        (s, 64) int32 rows of the coefficient table and (s, 64) float32 weights.
    """
    sizes = torch.tensor(shape, dtype=torch.float64, device=fractional.device)
    scaled = (fractional - torch.floor(fractional)) * sizes
    cell = torch.floor(scaled)
    weights = _weights((scaled - cell).T.to(torch.float32))
    rows = (cell.T.to(torch.int32), torch.arange(-1, 3, dtype=torch.int32, device=cell.device))
    a, b, c = (
        torch.remainder(rows[0][axis] + rows[1].unsqueeze(1), shape[axis]) for axis in range(3)
    )
    planes = (a * shape[1]).unsqueeze(1) + b
    index = (planes * shape[2]).unsqueeze(2) + c
    heft = (weights[:, 0].unsqueeze(1) * weights[:, 1]).unsqueeze(2) * weights[:, 2]
    count = len(fractional)
    return index.reshape(64, count).T.contiguous(), heft.reshape(64, count).T.contiguous()


def _weights(fraction: Tensor) -> Tensor:
    """Return (4, ...) cubic B-spline weights at fractions of a grid cell."""
    rest = 1.0 - fraction
    return torch.stack(
        [
            rest**3 / 6.0,
            2.0 / 3.0 - fraction * fraction * (1.0 - 0.5 * fraction),
            2.0 / 3.0 - rest * rest * (1.0 - 0.5 * rest),
            fraction**3 / 6.0,
        ]
    )


def interpolate(coefficients: Tensor, fractional: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Return (s, p) values of all fields at points.

    Args:
        coefficients: (points, p) float32 from `spline_coefficients`.
        fractional: (s, 3) float64 fractional coordinates, any image.
        shape: grid points along each cell vector.
    """
    index, weights = spline_taps(fractional, shape)
    return torch.nn.functional.embedding_bag(
        index, coefficients, per_sample_weights=weights, mode="sum"
    )


def spline_coefficients(values: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Return coefficients whose spline passes through the values at every grid point.

    Args:
        values: (points, p) float32 values, the last grid axis running fastest; overwritten.
        shape: grid points along each cell vector.

    Returns:
        (points, p) float32 coefficients, in the memory of the values.
    """
    inverses = [_inverse(size, values.device) for size in shape]
    grid = values.reshape(*shape, -1)
    for start in range(0, grid.shape[3], COLUMNS_AT_ONCE):
        part = grid[..., start : start + COLUMNS_AT_ONCE]
        for axis, inverse in enumerate(inverses):
            part = torch.tensordot(inverse, part, dims=([1], [axis])).movedim(0, axis)
        grid[..., start : start + COLUMNS_AT_ONCE] = part
    return grid.reshape(values.shape)


def _inverse(size: int, device: torch.device) -> Tensor:
    """Return the inverse of the periodic matrix that turns coefficients into values."""
    eye = torch.eye(size, dtype=torch.float64)
    matrix = (4.0 * eye + eye.roll(1, dims=0) + eye.roll(-1, dims=0)) / 6.0
    return torch.linalg.inv(matrix).to(device=device, dtype=torch.float32)
