"""Radii of host atoms for geometric measures of pores.

The van der Waals radii are those of the Cambridge Structural Database [1], mostly Bondi's [2],
with 2.00 angstrom for elements that have none. Zeo++ [3] uses the same ones, so its published
diameters (CoRE MOF and others) can be compared.

References:
    [1] Cambridge Crystallographic Data Centre, elemental radii; hydrogen from Rowland, Taylor,
        J. Phys. Chem. 100 (1996) 7384.
    [2] Bondi, J. Phys. Chem. 68 (1964) 441.
    [3] Willems, Rycroft, Kazi, Meza, Haranczyk, Micropor. Mesopor. Mater. 149 (2012) 134.
    [4] Foster, Rivin, Treacy, Delgado Friedrichs, Micropor. Mesopor. Mater. 90 (2006) 32.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from data.errors import SettingsError
from data.records import Host

OTHER_RADIUS_ANGSTROM = 2.0
ZEOLITE_RADIUS_ANGSTROM = 1.35
"""Of every atom in the diameters listed by the International Zeolite Association [4]."""

VDW_RADII_ANGSTROM: dict[str, float] = {
    "H": 1.09, "D": 1.09, "He": 1.40, "Li": 1.82, "C": 1.70, "N": 1.55, "O": 1.52, "F": 1.47,
    "Ne": 1.54, "Na": 2.27, "Mg": 1.73, "Si": 2.10, "P": 1.80, "S": 1.80, "Cl": 1.75,
    "Ar": 1.88, "K": 2.75, "Ni": 1.63, "Cu": 1.40, "Zn": 1.39, "Ga": 1.87, "As": 1.85,
    "Se": 1.90, "Br": 1.85, "Kr": 2.02, "Pd": 1.63, "Ag": 1.72, "Cd": 1.58, "In": 1.93,
    "Sn": 2.17, "Te": 2.06, "I": 1.98, "Xe": 2.16, "Pt": 1.72, "Au": 1.66, "Hg": 1.55,
    "Tl": 1.96, "Pb": 2.02, "U": 1.86,
}  # fmt: skip

Radii = Mapping[str, float] | float | np.ndarray | None


def atom_radii_angstrom(host: Host, radii: Radii = None) -> np.ndarray:
    """Return the radius of every host atom.

    Args:
        host: the framework, n atoms.
        radii: None for the van der Waals table; one radius for all atoms; a mapping of element
            to radius (elements it lacks take the table's); or (n,) radii.

    Returns:
        (n,) radii in angstrom.

    Raises:
        SettingsError: wrong number of radii, or one that is negative or not finite.
    """
    if radii is None or isinstance(radii, Mapping):
        known = {**VDW_RADII_ANGSTROM, **(radii or {})}
        values = np.array([known.get(e, OTHER_RADIUS_ANGSTROM) for e in host.elements], dtype=float)
    else:
        given = np.asarray(radii, dtype=float)
        if given.shape not in ((), (len(host.elements),)):
            raise SettingsError(
                f"{given.shape} radii were given for the {len(host.elements)} atoms of {host.name}"
            )
        values = np.broadcast_to(given, (len(host.elements),)).copy()
    if not (np.isfinite(values) & (values >= 0.0)).all():
        raise SettingsError("radii of host atoms must be finite and not negative, in angstrom")
    return values
