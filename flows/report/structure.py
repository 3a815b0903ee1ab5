"""The geometry behind the pictures of the cell, and the binding site as structure files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.distance import cdist

from chem.rotations import rotate_sites
from data.records import Guest, Host
from data.store import write_atomically
from flows.report.load import Run
from flows.report.words import known

BOND_STRETCH = 1.2
NON_METALS = frozenset(
    ["H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Ge", "As", "Se", "Br", "Te", "I"]
)


@dataclass(frozen=True)
class Contact:
    """A short distance between a guest atom and a host atom.

    Attributes:
        guest_atom: index of the guest atom.
        guest_element: its element.
        host_element: element of the host atom.
        host_angstrom: (3,) position of the host atom's image.
        distance_angstrom: their distance.
    """

    guest_atom: int
    guest_element: str
    host_element: str
    host_angstrom: np.ndarray
    distance_angstrom: float


def host_atoms(host: Host) -> object:
    """Return the host as ASE atoms."""
    from ase import Atoms

    return Atoms(
        symbols=list(host.elements),
        scaled_positions=host.fractional,
        cell=host.lattice_angstrom,
        pbc=True,
    )


def covalent_radii_angstrom(elements: tuple[str, ...]) -> np.ndarray:
    """Return (n,) covalent radii (Cordero et al., Dalton Trans. 2008, 2832, as in ASE)."""
    from ase.data import atomic_numbers, covalent_radii

    return np.array([covalent_radii[atomic_numbers[e]] for e in elements])


def element_colours(elements: tuple[str, ...]) -> np.ndarray:
    """Return (n, 3) colours by element, those of Jmol as tabulated in ASE."""
    from ase.data import atomic_numbers
    from ase.data.colors import jmol_colors

    return np.array([jmol_colors[atomic_numbers[e]] for e in elements]).reshape(-1, 3)


def half_bonds(host: Host) -> tuple[np.ndarray, np.ndarray]:
    """Return the bonds of the host as pairs of halves, so that none is cut at the cell's faces.

    Returns:
        (b,) index of the atom each half starts from, and (b, 3) vector to the bond's middle,
        angstrom.
    """
    from ase.neighborlist import neighbor_list

    reach = BOND_STRETCH * covalent_radii_angstrom(host.elements)
    first, second, vector = neighbor_list("ijD", host_atoms(host), reach)
    metal = np.array([e not in NON_METALS for e in host.elements], dtype=bool)
    bonds = ~(metal[first] & metal[second])
    return first[bonds], 0.5 * vector[bonds]


def bonded(elements: Sequence[str], places: np.ndarray) -> np.ndarray:
    """Return (n, n) whether atoms at (n, 3) places are bonded; two metals never are."""
    radii = covalent_radii_angstrom(tuple(elements))
    metal = np.array([e not in NON_METALS for e in elements], dtype=bool)
    near = cdist(places, places) < BOND_STRETCH * (radii[:, None] + radii[None])
    return near & ~(metal[:, None] & metal[None])


def guest_atoms_angstrom(host: Host, guest: Guest, placement: np.ndarray) -> np.ndarray:
    """Return (k, 3) positions of the guest's atoms at a (7,) placement."""
    turned = rotate_sites(placement[None, 3:], guest.atom_positions_angstrom)[0]
    return turned + placement[:3] @ host.lattice_angstrom


def images_within(
    host: Host, centres: np.ndarray, reach_angstrom: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return host atoms, images included, within reach of any of some points.

    Args:
        host: the host.
        centres: (k, 3) points, angstrom.
        reach_angstrom: farthest distance.

    Returns:
        (n,) indices of host atoms and (n, 3) positions of the images.
    """
    inverse = np.linalg.inv(host.lattice_angstrom)
    margin = reach_angstrom * np.sqrt((inverse**2).sum(axis=0))
    corners = centres @ inverse
    low = np.floor(corners.min(axis=0) - margin).astype(int)
    high = np.floor(corners.max(axis=0) + margin).astype(int)
    axes = [np.arange(a, b + 1) for a, b in zip(low, high, strict=True)]
    shifts = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    indices, places = [], []
    for shift in shifts:
        image = (host.fractional + shift) @ host.lattice_angstrom
        squared = ((image[:, None] - centres[None]) ** 2).sum(axis=2).min(axis=1)
        near = np.flatnonzero(squared <= reach_angstrom**2)
        indices.append(near)
        places.append(image[near])
    return np.concatenate(indices), np.concatenate(places)


def contacts(host: Host, guest: Guest, placement: np.ndarray, most: int = 3) -> list[Contact]:
    """Return the shortest guest-host distances, one per host atom, at most ``most``."""
    atoms = guest_atoms_angstrom(host, guest, placement)
    indices, places = images_within(host, atoms, 6.0)
    if not len(indices):
        return []
    distance = np.sqrt(((places[:, None] - atoms[None]) ** 2).sum(axis=2))
    nearest = distance.argmin(axis=1)
    length = distance[np.arange(len(nearest)), nearest]
    return [
        Contact(
            int(nearest[k]),
            guest.atom_elements[nearest[k]],
            host.elements[indices[k]],
            places[k],
            float(length[k]),
        )
        for k in np.argsort(length, kind="stable")[:most]
    ]


def write_binding_site(run: Run) -> list[Path]:
    """Write host and guest at the binding site as CIF and extended XYZ; nothing without a site.

    Returns:
        The paths written.
    """
    if run.binding is None:
        return []
    from ase import Atoms
    from ase.io import write

    host, guest = run.context.system.host, run.context.system.guest
    placed = Atoms(list(guest.atom_elements), guest_atoms_angstrom(host, guest, run.binding))
    both = host_atoms(host) + placed  # type: ignore[operator]
    energy = run.results[0]["binding_energy_kj_per_mol"]
    if known(energy):
        both.info["interaction_energy_kj_per_mol"] = energy
    both.info["guest_atoms"] = len(placed)
    paths = [run.folder / f"binding_site.{kind}" for kind in ("cif", "extxyz")]
    for path, kind in zip(paths, ("cif", "extxyz"), strict=True):
        write_atomically(path, lambda p, kind=kind: write(p, both, format=kind))  # type: ignore[misc]
    return paths
