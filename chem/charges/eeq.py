"""EEQ: electronegativity equilibration with geometry-dependent parameters, by dftd4 [1].

References:
    [1] Caldeweyher, Ehlert, Hansen, Neugebauer, Spicher, Bannwarth, Grimme, J. Chem. Phys. 150
        (2019) 154122; periodic form: Caldeweyher, Mewes, Ehlert, Grimme, Phys. Chem. Chem. Phys.
        22 (2020) 8499.
    [2] Wittmann, Gordiy, Friede, Helmich-Paris, Grimme, Hansen, Bursch, Phys. Chem. Chem. Phys.
        26 (2024) 21379 (actinides).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chem.cells import SAME_PLACE_ANGSTROM, compact_lattice
from data.errors import MissingParametersError
from data.records import Host

LARGEST_ATOMIC_NUMBER = 103
"""The parameters end at lawrencium [2]."""


def eeq_charges(host: Host) -> np.ndarray:
    """Return the (n,) EEQ charges of a host in e; they add up to zero within rounding.

    dftd4's own lattice sums are only as good as the cell is compact, and equal for equivalent
    atoms to some 1e-5 e; so it is handed the reduced basis of the same lattice, and equivalent
    atoms get their mean.

    Raises:
        MissingParametersError: dftd4 is not installed, or an element has no parameters.
    """
    from ase.data import atomic_numbers
    from ase.units import Bohr

    numbers = np.array([atomic_numbers.get(element, 0) for element in host.elements])
    unknown = (numbers < 1) | (numbers > LARGEST_ATOMIC_NUMBER)
    if unknown.any():
        names = sorted({e for e, bad in zip(host.elements, unknown, strict=True) if bad})
        raise MissingParametersError(
            f"EEQ has no parameters for {', '.join(names)} in {host.name}; they end at lawrencium. "
            "Use --charges eqeq, a file of charges, or --charges none."
        )
    lattice = compact_lattice(host.lattice_angstrom)
    charges = _dftd4_charges(numbers, host.positions_angstrom / Bohr, lattice / Bohr)
    return _mean_of_equivalent(charges, host, numbers)


def _dftd4_charges(numbers: np.ndarray, positions: np.ndarray, lattice: np.ndarray) -> np.ndarray:
    """Return the charges of a neutral periodic cell; lengths in bohr."""
    try:
        from dftd4.interface import DispersionModel
    except ImportError as error:
        raise MissingParametersError(
            f"--charges eeq needs the package dftd4, which cannot be imported: {error}. "
            "Install it, or use --charges eqeq."
        ) from error
    model = DispersionModel(
        numbers, positions, charge=0.0, lattice=lattice, periodic=np.array([True] * 3)
    )
    return np.array(model.get_properties()["partial charges"], dtype=float)


def _mean_of_equivalent(charges: np.ndarray, host: Host, numbers: np.ndarray) -> np.ndarray:
    """Return charges averaged over the atoms that the space group makes equivalent."""
    import spglib

    cell: Any = (host.lattice_angstrom, host.fractional, numbers)
    dataset = spglib.get_symmetry_dataset(cell, symprec=SAME_PLACE_ANGSTROM)
    if dataset is None:
        return charges
    orbit = np.unique(dataset.equivalent_atoms, return_inverse=True)[1]
    return (np.bincount(orbit, charges) / np.bincount(orbit))[orbit]
