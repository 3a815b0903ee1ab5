"""The posterior variance from fewer directions: a cheaper sum with the same result.

What observations explain of the prior variance is a sum over as many directions as there are
features. Around the labels, where it matters, most of them explain nothing that the stated
standard deviation would show; in single precision they add rounding alone.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ml.descriptors import Block
from ml.heads import PROBE_STEP, Head
from ml.kernels import cross, cross_slopes, prior_variance

LARGEST_LOSS = 3e-3
"""Mean share by which the stated variance may grow."""


def condensed(head: Head, blocks: tuple[Block, ...]) -> Head:
    """Return the head with those directions of its variance left out that hardly show.

    Directions are judged at the labels and a step (0.3 angstrom or radian) away from them, to
    first order. What is left out makes a standard deviation larger, never smaller.

    Args:
        head: fitted head.
        blocks: descriptor blocks of its labels; without slopes the head comes back as it is.
    """
    if any(block.slopes is None for block in blocks):
        return head
    explained, stated = _around_labels(head, blocks)
    rows = (explained / torch.sqrt(stated)[:, None, None]).flatten(0, 1)
    powers, directions = torch.linalg.eigh(rows.T @ rows / len(rows))
    kept = powers.clamp(min=0.0).cumsum(0) > LARGEST_LOSS
    return replace(head, root=head.root @ directions[:, kept].flip(1))


def _around_labels(head: Head, blocks: tuple[Block, ...]) -> tuple[Tensor, Tensor]:
    """Return (L, 13, q) parts of what is explained at and around labels, and (L,) variances."""
    values, slopes, prior = [], [], torch.zeros((), dtype=torch.float64)
    for block, centres, amplitude, length in head.components(blocks):
        values.append(cross(block, centres, length))
        slopes.append(cross_slopes(block, centres, length))
        prior = prior.to(values[-1]) + amplitude**2 * prior_variance(block, length)
    here = torch.cat(values, dim=1).unsqueeze(1) @ head.root
    steps = PROBE_STEP * (torch.cat(slopes, dim=2) @ head.root)
    left = (prior - here.square().sum(dim=(1, 2))).clamp(min=0.0)
    return torch.cat([here, here + steps, here - steps], dim=1), left + head.kernel.noise[0] ** 2
