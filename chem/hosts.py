"""Hosts: rigid periodic frameworks, bundled or read from CIF, checked before use."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from chem.bounds import LARGEST_CHARGE_E
from chem.cells import (
    compact_lattice,
    reduce_to_primitive,
    replicate,
    shortest_lattice_vector_angstrom,
)
from chem.charges.assign import ESTIMATES, assign_charges, method_name
from chem.charges.net_charge import neutralise
from chem.cif import CifAtoms, read_cif, write_cif
from chem.cif_text import LARGEST_FILE_BYTES
from data.bundled import bundled_files, match_name, unknown_name
from data.constants import ANGSTROM3_PER_M3, AVOGADRO_PER_MOL, GRAM_PER_KG
from data.errors import (
    AbsurdChargesError,
    HostError,
    OverlappingAtomsError,
    StructureError,
)
from data.records import Host

__all__ = [
    "bundled_hosts",
    "compact_lattice",
    "host_density_kg_per_m3",
    "host_mass_kg",
    "load_host",
    "reduce_to_primitive",
    "replicate",
    "shortest_lattice_vector_angstrom",
    "write_cif",
]

CLOSEST_APPROACH_ANGSTROM = 0.5
"""Two different host atoms are never closer than this in a sound structure."""


def bundled_hosts() -> tuple[str, ...]:
    """Return the names of the bundled hosts."""
    return tuple(bundled_files("hosts", ".cif"))


def load_host(name_or_path: str, *, charges: str = "cif", primitive: bool = True) -> Host:
    """Load a bundled host or a CIF file, expand its symmetry and check it.

    Args:
        name_or_path: bundled name (letter case ignored) or path of a CIF file.
        charges: ``cif`` keeps the file's partial charges, ``none`` drops them, ``eqeq`` and
            ``eeq`` estimate others, a path reads them (`chem.charges.assign_charges`).
        primitive: reduce to a primitive cell; energies do not change.

    Returns:
        The checked host; ``charges_e`` is None when the file has no charges or none were asked.

    Raises:
        HostError: no such file, and no bundled host of that name.
        StructureError: or one of its kinds; the file makes no physical sense.
        NetChargeError: the partial charges do not add up to zero.
        SettingsError: ``charges`` is neither a method nor a file.
    """
    method = method_name(charges)
    name, text, origin = _find(name_or_path)
    atoms = read_cif(text, origin)
    _refuse_overlaps(atoms, origin)
    values, notes = None, list(atoms.notes)
    if method == "cif" and atoms.charges_e is not None:
        neutral = neutralise(atoms.charges_e, origin)
        values = neutral.values_e
        notes += [neutral.note] if neutral.note else []
        _refuse_absurd(values, atoms, origin)
    host = Host(
        name=name,
        lattice_angstrom=atoms.lattice_angstrom,
        fractional=atoms.fractional,
        elements=atoms.elements,
        labels=atoms.labels,
        charges_e=values,
        source=_source(text, origin),
        notes=tuple(notes),
    )
    if method == "file":  # before the cell is reduced: it may go by atom number
        host = assign_charges(host, charges)
    if primitive:
        host = reduce_to_primitive(host)
    return assign_charges(host, method) if method in ESTIMATES else host


def _find(name_or_path: str) -> tuple[str, str, str]:
    """Return display name, CIF text and origin of a bundled name or a path."""
    bundled = bundled_files("hosts", ".cif")
    known = match_name(name_or_path, bundled)
    if known is not None:
        return known, bundled[known].read_text(encoding="utf-8"), f"bundled host {known}"
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        raise HostError(f"{path} is a directory, not a CIF file. Give the file inside it.")
    if not path.is_file():
        if path.suffix.lower() in {".cif", ".mcif"} or len(path.parts) > 1:
            raise HostError(f"There is no file {path} (looked in {Path.cwd()}). Check the path.")
        raise HostError(unknown_name("host", name_or_path, bundled, "the path of a CIF file"))
    return path.stem, _read_text(path), str(path)


def _read_text(path: Path) -> str:
    """Return the text of a CIF file, or say why it is none."""
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE_BYTES:
            raise StructureError(
                f"{path} has {size / 1e6:.0f} MB; CIF files of up to "
                f"{LARGEST_FILE_BYTES // 10**6} MB are read. Is it a structure?"
            )
        raw = path.read_bytes()
    except OSError as error:
        raise HostError(
            f"{path} cannot be read: {error.strerror}. Check its permissions."
        ) from error
    if not raw.strip():
        raise StructureError(f"{path} is empty. A CIF file with a cell and atom sites is needed.")
    if b"\x00" in raw:
        raise StructureError(f"{path} is a binary file, not CIF text. Unpack or export it first.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _source(text: str, origin: str) -> str:
    """Return the comment at the top of a bundled file, or the path of the user's file."""
    if not origin.startswith("bundled host"):
        return origin
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if not line.startswith("#"))
    return " ".join(line.lstrip("# ") for line in lines[:first])


