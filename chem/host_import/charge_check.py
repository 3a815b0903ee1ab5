"""Partial charges of a file: there or not, neutral or not, believable or not."""

from __future__ import annotations

import numpy as np

from chem.host_import.findings import Finding, listed
from data.records import Host

LARGE_CHARGE_E = 3.0
"""Beyond this a partial charge is doubtful (formal charges are written as partial ones)."""
ABSURD_CHARGE_E = 6.0
"""Beyond this no partial charge is real, and the charges of the file are dropped."""
_ELECTROPOSITIVE = "Li Na K Rb Cs Be Mg Ca Sr Ba Al Zn Zr Hf Ti"
ELECTROPOSITIVE = frozenset(_ELECTROPOSITIVE.split())


def charge_findings(host: Host) -> list[Finding]:
    """Judge the charges of a host; a net charge was found before, when it was read."""
    if host.charges_e is None:
        text = "no partial charges in the file: charged guests need --charges eqeq, eeq or a file"
        return [Finding("charges", "note", text)]
    size = np.abs(host.charges_e)
    beyond = np.flatnonzero(size > LARGE_CHARGE_E)
    if len(beyond):
        worst = float(size.max())
        shown = listed(f"{host.labels[i]} {host.charges_e[i]:+.2f} e" for i in beyond)
        dropped = "; they are dropped" if worst > ABSURD_CHARGE_E else ""
        text = f"charges beyond {LARGE_CHARGE_E:g} e: {shown}. Check them{dropped}"
        return [Finding("charges", "warning", text)]
    negative = [
        i
        for i, element in enumerate(host.elements)
        if element in ELECTROPOSITIVE and host.charges_e[i] < -0.1
    ]
    if negative:
        shown = listed(f"{host.labels[i]} {host.charges_e[i]:+.2f} e" for i in negative)
        return [Finding("charges", "warning", f"metals with negative charges: {shown}")]
    return []


def charges_are_absurd(host: Host) -> bool:
    """Whether the charges are beyond belief, so that they are not taken over."""
    return host.charges_e is not None and bool(np.abs(host.charges_e).max() > ABSURD_CHARGE_E)
