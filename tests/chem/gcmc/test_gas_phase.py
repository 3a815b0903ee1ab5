"""Peng-Robinson: thermodynamic identities, limits, RASPA3's own implementation."""

import numpy as np
import pytest
from scipy.integrate import quad

from chem.gcmc.gas_phase import (
    CRITICAL_CONSTANTS,
    CriticalConstants,
    compressibility_factors,
    critical_constants,
    fugacity_coefficient,
    gas_density_mol_per_m3,
)
from chem.guests import bundled_guests, load_guest
from data.errors import SettingsError

CO2 = CRITICAL_CONSTANTS["CO2"]
R = 8.314462618


def test_fugacity_coefficient_is_the_integral_of_compressibility():
    """ln phi = int_0^p (Z - 1)/p dp, for the one-phase gas."""

    def integrand(p):
        return (compressibility_factors(CO2, 320.0, p)[0][-1] - 1.0) / p

    integral = quad(integrand, 1e-3, 6e6, limit=200)[0]
    assert np.log(fugacity_coefficient(CO2, 320.0, 6e6)) == pytest.approx(integral, rel=1e-6)


def test_low_pressure_is_ideal_and_the_first_correction_is_the_second_virial_coefficient():
    assert fugacity_coefficient(CO2, 300.0, 1.0) == pytest.approx(1.0, abs=1e-6)
    w, t = CO2.acentric_factor, 300.0
    k = 0.37464 + 1.54226 * w - 0.26992 * w * w
    alpha = (1.0 + k * (1.0 - np.sqrt(t / CO2.temperature_k))) ** 2
    a = 0.45724 * alpha * (R * CO2.temperature_k) ** 2 / CO2.pressure_pa
    b = 0.07780 * R * CO2.temperature_k / CO2.pressure_pa
    slope = (b - a / (R * t)) / (R * t)
    assert np.log(fugacity_coefficient(CO2, t, 100.0)) / 100.0 == pytest.approx(slope, rel=1e-3)


def test_compressed_carbon_dioxide_becomes_liquid():
    """At 280 K it condenses near 4.2 MPa; density jumps there, fugacity does not."""
    densities = [gas_density_mol_per_m3(CO2, 280.0, p) for p in (3.5e6, 5e6)]
    assert densities[1] > 4.0 * densities[0]
    pressures = np.linspace(3.5e6, 5e6, 300)
    fugacities = [p * fugacity_coefficient(CO2, 280.0, p) for p in pressures]
    assert np.abs(np.diff(fugacities)).max() < 1.2e4
    assert (np.diff(fugacities) > 0).all()


@pytest.mark.parametrize("name", bundled_guests())
def test_every_bundled_guest_has_critical_constants(name):
    gas = critical_constants(load_guest(name))
    assert 0.9 < fugacity_coefficient(gas, 2.0 * gas.temperature_k, 0.1 * gas.pressure_pa) < 1.05


def test_unknown_guest_says_what_to_do(gcmc):
    guest = gcmc.replace(load_guest("CO2"), atom_elements=("Xe", "F", "F"), name="XeF2")
    with pytest.raises(SettingsError, match=r"XeF2.*fugacity coefficient"):
        critical_constants(guest)
    with pytest.raises(SettingsError, match="positive"):
        CriticalConstants(0.0, 1.0, 0.0, "")


def test_agrees_with_raspa3(monkeypatch):
    monkeypatch.setenv("RASPALIB_QUIET", "1")
    raspalib = pytest.importorskip("raspalib")
    state = raspalib.EquationOfState
    for formula in ("CO2", "CH4", "N2", "H2"):
        gas = CRITICAL_CONSTANTS[formula]
        fluid = state.FluidInput(gas.temperature_k, gas.pressure_pa, gas.acentric_factor)
        for pressure in (1e4, 1e6, 2e7):
            result = state.compute_fluid_properties(
                310.0,
                pressure,
                [fluid],
                state.EquationOfStateType.PENG_ROBINSON,
                state.MixingRules.VAN_DER_WAALS,
            )
            ours = fugacity_coefficient(gas, 310.0, pressure)
            assert ours == pytest.approx(result[0].fugacity_coefficient, rel=2e-5)
