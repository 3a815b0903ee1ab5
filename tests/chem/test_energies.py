from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad

from chem import ewald
from chem.energies import ClassicalModel, ClassicalSettings, core_radii_angstrom
from chem.kernels import screened_coulomb
from chem.pair_potential import TRUNCATIONS
from chem.rotations import rotation_matrices
from chem.tails import tail_energy_kj_per_mol
from data.constants import COULOMB_KJ_ANGSTROM_PER_MOL_E2, GAS_CONSTANT_KJ_PER_MOL_K
from data.errors import NetChargeError, SettingsError

HBAR2_OVER_24_KB = 48.5087341642 / 24.0
"""hbar^2 / (24 u k_B) in K angstrom^2 for a guest of 1 g/mol, from CODATA 2018."""
CUTOFF = 9.5  # beyond every width of the triclinic test cell: images count


@pytest.mark.parametrize("charged", [False, True])
@pytest.mark.parametrize("lj", TRUNCATIONS)
@pytest.mark.parametrize("kelvin", [None, 60.0])
def test_agrees_with_the_double_loop(systems, twin, charged, lj, kelvin):
    host, guest, pairs = systems.triclinic(charged)
    settings = ClassicalSettings(CUTOFF, lj, feynman_hibbs_k=kelvin)
    model = ClassicalModel(host, guest, pairs, settings)
    alpha, k_cutoff = ewald.choose_parameters(CUTOFF, 1e-6) if charged else (None, 0.0)
    quantum = HBAR2_OVER_24_KB / kelvin if kelvin else 0.0
    for x, q, energy in zip(*systems.free(model, 6), strict=True):
        expected = twin.energy(host, guest, pairs, x, q, CUTOFF, lj, alpha, k_cutoff, quantum)
        assert energy == pytest.approx(expected, rel=1e-10, abs=1e-9)


def test_agrees_with_the_double_loop_at_another_alpha(systems, twin):
    """The total does not depend on how Ewald splits it."""
    host, guest, pairs = systems.triclinic()
    settings = ClassicalSettings(CUTOFF, ewald_precision=1e-6)
    model = ClassicalModel(host, guest, pairs, settings)
    neutral = replace(pairs, guest_charges_e=np.zeros(3))
    dispersion = ClassicalModel(host, guest, neutral, settings)
    for x, q, energy in zip(*systems.free(model, 4), strict=True):
        coulomb = energy - dispersion.energies(x[None], q[None])[0][0]
        no_lj = replace(pairs, epsilon_kj_per_mol=np.zeros((3, 7)))
        expected = twin.energy(host, guest, no_lj, x, q, 10.0, alpha=0.6, k_cutoff=7.0)
        assert coulomb == pytest.approx(expected, abs=1e-3)


def test_overlaps_are_those_of_the_double_loop(systems, twin):
    host, guest, pairs = systems.triclinic(charged=False)
    model = ClassicalModel(host, guest, pairs, ClassicalSettings(CUTOFF), core_energy_k=3e3)
    fractional, quaternions = systems.insertions(60)
    energy, overlap = model.energies(fractional, quaternions)
    assert 5 < overlap.sum() < 55
    assert np.array_equal(overlap, np.isposinf(energy))
    for x, q, flag in zip(fractional, quaternions, overlap, strict=True):
        sites = twin.site_positions(host.lattice_angstrom, guest.positions_angstrom, x, q)
        assert flag == (twin.closest_over_core(host, sites, model.core_radii_angstrom) < 1.0)


def test_nothing_below_the_core_energy_is_cut(systems, twin):
    """Without a core (absurd core energy) every flagged insertion has a huge pair energy."""
    host, guest, pairs = systems.triclinic(charged=False)
    settings = ClassicalSettings(CUTOFF)
    normal = ClassicalModel(host, guest, pairs, settings, core_energy_k=1e5)
    bare = ClassicalModel(host, guest, pairs, settings, core_energy_k=1e30)
    fractional, quaternions = systems.insertions(2000)
    overlap = normal.energies(fractional, quaternions)[1]
    energy = bare.energies(fractional, quaternions)[0]
    assert energy[overlap].min() > 0.95e5 * GAS_CONSTANT_KJ_PER_MOL_K
    kept = normal.energies(fractional, quaternions)[0][~overlap]
    assert np.array_equal(kept, energy[~overlap])


