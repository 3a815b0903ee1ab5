"""Reads charges from a file: a text table, JSON, or a CIF of the same structure.

A text table has one atom type a line, ``key charge``, separated by blanks, tabs, commas or
semicolons; ``#`` starts a comment. A header line may name the columns. A key is a CIF label, else
an element, as in a force field; if all keys are whole numbers they are atom numbers, counted from
1 over all atoms of the cell. A single column of charges goes by atom number too. JSON is an
object ``{key: charge}`` or a list of charges.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from chem.bounds import LARGEST_CHARGE_E, plain_number, shown
from chem.cif_text import LARGEST_FILE_BYTES
from chem.json_files import load_json
from data.errors import InputError, MissingChargesError
from data.records import Host

if TYPE_CHECKING:
    from chem.cif import CifAtoms

KEY_COLUMNS = ("label", "element", "atom", "site", "type", "index", "number")
CHARGE_COLUMNS = ("charge", "charge_e", "q")
SAME_CHARGE_E = 1e-6
SAME_PLACE_ANGSTROM = 0.1
"""Atoms of another CIF closer than this to an atom of the host are that atom."""


class ChargeFileError(InputError):
    """A file of charges is malformed or does not fit the host."""


@dataclass(frozen=True)
class Entry:
    """One charge of a table, with its key (None in a plain list) and where it stands."""

    key: str | None
    charge_e: float
    where: str


def read_charges(path: Path, host: Host) -> tuple[np.ndarray, str]:
    """Return the (n,) charges a file gives the atoms of a host, in e.

    Args:
        path: CIF by the suffix ``.cif``, JSON by ``.json``, else a text table.
        host: the framework.

    Returns:
        The charges, and how they were matched ("by label or element", ...).

    Raises:
        ChargeFileError: malformed, or it does not fit the host; with file and line.
        MissingChargesError: atoms without a charge, named.
    """
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise ChargeFileError(f"{path} is too large for a table of charges or a CIF.")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ChargeFileError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ChargeFileError(f"{path} is not a text file. Give CSV, JSON or CIF.") from error
    suffix = path.suffix.lower()
    if suffix in {".cif", ".mcif"}:
        return _from_cif(text, path, host)
    entries = _json_entries(text, path) if suffix == ".json" else _table_entries(text, path)
    if not entries:
        raise ChargeFileError(f"{path} holds no charges. Lines 'label charge' were expected.")
    return _assigned(entries, path, host)


def _table_entries(text: str, path: Path) -> list[Entry]:
    """Return the entries of a text table."""
    entries: list[Entry] = []
    columns: tuple[int, ...] | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        fields = _fields(line)
        if not fields:
            continue
        where = f"{path}, line {number}"
        if columns is None:
            columns = _header(fields, where)
            if columns:
                continue
        entries.append(_row(fields, columns, where))
    return entries


def _fields(line: str) -> list[str]:
    """Return the fields of a line without its comment."""
    bare = line.split("#", 1)[0].strip()
    parts = re.split(r"[,;\t]", bare) if re.search(r"[,;\t]", bare) else bare.split()
    return [part.strip().strip("\"'") for part in parts] if bare else []


def _header(fields: list[str], where: str) -> tuple[int, ...]:
    """Return the columns of key and charge that a header names; empty when there is none."""
    names = [field.lower() for field in fields]
    charge = next((i for i, name in enumerate(names) if name in CHARGE_COLUMNS), None)
    if charge is None:
        return ()
    key = next((i for i, name in enumerate(names) if name in KEY_COLUMNS), None)
    if key is None and len(names) > 1:
        raise ChargeFileError(
            f"{where}: the header {shown(', '.join(fields))} has no column for the atom; one of "
            f"{', '.join(KEY_COLUMNS)} was expected."
        )
    return (charge,) if key is None else (key, charge)


def _row(fields: list[str], columns: tuple[int, ...] | None, where: str) -> Entry:
    """Return one line's entry."""
    if columns and max(columns) < len(fields):
        fields = [fields[i] for i in columns]
    elif columns or len(fields) > 2:
        expected = "as many fields as the header" if columns else "'label charge'"
        raise ChargeFileError(
            f"{where}: {len(fields)} field(s) {shown(' '.join(fields))} found, {expected} expected."
        )
    key = fields[0] if len(fields) == 2 else None
    return Entry(key, _number(fields[-1], where), where)


def _number(value: object, where: str) -> float:
    """Return a finite charge, or say what stands there instead."""
    try:
        charge = plain_number(str(value)) if not isinstance(value, bool) else math.nan
    except ValueError:
        charge = math.nan
    if not math.isfinite(charge):
        raise ChargeFileError(f"{where}: {shown(value)} is no charge; a number in e was expected.")
    if abs(charge) > LARGEST_CHARGE_E:
        raise ChargeFileError(
            f"{where}: {charge:g} e is beyond {LARGEST_CHARGE_E:g} e, more than any atom has."
        )
    return charge


def _json_entries(text: str, path: Path) -> list[Entry]:
    """Return the entries of a JSON object or list."""
    try:
        content = load_json(text)
    except json.JSONDecodeError as error:
        raise ChargeFileError(
            f"{path}, line {error.lineno}: no JSON here ({error.msg}). Correct it."
        ) from error
    except (ValueError, RecursionError) as error:
        raise ChargeFileError(f"{path} cannot be used: {str(error)[:200]}. Correct it.") from error
    if isinstance(content, dict):
        return [
            Entry(str(key), _number(value, f"{path}, entry {key!r}"), f"{path}, entry {key!r}")
            for key, value in content.items()
        ]
    if isinstance(content, list):
        places = [f"{path}, entry {number}" for number in range(1, len(content) + 1)]
        pairs = zip(content, places, strict=True)
        return [Entry(None, _number(value, where), where) for value, where in pairs]
    raise ChargeFileError(f"{path} holds neither an object {{label: charge}} nor a list.")


