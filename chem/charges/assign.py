"""Gives a host its partial charges by one of the methods of ``--charges``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from chem.charges.net_charge import neutralise
from data.errors import MissingChargesError, SettingsError
from data.records import Host

METHODS = ("cif", "eqeq", "eeq", "none")
"""Names of methods; anything else is the path of a file."""
ESTIMATES = ("eqeq", "eeq")
"""Methods that compute charges from the structure alone."""
SUSPICIOUS_CHARGE_E = 3.0
"""Estimates beyond this are hardly ever sensible, and are named in a note."""
_DECIMALS = 8
_TITLES = {"eqeq": "EQeq (Wilmer et al. 2012)", "eeq": "EEQ (dftd4)"}


def assign_charges(host: Host, method: str) -> Host:
    """Return the host with charges by one method, and notes that say what was done.

    Args:
        host: the framework. A file that goes by atom number counts the atoms of this cell.
        method: ``cif`` keeps what the structure has, also if that is nothing; ``none`` drops it;
            ``eqeq`` and ``eeq`` estimate charges from the structure (`chem.charges.eqeq`,
            `chem.charges.eeq`); anything else is the path of a file (`chem.charges.tables`).

    Returns:
        A new host whose charges add up to zero. A rounding remainder is spread evenly.

    Raises:
        SettingsError: neither a method nor a file.
        ChargeFileError: or another of its kind; a file that cannot be used.
        MissingParametersError: an element the estimate has no parameters for.
        MissingChargesError: atoms for which a file has no charge.
        NetChargeError: the charges do not add up to zero.
    """
    name = method_name(method)
    if name == "none":
        return replace(host, charges_e=None)
    if name == "cif":
        if host.charges_e is None:
            return host
        kept = neutralise(host.charges_e, host.name)
        return replace(host, charges_e=kept.values_e, notes=_join(host, kept.note))
    if name in ESTIMATES:
        return _estimated(host, name)
    return _from_file(host, Path(method).expanduser())


def method_name(method: str) -> str:
    """Return a method's name in lower case, or ``file`` for the path of a file.

    Raises:
        SettingsError: neither.
    """
    name = method.strip().lower()
    if name in METHODS:
        return name
    path = Path(method).expanduser()
    if path.is_file():
        return "file"
    wrong = "is a directory" if path.is_dir() else "is neither a method nor a file"
    raise SettingsError(
        f"--charges {method!r} {wrong} (looked in {Path.cwd()}). Give one of "
        f"{', '.join(METHODS)}, or the path of a table of charges or of a CIF file that has them."
    )


def _estimated(host: Host, name: str) -> Host:
    """Return the host with charges computed from its structure.

    They are rounded far below their worth, so that the last bits of a linear solve, which depend
    on the number of threads, do not reach content hashes.
    """
    from chem.charges.eeq import eeq_charges
    from chem.charges.eqeq import eqeq_charges

    raw = eqeq_charges(host) if name == "eqeq" else eeq_charges(host)
    found = neutralise(np.round(raw, _DECIMALS), f"{_TITLES[name]} charges of {host.name}")
    values = found.values_e
    replaced = "" if host.charges_e is None else ", in place of those of the structure"
    notes = [_summary(f"estimated by {_TITLES[name]}{replaced}", values, found.net_found_e)]
    notes += [text for text in (found.note, _extremes(host, values), _bare(host)) if text]
    return replace(host, charges_e=values, notes=_join(host, *notes))


def _from_file(host: Host, path: Path) -> Host:
    """Return the host with charges read from a file."""
    from chem.charges.tables import read_charges

    values, matched = read_charges(path, host)
    if not values.any():
        raise MissingChargesError(f"{path} gives only zeros. Use --charges none if that is meant.")
    found = neutralise(values, str(path))
    summary = _summary(f"from {path.name}, matched {matched}", found.values_e, found.net_found_e)
    return replace(host, charges_e=found.values_e, notes=_join(host, summary, found.note))


def _summary(how: str, values: np.ndarray, net: float) -> str:
    """Return the note every host with assigned charges carries."""
    shown = f"{net:+.1e}" if abs(net) >= 1e-6 else "0"
    return (
        f"host charges {how}: {values.min():+.3f} to {values.max():+.3f} e, "
        f"net charge found {shown} e"
    )


def _extremes(host: Host, values: np.ndarray) -> str | None:
    """Name the elements whose estimated charges are beyond belief."""
    large = np.abs(values) > SUSPICIOUS_CHARGE_E
    if not large.any():
        return None
    elements = sorted({host.elements[i] for i in np.flatnonzero(large)})
    return (
        f"estimated charges beyond {SUSPICIOUS_CHARGE_E:g} e on {', '.join(elements)}: "
        "check the structure, or take charges from elsewhere"
    )


def _bare(host: Host) -> str | None:
    """Warn of a host with carbon but no hydrogen: a CIF often leaves hydrogens out."""
    if "C" not in host.elements or "H" in host.elements:
        return None
    return (
        "the host has carbon but no hydrogen; if its file leaves hydrogens out, "
        "estimated charges are wrong"
    )


def _join(host: Host, *notes: str | None) -> tuple[str, ...]:
    """Return the host's notes with new ones, each once."""
    return tuple(dict.fromkeys([*host.notes, *(note for note in notes if note)]))