@pytest.mark.parametrize(
    ("lj", "kelvin"), [("truncated", None), ("shifted", 80.0), ("force-shifted", None)]
)
def test_site_forces_are_numeric_gradients(systems, lj, kelvin):
    host, guest, pairs = systems.triclinic()
    settings = ClassicalSettings(CUTOFF, lj, feynman_hibbs_k=kelvin)
    model = ClassicalModel(host, guest, pairs, settings)
    x, q, energy = systems.free(model, 6)
    energy_too, overlap, forces = model.energies_and_forces(x, q)
    assert not overlap.any()
    assert energy_too == pytest.approx(energy, rel=1e-12)
    step = 1e-5
    turns = rotation_matrices(q)
    for site in range(3):
        for axis in range(3):
            for b in range(len(x)):
                sides = []
                for sign in (1.0, -1.0):
                    body = guest.positions_angstrom.copy()
                    body[site] += sign * step * turns[b].T[:, axis]
                    moved = ClassicalModel(
                        host, replace(guest, positions_angstrom=body), pairs, settings
                    )
                    sides.append(moved.energies(x[b : b + 1], q[b : b + 1])[0][0])
                numeric = -(sides[0] - sides[1]) / (2.0 * step)
                scale = 1.0 + np.abs(forces[b]).max()
                # The truncated energy jumps by up to 0.05 when a pair crosses the cutoff.
                assert forces[b, site, axis] == pytest.approx(numeric, abs=2e-6 * scale)


def test_total_force_is_the_gradient_by_the_origin(systems):
    host, guest, pairs = systems.triclinic()
    model = ClassicalModel(host, guest, pairs, ClassicalSettings(CUTOFF, "shifted"))
    x, q, _ = systems.free(model, 5)
    forces = model.energies_and_forces(x, q)[2]
    step = 1e-5
    for axis in range(3):
        shift = step * np.linalg.inv(host.lattice_angstrom)[axis]
        rise = model.energies(x + shift, q)[0] - model.energies(x - shift, q)[0]
        numeric = -rise / (2.0 * step)
        assert forces.sum(axis=1)[:, axis] == pytest.approx(numeric, rel=1e-5, abs=1e-5)


def test_forces_are_zero_where_overlapping(systems):
    host, guest, pairs = systems.triclinic()
    model = ClassicalModel(host, guest, pairs, ClassicalSettings(CUTOFF))
    energy, overlap, forces = model.energies_and_forces(*systems.insertions(50))
    assert overlap.any()
    assert np.all(forces[overlap] == 0.0)
    assert np.all(np.isfinite(forces))
    assert np.array_equal(np.isposinf(energy), overlap)


def test_tightening_ewald_changes_little(systems):
    host, guest, pairs = systems.triclinic()
    models = [
        ClassicalModel(host, guest, pairs, ClassicalSettings(12.0, ewald_precision=p))
        for p in (1e-6, 1e-8)
    ]
    x, q, energy = systems.free(models[0], 100)
    assert np.abs(models[1].energies(x, q)[0] - energy).max() < 1e-3


def test_madelung_constant_of_rock_salt(systems):
    """A unit charge next to a sodium site: 1/d minus the Madelung potential 1.747564594633/(a/2).

    The second guest charge sits at the centre of an eighth of the cell, where the potential
    vanishes by symmetry.
    """
    a, near = 5.64, 0.05
    corners = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]) / 2.0
    fractional = np.concatenate([corners, corners + np.array([0.5, 0.0, 0.0])])
    host = systems.host(np.eye(3) * a, fractional, [1.0] * 4 + [-1.0] * 4)
    guest = systems.guest([[near, 0.0, 0.0], [a / 4, a / 4, a / 4]], [1.0, -1.0])
    pairs = systems.pairs(host, guest, 0.0, 1.0)
    expected = 1.0 / near - 1.7475645946331822 / (a / 2)
    for cutoff in (6.0, 12.0):
        model = ClassicalModel(host, guest, pairs, ClassicalSettings(cutoff, ewald_precision=1e-8))
        energy, overlap = model.energies(np.zeros((1, 3)), np.array([[1.0, 0, 0, 0]]))
        assert not overlap[0]
        ratio = energy[0] / COULOMB_KJ_ANGSTROM_PER_MOL_E2
        assert ratio == pytest.approx(expected, abs=2e-6)


