"""How functions are compiled: the options of numba, in one place.

Every kernel runs on one thread, releases the GIL and is kept on disk (see `chem.kernel_cache`).
"""

from __future__ import annotations

from typing import Any

STRICT: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy"}
"""Floating point as it is written."""
FAST: dict[str, Any] = {**STRICT, "fastmath": {"reassoc", "contract", "nsz"}}
"""Sums may be reordered, in an order fixed when the kernel is compiled; infinities stay."""
STRICT_INLINED: dict[str, Any] = {**STRICT, "inline": "always"}
"""As `STRICT`, put into the caller's body and compiled with its options."""
FAST_INLINED: dict[str, Any] = {**FAST, "inline": "always"}
"""As `FAST`, put into the caller's body."""
