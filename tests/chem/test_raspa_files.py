"""RASPA3 files of several releases, as they are: what is honoured and what is refused."""

import json

import numpy as np
import pytest

from chem.energies import ClassicalModel, ClassicalSettings
from chem.force_fields import load_force_field, mix_pairs
from chem.guests import load_guest
from chem.hosts import load_host
from data.constants import GAS_CONSTANT_KJ_PER_MOL_K
from data.errors import ForceFieldError, GuestError

ATOMS = [
    {"name": "O", "framework": True, "element": "O", "mass": 15.9994, "charge": -1.025},
    {"name": "Si", "framework": True, "element": "Si", "mass": 28.0855, "charge": 2.05},
    {"name": "CH3", "framework": False, "element": "C", "mass": 15.03452, "charge": 0.0},
    {"name": "N_n2", "element": "N", "mass": 14.00674, "charge": -0.405, "source": "a comment"},
    {"name": "N_com", "element": "N", "print_as": "-", "mass": 0.0, "charge": 0.81},
]
POTENTIALS = [
    {"name": "O", "type": "lennard-jones", "parameters": [53.0, 3.3], "source": "a comment"},
    {"name": "Si", "type": "lennard-jones", "parameters": [22.0, 2.3]},
    {"name": "CH3", "type": "lennard-jones", "parameters": [108.0, 3.76]},
    {"name": "N_n2", "type": "lennard-jones", "parameters": [38.298, 3.306]},
    {"name": "N_com", "type": "none", "parameters": []},
]


def force_field(tmp_path, potentials=POTENTIALS, **changes):
    content = {"PseudoAtoms": ATOMS, "SelfInteractions": potentials, **changes}
    path = tmp_path / "force_field.json"
    path.write_text(json.dumps(content))
    return str(path)


def molecule(tmp_path, **content):
    path = tmp_path / "molecule.json"
    path.write_text(json.dumps(content))
    return str(path)


def with_type(kind):
    return [{**entry, "type": kind} for entry in POTENTIALS[:4]] + POTENTIALS[4:]


@pytest.mark.parametrize(
    ("keys", "cutoff"),
    [
        ({}, None),
        ({"CutOffVDW": 14.0, "CutOffCoulomb": 12.0}, 14.0),
        ({"CutOffVDW": 14.0, "CutOffFrameworkVDW": 11.8}, 11.8),
        ({"CutOff": 13, "CutOffMoleculeVDW": 10.0}, 13.0),
        ({"cutoffframeworkvdw": "auto", "CutOff": 12.0}, None),
    ],
)
def test_the_cutoff_between_host_and_guest(tmp_path, keys, cutoff):
    assert load_force_field(force_field(tmp_path, **keys)).cutoff_angstrom == cutoff


def test_what_a_file_does_not_say_is_left_open(tmp_path):
    field = load_force_field(force_field(tmp_path))
    assert field.mixing == "lorentz-berthelot"
    assert (field.truncation, field.tail_correction, field.without_charges) == (None, None, False)


def test_keys_of_the_grid_and_ewald_parts_are_passed_over(tmp_path):
    plain = load_force_field(force_field(tmp_path))
    full = force_field(
        tmp_path,
        EwaldPrecision="High",
        UseInterpolationGrids=["CH3"],
        NumberOfVDWGridPoints=[128, 128, 128],
        SpacingVDWGrid=0.1,
        InterpolationScheme=3,
    )
    assert load_force_field(full).types == plain.types


def test_charge_method_none_switches_charges_off(tmp_path):
    field = load_force_field(force_field(tmp_path, ChargeMethod="None"))
    pairs = mix_pairs(load_host("SOD"), load_guest("N2"), field)
    assert not pairs.has_charges
    assert any("charges: none, as force field force_field says" in line for line in pairs.sources)
    assert load_force_field(force_field(tmp_path, ChargeMethod="Ewald")).without_charges is False


@pytest.mark.parametrize("kind", ["lennard-jones-shifted-force", "LennardJonesShiftedForce"])
def test_a_shifted_force_file_chooses_that_truncation(tmp_path, kind):
    field = load_force_field(force_field(tmp_path, with_type(kind)))
    assert field.truncation == "force-shifted"
    assert (field.types["O"].epsilon_k, field.types["O"].sigma_angstrom) == (53.0, 3.3)
    assert field.types["N_com"].epsilon_k == 0.0


def test_other_spellings_of_lennard_jones(tmp_path):
    assert load_force_field(force_field(tmp_path, with_type("lennardjones"))).truncation is None
    assert load_force_field(force_field(tmp_path, with_type("Lennard-Jones"))).types["Si"]