def test_screened_pair_is_erfc_over_r_at_every_distance():
    from scipy.special import erfc

    cutoff = 12.0
    alpha, _ = ewald.choose_parameters(cutoff, 1e-6)
    polynomial = ewald.screening_polynomial(alpha, cutoff)
    r = np.geomspace(1e-3, cutoff, 4000)
    values = np.array([screened_coulomb(one**2, 2 / cutoff**2, polynomial) for one in r])
    exact = erfc(alpha * r) / r
    gauss = 2.0 * alpha / np.sqrt(np.pi) * np.exp(-((alpha * r) ** 2))
    slope = -(exact + gauss) / (2.0 * r**2)
    assert np.abs(values[:, 0] - exact).max() < 1e-11
    assert np.abs((values[:, 0] / exact - 1.0)[r < 10.0]).max() < 1e-7
    assert np.abs((values[:, 1] / slope - 1.0)[r < 10.0]).max() < 1e-7


@pytest.mark.parametrize("kelvin", [None, 20.0])
def test_tail_is_the_integral_beyond_the_cutoff(systems, twin, kelvin):
    host, guest, pairs = systems.triclinic(charged=False)
    plain = ClassicalModel(host, guest, pairs, ClassicalSettings(CUTOFF, feynman_hibbs_k=kelvin))
    settings = ClassicalSettings(CUTOFF, tail_correction=True, feynman_hibbs_k=kelvin)
    with_tail = ClassicalModel(host, guest, pairs, settings)
    quantum = HBAR2_OVER_24_KB / kelvin if kelvin else 0.0
    expected = 0.0
    for eps, sigma in zip(pairs.epsilon_kj_per_mol.flat, pairs.sigma_angstrom.flat, strict=True):
        value, _ = quad(
            lambda r, e=eps, s=sigma: twin.pair_energy(r, e, s, quantum)[0] * 4 * np.pi * r**2,
            CUTOFF,
            np.inf,
        )
        expected += value / host.volume_angstrom3
    assert with_tail.tail_energy_kj_per_mol == pytest.approx(expected, rel=1e-7)
    assert plain.tail_energy_kj_per_mol == 0.0
    x, q, energy = systems.free(plain, 10)
    assert with_tail.energies(x, q)[0] - energy == pytest.approx(np.full(10, expected), rel=1e-7)
    assert np.isposinf(with_tail.energies(*systems.insertions(50))[0]).any()


def test_tail_closes_the_gap_to_a_larger_cutoff(systems):
    """With the tail, a dense host's mean energy hardly depends on the cutoff."""
    host, guest, pairs = systems.triclinic(charged=False)
    means = {}
    for cutoff in (8.0, 25.0):
        for tail in (False, True):
            model = ClassicalModel(
                host, guest, pairs, ClassicalSettings(cutoff, tail_correction=tail)
            )
            means[cutoff, tail] = systems.free(model, 200)[2].mean()
    gap = abs(means[8.0, False] - means[25.0, True])
    assert abs(means[8.0, True] - means[25.0, True]) < 0.05 * gap
    assert tail_energy_kj_per_mol(np.ones((1, 1)), np.ones((1, 1)), 9.0, 100.0) < 0.0


def test_core_radius_is_where_the_pair_reaches_the_core_energy(systems):
    epsilon = np.array([[0.5, 0.0, 2.0], [1e-6, 1.0, 0.3]])
    sigma = np.array([[3.0, 3.0, 2.5], [3.0, 0.0, 4.0]])
    radii = core_radii_angstrom(epsilon, sigma, 1e5)
    live = radii > 0.0
    assert np.array_equal(live, (epsilon > 0.0) & (sigma > 0.0))
    x6 = (sigma[live] / radii[live]) ** 6
    pair = 4.0 * epsilon[live] * (x6**2 - x6)
    assert pair == pytest.approx(np.full(live.sum(), 1e5 * GAS_CONSTANT_KJ_PER_MOL_K))


