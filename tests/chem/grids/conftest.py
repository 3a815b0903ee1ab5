"""Systems of the grid tests: real hosts and guests, made once."""

from functools import cache

import numpy as np
import pytest

from chem.energies import ClassicalModel, ClassicalSettings
from chem.force_fields import load_force_field
from chem.guests import load_guest
from chem.hosts import load_host
from chem.mixing import mix_pairs
from chem.rotations import random_quaternions
from data.constants import GAS_CONSTANT_KJ_PER_MOL_K


class Tools:
    """What the tests share."""

    temperature_k = 298.0

    @staticmethod
    @cache
    def direct(host, guest, force_field="UFF", *, primitive=True, **settings):
        """The classical model of bundled names."""
        field = load_force_field(force_field)
        the_guest = load_guest(guest, field)
        the_host = load_host(host, primitive=primitive)
        charges = "none" if the_host.charges_e is None else "cif"
        pairs = mix_pairs(the_host, the_guest, field, charges=charges)
        return ClassicalModel(the_host, the_guest, pairs, ClassicalSettings(**settings))

    @staticmethod
    def uniform(count, seed=1):
        """Uniform positions and orientations."""
        rng = np.random.default_rng(seed)
        return rng.random((count, 3)), random_quaternions(rng, count)

    @classmethod
    def likely(cls, grid, count, seed=1, draws=200_000):
        """Insertions drawn by the Boltzmann factors of the grid, and their grid energies."""
        fractional, quaternions = cls.uniform(draws, seed)
        energy, _ = grid.energies(fractional, quaternions)
        factor = cls.boltzmann(energy)
        rng = np.random.default_rng(seed + 1)
        chosen = np.unique(rng.choice(draws, count, p=factor / factor.sum()))
        return fractional[chosen], quaternions[chosen], energy[chosen]

    @classmethod
    def boltzmann(cls, energy):
        """Boltzmann factors relative to the deepest energy."""
        return np.exp(-cls.beta() * (energy - energy.min()))

    @classmethod
    def beta(cls):
        """1 / (R T), mol/kJ."""
        return 1.0 / (GAS_CONSTANT_KJ_PER_MOL_K * cls.temperature_k)


@pytest.fixture(scope="session")
def tools():
    return Tools
