"""Guests: rigid gas molecules, bundled with their own parameters or read from a file.

A guest has two faces: the sites a force field sees (``C_co2``, ``N_com``, a united atom CH4)
and the real atoms an atomistic reference sees. Both share one body frame whose origin is the
centre of mass of the real molecule.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from chem.bounds import (
    LARGEST_EPSILON_K,
    LARGEST_SIGMA_ANGSTROM,
    ChargeE,
    Finite,
    PositionAngstrom,
)
from chem.json_files import checked
from chem.raspa_molecules import read_molecule
from chem.site_types import ForceField
from chem.yaml_files import read_yaml_mapping
from data.bundled import bundled_files, match_name, unknown_name
from data.errors import GuestError
from data.records import Guest

MOST_SITES = 1000
CLOSEST_ATOMS_ANGSTROM = 0.3
"""Two atoms of a guest are never closer; a charge site may lie on an atom."""
METHANE_CH_ANGSTROM = 1.087
"""Gray, Robiette, Mol. Phys. 37 (1979) 1901."""
WATER_SITES = {"ow": "O", "hw": "H"}
"""RASPA's names of the atoms of water; other sites ending in w (Lw, Mw) carry charge only."""

Vector = tuple[PositionAngstrom, PositionAngstrom, PositionAngstrom]


class SiteModel(BaseModel):
    """One force-field site of a guest file."""

    model_config = ConfigDict(extra="forbid")
    type: str = Field(min_length=1, description="site type name")
    element: str | None = Field(default=None, description="element symbol; absent if no atom")
    position_angstrom: Vector = Field(description="position, angstrom")
    epsilon_k: Finite = Field(
        ge=0.0, le=LARGEST_EPSILON_K, description="Lennard-Jones well depth over k_B, K"
    )
    sigma_angstrom: Finite = Field(
        gt=0.0, le=LARGEST_SIGMA_ANGSTROM, description="Lennard-Jones diameter, angstrom"
    )
    charge_e: ChargeE = Field(default=0.0, description="partial charge, e")


class AtomModel(BaseModel):
    """One real atom of a guest file."""

    model_config = ConfigDict(extra="forbid")
    element: str = Field(description="element symbol")
    position_angstrom: Vector = Field(description="position, angstrom")


