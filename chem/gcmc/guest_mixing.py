"""Lennard-Jones parameters and charges between the sites of two like guests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chem.mixing import combine, guest_lennard_jones
from chem.site_types import ForceField, sorted_pair
from data.constants import GAS_CONSTANT_KJ_PER_MOL_K
from data.records import Guest, content_hash


@dataclass(frozen=True)
class GuestPairTable:
    """Guest-guest Lennard-Jones parameters; the charges are those of the host-guest pairs.

    Attributes:
        epsilon_kj_per_mol: (m, m) well depths, kJ/mol.
        sigma_angstrom: (m, m) diameters, angstrom.
        force_field: name of the force field whose rule and overrides were used.
    """

    epsilon_kj_per_mol: np.ndarray
    sigma_angstrom: np.ndarray
    force_field: str

    @property
    def hash(self) -> str:
        """Content hash of the parameters."""
        return content_hash(self.epsilon_kj_per_mol, self.sigma_angstrom)


def mix_guests(guest: Guest, ff: ForceField) -> GuestPairTable:
    """Return the pair parameters between two molecules of one guest.

    A site keeps its own parameters unless the force field has a guest type of its name, as
    between host and guest; explicit pairs of the force field come first, its mixing rule next.

    Args:
        guest: the molecule, m sites.
        ff: the force field.

    Returns:
        The table.

    Raises:
        MissingParametersError: a guest site has no parameters.
    """
    own = guest_lennard_jones(guest, ff)
    table = np.zeros((2, len(own), len(own)))
    for row, one in enumerate(guest.site_types):
        for column, two in enumerate(guest.site_types):
            explicit = ff.pairs.get(sorted_pair(one, two))
            table[:, row, column] = explicit or combine(own[row], own[column], ff.mixing)
    return GuestPairTable(table[0] * GAS_CONSTANT_KJ_PER_MOL_K, table[1], ff.name)
