"""Markdown of tables and numbers; names of users' files cannot break out of it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence


def escaped(text: object) -> str:
    """Return text that Markdown and HTML show as it is, on one line."""
    flat = " ".join(str(text).split())
    plain = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]()#+!|~-])", r"\\\1", plain)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; cells are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def number(value: float | None) -> str:
    """Return a number with three significant digits."""
    return "n/a" if value is None or not math.isfinite(value) else f"{value:.3g}"


def span(value: float | None, ends: Sequence[float | None]) -> str:
    """Return a value with its interval, such as 1.2e-05 (1.1e-05 to 1.3e-05)."""
    return f"{number(value)} ({number(ends[0])} to {number(ends[1])})"


def with_error(value: float | None, error: float | None) -> str:
    """Return a value with its standard error, or alone, or nothing."""
    if value is None or not math.isfinite(value):
        return ""
    if error is None or not math.isfinite(error):
        return f"{value:.1f}"
    digits = 1 if error >= 0.1 else 2
    return f"{value:.{digits}f} ± {error:.{digits}f}"
