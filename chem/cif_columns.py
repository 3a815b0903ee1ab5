"""Reads the atom-site columns of a CIF block: numbers, names, occupancies, charges."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from chem.bounds import plain_number, shown
from data.errors import DisorderedStructureError, StructureError, UnknownElementError

CHARGE_TAGS = (
    "_atom_site_charge",
    "_atom_site_partial_charge",
    "_atom_site_charges",
    "_atom_site_charge_partial",
)


def parse_number(text: str) -> float:
    """Return a CIF number without its uncertainty, ``1.234(5)`` as 1.234; NaN for ? and dots."""
    bare = re.sub(r"\(\d*\)$", "", text.strip(), flags=re.ASCII)
    return float("nan") if text.strip() in {"", ".", "?"} else plain_number(bare)


def number(text: object, tag: str, where: str) -> float:
    """Return a finite number, or say which entry is not one."""
    try:
        value = parse_number(str(text))
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise StructureError(
            f"{where}: {tag} is {shown(text)}, expected a finite number. Correct it."
        )
    return value


def column(tags: dict[str, Any], tag: str) -> list[str] | None:
    """Return one atom-site column as text; a single site comes without a loop."""
    value = tags.get(tag)
    if value is None:
        return None
    return [value] if isinstance(value, str) else list(value)


def site_names(
    tags: dict[str, Any], count: int, origin: str, notes: list[str]
) -> tuple[list[str], list[str]]:
    """Return labels and element symbols of the listed sites."""
    symbols = column(tags, "_atom_site_type_symbol")
    labels = column(tags, "_atom_site_label") or symbols
    if labels is None or len(labels) != count or (symbols and len(symbols) != count):
        raise StructureError(
            f"{origin} names no elements: neither _atom_site_type_symbol nor _atom_site_label "
            "covers every site. Add the column _atom_site_type_symbol."
        )
    elements, heavy_hydrogen = [], 0
    for index, label in enumerate(labels):
        symbol = symbols[index] if symbols else None
        element = element_of_symbol(symbol) if symbol else element_of_label(label)
        if element is None:
            what = f"symbol {shown(symbol)}" if symbol else f"label {shown(label)}"
            raise UnknownElementError(
                f"{origin}, site {index + 1} ({label[:60]}): the {what} names no single known "
                "element. Write the element in _atom_site_type_symbol; remove dummy atoms."
            )
        heavy_hydrogen += element == "D"
        elements.append("H" if element == "D" else element)
    if heavy_hydrogen:
        notes.append(f"deuterium read as hydrogen on {heavy_hydrogen} listed sites")
    return [_writable(label) for label in labels], elements


def _writable(label: str) -> str:
    """Return a label that CIF can hold: on one line, and with one kind of quotes at most."""
    flat = " ".join(label.split())
    return flat.replace('"', "'") if "'" in flat else flat


def element_of_symbol(symbol: str) -> str | None:
    """Return the element of a type symbol such as ``Zn``, ``ZN``, ``Zn2+`` or ``O2-``."""
    match = re.fullmatch(r"([A-Za-z]{1,2})(\d*[+-]?\d*)", symbol.strip())
    return _known(match.group(1).capitalize()) if match else None


def element_of_label(label: str) -> str | None:
    """Return the element a bare label such as ``Zn1`` begins with; None when it is unclear.

    ``CU1`` could be copper or a carbon named U, so two capitals that both make sense give None.
    """
    match = re.match(r"([A-Z])([A-Za-z]?)", label.strip())
    if not match:
        return None
    first, second = match.groups()
    one, two = _known(first), _known(first + second.lower()) if second else None
    if second.isupper() and one and two:
        return None
    return (two or one) if second.islower() or not one else one


def _known(symbol: str) -> str | None:
    """Return the symbol if it is an element, or D for deuterium."""
    from ase.data import chemical_symbols

    return symbol if symbol == "D" or symbol in chemical_symbols[1:] else None


def refuse_disorder(tags: dict[str, Any], labels: list[str], origin: str) -> None:
    """Raise for partial occupancies and for several alternative groups."""
    found = []
    for label, text in zip(labels, column(tags, "_atom_site_occupancy") or [], strict=False):
        where = f"{origin}, site {label}"
        absent = text.strip() in {"", ".", "?"}
        occupancy = 1.0 if absent else number(text, "_atom_site_occupancy", where)
        if not abs(occupancy - 1.0) <= 1e-3:
            found.append(f"{label} ({occupancy:g})")
    if found:
        more = f" and {len(found) - 8} more" if len(found) > 8 else ""
        raise DisorderedStructureError(
            f"{origin} has partly occupied sites: {', '.join(found[:8])}{more}. Give a "
            "structure in which every site is occupied once; remove solvent and alternatives."
        )
    groups = {g.strip() for g in column(tags, "_atom_site_disorder_group") or []} - {"", ".", "?"}
    if len(groups) > 1:
        raise DisorderedStructureError(
            f"{origin} has alternative positions: disorder groups {', '.join(sorted(groups))} in "
            "_atom_site_disorder_group. Keep one group and remove the others."
        )


def site_charges(
    tags: dict[str, Any], labels: list[str], origin: str, notes: list[str]
) -> np.ndarray | None:
    """Return the charge of every listed site; None when the file gives none."""
    tag = next((t for t in CHARGE_TAGS if t in tags), None)
    if tag is None:
        return None
    texts = column(tags, tag) or []
    try:
        values = np.array([parse_number(text) for text in texts])
    except ValueError as error:
        raise StructureError(
            f"{origin}: the column {tag} holds something that is no number ({error}). Correct it."
        ) from error
    if len(values) != len(labels):
        raise StructureError(
            f"{origin}: {len(values)} charges in {tag} for {len(labels)} sites. Correct the loop."
        )
    absent = [label for label, value in zip(labels, values, strict=True) if np.isnan(value)]
    if len(absent) == len(values):
        return None
    if absent or not np.isfinite(values).all():
        raise StructureError(
            f"{origin}: {len(absent)} of {len(values)} sites have no charge in {tag}, among them "
            f"{', '.join(absent[:8])}. Give a charge to every site, or drop the column."
        )
    if not values.any():
        notes.append(f"the column {tag} holds only zeros and counts as no charges")
        return None
    return values
