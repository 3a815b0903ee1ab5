"""Extended tight binding through tblite's ASE calculator.

GFN1-xTB: Grimme, Bannwarth, Shushkov, JCTC 13 (2017) 1989. GFN2-xTB: Bannwarth, Ehlert, Grimme,
JCTC 15 (2019) 1652. tblite 0.6 to 0.8 add a host-dependent constant to periodic interaction
energies (up to 0.25 eV), which the self-check finds and refuses.
"""

from __future__ import annotations

import importlib.util
from importlib.metadata import version
from typing import Any

from chem.references.ase_calculator import AseLevel
from data.errors import ReferenceLevelError
from data.records import content_hash

METHODS = ("GFN1-xTB", "GFN2-xTB")
ELECTRONIC_TEMPERATURE_K = 300.0
SAFER_ELECTRONIC_TEMPERATURE_K = 1000.0
MAX_ITERATIONS = 250
SAFER_MAX_ITERATIONS = 1000


def check_method(method: str) -> str:
    """Return the method's usual spelling.

    Raises:
        ReferenceLevelError: an unknown method, or tblite is not installed.
    """
    spelled = {m.lower(): m for m in METHODS}.get(method.lower())
    if spelled is None:
        raise ReferenceLevelError(
            f"Unknown xTB method {method!r}; choose from {', '.join(METHODS)}."
        )
    if importlib.util.find_spec("tblite") is None:
        raise ReferenceLevelError(
            "xTB references need the tblite package, which is not installed. "
            "Install it with: pip install tblite"
        )
    return spelled


def xtb_level(name: str, method: str) -> AseLevel:
    """Return the level of a GFN method; a second attempt is hotter and more patient.

    Args:
        name: the level as the user wrote it.
        method: "GFN1-xTB" or "GFN2-xTB".
    """
    method = check_method(method)

    def calculator(temperature_k: float, iterations: int) -> Any:
        from tblite.ase import TBLite

        return TBLite(
            method=method,
            electronic_temperature=temperature_k,
            max_iterations=iterations,
            verbosity=0,
        )

    key = content_hash("xtb", method, ELECTRONIC_TEMPERATURE_K, MAX_ITERATIONS, version("tblite"))
    return AseLevel(
        name,
        key,
        lambda: calculator(ELECTRONIC_TEMPERATURE_K, MAX_ITERATIONS),
        lambda: calculator(SAFER_ELECTRONIC_TEMPERATURE_K, SAFER_MAX_ITERATIONS),
        f"{SAFER_MAX_ITERATIONS} iterations at {SAFER_ELECTRONIC_TEMPERATURE_K:.0f} K",
    )
