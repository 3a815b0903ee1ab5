"""Counter-based random streams keyed by what they are for.

A batch can be redone anywhere, in any order, and comes out bit for bit the same.
Philox: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11 (2011).
"""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, *key: str | int) -> np.random.Generator:
    """Return the generator that belongs to a seed and a key.

    Args:
        seed: the run's seed.
        *key: names and numbers, for example host hash, guest hash, "table", 2, 7.

    Returns:
        A Philox generator whose 128-bit key is the SHA-256 of seed and key.
    """
    digest = hashlib.sha256(repr((int(seed), *key)).encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))
