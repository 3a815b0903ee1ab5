"""One host, one guest, one baseline: everything the classical level needs, as a record.

The record goes to JSON and back without losing a bit (floats are written with full
precision), so that every worker computes with the very same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from chem.energies import ClassicalModel, ClassicalSettings
from data.records import Guest, Host, PairTable, content_hash

CORE_ENERGY_K = 1e5
CORE_ENERGY_PER_TEMPERATURE = 200.0
COVALENT_CORE_SCALE = 0.8


@dataclass(frozen=True)
class System:
    """A host, a guest and the parameters between them.

    Attributes:
        host: the framework, as used.
        guest: the molecule.
        pairs: mixed parameters of the baseline.
        classical: cutoff, truncation and Ewald settings.
        core_energy_k: Lennard-Jones energy over k_B that marks the hard core, K.
        core_limit_angstrom: (m, n) upper bound of the core radii set by the reference, or None.
    """

    host: Host
    guest: Guest
    pairs: PairTable
    classical: ClassicalSettings
    core_energy_k: float = CORE_ENERGY_K
    core_limit_angstrom: np.ndarray | None = None

    def model(self) -> ClassicalModel:
        """Return the baseline, ready to evaluate."""
        return ClassicalModel(
            self.host,
            self.guest,
            self.pairs,
            self.classical,
            core_energy_k=self.core_energy_k,
            extra_core_radii_angstrom=self.core_limit_angstrom,
        )

    @property
    def hash(self) -> str:
        """Content hash of all that decides the baseline energies."""
        limit = np.zeros(0) if self.core_limit_angstrom is None else self.core_limit_angstrom
        return content_hash(
            self.host.hash,
            self.guest.hash,
            self.pairs.hash,
            repr(self.classical),
            self.core_energy_k,
            limit,
            *self._mass(),
        )

    def _mass(self) -> tuple[float, ...]:
        """The guest's mass where it decides energies; it is no part of the guest's hash."""
        if self.classical.feynman_hibbs_k is None:
            return ()
        return (self.guest.molar_mass_g_per_mol,)


def core_energy_k(temperatures_k: tuple[float, ...]) -> float:
    """Return the hard-core energy over k_B: at least 200 times the highest temperature.

    exp(-200) is beyond any answer's last digit, and at 1e5 K a Lennard-Jones pair is at about
    0.6 sigma.
    """
    return max(CORE_ENERGY_K, CORE_ENERGY_PER_TEMPERATURE * max(temperatures_k))


def covalent_core_angstrom(host: Host, guest: Guest) -> np.ndarray:
    """Return (m, n) distances a non-bonded guest site never goes below.

    Four fifths of the sum of covalent radii (Cordero et al., Dalton Trans. 2008, 2832, as
    tabulated in ASE): well inside even a dative bond. Sites that are no atom get infinity,
    that is, no bound beyond the baseline's own core.
    """
    from ase.data import atomic_numbers, covalent_radii

    radii = np.array([covalent_radii[atomic_numbers[e]] for e in host.elements])
    bounds = np.full((len(guest.site_types), len(radii)), np.inf)
    for site, element in enumerate(guest.site_elements):
        if element is not None:
            own = covalent_radii[atomic_numbers[element]]
            bounds[site] = COVALENT_CORE_SCALE * (own + radii)
    return bounds


def to_json(record: Any) -> dict[str, Any]:
    """Return a frozen record of arrays, numbers, strings and tuples as plain JSON content."""
    content: dict[str, Any] = {}
    for item in fields(record):
        value = getattr(record, item.name)
        if isinstance(value, np.ndarray):
            content[item.name] = {"array": value.tolist(), "dtype": value.dtype.str}
        elif hasattr(value, "__dataclass_fields__"):
            content[item.name] = to_json(value)
        else:
            content[item.name] = list(value) if isinstance(value, tuple) else value
    return content


def record_from_json(kind: type, content: dict[str, Any]) -> Any:
    """Rebuild a record without nested ones from :func:`to_json`."""
    values: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, dict) and "array" in value:
            values[key] = np.array(value["array"], dtype=np.dtype(value["dtype"]))
        else:
            values[key] = tuple(value) if isinstance(value, list) else value
    return kind(**values)


def system_from_json(content: dict[str, Any]) -> System:
    """Rebuild a system from :func:`to_json`."""
    limit = content["core_limit_angstrom"]
    return System(
        host=record_from_json(Host, content["host"]),
        guest=record_from_json(Guest, content["guest"]),
        pairs=record_from_json(PairTable, content["pairs"]),
        classical=record_from_json(ClassicalSettings, content["classical"]),
        core_energy_k=content["core_energy_k"],
        core_limit_angstrom=None if limit is None else np.array(limit["array"]),
    )
