"""Random numbers inside compiled code: xoshiro256++, its state an array the caller owns.

No global generator is touched, so what a chain draws depends on its own seed alone, never on
threads or on what else runs.

References:
    [1] Blackman, Vigna, "Scrambled linear pseudorandom number generators", ACM Trans. Math.
        Softw. 47 (2021) 36.
    [2] Walker, ACM Trans. Math. Softw. 3 (1977) 253.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from chem.kernel_options import STRICT, STRICT_INLINED
from data.streams import stream

_17, _23, _19 = np.uint64(17), np.uint64(23), np.uint64(19)  # 64 - 45 = 19
_11, _41, _45 = np.uint64(11), np.uint64(41), np.uint64(45)
_TO_UNIT = 1.0 / 9007199254740992.0  # 2^-53


def seeded_state(seed: int, *key: str | int) -> np.ndarray:
    """Return the (4,) uint64 state of the generator that belongs to a seed and a key."""
    return stream(seed, *key).integers(1, 2**64 - 1, size=4, dtype=np.uint64)


@numba.njit(**STRICT_INLINED)
def uniform(state: np.ndarray) -> float:
    """Draw a double in [0, 1) with 53 random bits and advance the state [1]."""
    s0, s1, s2, s3 = state[0], state[1], state[2], state[3]
    total = s0 + s3
    result = ((total << _23) | (total >> _41)) + s0
    shifted = s1 << _17
    s2 ^= s0
    s3 ^= s1
    state[1] = s1 ^ s2
    state[0] = s0 ^ s3
    state[2] = s2 ^ shifted
    state[3] = (s3 << _45) | (s3 >> _19)
    return float(result >> _11) * _TO_UNIT


@numba.njit(**STRICT_INLINED)
def index_below(state: np.ndarray, count: int) -> int:
    """Draw an integer in [0, count)."""
    return min(int(uniform(state) * count), count - 1)


@numba.njit(**STRICT_INLINED)
def turned_quaternion(state: np.ndarray, quaternion: np.ndarray, largest_rad: float) -> None:
    """Turn a quaternion about a random axis by an angle within +-largest_rad, in place.

    Axis and sign are symmetric, so that the way back is as likely as the way there.
    """
    z = 2.0 * uniform(state) - 1.0
    azimuth = 2.0 * math.pi * uniform(state)
    half = 0.5 * largest_rad * (2.0 * uniform(state) - 1.0)
    flat = math.sqrt(1.0 - z * z)
    w, sine = math.cos(half), math.sin(half)
    x, y, z = sine * flat * math.cos(azimuth), sine * flat * math.sin(azimuth), sine * z
    a, b, c, d = quaternion[0], quaternion[1], quaternion[2], quaternion[3]
    quaternion[0] = w * a - x * b - y * c - z * d
    quaternion[1] = w * b + x * a + y * d - z * c
    quaternion[2] = w * c - x * d + y * a + z * b
    quaternion[3] = w * d + x * c - y * b + z * a
    norm = math.sqrt(
        quaternion[0] ** 2 + quaternion[1] ** 2 + quaternion[2] ** 2 + quaternion[3] ** 2
    )
    for part in range(4):
        quaternion[part] /= norm


@numba.njit(**STRICT)
def fill_alias_table(density: np.ndarray, keep: np.ndarray, alias: np.ndarray) -> None:
    """Prepare draws in constant time from a discrete density [2].

    Args:
        density: (n,) weights with mean one.
        keep: (n,) output, probability to stay with a number drawn uniformly from n.
        alias: (n,) output, where to go otherwise.
    """
    count = len(density)
    small, large = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
    few, many = 0, 0
    for i in range(count):
        keep[i] = density[i]
        alias[i] = i
        if density[i] < 1.0:
            small[few] = i
            few += 1
        else:
            large[many] = i
            many += 1
    while few > 0 and many > 0:
        few -= 1
        low, high = small[few], large[many - 1]
        alias[low] = high
        keep[high] -= 1.0 - keep[low]
        if keep[high] < 1.0:
            many -= 1
            small[few] = high
            few += 1
    for i in range(few):
        keep[small[i]] = 1.0
    for i in range(many):
        keep[large[i]] = 1.0
