"""Guests: geometry and moments of the models, body frame, RASPA3 and YAML files."""

import json
from itertools import combinations

import numpy as np
import pytest

from chem.force_fields import load_force_field
from chem.guests import bundled_guests, guest_aliases, guest_note, load_guest, require_atoms
from data.errors import GuestError

DEBYE_PER_E_ANGSTROM = 4.80320471


@pytest.mark.parametrize("name", bundled_guests())
def test_every_bundled_guest_is_neutral_centred_and_sourced(name):
    from ase.data import atomic_masses, atomic_numbers

    guest = load_guest(name)
    assert guest.name == name
    assert guest.source.endswith(".")
    assert abs(guest.charges_e.sum()) < 1e-9
    masses = np.array([atomic_masses[atomic_numbers[e]] for e in guest.atom_elements])
    np.testing.assert_allclose(masses @ guest.atom_positions_angstrom, 0.0, atol=1e-9)
    assert guest.molar_mass_g_per_mol == pytest.approx(masses.sum())
    assert np.all(guest.sigma_angstrom > 0.0)
    assert np.all(guest.epsilon_k >= 0.0)
    require_atoms(guest)
    gaps = [np.linalg.norm(a - b) for a, b in combinations(guest.atom_positions_angstrom, 2)]
    assert min(gaps, default=1.0) > 0.7


# Molar masses of the gases (IUPAC 2021) and the site types RASPA users expect.
@pytest.mark.parametrize(
    ("name", "mass", "types"),
    [
        ("CO2", 44.009, {"C_co2", "O_co2"}),
        ("N2", 28.014, {"N_n2", "N_com"}),
        ("CH4", 16.043, {"CH4"}),
        ("H2O", 18.015, {"Ow", "Hw", "Mw"}),
        ("Ar", 39.95, {"Ar"}),
        ("Kr", 83.798, {"Kr"}),
        ("Xe", 131.293, {"Xe"}),
        ("H2", 2.016, {"H2"}),
        ("H2S", 34.076, {"S_h2s", "H_h2s", "M_h2s"}),
        ("CO", 28.010, {"C_co", "O_co", "M_co"}),
        ("Ne", 20.180, {"Ne"}),
        ("NH3", 17.031, {"N_nh3", "H_nh3", "M_nh3"}),
        ("SO2", 64.058, {"S_so2", "O_so2"}),
    ],
)
def test_molar_masses_and_site_names(name, mass, types):
    guest = load_guest(name)
    assert guest.molar_mass_g_per_mol == pytest.approx(mass, abs=3e-3)
    assert set(guest.site_types) == types


# Dipoles in debye as published with the models (water: Vega, Abascal, PCCP 13 (2011) 19663,
# table 1; CO is fitted to the experimental 0.112).
@pytest.mark.parametrize(
    ("name", "dipole", "tolerance"),
    [
        ("H2O", 2.305, 2e-3),
        ("H2O:SPC-E", 2.35, 3e-3),
        ("CO2", 0.0, 1e-9),
        ("N2", 0.0, 1e-9),
        ("CO", 0.112, 1e-3),
    ],
)
def test_dipole_moments(name, dipole, tolerance):
    guest = load_guest(name)
    moment = np.linalg.norm(guest.charges_e @ guest.positions_angstrom) * DEBYE_PER_E_ANGSTROM
    assert moment == pytest.approx(dipole, abs=tolerance)


# Theta_zz = sum q z^2 for linear symmetric molecules, in debye angstrom: TraPPE fitted CO2
# near the experimental -4.3 and N2 near -1.4; Darkrim-Levesque H2 +0.62 (exp. 0.65).
@pytest.mark.parametrize(
    ("name", "quadrupole"), [("CO2", -4.52), ("N2", -1.40), ("H2:Darkrim-Levesque", 0.617)]
)
def test_quadrupole_moments(name, quadrupole):
    guest = load_guest(name)
    theta = guest.charges_e @ guest.positions_angstrom[:, 2] ** 2 * DEBYE_PER_E_ANGSTROM
    assert theta == pytest.approx(quadrupole, abs=0.01)


