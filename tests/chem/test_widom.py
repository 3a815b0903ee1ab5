"""The classical Henry coefficient in one call: invariances, fall-backs, what it rests on."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from chem.cells import replicate
from chem.energies import ClassicalSettings
from chem.force_fields import load_force_field
from chem.guests import load_guest
from chem.hosts import load_host
from chem.mixing import mix_pairs
from chem.system import System
from chem.widom import WidomSettings, run_widom
from data.errors import SettingsError
from data.records import Host

T = (298.15,)
UFF = load_force_field("UFF")
HALF_PERCENT = WidomSettings(target_error=0.005, seed=1, block_pockets=False)


def system(host: Host, guest: str = "CO2", **settings) -> System:
    molecule = load_guest(guest, UFF)
    return System(host, molecule, mix_pairs(host, molecule, UFF), ClassicalSettings(**settings))


def moved(host: Host, fractional: np.ndarray, lattice: np.ndarray) -> Host:
    return replace(host, fractional=fractional % 1.0, lattice_angstrom=lattice)


def skewed(host: Host) -> Host:
    """The same crystal in a sheared cell: a, a + b, c - b."""
    change = np.array([[1, 0, 0], [1, 1, 0], [0, -1, 1]])
    fractional = host.fractional @ np.linalg.inv(change)
    return moved(host, fractional, change @ host.lattice_angstrom)


def rotated(host: Host) -> Host:
    turn = Rotation.random(rng=np.random.default_rng(3)).as_matrix()
    return moved(host, host.fractional, host.lattice_angstrom @ turn.T)


def permuted(host: Host) -> Host:
    order = np.random.default_rng(4).permutation(len(host.elements))
    return replace(
        host,
        fractional=host.fractional[order],
        elements=tuple(host.elements[k] for k in order),
        labels=tuple(host.labels[k] for k in order),
        charges_e=host.charges_e[order],
    )


SETTINGS = {
    "conventional": lambda: load_host("Mg-MOF-74", primitive=False),
    "replicated": lambda: replicate(load_host("Mg-MOF-74"), (2, 1, 1)),
    "permuted": lambda: permuted(load_host("Mg-MOF-74")),
    "translated": lambda: moved(
        load_host("Mg-MOF-74"),
        load_host("Mg-MOF-74").fractional + np.array([0.137, 0.731, 0.402]),
        load_host("Mg-MOF-74").lattice_angstrom,
    ),
    "rotated": lambda: rotated(load_host("Mg-MOF-74")),
    "skewed": lambda: skewed(load_host("Mg-MOF-74")),
}


@pytest.fixture(scope="module")
def plain():
    return run_widom(system(load_host("Mg-MOF-74")), T, HALF_PERCENT)


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_cell_setting_leaves_the_answer(setting, plain):
    other = run_widom(system(SETTINGS[setting]()), T, HALF_PERCENT)
    errors = np.hypot(plain.relative_standard_error[0], other.relative_standard_error[0])
    ratio = other.henry_mol_per_kg_pa[0] / plain.henry_mol_per_kg_pa[0]
    assert abs(ratio - 1.0) < 3.0 * errors + 5e-4
    heat = other.qst_kj_per_mol[0] - plain.qst_kj_per_mol[0]
    error = np.hypot(plain.qst_standard_error[0], other.qst_standard_error[0])
    assert abs(heat) < 4.0 * error + 0.01


def test_grids_and_direct_sums_give_one_answer(plain):
    direct = run_widom(
        system(load_host("Mg-MOF-74")),
        T,
        replace(HALF_PERCENT, energies="direct", seed=9, target_error=0.01),
    )
    assert direct.grid_check is None
    assert plain.grid_check is not None
    errors = np.hypot(plain.relative_standard_error[0], direct.relative_standard_error[0])
    ratio = direct.henry_mol_per_kg_pa[0] / plain.henry_mol_per_kg_pa[0]
    assert abs(ratio - 1.0) < 3.0 * errors + 5e-4


def test_threads_and_repetition_leave_every_bit(plain):
    for threads in (1, 2):
        again = run_widom(system(load_host("Mg-MOF-74")), T, replace(HALF_PERCENT, threads=threads))
        assert again.henry_mol_per_kg_pa == plain.henry_mol_per_kg_pa
        assert again.qst_kj_per_mol == plain.qst_kj_per_mol


def test_temperatures_follow_van_t_hoff():
    """Qst from one temperature is the slope of ln K_H between its neighbours."""
    kelvin = (290.0, 300.0, 310.0)
    found = run_widom(system(load_host("CALF-20")), kelvin, HALF_PERCENT)
    gas = 8.31446261815324e-3
    logs = np.log(found.henry_mol_per_kg_pa)
    slope = gas * (logs[0] - logs[2]) / (1.0 / kelvin[0] - 1.0 / kelvin[2])
    assert slope == pytest.approx(found.qst_kj_per_mol[1], abs=0.03)
    correlation = found.pooled.relative_covariance
    assert correlation[0, 2] / np.sqrt(correlation[0, 0] * correlation[2, 2]) > 0.9


def test_auto_falls_back_to_direct_sums_and_says_so(monkeypatch):
    import chem.grids

    def refuse(*_, **__):
        raise chem.grids.GridSizeError("the grid would need too many points")

    monkeypatch.setattr(chem.grids, "build_grid_model", refuse)
    host = system(load_host("CALF-20"), "Ar")
    loose = replace(HALF_PERCENT, target_error=0.05)
    found = run_widom(host, T, loose)
    assert found.grid_check is None
    assert "direct sums in place of energy grids: the grid would need" in found.notes[0]
    with pytest.raises(SettingsError, match="too many points"):
        run_widom(host, T, replace(loose, energies="grid"))