def _assigned(entries: list[Entry], path: Path, host: Host) -> tuple[np.ndarray, str]:
    """Match the entries with the atoms."""
    keys = [entry.key for entry in entries]
    if None in keys:
        if any(key is not None for key in keys):
            odd = entries[keys.index(None)]
            raise ChargeFileError(f"{odd.where}: the label is missing; 'label charge' expected.")
        return _by_number(dict(enumerate(entries, start=1)), path, host)
    table: dict[str, Entry] = {}
    for entry in entries:
        first = table.setdefault(str(entry.key), entry)
        if first is not entry and abs(first.charge_e - entry.charge_e) > SAME_CHARGE_E:
            raise ChargeFileError(
                f"{entry.where}: {entry.key} has {entry.charge_e:g} e, but {first.charge_e:g} e "
                f"at {first.where}. Give atoms of one label one charge, or go by atom number."
            )
    if all(key.isdecimal() for key in table) and not set(table) & set(host.labels):
        return _by_number({int(key): entry for key, entry in table.items()}, path, host)
    return _by_name(table, path, host)


def _by_number(table: dict[int, Entry], path: Path, host: Host) -> tuple[np.ndarray, str]:
    """Match by atom number; every atom exactly once."""
    count = len(host.elements)
    beyond = [table[number] for number in table if not 1 <= number <= count]
    if beyond:
        raise ChargeFileError(
            f"{beyond[0].where}: there is no such atom, {host.name} has {count} in its cell. "
            "All atoms of the cell count, as read from the file of the host."
        )
    _refuse_missing([i for i in range(count) if i + 1 not in table], path, host)
    return np.array([table[i + 1].charge_e for i in range(count)]), "by atom number"


def _by_name(table: dict[str, Entry], path: Path, host: Host) -> tuple[np.ndarray, str]:
    """Match by label, else by element."""
    from chem.cif_columns import element_of_symbol

    known = set(host.labels) | set(host.elements)
    strange = [key for key in table if key not in known and element_of_symbol(key) != key]
    if strange:
        known_labels = ", ".join(dict.fromkeys(host.labels[:40]))
        raise ChargeFileError(
            f"{table[strange[0]].where}: {shown(strange[0])} is neither a label of {host.name} nor "
            f"an element. Its labels: {known_labels}{' ...' if len(host.labels) > 40 else ''}."
        )
    kinds = list(zip(host.labels, host.elements, strict=True))
    found = [table.get(label, table.get(element)) for label, element in kinds]
    _refuse_missing([i for i, entry in enumerate(found) if entry is None], path, host)
    return np.array([entry.charge_e for entry in found if entry]), "by label or element"


def _refuse_missing(missing: list[int], path: Path, host: Host) -> None:
    """Raise naming the atoms without a charge."""
    if not missing:
        return
    names = list(dict.fromkeys(f"{host.labels[i]} (element {host.elements[i]})" for i in missing))
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    raise MissingChargesError(
        f"{path} gives no charge for {len(missing)} of {len(host.elements)} atoms of {host.name}: "
        f"{', '.join(names[:8])}{more}. Add them by label, element or atom number."
    )


def _from_cif(text: str, path: Path, host: Host) -> tuple[np.ndarray, str]:
    """Take the charges of another CIF of the same structure, by label or by position."""
    from chem.cif import read_cif

    atoms = read_cif(text, str(path))
    if atoms.charges_e is None:
        raise MissingChargesError(f"{path} has no charges in _atom_site_charge.")
    groups: dict[str, list[float]] = {}
    for label, charge in zip(atoms.labels, atoms.charges_e, strict=True):
        groups.setdefault(label, []).append(float(charge))
    distinct = all(np.ptp(values) <= SAME_CHARGE_E for values in groups.values())
    if distinct and set(groups) == set(host.labels):
        return np.array([groups[label][0] for label in host.labels]), "by label"
    return _by_position(atoms, atoms.charges_e, path, host)


def _by_position(
    atoms: CifAtoms, charges_e: np.ndarray, path: Path, host: Host
) -> tuple[np.ndarray, str]:
    """Match atoms of one element at the same place of the same cell."""
    own, other = host.lattice_angstrom, atoms.lattice_angstrom
    if not np.allclose(other @ other.T, own @ own.T, rtol=2e-3, atol=0.05):
        raise ChargeFileError(
            f"{path}: neither its labels nor its cell are those of {host.name}, so its charges "
            "cannot be matched. Give a CIF in the cell and with the labels of the host's file."
        )
    missing, chosen = [], []
    for index, place in enumerate(host.fractional):
        offsets = atoms.fractional - place
        distances = np.linalg.norm((offsets - np.round(offsets)) @ own, axis=1)
        nearest = int(distances.argmin())
        chosen.append(nearest)
        same = atoms.elements[nearest] == host.elements[index]
        if not same or distances[nearest] > SAME_PLACE_ANGSTROM:
            missing.append(index)
    _refuse_missing(missing, path, host)
    return charges_e[chosen], "by position"
