"""What the tests of the grand-canonical chain share."""

from dataclasses import replace

import numpy as np
import pytest

from chem.energies import ClassicalModel, ClassicalSettings
from chem.force_fields import load_force_field
from chem.gcmc.build import build_model
from chem.gcmc.chain import Chain
from chem.gcmc.guest_mixing import GuestPairTable, mix_guests
from chem.gcmc.rng import seeded_state
from chem.gcmc.settings import GcmcSettings
from chem.guests import load_guest
from chem.proposal import uniform_proposal
from data.records import Host, PairTable


def box_host(lattice, fractional=((0.0, 0.0, 0.0),)):
    """A host of argon atoms (so that it has a mass) in a given cell."""
    count = len(fractional)
    return Host(
        name="box",
        lattice_angstrom=np.array(lattice, dtype=float),
        fractional=np.array(fractional, dtype=float),
        elements=("Ar",) * count,
        labels=tuple(f"Ar{i}" for i in range(count)),
    )


def empty_box(guest_name, lattice, settings, charges=True):
    """An energy model in which the host does nothing, and the guest-guest table."""
    host, guest = box_host(lattice), load_guest(guest_name)
    shape = (len(guest.site_types), 1)
    pairs = PairTable(
        epsilon_kj_per_mol=np.zeros(shape),
        sigma_angstrom=np.ones(shape),
        guest_charges_e=np.array(guest.charges_e) * float(charges),
        host_charges_e=np.zeros(1),
        force_field="none",
    )
    model = ClassicalModel(host, guest, pairs, settings)
    return model, mix_guests(guest, load_force_field("UFF"))


def plain(settings):
    """The settings with uniform insertions."""
    return replace(settings, pilot_insertions=0)


def short_chain(
    model, table, fugacity_pa, settings=None, temperature_k=300.0, seed=1, blocked=None
):
    """A chain ready to run."""
    settings = settings or GcmcSettings()
    built = build_model(model, table, temperature_k, settings, uniform_proposal(), blocked)
    random = seeded_state(seed, "test")
    return Chain(built, temperature_k, fugacity_pa, settings, random)


def fill(chain, guests):
    """Insert until the box holds so many, at a very high activity."""
    chain.conditions = chain.conditions._replace(log_activity=20.0)
    for _ in range(20_000):
        if chain.state.number[0] >= guests:
            return chain
        chain.run(1, 1)
    raise AssertionError(f"only {chain.state.number[0]} guests went in")


def copy_into(chain, other):
    """Give a chain the configuration of another; structure factors stay to be computed."""
    for name in ("number", "centres", "quaternions", "offsets", "host"):
        getattr(chain.state, name)[...] = getattr(other.state, name)
    return chain


def without_interaction(table):
    """The table with every well depth zero."""
    return replace(table, epsilon_kj_per_mol=np.zeros_like(table.epsilon_kj_per_mol))


def table_of_zeros(sites):
    """A guest-guest table that does nothing."""
    return GuestPairTable(np.zeros((sites, sites)), np.ones((sites, sites)), "none")


def swap_only(chain, guests):
    """Insert so many guests at once, whatever the chain's own moves are."""
    usual = chain.conditions
    chain.conditions = usual._replace(thresholds=np.ones(4))
    fill(chain, guests)
    chain.conditions = usual


@pytest.fixture(scope="session")
def gcmc():
    """The helpers above, for test modules that pytest loads by path."""

    class Helpers:
        pass

    found = Helpers()
    found.box_host, found.empty_box, found.short_chain = box_host, empty_box, short_chain
    found.without_interaction, found.table_of_zeros = without_interaction, table_of_zeros
    found.swap_only, found.replace = swap_only, replace
    found.plain = plain
    found.fill, found.copy_into = fill, copy_into
    found.settings = ClassicalSettings
    return found
