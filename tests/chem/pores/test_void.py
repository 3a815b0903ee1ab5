"""Void fractions: closed forms, a published kind of value, and errors that mean something."""

import numpy as np
import pytest

from chem.energies import ClassicalModel
from chem.force_fields import load_force_field
from chem.guests import load_guest
from chem.hosts import load_host
from chem.mixing import mix_pairs
from chem.pores.void import helium_void_fraction, probe_volume
from data.constants import GAS_CONSTANT_KJ_PER_MOL_K
from data.errors import SettingsError


def _close(estimate, expected, floor=1e-6):
    return abs(estimate.mean - expected) < 5.0 * max(estimate.standard_error, floor)


class Field:
    """An energy that depends on where the (first) site is."""

    hash = "field"

    def __init__(self, systems, edge, energy, body=((0.0, 0.0, 0.0),)):
        self.host = systems.host(edge * np.eye(3), [[0.0, 0.0, 0.0]])
        self.guest = systems.guest(body)
        self.pairs = systems.pairs(self.host, self.guest, 1.0, 3.0)
        self.settings, self._edge, self._energy = None, edge, energy

    def energies(self, fractional, quaternions):
        from chem.rotations import rotate_sites

        sites = rotate_sites(quaternions, self.guest.positions_angstrom)
        energy = self._energy((fractional - 0.5) * self._edge, sites)
        return energy, np.isposinf(energy)


def test_empty_cell_and_hard_sphere(systems):
    radius, edge = 3.0, 9.0

    def hard(place, sites):
        return np.where(np.linalg.norm(place, axis=1) < radius, np.inf, 0.0)

    assert helium_void_fraction(Field(systems, edge, lambda p, s: np.zeros(len(p)))).mean == 1.0
    found = helium_void_fraction(Field(systems, edge, hard))
    assert _close(found, 1.0 - 4.0 / 3.0 * np.pi * radius**3 / edge**3)
    assert 0.0 < found.standard_error < 5e-4


def test_soft_walled_sphere(systems):
    """U = kT (1/d^3 - 1/R^3) at a distance d from the wall of a sphere: against quadrature."""
    from scipy.integrate import quad

    temperature, radius, edge = 250.0, 3.0, 9.0
    kt = GAS_CONSTANT_KJ_PER_MOL_K * temperature

    def soft(place, sites):
        gap = radius - np.linalg.norm(place, axis=1)
        inside = np.where(gap > 0.0, gap, 1.0)
        return np.where(gap > 0.0, kt * (inside**-3 - radius**-3), np.inf)

    def shell(gap):
        return 4.0 * np.pi * (radius - gap) ** 2 * np.exp(radius**-3 - gap**-3)

    expected = quad(shell, 1e-3, radius)[0] / edge**3
    assert expected == pytest.approx(0.03764, rel=4e-3)  # as the tutorials of FEASST print it
    found = helium_void_fraction(Field(systems, edge, soft), temperature)
    assert _close(found, expected)


def test_orientations_are_averaged(systems):
    """A dipole in a field: sinh(x)/x."""
    strength, kt = 2.0, GAS_CONSTANT_KJ_PER_MOL_K * 298.0

    def aligned(place, sites):
        return -strength * kt * (sites[:, 0, 2] - sites[:, 1, 2]) / 2.0

    body = ((0.6, 0.8, 0.0), (-0.6, -0.8, 0.0))
    found = helium_void_fraction(Field(systems, 5.0, aligned, body))
    assert _close(found, np.sinh(strength) / strength)


def test_helium_in_a_zeolite_against_a_plain_grid():
    host = load_host("LTA_SI")
    force_field = load_force_field("TraPPE-zeo")
    helium = load_guest("He", force_field)
    model = ClassicalModel(host, helium, mix_pairs(host, helium, force_field, charges="none"))
    found = helium_void_fraction(model, samples=1 << 16)
    n = 40
    nodes = (np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing="ij"), -1).reshape(-1, 3) + 0.3) / n
    energy = model.energies(nodes, np.tile([1.0, 0.0, 0.0, 0.0], (len(nodes), 1)))[0]
    plain = np.exp(-energy / (GAS_CONSTANT_KJ_PER_MOL_K * 298.0)).mean()
    assert found.mean == pytest.approx(plain, rel=5e-3)
    assert 0.4 < found.mean < 0.7
    again = helium_void_fraction(model, samples=1 << 16)
    assert (again.mean, again.standard_error) == (found.mean, found.standard_error)


def test_the_error_is_the_spread_of_repeats(systems):
    def hard(place, sites):
        return np.where(np.linalg.norm(place, axis=1) < 3.0, np.inf, 0.0)

    model = Field(systems, 9.0, hard)
    repeats = [helium_void_fraction(model, samples=1 << 11, seed=s) for s in range(30)]
    spread = np.std([r.mean for r in repeats], ddof=1)
    claimed = np.sqrt(np.mean([r.standard_error**2 for r in repeats]))
    assert 0.6 < spread / claimed < 1.6


def test_probe_volume_of_a_lattice_of_spheres(systems):
    edge, radius, probe = 10.0, 2.0, 1.0
    found = probe_volume(systems.host(edge * np.eye(3), [[0.0, 0.0, 0.0]]), probe, radius)
    expected = 1.0 - 4.0 / 3.0 * np.pi * (radius + probe) ** 3 / edge**3
    assert _close(found.accessible, expected)
    assert found.inaccessible.mean == 0.0


def test_closed_cages_are_not_accessible(systems):
    """Spheres that leave only the cage centre: the probe fits, and gets nowhere."""
    edge = 8.0
    host = systems.host(edge * np.eye(3), [[0.0, 0.0, 0.0]])
    found = probe_volume(host, 0.2, 6.0)
    assert found.accessible.mean == 0.0
    assert found.inaccessible.mean > 0.0
    point = probe_volume(host, 0.0, 0.5 * edge)
    assert _close(point.accessible, 1.0 - np.pi / 6.0)


def test_sodalite_cages_of_lta():
    found = probe_volume(load_host("LTA_SI"), 1.6, 1.35)
    assert found.accessible.mean > 0.1
    assert found.inaccessible.mean > 0.005
    assert probe_volume(load_host("LTA_SI"), 0.5, 1.35).inaccessible.mean < 0.001


def test_senseless_settings_are_refused(systems):
    model = Field(systems, 5.0, lambda p, s: np.zeros(len(p)))
    for settings in ({"temperature_k": -1.0}, {"replicates": 1}, {"samples": 3}):
        with pytest.raises(SettingsError):
            helium_void_fraction(model, **settings)
    with pytest.raises(SettingsError, match="probe"):
        probe_volume(model.host, -0.1)