def _refuse_absurd(charges_e: np.ndarray, atoms: CifAtoms, origin: str) -> None:
    """Raise for charges that no atom has."""
    worst = int(np.abs(charges_e).argmax())
    if abs(charges_e[worst]) > LARGEST_CHARGE_E:
        raise AbsurdChargesError(
            f"{origin}: atom {atoms.labels[worst]} has a charge of {charges_e[worst]:+.4g} e; at "
            f"most {LARGEST_CHARGE_E:g} e is believed. Correct the charges, or use --charges eqeq, "
            "eeq or none."
        )


def _refuse_overlaps(atoms: CifAtoms, origin: str) -> None:
    """Raise if two atoms (or an atom and its own image) lie on top of each other."""
    from ase.neighborlist import primitive_neighbor_list

    positions = atoms.fractional @ atoms.lattice_angstrom
    per_atom = abs(np.linalg.det(atoms.lattice_angstrom)) / len(positions)
    hint = ""
    if per_atom < 2.0:
        hint = f" With {per_atom:.3g} cubic angstrom per atom, are the lengths in angstrom?"
    if shortest_lattice_vector_angstrom(atoms.lattice_angstrom) < 1.0:
        raise StructureError(f"{origin}: the cell is shorter than 1 angstrom.{hint} Check it.")
    first, second, distance = primitive_neighbor_list(
        "ijd", [True] * 3, atoms.lattice_angstrom, positions, CLOSEST_APPROACH_ANGSTROM
    )
    if not len(distance):
        return
    worst = int(np.argmin(distance))
    one, two = int(first[worst]), int(second[worst])
    raise OverlappingAtomsError(
        f"{origin}: atoms {atoms.labels[one]} (number {one + 1}) and {atoms.labels[two]} (number "
        f"{two + 1}) are {distance[worst]:.3f} angstrom apart, {len(distance) // 2} pair(s) are "
        f"closer than {CLOSEST_APPROACH_ANGSTROM} angstrom.{hint} Remove duplicates, alternative "
        "positions or a wrong symmetry (a list of all atoms needs P 1)."
    )


@cache
def _mass_table() -> np.ndarray:
    """Return atomic masses in g/mol by atomic number."""
    from ase.data import atomic_masses

    return np.array(atomic_masses)


def host_mass_kg(host: Host) -> float:
    """Return the mass of one cell in kg."""
    from ase.data import atomic_numbers

    grams = _mass_table()[[atomic_numbers[e] for e in host.elements]].sum()
    return float(grams) / AVOGADRO_PER_MOL / GRAM_PER_KG


def host_density_kg_per_m3(host: Host) -> float:
    """Return the crystal density in kg/m3."""
    return host_mass_kg(host) / host.volume_angstrom3 * ANGSTROM3_PER_M3
