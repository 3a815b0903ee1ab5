"""Units of the Henry coefficient: constant factors, a printed example and an exact limit."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chem.estimator import henry_prefactor
from chem.henry_units import (
    UNITS,
    HenryContext,
    cm3_stp_per_cm3_bar,
    cm3_stp_per_g_bar,
    dimensionless,
    every_unit,
    mg_per_g_bar,
    molecules_per_cell_pa,
    per_bar,
)
from chem.hosts import host_density_kg_per_m3, host_mass_kg, load_host
from data.constants import STP_CM3_PER_MOL
from data.errors import SettingsError

positive = st.floats(1e-3, 1e4)


@given(
    henry=st.floats(1e-12, 1e3),
    unit=st.sampled_from(sorted(UNITS)),
    context=st.builds(HenryContext, positive, positive, positive, st.floats(1e-27, 1e-20)),
)
def test_each_unit_is_a_constant_factor(henry, unit, context):
    there = every_unit(henry, context)[unit]
    factor = every_unit(1.0, context)[unit]
    assert there / factor == pytest.approx(henry, rel=1e-12)
    assert every_unit(2.0 * henry, context)[unit] == pytest.approx(2.0 * there, rel=1e-12)


def test_molecules_per_cell_as_printed():
    """RASPA3's example, CH4 in MFI at 300 K: 3.526013e-5 molecules/(cell Pa) and 6.113e-6."""
    host = load_host("MFI_SI", primitive=False)
    assert len(host.elements) == 288
    assert molecules_per_cell_pa(6.113e-6, host_mass_kg(host)) == pytest.approx(
        3.526013e-5, rel=2e-4
    )


def test_per_mass_units_by_hand():
    """2.43 mol/(kg bar) is 2.43 x 22.41397 cm3(STP) and 2.43 x 44.009 mg a gram and bar."""
    henry = 2.43e-5
    assert per_bar(henry) == pytest.approx(2.43)
    assert cm3_stp_per_g_bar(henry) == pytest.approx(54.47, abs=0.01)
    assert mg_per_g_bar(henry, 44.009) == pytest.approx(106.94, abs=0.01)


def test_molar_volume_at_stp():
    """CODATA 2018: 22.413 969 54 l/mol at 273.15 K and 101 325 Pa."""
    assert pytest.approx(22413.96954, rel=1e-9) == STP_CM3_PER_MOL


def test_an_empty_box_is_one():
    density, temperature = 1234.5, 310.0
    henry = henry_prefactor(density, temperature)  # <W> = 1
    assert dimensionless(henry, density, temperature) == pytest.approx(1.0, rel=1e-14)
    # A volume of empty box at 1 bar holds p/(RT), in STP volumes (273.15/T)(1 bar/1 atm).
    expected = 273.15 / temperature * 1e5 / 101325.0
    assert cm3_stp_per_cm3_bar(henry, density) == pytest.approx(expected, rel=1e-12)


def test_per_volume_over_per_mass_is_the_density():
    host = load_host("CALF-20")
    density = host_density_kg_per_m3(host)
    ratio = cm3_stp_per_cm3_bar(1e-5, density) / cm3_stp_per_g_bar(1e-5)
    assert ratio == pytest.approx(density / 1e3, rel=1e-12)
    context = HenryContext(298.15, density, 44.0, host_mass_kg(host))
    every = every_unit(1e-5, context)
    assert list(every) == list(UNITS)
    assert every["cm3(STP)/(cm3 bar)"] / every["cm3(STP)/(g bar)"] == pytest.approx(ratio)
    # Molecules per cell from the same density: N/V times the cell's volume.
    per_volume = every["dimensionless"] / (1.380649e-23 * 298.15)
    expected = per_volume * host.volume_angstrom3 * 1e-30
    assert every["molecules/(cell Pa)"] == pytest.approx(expected, rel=1e-9)


def test_what_is_unknown_stays_unknown():
    context = HenryContext(298.15, 1000.0, math.nan, 1e-24)
    every = every_unit(1.0, context)
    assert np.isnan(every["mg/(g bar)"])
    assert np.isfinite(every["mol/(kg bar)"])


def test_wrong_input():
    with pytest.raises(SettingsError, match="density_kg_per_m3"):
        HenryContext(298.15, 0.0, 44.0, 1e-24)
