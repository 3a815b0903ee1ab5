"""The posterior variance from fewer directions, and the products that scoring is made of."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ml import products
from ml.condense import LARGEST_LOSS, condensed
from ml.descriptors import Block
from ml.heads import Head, Kernel, Observations, fit_head
from ml.products import FixedMatrix

KERNEL = Kernel((6.0,), (1.5,), (0.3, 1.0, 1.0))


def coordinates(pose: torch.Tensor) -> torch.Tensor:
    """A smooth map from six coordinates to two sites with four descriptors each."""
    mix = torch.linspace(-1.0, 1.0, 48, dtype=torch.float64).reshape(6, 8)
    return torch.sin(pose @ mix + 0.3).reshape(*pose.shape[:-1], 2, 4)


def block_at(pose: torch.Tensor) -> Block:
    jacobian = torch.func.vmap(torch.func.jacfwd(coordinates))(pose)
    return Block((coordinates(pose),), (jacobian.movedim(-1, 2),))


def poses(count: int, seed: int) -> torch.Tensor:
    return torch.as_tensor(np.random.default_rng(seed).normal(size=(count, 6)))


@pytest.fixture(scope="module")
def fitted() -> tuple[Head, Block]:
    block = block_at(poses(40, 0))
    energy = 5.0 * block.values[0].sum(dim=(1, 2))
    slopes = 5.0 * block.slopes[0].sum(dim=(1, 3)) if block.slopes else None
    assert slopes is not None
    ones = torch.ones(len(energy), dtype=torch.float64)
    observed = Observations(energy, -slopes[:, :3], -slopes[:, 3:], ones)
    return fit_head((block,), observed, KERNEL), block


def stated(head: Head, pose: torch.Tensor) -> torch.Tensor:
    _, sd = head.predict((Block((coordinates(pose),)),))
    return torch.hypot(sd, torch.full_like(sd, KERNEL.noise[0]))


def test_fewer_directions_state_the_same_deviations_near_labels_and_never_smaller_ones(
    fitted: tuple[Head, Block],
) -> None:
    head, block = fitted
    fewer = condensed(head, (block,))
    assert fewer.root.shape[1] < 0.9 * head.root.shape[1]
    torch.testing.assert_close(fewer.weights, head.weights, rtol=0.0, atol=0.0)
    near = poses(40, 0) + 0.1 * poses(40, 1)
    ratio = stated(fewer, near) / stated(head, near)
    assert float(ratio.min()) > 1.0 - 1e-6
    assert float(ratio.square().mean()) < 1.0 + 3.0 * LARGEST_LOSS
    far = stated(fewer, 3.0 * poses(200, 2)) / stated(head, 3.0 * poses(200, 2))
    assert float(far.min()) > 1.0 - 1e-6
    assert float(far.max()) < 1.1


def test_without_slopes_nothing_is_left_out(fitted: tuple[Head, Block]) -> None:
    head, block = fitted
    assert condensed(head, (Block(block.values),)) is head


@pytest.mark.parametrize("columns", [3, 300])
def test_products_agree_with_and_without_onednn(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(50, columns, generator=generator, dtype=torch.float64)
    bias = torch.randn(columns, generator=generator, dtype=torch.float64)
    rows = torch.randn(17, 50, generator=generator)
    exact = rows.double() @ matrix + bias
    fast = FixedMatrix(matrix, bias)
    monkeypatch.setattr(products, "_fused_product", lambda matrix: None)
    plain = FixedMatrix(matrix, bias)
    for product in (fast, plain):
        torch.testing.assert_close(product(rows).double(), exact, rtol=1e-5, atol=1e-4)
        expected = torch.nn.functional.silu(exact)
        torch.testing.assert_close(
            product(rows, silu=True).double(), expected, rtol=1e-5, atol=1e-4
        )
