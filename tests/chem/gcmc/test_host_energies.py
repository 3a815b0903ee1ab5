"""The host's part inside the chain: the model's own energies, direct and from grids."""

import numpy as np
import pytest

from chem.energies import ClassicalModel
from chem.force_fields import load_force_field
from chem.gcmc import GcmcSettings, mix_guests, run_isotherm
from chem.gcmc.build import build_model
from chem.grids import build_grid_model
from chem.guests import load_guest
from chem.hosts import load_host
from chem.mixing import mix_pairs
from chem.proposal import uniform_proposal
from data.errors import SettingsError


@pytest.fixture(scope="module")
def system(gcmc):
    """CO2 in charged CALF-20 (monoclinic), direct and on coarse grids, and its guest table."""
    host, guest, ff = load_host("CALF-20"), load_guest("CO2"), load_force_field("UFF")
    direct = ClassicalModel(host, guest, mix_pairs(host, guest, ff), gcmc.settings(10.0, "shifted"))
    grids = build_grid_model(direct, temperatures_k=(300.0,), bias_target=0.01)
    return direct, grids, mix_guests(guest, ff)


@pytest.mark.parametrize("which", [0, 1])
def test_each_guest_carries_the_energy_the_model_gives_it(system, gcmc, which):
    model, table = system[which], system[2]
    chain = gcmc.fill(gcmc.short_chain(model, table, 1e5), 12)
    chain.conditions = chain.conditions._replace(log_activity=2.0)
    chain.run(20, 20)
    number = chain.state.number[0]
    centres = chain.state.centres[:, :number].T * chain.model.box.repeats
    energies, overlap = model.energies(centres, chain.state.quaternions[:, :number].T)
    assert number > 5
    assert not overlap.any()
    assert chain.state.host[:number] == pytest.approx(energies, rel=1e-5, abs=1e-5)
    assert abs(chain.energy_drift()[1]) < 1e-8


def test_grids_and_direct_sums_give_one_loading(system):
    settings = GcmcSettings(initialisation_cycles=300, production_cycles=5_000)
    one, two = (
        run_isotherm(model, system[2], 300.0, [1e4], settings, seed=seed)[0].mol_per_kg
        for seed, model in enumerate(system[:2])
    )
    assert max(one.relative_standard_error, two.relative_standard_error) < 0.05
    assert abs(one.mean - two.mean) < 3.0 * np.hypot(one.standard_error, two.standard_error)


def test_a_model_without_arrays_is_refused(system):
    class Other:
        host, guest, pairs, settings = (
            getattr(system[0], n) for n in ("host", "guest", "pairs", "settings")
        )

    with pytest.raises(SettingsError, match="Other cannot be used inside a chain"):
        build_model(Other(), system[2], 300.0, GcmcSettings(), uniform_proposal())