def test_the_dipole_of_carbon_monoxide_points_to_its_oxygen():
    """C(-)O(+), as in nature."""
    guest = load_guest("CO")
    moment = guest.charges_e @ guest.positions_angstrom
    oxygen = guest.site_types.index("O_co")
    carbon = guest.site_types.index("C_co")
    assert moment @ (guest.positions_angstrom[oxygen] - guest.positions_angstrom[carbon]) > 0.0


# Bond lengths in angstrom and angles in degrees of the models, outer atom - centre - outer atom.
@pytest.mark.parametrize(
    ("name", "centre", "outer", "length", "angle"),
    [
        ("H2O", "Ow", "Hw", 0.9572, 104.52),
        ("H2O:SPC-E", "Ow", "Hw", 1.0, 109.47),
        ("H2S", "S_h2s", "H_h2s", 1.34, 92.0),
        ("SO2", "S_so2", "O_so2", 1.432, 119.3),
        ("NH3", "N_nh3", "H_nh3", 1.012, 106.7),
        ("C3H8", "CH2", "CH3", 1.54, 114.0),
        ("CO2", "C_co2", "O_co2", 1.16, 180.0),
    ],
)
def test_bond_lengths_and_angles(name, centre, outer, length, angle):
    guest = load_guest(name)
    types = np.array(guest.site_types)
    arms = guest.positions_angstrom[types == outer] - guest.positions_angstrom[types == centre]
    np.testing.assert_allclose(np.linalg.norm(arms, axis=1), length, atol=2e-5)
    cosine = arms[0] @ arms[1] / length**2
    assert np.degrees(np.arccos(max(cosine, -1.0))) == pytest.approx(angle, abs=0.01)


@pytest.mark.parametrize(
    ("name", "site", "centre", "distance"),
    [("H2O", "Mw", "Ow", 0.1546), ("H2S", "M_h2s", "S_h2s", 0.3), ("NH3", "M_nh3", "N_nh3", 0.08)],
)
def test_charge_sites_lie_on_the_axis_towards_the_hydrogens(name, site, centre, distance):
    guest = load_guest(name)
    origin = guest.positions_angstrom[guest.site_types.index(centre)]
    arm = guest.positions_angstrom[guest.site_types.index(site)] - origin
    hydrogens = [i for i, e in enumerate(guest.site_elements) if e == "H"]
    axis = (guest.positions_angstrom[hydrogens] - origin).mean(axis=0)
    assert arm @ axis / np.linalg.norm(axis) == pytest.approx(distance, abs=1e-6)
    assert np.linalg.norm(np.cross(arm, axis)) == pytest.approx(0.0, abs=1e-6)


def test_aliases_load_the_same_guest():
    for name, aliases in guest_aliases().items():
        for alias in aliases:
            assert load_guest(alias).name == name
    assert guest_aliases()["H2"] == ("H2:Buch",)
    assert "Feynman-Hibbs" in guest_note("h2:buch")
    assert guest_note("CO2") == ""


def test_plain_names_are_trappe_and_variants_differ():
    assert load_guest("CO2").hash == load_guest("co2:trappe").hash
    assert load_guest("CO2").radius_angstrom == pytest.approx(1.16)
    assert load_guest("CO2:Garcia-Sanchez").radius_angstrom == pytest.approx(1.149)
    assert load_guest("H2O").hash == load_guest("H2O:TIP4P-2005").hash
    assert load_guest("CH4").epsilon_k[0] == 148.0
    assert load_guest("CH4:Dubbeldam").epsilon_k[0] == 158.5


def test_methane_is_a_tetrahedron_around_its_united_atom():
    guest = load_guest("CH4")
    assert guest.atom_elements == ("C", "H", "H", "H", "H")
    arms = guest.atom_positions_angstrom[1:] - guest.atom_positions_angstrom[0]
    np.testing.assert_allclose(np.linalg.norm(arms, axis=1), 1.087, atol=1e-5)
    cosines = arms @ arms.T / 1.087**2
    np.testing.assert_allclose(cosines[np.triu_indices(4, 1)], -1 / 3, atol=1e-5)
    np.testing.assert_allclose(guest.positions_angstrom, 0.0, atol=1e-9)


