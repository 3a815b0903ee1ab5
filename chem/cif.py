"""Reads CIF files with symmetry, labels and charges kept; writes P1 files.

pymatgen splits the file into tokens and finds the symmetry operations; the expansion is done
here so that every atom keeps its label and its partial charge.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chem.bounds import LARGEST_CELL_ANGSTROM, LARGEST_FRACTION
from chem.cif_columns import column, number, refuse_disorder, site_charges, site_names
from chem.cif_symmetry import images, read_operations
from chem.cif_text import prepare
from data.errors import StructureError
from data.store import write_text

if TYPE_CHECKING:
    from data.records import Host

MOST_ATOMS = 50_000
FLAT = 1e-6
"""Squared height of the cell over its third length, below which there is no volume."""
RESERVED_WORDS = ("data_", "loop_", "save_", "stop_", "global_")
VECTOR_TAGS = tuple(f"_widomill_cell_vector_{axis}" for axis in "abc")


@dataclass(frozen=True)
class CifAtoms:
    """All atoms of one cell as the file describes them.

    Attributes:
        lattice_angstrom: (3, 3) cell vectors as rows.
        fractional: (n, 3) coordinates in [0, 1).
        elements: n element symbols.
        labels: n site labels.
        charges_e: (n,) partial charges, or None when the file has none.
        notes: what was taken for granted while reading.
    """

    lattice_angstrom: np.ndarray
    fractional: np.ndarray
    elements: tuple[str, ...]
    labels: tuple[str, ...]
    charges_e: np.ndarray | None
    notes: tuple[str, ...]


def wrap_fractional(fractional: np.ndarray) -> np.ndarray:
    """Return fractional coordinates folded into [0, 1)."""
    folded = fractional - np.floor(fractional)
    return np.where(folded >= 1.0, 0.0, folded)


def read_cif(text: str, origin: str) -> CifAtoms:
    """Parse CIF text and expand its symmetry.

    Args:
        text: the file's content.
        origin: its name, used in messages.

    Returns:
        Every atom of the cell.

    Raises:
        StructureError: the text is no CIF, or lacks cell, sites or numbers.
        DisorderedStructureError: partial occupancies or alternative groups.
        UnknownElementError: a site names no element.
    """
    notes: list[str] = []
    block = _structure_block(prepare(text, origin), origin, notes)
    tags = {key.lower(): value for key, value in block.data.items()}
    lattice = _lattice(tags, origin)
    rows = _asymmetric_rows(tags, origin)
    labels, elements = site_names(tags, len(rows), origin, notes)
    refuse_disorder(tags, labels, origin)
    charges = site_charges(tags, labels, origin, notes)
    operations = read_operations(block, tags, lattice, origin, notes)
    _refuse_many(len(rows) * len(operations), 4 * MOST_ATOMS, origin)
    placed = [images(row, operations, lattice) for row in rows]
    source = np.repeat(np.arange(len(rows)), [len(image) for image in placed])
    _refuse_many(len(source), MOST_ATOMS, origin)
    return CifAtoms(
        lattice,
        wrap_fractional(np.vstack(placed)),
        tuple(elements[i] for i in source),
        tuple(labels[i] for i in source),
        None if charges is None else charges[source],
        tuple(notes),
    )


def _refuse_many(count: int, most: int, origin: str) -> None:
    if count > most:
        raise StructureError(
            f"{origin} has {count:,} atoms in its cell, or images of them; at most {MOST_ATOMS:,} "
            "atoms are read. Give a smaller cell."
        )


def _structure_block(text: str, origin: str, notes: list[str]) -> Any:
    """Return the first data block that has atom sites, noting that there are others."""
    from pymatgen.io.cif import CifFile

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            blocks = list(CifFile.from_str(text).data.values())
    except Exception as error:
        raise StructureError(
            f"{origin} cannot be read as CIF: {error or type(error).__name__}. A loop whose rows "
            "and columns disagree or an unclosed quote is the usual cause."
        ) from error
    if not blocks:
        raise StructureError(
            f"{origin} is not a CIF file: it has no line that starts with data_. "
            "Give a crystallographic information file."
        )
    found = [b for b in blocks if any(k.lower() == "_atom_site_fract_x" for k in b.data)]
    if len(found) > 1:
        notes.append(
            f"the file holds {len(found)} structures: the first, data_{found[0].header}, was read"
        )
    if found:
        return found[0]
    cartesian = any(k.lower() == "_atom_site_cartn_x" for b in blocks for k in b.data)
    have = "only Cartesian coordinates" if cartesian else "no atom sites"
    raise StructureError(
        f"{origin} has {have}: the columns _atom_site_fract_x, _y and _z were expected. "
        "Export the structure with fractional coordinates."
    )


def _lattice(tags: dict[str, Any], origin: str) -> np.ndarray:
    """Return cell vectors as rows, from the exact vectors if the file is one of ours."""
    names = [f"_cell_length_{x}" for x in "abc"]
    names += [f"_cell_angle_{x}" for x in ("alpha", "beta", "gamma")]
    missing = [name for name in names if name not in tags]
    if missing:
        raise StructureError(
            f"{origin} has no complete unit cell: {', '.join(missing)} missing. "
            "A periodic host needs three lengths (angstrom) and three angles (degrees)."
        )
    for name in names:
        if not isinstance(tags[name], str):
            raise StructureError(f"{origin}: {name} is a list, expected one number. Correct it.")
    cell = [number(tags[name], name, origin) for name in names]
    lattice = _lattice_from_parameters(cell, origin)
    if all(tag in tags for tag in VECTOR_TAGS):
        exact = _exact_vectors([str(tags[tag]) for tag in VECTOR_TAGS], origin)
        if np.allclose(exact @ exact.T, lattice @ lattice.T, atol=1e-3):
            return exact
    return lattice


def _exact_vectors(texts: list[str], origin: str) -> np.ndarray:
    """Return the (3, 3) vectors that ``write_cif`` noted, which keep the orientation."""
    try:
        vectors = np.array([[float(x) for x in text.split()] for text in texts])
        if vectors.shape == (3, 3) and np.isfinite(vectors).all():
            return vectors
    except ValueError:
        pass
    raise StructureError(
        f"{origin}: the entries {VECTOR_TAGS[0]} and so on are no three vectors of three numbers. "
        "Remove them; the cell lengths and angles suffice."
    )


def _lattice_from_parameters(cell: list[float], origin: str) -> np.ndarray:
    """Return rows a along x, b in the xy plane; refuse cells without volume."""
    a, b, c, *angles = cell
    shown = " ".join(f"{value:g}" for value in cell)
    if min(a, b, c) <= 0.0 or not all(0.0 < angle < 180.0 for angle in angles):
        raise StructureError(
            f"{origin}: the cell {shown} is impossible. Lengths must be positive and angles "
            "between 0 and 180 degrees."
        )
    if max(a, b, c) > LARGEST_CELL_ANGSTROM:
        raise StructureError(
            f"{origin}: the cell {shown} is larger than {LARGEST_CELL_ANGSTROM:g} angstrom. Are "
            "the lengths in angstrom?"
        )
    cosines = [0.0 if angle == 90.0 else float(np.cos(np.radians(angle))) for angle in angles]
    alpha, beta, gamma = cosines
    sine = float(np.sqrt(1.0 - gamma**2))
    y = (alpha - beta * gamma) / sine if sine else 0.0
    height2 = 1.0 - beta**2 - y**2 if sine else 0.0
    if height2 <= FLAT:
        raise StructureError(
            f"{origin}: the cell {shown} has zero volume: its three vectors lie in a plane. "
            "Check the angles."
        )
    z = float(np.sqrt(height2))
    return np.array([[a, 0.0, 0.0], [b * gamma, b * sine, 0.0], [c * beta, c * y, c * z]])


def _asymmetric_rows(tags: dict[str, Any], origin: str) -> np.ndarray:
    """Return the (k, 3) coordinates listed in the file."""
    columns = [column(tags, f"_atom_site_fract_{axis}") for axis in "xyz"]
    if any(column is None for column in columns):
        raise StructureError(
            f"{origin} lacks one of _atom_site_fract_x, _y and _z. All three are needed."
        )
    names = column(tags, "_atom_site_label") or column(tags, "_atom_site_type_symbol") or []
    lengths = {len(column) for column in columns if column is not None}
    if len(lengths) > 1:
        raise StructureError(
            f"{origin}: the coordinate columns have different lengths {sorted(lengths)}. "
            "Correct the loop."
        )
    rows = []
    for index, values in enumerate(zip(*(c for c in columns if c), strict=True)):
        name = names[index] if index < len(names) else "?"
        where = f"{origin}, site {index + 1} ({name})"
        pairs = zip(values, "xyz", strict=True)
        rows.append([_fraction(value, f"_atom_site_fract_{axis}", where) for value, axis in pairs])
    if not rows:
        raise StructureError(f"{origin} lists no atoms. A host needs at least one.")
    return np.array(rows)


def _fraction(text: str, tag: str, where: str) -> float:
    """Return a fractional coordinate, or say why it is none."""
    value = number(text, tag, where)
    if abs(value) > LARGEST_FRACTION:
        raise StructureError(
            f"{where}: {tag} is {value:g}, beyond {LARGEST_FRACTION:g} cells. Fractional "
            "coordinates were expected, not angstrom or whatever this is."
        )
    return value


def write_cif(host: Host, path: str | Path) -> None:
    """Write a host as P1 with full precision, exact cell vectors, labels and charges.

    Reading the file back with ``load_host(path, primitive=False)`` gives the same content hash.
    """
    vectors = host.lattice_angstrom
    lengths = np.linalg.norm(vectors, axis=1)
    pairs = ((1, 2), (0, 2), (0, 1))
    cosines = [vectors[i] @ vectors[j] / (lengths[i] * lengths[j]) for i, j in pairs]
    angles = np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0)))
    remarks = (f"host {host.name}", host.source, *host.notes)
    lines = [f"# {' '.join(text.split())}" for text in remarks if text]
    lines.append(f"data_{re.sub(r'[^A-Za-z0-9_.+-]', '_', host.name)[:70] or 'host'}")
    lines += [f"_cell_length_{x} {v:.10f}" for x, v in zip("abc", lengths, strict=True)]
    names = ("alpha", "beta", "gamma")
    lines += [f"_cell_angle_{x} {v:.10f}" for x, v in zip(names, angles, strict=True)]
    for tag, vector in zip(VECTOR_TAGS, vectors, strict=True):
        lines.append(f"{tag} '{' '.join(repr(float(x)) for x in vector)}'")
    lines += ["_symmetry_space_group_name_H-M 'P 1'", "loop_", "_symmetry_equiv_pos_as_xyz"]
    lines += ["'x, y, z'", "loop_", "_atom_site_label", "_atom_site_type_symbol"]
    lines += [f"_atom_site_fract_{axis}" for axis in "xyz"]
    if host.charges_e is not None:
        lines.append("_atom_site_charge")
    labels = [_one_word(label) for label in host.labels]
    for index, (label, element) in enumerate(zip(labels, host.elements, strict=True)):
        numbers = [*host.fractional[index]]
        if host.charges_e is not None:
            numbers.append(host.charges_e[index])
        lines.append(" ".join([label, element, *(repr(float(x)) for x in numbers)]))
    write_text(Path(path), "\n".join(lines) + "\n")


def _one_word(label: str) -> str:
    """Return a label as one CIF word, the same one when it is read back."""
    if re.fullmatch(r"[A-Za-z][^\s'\"#;]*", label) and not label.lower().startswith(RESERVED_WORDS):
        return label
    quotes = [quote for quote in "'\"" if quote not in label]
    flat = " ".join(label.split())
    return f"{quotes[0]}{flat}{quotes[0]}" if quotes else f"'{flat.replace(chr(39), '')}'"