def test_pairs_that_agree_with_the_whole_file_are_redundant(tmp_path):
    pair = [["O", "CH3"]]
    field = force_field(
        tmp_path,
        TruncationMethod="shifted",
        ShiftedPotentialPairs=pair,
        NoTailCorrectionPairs=pair,
    )
    assert load_force_field(field).truncation == "shifted"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ShiftedPotentialPairs": [["O", "CH3"]]}, "ShiftedPotentialPairs treats O with CH3"),
        (
            {"TruncationMethod": "shifted", "TruncatedPotentialPairs": [["O", "CH3"]]},
            "TruncatedPotentialPairs treats O with CH3 otherwise",
        ),
        ({"TailCorrectionPairs": [["O", "CH3"]]}, "one tail for all pairs"),
        (
            {
                "BinaryInteractions": [
                    {"names": ["O", "CH4"], "type": "lennard-jones", "parameters": [1.0, 3.0]}
                ]
            },
            "there is no type 'CH4'",
        ),
        ({"CutOffVDW": -1.0}, "cutoffvdw"),
        (
            {
                "SelfInteractions": [
                    *with_type("lennard-jones-shifted-force")[1:],
                    POTENTIALS[0],
                ]
            },
            "mixes lennard-jones-shifted-force with other potentials",
        ),
        (
            {
                "SelfInteractions": [
                    {"name": "O", "type": "feynman-hibbs-lennard-jones", "parameters": [1, 2, 1]}
                ]
            },
            "use --feynman-hibbs",
        ),
        (
            {"SelfInteractions": [{"name": "O", "type": "buckingham", "parameters": [1, 2, 3]}]},
            "'buckingham' is not supported",
        ),
    ],
)
def test_what_cannot_be_honoured_is_refused(tmp_path, changes, message):
    with pytest.raises(ForceFieldError, match=message):
        load_force_field(force_field(tmp_path, **changes))


def test_explicit_pairs_decide_the_energy_and_are_said(tmp_path):
    """One united atom over sodalite: the pair given replaces mixing for oxygen alone."""
    entry = {"names": ["CH3", "O"], "type": "lennard-jones", "parameters": [90.0, 3.5]}
    field = load_force_field(force_field(tmp_path, BinaryInteractions=[entry]))
    guest = load_guest(molecule(tmp_path, pseudoAtoms=[["CH3", [0, 0, 0]]]), field)
    host = load_host("SOD")
    pairs = mix_pairs(host, guest, field)
    assert any("in place of mixing: CH3-O" in line for line in pairs.sources)
    point = np.array([[0.5, 0.5, 0.5]])
    model = ClassicalModel(host, guest, pairs, ClassicalSettings(9.0))
    shifts = np.stack(np.meshgrid(*[np.arange(-3, 4)] * 3), axis=-1).reshape(-1, 1, 3)
    apart = (host.fractional + shifts - point) @ host.lattice_angstrom
    distance = np.linalg.norm(apart, axis=2)
    oxygen = np.array(host.elements) == "O"
    epsilon = np.where(oxygen, 90.0, np.sqrt(108.0 * 22.0)) * GAS_CONSTANT_KJ_PER_MOL_K
    sixth = (np.where(oxygen, 3.5, (3.76 + 2.3) / 2) / distance) ** 6
    expected = (4.0 * epsilon * (sixth**2 - sixth))[distance < 9.0].sum()
    energy, _ = model.energies(point, np.array([[1.0, 0.0, 0.0, 0.0]]))
    assert energy[0] == pytest.approx(expected, rel=1e-12)


def test_the_force_fields_masses_serve_a_united_atom(tmp_path):
    field = load_force_field(force_field(tmp_path))
    ethane = molecule(tmp_path, pseudoAtoms=[["CH3", [0, 0, 0.77]], ["CH3", [0, 0, -0.77]]])
    assert load_guest(ethane, field).molar_mass_g_per_mol == pytest.approx(30.06904)
    assert np.isnan(load_guest(ethane).molar_mass_g_per_mol)


N2_SITES = [["N_n2", [0, 0, 0.55]], ["N_com", [0, 0, 0]], ["N_n2", [0, 0, -0.55]]]


@pytest.mark.parametrize(
    "keys",
    [
        {"Type": "rigid", "Bonds": [[0, 1], [1, 2]]},
        {"Bonds": [[0, 1], [1, 2]]},
        {"Connectivity": [[0, 1], [1, 2]], "RigidBodies": [[0, 1, 2]], "StartingBead": 1},
        {"CriticalTemperature": 126.2, "CriticalPressure": 3.4e6, "AcentricFactor": 0.04},
    ],
)
def test_rigid_molecules_of_every_release(tmp_path, keys):
    guest = load_guest(molecule(tmp_path, pseudoAtoms=N2_SITES, **keys))
    assert guest.site_types == ("N_n2", "N_com", "N_n2")
    assert guest.atom_elements == ("N", "N")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"Type": "flexible"}, "Type is 'flexible'"),
        ({"Connectivity": [[0, 1], [1, 2]]}, "Connectivity has bonds outside RigidBodies"),
        (
            {"Connectivity": [[0, 1], [1, 2]], "RigidBodies": [[0, 1]]},
            "Connectivity has bonds outside RigidBodies",
        ),
    ],
)
def test_flexible_molecules_are_refused(tmp_path, keys, message):
    with pytest.raises(GuestError, match=message):
        load_guest(molecule(tmp_path, pseudoAtoms=N2_SITES, **keys))