def test_extra_core_radii_only_shrink_the_core(systems):
    host, guest, pairs = systems.triclinic()
    own = ClassicalModel(host, guest, pairs).core_radii_angstrom
    for extra in (0.0, 1.0, 99.0):
        capped = ClassicalModel(
            host, guest, pairs, extra_core_radii_angstrom=np.full((3, 7), extra)
        )
        assert np.array_equal(capped.core_radii_angstrom, np.minimum(own, extra))
    with pytest.raises(SettingsError, match="core radii"):
        ClassicalModel(host, guest, pairs, extra_core_radii_angstrom=np.ones((7, 3)))


@pytest.mark.parametrize("sites", [1, 20])
def test_host_without_interactions_gives_exactly_zero(systems, sites):
    rng = np.random.default_rng(0)
    host = systems.host(systems.TRICLINIC, rng.random((5, 3)))
    guest = systems.guest(rng.standard_normal((sites, 3)))
    model = ClassicalModel(host, guest, systems.pairs(host, guest, 0.0, 3.0))
    energy, overlap, forces = model.energies_and_forces(*systems.insertions(100))
    assert np.all(energy == 0.0)
    assert not overlap.any()
    assert np.all(forces == 0.0)


def test_zero_beyond_the_cutoff(systems):
    host = systems.host(np.eye(3) * 30.0, [[0.5, 0.5, 0.5]])
    guest = systems.guest([[0.0, 0.0, 0.0]])
    model = ClassicalModel(
        host, guest, systems.pairs(host, guest, 100.0, 3.5), ClassicalSettings(8.0)
    )
    q = np.array([[1.0, 0.0, 0.0, 0.0]] * 2)
    energy, _ = model.energies(np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5 + 7.99 / 30]]), q)
    assert energy[0] == 0.0
    assert energy[1] < 0.0


def test_many_sites_and_every_atom_of_its_own_type(systems, twin):
    rng = np.random.default_rng(5)
    host = systems.host(systems.TRICLINIC, rng.random((12, 3)))
    guest = systems.guest(rng.standard_normal((15, 3)))
    pairs = systems.pairs(
        host, guest, rng.uniform(5, 50, (15, 12)), rng.uniform(1.0, 2.0, (15, 12))
    )
    model = ClassicalModel(host, guest, pairs, ClassicalSettings(6.0))
    for x, q, energy in zip(*systems.free(model, 3), strict=True):
        assert energy == pytest.approx(twin.energy(host, guest, pairs, x, q, 6.0), rel=1e-10)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cutoff_angstrom": 0.0}, "cutoff"),
        ({"cutoff_angstrom": float("nan")}, "cutoff"),
        ({"lj": "smooth"}, "truncated"),
        ({"lj": "shifted", "tail_correction": True}, "tail"),
        ({"lj": "force-shifted", "tail_correction": True}, "tail"),
        ({"feynman_hibbs_k": 0.0}, "feynman_hibbs_k"),
        ({"feynman_hibbs_k": float("inf")}, "feynman_hibbs_k"),
        ({"ewald_precision": 1e-12}, "ewald_precision"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(SettingsError, match=message):
        ClassicalSettings(**settings)


def test_impossible_systems_are_refused(systems):
    host, guest, pairs = systems.triclinic()
    with pytest.raises(NetChargeError, match="host made-up"):
        ClassicalModel(host, guest, replace(pairs, host_charges_e=np.full(7, 0.1)))
    with pytest.raises(NetChargeError, match="guest made-up"):
        ClassicalModel(host, guest, replace(pairs, guest_charges_e=np.array([0.1, 0.0, 0.0])))
    with pytest.raises(SettingsError, match="pair table"):
        ClassicalModel(host, systems.guest([[0.0, 0.0, 0.0]]), pairs)
    with pytest.raises(SettingsError, match="core_energy_k"):
        ClassicalModel(host, guest, pairs, core_energy_k=0.0)