class GuestModel(BaseModel):
    """A guest file in YAML."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, description="name shown to people")
    aliases: list[str] = Field(default=[], description="other names that load this guest")
    source: str = Field(min_length=1, description="citation of the parameters")
    note: str = Field(default="", description="remark for the reader of the file")
    sites: list[SiteModel] = Field(
        min_length=1, max_length=MOST_SITES, description="force-field sites"
    )
    atoms: list[AtomModel] = Field(
        default=[], description="real atoms; absent when they are the sites with an element"
    )


def bundled_guests() -> tuple[str, ...]:
    """Return the names of the bundled guests."""
    return tuple(sorted({model.name for model in _bundled().values()}))


def guest_aliases() -> dict[str, tuple[str, ...]]:
    """Return the other names of every bundled guest, by its name."""
    models = {model.name: model for model in _bundled().values()}
    return {name: tuple(models[name].aliases) for name in sorted(models)}


def guest_note(name: str) -> str:
    """Return the remark of a bundled guest, empty for any other."""
    known = match_name(name, _bundled())
    return _bundled()[known].note.strip() if known is not None else ""


@cache
def _bundled() -> dict[str, GuestModel]:
    """Return every bundled guest under its name and its aliases."""
    found = {}
    for stem, file in bundled_files("guests", ".yaml").items():
        content = read_yaml_mapping(file.read_text(encoding="utf-8"), stem, GuestError)
        model = checked(GuestModel, content, f"bundled guest {stem}", GuestError)
        found.update(dict.fromkeys((model.name, *model.aliases), model))
    return found


def load_guest(name_or_path: str, force_field: ForceField | None = None) -> Guest:
    """Load a bundled guest, a RASPA3 molecule JSON, or a YAML file of our own form.

    A RASPA3 molecule holds positions only: its parameters and charges come from the force field
    given here or when the pairs are mixed, and are NaN until then.

    Args:
        name_or_path: bundled name (letter case ignored) or path of a file.
        force_field: where a RASPA3 molecule's parameters and elements are looked up; without
            it the elements are read off the type names (``C_co2`` is carbon, ``N_com`` no atom).

    Returns:
        The guest in its body frame.

    Raises:
        GuestError: unknown name, unreadable or malformed file, or a flexible molecule.
    """
    known = match_name(name_or_path, _bundled())
    if known is not None:
        return _from_model(_bundled()[known])
    path = Path(name_or_path).expanduser()
    if not path.is_file():
        if path.is_dir():
            raise GuestError(f"{path} is a directory. Give the guest's JSON or YAML file.")
        if path.suffix.lower() in {".json", ".yaml", ".yml"} or len(path.parts) > 1:
            raise GuestError(f"There is no file {path} (looked in {Path.cwd()}). Check the path.")
        instead = "the path of a RASPA3 molecule JSON or of our YAML"
        raise GuestError(unknown_name("guest", name_or_path, bundled_guests(), instead))
    if path.suffix.lower() == ".json":
        return _from_raspa(path, force_field)
    content = read_yaml_mapping(path, str(path), GuestError)
    return _from_model(checked(GuestModel, content, path, GuestError), str(path))


def require_atoms(guest: Guest) -> None:
    """Raise if the real atoms of the guest are unknown, as an atomistic reference needs them.

    Raises:
        GuestError: naming the sites and what to do.
    """
    if not guest.atom_elements:
        raise GuestError(
            f"The real atoms of guest {guest.name} are unknown: its site types "
            f"{', '.join(dict.fromkeys(guest.site_types))} do not say which elements they are. "
            "Use a bundled guest, or a YAML guest file with an atoms list."
        )


def _element(symbol: str, where: str) -> str:
    """Return a valid element symbol or raise."""
    from ase.data import chemical_symbols

    proper = symbol.strip().capitalize()
    if proper not in chemical_symbols[1:]:
        raise GuestError(f"{where}: {symbol!r} is no element. Leave it out for a charge site.")
    return proper


def _from_model(model: GuestModel, origin: str = "") -> Guest:
    """Return the record of a validated guest file."""
    where = f"{origin}: guest {model.name[:60]}" if origin else f"guest {model.name}"
    site_elements = tuple(
        None if s.element is None else _element(s.element, where) for s in model.sites
    )
    sites = np.array([site.position_angstrom for site in model.sites])
    if model.atoms:
        elements = tuple(_element(atom.element, where) for atom in model.atoms)
        atoms = np.array([atom.position_angstrom for atom in model.atoms])
    else:
        elements, atoms = _atoms_of_sites(site_elements, sites)
    return _guest(
        where=where,
        name=model.name,
        site_types=tuple(site.type for site in model.sites),
        site_elements=site_elements,
        sites=sites,
        charges=np.array([site.charge_e for site in model.sites]),
        epsilon=np.array([site.epsilon_k for site in model.sites]),
        sigma=np.array([site.sigma_angstrom for site in model.sites]),
        elements=elements,
        atoms=atoms,
        source=model.source.strip(),
    )


def _from_raspa(path: Path, force_field: ForceField | None) -> Guest:
    """Return the record of a RASPA3 molecule, with what the force field knows of it."""
    listed = read_molecule(path)
    types = tuple(name for name, _ in listed)
    sites = np.array([position for _, position in listed])
    site_elements = tuple(_site_element(name, force_field) for name in types)
    if types == ("CH4",):
        elements, atoms = _methane(sites[0])
    elif any(_is_united_atom(name) for name in types):
        elements, atoms = (), np.zeros((0, 3))
    else:
        elements, atoms = _atoms_of_sites(site_elements, sites)
    parameters = np.array([_parameters(name, force_field) for name in types])
    return _guest(
        where=str(path),
        name=path.stem,
        site_types=types,
        site_elements=site_elements,
        sites=sites,
        charges=parameters[:, 0],
        epsilon=parameters[:, 1],
        sigma=parameters[:, 2],
        elements=elements,
        atoms=atoms,
        mass=_declared_mass(types, force_field),
        source=str(path),
    )


def _parameters(name: str, force_field: ForceField | None) -> tuple[float, float, float]:
    """Return (charge, epsilon over k_B, sigma) of a site type, NaN where nothing is known."""
    site = force_field.guest_type(name) if force_field is not None else None
    if site is None:
        return np.nan, np.nan, np.nan
    charge = np.nan if site.charge_e is None else site.charge_e
    if site.epsilon_k is None or site.sigma_angstrom is None:
        return charge, 0.0, 1.0
    return charge, site.epsilon_k, site.sigma_angstrom


def _declared_mass(types: tuple[str, ...], force_field: ForceField | None) -> float:
    """Return the sum of the force field's masses of the sites, NaN where one is missing."""
    known = force_field.types if force_field is not None else {}
    masses = [known[name].mass_g_per_mol if name in known else None for name in types]
    return sum(np.nan if mass is None else mass for mass in masses)


