"""Squared-exponential kernels between guests: sums over their sites, tied to zero at the origin."""

from __future__ import annotations

import torch
from torch import Tensor

from ml.descriptors import Block


def bell(a: Tensor, b: Tensor, length: Tensor | float) -> Tensor:
    """Return the (n, k) squared-exponential kernel of (n, d) and (k, d) points."""
    squared = (a * a).sum(-1).unsqueeze(1) + (b * b).sum(-1).unsqueeze(0) - 2.0 * (a @ b.T)
    return torch.exp(squared.clamp(min=0.0) * (-0.5 / length**2))


def bell_at_zero(a: Tensor, length: Tensor | float) -> Tensor:
    """Return the (n,) squared-exponential kernel of (n, d) points with the origin."""
    return torch.exp((a * a).sum(-1) * (-0.5 / length**2))


def tied(a: Tensor, b: Tensor, length: Tensor | float) -> Tensor:
    """Return the (n, k) kernel of a process known to be zero at the origin."""
    at_a, at_b = bell_at_zero(a, length), bell_at_zero(b, length)
    return bell(a, b, length) - at_a.unsqueeze(1) * at_b.unsqueeze(0)


def cross(block: Block, centres: tuple[Tensor, ...], length: float) -> Tensor:
    """Return (b, r) kernel values between insertions and inducing sites, summed over sites."""
    parts = []
    for values, points in zip(block.values, centres, strict=True):
        kernel = tied(values.flatten(0, 1), points, length)
        parts.append(kernel.reshape(len(values), -1, len(points)).sum(dim=1))
    return torch.cat(parts, dim=1)


def cross_slopes(block: Block, centres: tuple[Tensor, ...], length: float) -> Tensor:
    """Return (b, 6, r) derivatives of ``cross`` along the rigid-body directions."""
    parts = []
    for values, slopes, points in zip(block.values, block.known_slopes, centres, strict=True):
        flat, moves = values.flatten(0, 1), slopes.flatten(0, 1)
        along = (moves * flat.unsqueeze(1)).sum(-1, keepdim=True)
        near = bell(flat, points, length).unsqueeze(1) * (moves @ points.T - along)
        at_zero = bell_at_zero(flat, length)[:, None, None] * -along
        slope = (near - at_zero * bell_at_zero(points, length)) / length**2
        parts.append(slope.reshape(len(values), -1, 6, len(points)).sum(dim=1))
    return torch.cat(parts, dim=2)


def gram(block: Block, length: Tensor | float) -> Tensor:
    """Return the (b, b) kernel between insertions."""
    total: Tensor | None = None
    for values in block.values:
        count, sites, _ = values.shape
        flat = values.flatten(0, 1)
        kernel = tied(flat, flat, length).reshape(count, sites, count, sites).sum(dim=(1, 3))
        total = kernel if total is None else total + kernel
    if total is None:
        raise ValueError("an empty block has no kernel")
    return total


def prior_variance(block: Block, length: float) -> Tensor:
    """Return the (b,) prior variance of a component of unit amplitude."""
    total = torch.zeros(len(block.values[0]), dtype=torch.float64, device=block.values[0].device)
    for values in block.values:
        squares = (values * values).sum(-1)
        pairs = squares.unsqueeze(2) + squares.unsqueeze(1) - 2.0 * values @ values.mT
        at_zero = torch.exp(squares * (-0.5 / length**2))
        bell = torch.exp(pairs.clamp(min=0.0) * (-0.5 / length**2))
        total = total + (bell - at_zero.unsqueeze(2) * at_zero.unsqueeze(1)).sum(dim=(1, 2))
    return total
