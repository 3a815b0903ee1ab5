import numpy as np
import pytest

from chem.descriptions import (
    DEBYE_PER_E_ANGSTROM,
    dipole_debye,
    formula,
    quadrupole_debye_angstrom,
    space_group,
)
from chem.guests import load_guest
from chem.hosts import load_host


def test_unit_of_the_moments():
    """1 e angstrom = 4.80320471 D (CODATA 2018)."""
    assert abs(DEBYE_PER_E_ANGSTROM / 4.80320471 - 1.0) < 1e-8


def test_moments_of_made_up_charges(systems):
    pair = systems.guest([[0.0, 0.3, 0.0], [0.0, 0.0, 0.4]], [0.5, -0.5])
    assert dipole_debye(pair) == pytest.approx(0.25 * DEBYE_PER_E_ANGSTROM)
    line = systems.guest([[0.6, 0.8, 0.0], [0.0, 0.0, 0.0], [-0.6, -0.8, 0.0]], [1.0, -2.0, 1.0])
    expected = np.array([-1.0, -1.0, 2.0]) * DEBYE_PER_E_ANGSTROM
    assert dipole_debye(line) == pytest.approx(0.0, abs=1e-12)
    assert quadrupole_debye_angstrom(line) == pytest.approx(expected)


def test_quadrupole_is_traceless():
    for name in ("H2O", "NH3", "SO2", "H2S", "CO"):
        values = quadrupole_debye_angstrom(load_guest(name))
        assert values.sum() == pytest.approx(0.0, abs=1e-12)
        assert values[0] < 0.0 < values[2]


@pytest.mark.parametrize(
    ("name", "unit", "group"),
    [
        ("IRMOF-1", "C24H12O13Zn4 x 2", "Fm-3m (225)"),
        ("SOD", "O2Si x 6", "Im-3m (229)"),
        ("MFI_SI", "O2Si x 96", "Pnma (62)"),
        ("Mg-MOF-74", "C4HMgO3 x 6", "R-3 (148)"),
    ],
)
def test_formulas_and_space_groups_of_known_hosts(name, unit, group):
    host = load_host(name)
    assert formula(host) == unit
    assert space_group(host) == group
