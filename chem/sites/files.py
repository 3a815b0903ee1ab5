"""Binding sites as structure files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chem.rotations import rotate_sites
from data.records import Guest, Host
from data.store import write_atomically

if TYPE_CHECKING:
    from chem.binding_sites import BindingSite


def write_sites(
    folder: Path, host: Host, guest: Guest, sites: tuple[BindingSite, ...]
) -> list[Path]:
    """Write host and guest at each site: binding_site_N.cif, and all in binding_sites.extxyz.

    A guest whose atoms are unknown is written by its sites; those of no element become X.

    Args:
        folder: where to.
        host: the host.
        guest: the guest.
        sites: sites in the order of their numbers.

    Returns:
        The paths written; none without sites.
    """
    from ase.io import write

    if not sites:
        return []
    frames = [_structure(host, guest, site) for site in sites]
    paths = []
    for number, frame in enumerate(frames, start=1):
        path = Path(folder) / f"binding_site_{number}.cif"
        write_atomically(path, lambda p, f=frame: write(p, f, format="cif"))  # type: ignore[misc]
        paths.append(path)
    every = Path(folder) / "binding_sites.extxyz"
    write_atomically(every, lambda p: write(p, frames, format="extxyz"))
    return [*paths, every]


def _structure(host: Host, guest: Guest, site: BindingSite) -> Any:
    """Return host and guest as ASE atoms, with the facts of the site."""
    from ase import Atoms

    elements, body = guest.atom_elements, guest.atom_positions_angstrom
    if not elements:
        elements = tuple(element or "X" for element in guest.site_elements)
        body = guest.positions_angstrom
    offsets = rotate_sites(site.quaternion[None], body)[0]
    positions = np.vstack(
        [host.positions_angstrom, site.fractional @ host.lattice_angstrom + offsets]
    )
    both = Atoms([*host.elements, *elements], positions, cell=host.lattice_angstrom, pbc=True)
    both.info = {
        "interaction_energy_kj_per_mol": site.energy_kj_per_mol,
        "multiplicity": site.multiplicity,
        "share": site.share,
        "guest_atoms": len(elements),
    }
    return both
