"""Uniform random orientations and rotated guest sites.

A unit quaternion whose four components are normalised independent Gaussians is uniform
on the 3-sphere, hence its rotation is uniform (Haar) on SO(3): Shoemake, "Uniform random
rotations", in Graphics Gems III (1992). Everything here is plain element-wise arithmetic
(no BLAS), so one insertion gets the same bits in any batch.
"""

from __future__ import annotations

import numpy as np


def random_quaternions(rng: np.random.Generator, n: int) -> np.ndarray:
    """Draw unit quaternions uniformly over all orientations.

    Args:
        rng: source of randomness.
        n: how many.

    Returns:
        (n, 4) unit quaternions in the order (w, x, y, z).
    """
    gaussians = rng.standard_normal((n, 4))
    squares = gaussians * gaussians
    norms = np.sqrt(squares[:, 0] + squares[:, 1] + squares[:, 2] + squares[:, 3])
    return gaussians / norms[:, None]


def rotation_matrices(quaternions: np.ndarray) -> np.ndarray:
    """Turn unit quaternions into rotation matrices.

    Args:
        quaternions: (n, 4) unit quaternions in the order (w, x, y, z).

    Returns:
        (n, 3, 3) matrices; column vectors rotate as ``R @ v``.
    """
    w, x, y, z = np.asarray(quaternions, dtype=np.float64).T
    matrices = np.empty((len(w), 3, 3))
    matrices[:, 0, 0] = 1.0 - 2.0 * (y * y + z * z)
    matrices[:, 0, 1] = 2.0 * (x * y - w * z)
    matrices[:, 0, 2] = 2.0 * (x * z + w * y)
    matrices[:, 1, 0] = 2.0 * (x * y + w * z)
    matrices[:, 1, 1] = 1.0 - 2.0 * (x * x + z * z)
    matrices[:, 1, 2] = 2.0 * (y * z - w * x)
    matrices[:, 2, 0] = 2.0 * (x * z - w * y)
    matrices[:, 2, 1] = 2.0 * (y * z + w * x)
    matrices[:, 2, 2] = 1.0 - 2.0 * (x * x + y * y)
    return matrices


def rotate_sites(quaternions: np.ndarray, body_angstrom: np.ndarray) -> np.ndarray:
    """Rotate the guest's body-frame sites by each quaternion.

    Args:
        quaternions: (n, 4) unit quaternions in the order (w, x, y, z).
        body_angstrom: (m, 3) body-frame positions, angstrom.

    Returns:
        (n, m, 3) rotated positions about the body origin, angstrom.
    """
    matrices = rotation_matrices(quaternions)[:, None]
    body = np.asarray(body_angstrom, dtype=np.float64)[None, :, None, :]
    return (
        matrices[..., 0] * body[..., 0]
        + matrices[..., 1] * body[..., 1]
        + matrices[..., 2] * body[..., 2]
    )
