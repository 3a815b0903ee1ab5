"""Plain frozen records that travel between the layers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np


def content_hash(*parts: object) -> str:
    """Return a short stable SHA-256 of arrays, strings, numbers and tuples of them.

    Args:
        *parts: arrays enter by dtype, shape and bytes; everything else by ``repr``.

    Returns:
        The first 16 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            array = np.ascontiguousarray(part)
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(array.tobytes())
        else:
            digest.update(repr(part).encode())
        digest.update(b"\x00")
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Host:
    """A rigid periodic framework.

    Attributes:
        name: name shown to people.
        lattice_angstrom: (3, 3) cell vectors as rows, angstrom.
        fractional: (n, 3) fractional coordinates in [0, 1).
        elements: n element symbols.
        labels: n CIF site labels.
        charges_e: (n,) partial charges in e, or None when the source has none.
        source: file or citation the structure came from.
        notes: remarks a result should carry (net charge removed, cell reduced ...).
    """

    name: str
    lattice_angstrom: np.ndarray
    fractional: np.ndarray
    elements: tuple[str, ...]
    labels: tuple[str, ...]
    charges_e: np.ndarray | None = None
    source: str = ""
    notes: tuple[str, ...] = ()

    @property
    def positions_angstrom(self) -> np.ndarray:
        """(n, 3) Cartesian positions, angstrom."""
        return self.fractional @ self.lattice_angstrom

    @property
    def volume_angstrom3(self) -> float:
        """Cell volume, cubic angstrom."""
        return float(abs(np.linalg.det(self.lattice_angstrom)))

    @property
    def hash(self) -> str:
        """Content hash of cell, atoms and charges (not of the name)."""
        charges = np.zeros(0) if self.charges_e is None else self.charges_e
        return content_hash(
            self.lattice_angstrom, self.fractional, self.elements, self.labels, charges
        )


@dataclass(frozen=True)
class Guest:
    """A rigid gas molecule in its body frame, centre of mass at the origin.

    Attributes:
        name: bundled name or file stem.
        site_types: m force-field type names.
        site_elements: per site an element symbol, or None for a site that is no atom
            (charge sites, united atoms); sites with an element make up the molecule
            that an atomistic reference sees, see ``atom_elements``.
        positions_angstrom: (m, 3) body-frame positions, angstrom.
        charges_e: (m,) site charges in e.
        epsilon_k: (m,) Lennard-Jones well depth over k_B, kelvin.
        sigma_angstrom: (m,) Lennard-Jones diameter, angstrom.
        atom_elements: element symbols of the real molecule (CH4: C H H H H).
        atom_positions_angstrom: (k, 3) atoms of the real molecule in the same body frame.
        molar_mass_g_per_mol: molar mass.
        source: citation of the parameters.
    """

    name: str
    site_types: tuple[str, ...]
    site_elements: tuple[str | None, ...]
    positions_angstrom: np.ndarray
    charges_e: np.ndarray
    epsilon_k: np.ndarray
    sigma_angstrom: np.ndarray
    atom_elements: tuple[str, ...]
    atom_positions_angstrom: np.ndarray
    molar_mass_g_per_mol: float
    source: str = ""

    @property
    def radius_angstrom(self) -> float:
        """Largest distance of a site or atom from the body-frame origin, angstrom."""
        every = np.vstack([self.positions_angstrom, self.atom_positions_angstrom])
        return float(np.sqrt((every**2).sum(axis=1)).max(initial=0.0))

    @property
    def hash(self) -> str:
        """Content hash of geometry and parameters (not of the name)."""
        return content_hash(
            self.site_types,
            self.positions_angstrom,
            self.charges_e,
            self.epsilon_k,
            self.sigma_angstrom,
            self.atom_elements,
            self.atom_positions_angstrom,
        )


@dataclass(frozen=True)
class PairTable:
    """Everything the classical kernel needs for one host, guest and force field.

    Attributes:
        epsilon_kj_per_mol: (m, n) mixed well depth of guest site by host atom, kJ/mol.
        sigma_angstrom: (m, n) mixed diameter, angstrom.
        guest_charges_e: (m,) guest site charges actually used, e.
        host_charges_e: (n,) host charges actually used, e.
        force_field: name of the force field.
        sources: citations, one line each.
    """

    epsilon_kj_per_mol: np.ndarray
    sigma_angstrom: np.ndarray
    guest_charges_e: np.ndarray
    host_charges_e: np.ndarray
    force_field: str
    sources: tuple[str, ...] = ()

    @property
    def has_charges(self) -> bool:
        """Whether both host and guest carry charges."""
        return bool(np.any(self.guest_charges_e) and np.any(self.host_charges_e))

    @property
    def hash(self) -> str:
        """Content hash of the parameters."""
        return content_hash(
            self.epsilon_kj_per_mol,
            self.sigma_angstrom,
            self.guest_charges_e,
            self.host_charges_e,
        )


@dataclass(frozen=True)
class Estimate:
    """A number with its uncertainty.

    Attributes:
        mean: the estimate.
        standard_error: its standard error, same unit.
        effective_samples: Kish effective sample size behind it.
    """

    mean: float
    standard_error: float
    effective_samples: float = field(default=float("nan"))

    @property
    def relative_standard_error(self) -> float:
        """Standard error over the absolute mean; infinite for a zero mean."""
        return self.standard_error / abs(self.mean) if self.mean else float("inf")
