"""Periodic splines: exact at the grid, fourth order between, the same in every cell."""

import numpy as np
import torch

from ml.splines import interpolate, spline_coefficients, spline_taps

SHAPE = (5, 6, 9)


def waves(points: torch.Tensor) -> torch.Tensor:
    """Two smooth periodic functions of fractional coordinates."""
    angle = 2.0 * np.pi * points
    one = torch.sin(angle[:, 0]) * torch.cos(2.0 * angle[:, 1] + 0.3) + torch.cos(angle[:, 2])
    return torch.stack([one, torch.cos(angle.sum(dim=1))], dim=1).float()


def grid(shape: tuple[int, int, int]) -> torch.Tensor:
    axes = [torch.arange(n, dtype=torch.float64) / n for n in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3)


def some_points(count: int = 300) -> torch.Tensor:
    return torch.as_tensor(np.random.default_rng(0).random((count, 3)))


def test_the_spline_passes_through_the_values() -> None:
    values = torch.as_tensor(np.random.default_rng(1).normal(size=(5 * 6 * 9, 20))).float()
    coefficients = spline_coefficients(values.clone(), SHAPE)
    torch.testing.assert_close(
        interpolate(coefficients, grid(SHAPE), SHAPE), values, atol=2e-5, rtol=0.0
    )


def test_the_error_falls_with_the_fourth_power_of_the_spacing() -> None:
    points = some_points()
    errors = []
    for size in (12, 24, 48):
        shape = (size, size, size)
        coefficients = spline_coefficients(waves(grid(shape)), shape)
        errors.append(float((interpolate(coefficients, points, shape) - waves(points)).abs().max()))
    assert errors[0] / errors[1] > 12.0
    assert errors[1] / errors[2] > 12.0


def test_every_image_of_a_point_has_the_same_value() -> None:
    coefficients = spline_coefficients(waves(grid(SHAPE)), SHAPE)
    points = some_points()
    shifts = torch.as_tensor(np.random.default_rng(2).integers(-3, 4, size=points.shape))
    torch.testing.assert_close(
        interpolate(coefficients, points + shifts, SHAPE),
        interpolate(coefficients, points, SHAPE),
    )


def test_weights_add_up_to_one_and_rows_exist() -> None:
    index, weights = spline_taps(some_points() - 0.5, SHAPE)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(300))
    assert int(index.min()) >= 0
    assert int(index.max()) < 5 * 6 * 9


def test_a_grid_of_one_point_is_constant() -> None:
    coefficients = spline_coefficients(torch.tensor([[3.0]]), (1, 1, 1))
    torch.testing.assert_close(
        interpolate(coefficients, some_points(4), (1, 1, 1)), torch.full((4, 1), 3.0)
    )
