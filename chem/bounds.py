"""What numbers of input files may be: plainly written, finite, and of this world.

The bounds are far outside everything real; they catch wrong units and damaged files before these
turn into answers.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field

LARGEST_EPSILON_K = 1e6
LARGEST_SIGMA_ANGSTROM = 50.0
LARGEST_CHARGE_E = 10.0
LARGEST_GUEST_ANGSTROM = 100.0
CUTOFFS_ANGSTROM = (1.0, 1000.0)
LARGEST_CELL_ANGSTROM = 1000.0
LARGEST_FRACTION = 100.0
"""Fractional coordinates beyond this are damaged; folding them would lose digits."""

_PLAIN = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?", re.ASCII)


def plain_number(text: str) -> float:
    """Return the number a text is, in ASCII digits: no underscores, no ``nan``, no ``inf``.

    Raises:
        ValueError: it is none.
    """
    bare = text.strip()
    if len(bare) > 100 or not _PLAIN.fullmatch(bare):
        raise ValueError(f"{bare[:60]!r} is no plain number")
    return float(bare)


def _no_truth_value(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a number was expected, not true or false")
    if isinstance(value, str):
        return plain_number(value)
    return value


Finite = Annotated[float, BeforeValidator(_no_truth_value), Field(allow_inf_nan=False)]
"""A finite number; text is taken if it is one, true and false are not."""
ChargeE = Annotated[Finite, Field(ge=-LARGEST_CHARGE_E, le=LARGEST_CHARGE_E)]
PositionAngstrom = Annotated[Finite, Field(ge=-LARGEST_GUEST_ANGSTROM, le=LARGEST_GUEST_ANGSTROM)]
CutoffAngstrom = Annotated[Finite, Field(ge=CUTOFFS_ANGSTROM[0], le=CUTOFFS_ANGSTROM[1])]


def shown(value: object, most: int = 60) -> str:
    """Return a value as messages show it: quoted, on one line, shortened."""
    text = str(value)[: most + 1] if isinstance(value, str) else repr(value)[: most + 1]
    quoted = repr(text[:most]) if isinstance(value, str) else text[:most]
    return f"{quoted} ..." if len(text) > most else quoted