def test_water_geometry():
    guest = load_guest("H2O")
    oxygen, one, two = guest.atom_positions_angstrom
    a, b = one - oxygen, two - oxygen
    assert np.linalg.norm(a) == pytest.approx(0.9572, abs=1e-5)
    angle = np.degrees(np.arccos(a @ b / (np.linalg.norm(a) * np.linalg.norm(b))))
    assert angle == pytest.approx(104.52, abs=1e-3)


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def test_raspa3_molecule_takes_its_parameters_from_the_force_field(tmp_path):
    molecule = write(
        tmp_path / "CO2.json",
        {
            "CriticalTemperature": 304.1282,
            "Type": "rigid",
            "pseudoAtoms": [
                ["O_co2", [0.0, 0.0, 2.149]],
                ["C_co2", [0.0, 0.0, 1.0]],
                ["O_co2", [0.0, 0.0, -0.149]],
            ],
        },
    )
    guest = load_guest(molecule)
    assert guest.atom_elements == ("O", "C", "O")
    assert np.isnan(guest.epsilon_k).all()
    assert np.isnan(guest.charges_e).all()
    np.testing.assert_allclose(guest.positions_angstrom[:, 2], [1.149, 0.0, -1.149], atol=1e-12)
    field = load_force_field(
        write(
            tmp_path / "force_field.json",
            {
                "PseudoAtoms": [
                    {"name": "C_co2", "element": "C", "mass": 12.0, "charge": 0.6512},
                    {"name": "O_co2", "element": "O", "mass": 15.9994, "charge": -0.3256},
                ],
                "SelfInteractions": [
                    {"name": "C_co2", "type": "lennard-jones", "parameters": [29.933, 2.745]},
                    {"name": "O_co2", "type": "lennard-jones", "parameters": [85.671, 3.017]},
                ],
            },
        )
    )
    filled = load_guest(molecule, field)
    np.testing.assert_array_equal(filled.charges_e, [-0.3256, 0.6512, -0.3256])
    np.testing.assert_array_equal(filled.epsilon_k, [85.671, 29.933, 85.671])


@pytest.mark.parametrize(
    ("sites", "atoms"),
    [
        (["CH4"], ("C", "H", "H", "H", "H")),
        (["N_n2", "N_com", "N_n2"], ("N", "N")),
        (["Ow", "Hw", "Hw", "Lw"], ("O", "H", "H")),
        (["CH3", "CH3"], ()),
        (["probe"], ()),
    ],
)
def test_real_atoms_are_read_off_raspa_names(sites, atoms, tmp_path):
    listed = [[name, [0.0, 0.0, 1.0 * index]] for index, name in enumerate(sites)]
    guest = load_guest(write(tmp_path / "m.json", {"pseudoAtoms": listed}))
    assert guest.atom_elements == atoms
    if not atoms:
        with pytest.raises(GuestError, match="real atoms of guest m are unknown"):
            require_atoms(guest)


def test_objects_are_accepted_as_pseudo_atoms(tmp_path):
    content = {"pseudoAtoms": [{"name": "Ar", "position": [1, 2, 3]}]}
    guest = load_guest(write(tmp_path / "argon.json", content))
    assert guest.site_types == ("Ar",)
    np.testing.assert_allclose(guest.positions_angstrom, 0.0)


def test_a_yaml_guest_of_ones_own(tmp_path):
    path = tmp_path / "hcl.yaml"
    path.write_text(
        "name: HCl\nsource: made up for this test.\nsites:\n"
        "  - {type: Cl_hcl, element: Cl, position_angstrom: [0, 0, 0], epsilon_k: 150.0,"
        " sigma_angstrom: 3.4, charge_e: -0.2}\n"
        "  - {type: H_hcl, element: H, position_angstrom: [0, 0, 1.27], epsilon_k: 0.0,"
        " sigma_angstrom: 1.0, charge_e: 0.2}\n"
    )
    guest = load_guest(str(path))
    assert guest.atom_elements == ("Cl", "H")
    assert guest.positions_angstrom[0, 2] == pytest.approx(-1.27 * 1.008 / 36.458, abs=1e-3)