def _is_united_atom(name: str) -> bool:
    """Return whether a type name is a hydrocarbon group such as CH3, CH2_sp2 or CH4."""
    return re.match(r"CH\d?(_|$)", name) is not None


def _site_element(name: str, force_field: ForceField | None) -> str | None:
    """Return the element of a RASPA site type, or None for united atoms and charge sites."""
    from ase.data import chemical_symbols

    if _is_united_atom(name) or name.lower().endswith("_com"):
        return None
    declared = force_field.types.get(name) if force_field is not None else None
    if declared is not None and declared.mass_g_per_mol == 0.0:
        return None
    if declared is not None and declared.element in chemical_symbols[1:]:
        return declared.element
    if name.lower() in WATER_SITES:
        return WATER_SITES[name.lower()]
    match = re.match(r"([A-Z][a-z]?)(?=_|\d|$)", name)
    return match.group(1) if match and match.group(1) in chemical_symbols[1:] else None


def _atoms_of_sites(
    site_elements: tuple[str | None, ...], sites: np.ndarray
) -> tuple[tuple[str, ...], np.ndarray]:
    """Return elements and positions of the sites that are atoms."""
    keep = [index for index, element in enumerate(site_elements) if element is not None]
    return tuple(e for e in site_elements if e is not None), sites[keep].reshape(-1, 3)


def _methane(centre: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """Return a tetrahedral methane around a united atom."""
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3.0)
    return ("C", "H", "H", "H", "H"), centre + METHANE_CH_ANGSTROM * np.vstack([[0, 0, 0], corners])


def _refuse_coincident(elements: tuple[str, ...], atoms: np.ndarray, where: str) -> None:
    """Raise if two real atoms lie on top of each other."""
    if len(elements) < 2:
        return
    distance = np.linalg.norm(atoms[:, None] - atoms[None], axis=2)
    distance[np.diag_indices(len(elements))] = np.inf
    one, two = np.unravel_index(int(distance.argmin()), distance.shape)
    if distance[one, two] < CLOSEST_ATOMS_ANGSTROM:
        raise GuestError(
            f"{where}: atoms {elements[one]} (number {one + 1}) and {elements[two]} (number "
            f"{two + 1}) are {distance[one, two]:.3f} angstrom apart. Correct the positions; a "
            "site that is no atom has no element."
        )


def _guest(
    *, sites: np.ndarray, atoms: np.ndarray, elements: tuple[str, ...], **rest: Any
) -> Guest:
    """Return the guest with its centre of mass at the origin of the body frame."""
    from ase.data import atomic_masses, atomic_numbers

    _refuse_coincident(elements, atoms, rest["where"])
    masses = np.array([atomic_masses[atomic_numbers[element]] for element in elements])
    centre = masses @ atoms / masses.sum() if elements else sites.mean(axis=0)
    return Guest(
        name=rest["name"],
        site_types=rest["site_types"],
        site_elements=rest["site_elements"],
        positions_angstrom=sites - centre,
        charges_e=rest["charges"],
        epsilon_k=rest["epsilon"],
        sigma_angstrom=rest["sigma"],
        atom_elements=elements,
        atom_positions_angstrom=atoms - centre,
        molar_mass_g_per_mol=float(masses.sum()) if elements else rest.get("mass", float("nan")),
        source=rest["source"],
    )
