"""Force fields: bundled tables, RASPA3 files, mixing, overrides and charges."""

import json
from dataclasses import replace

import numpy as np
import pytest
from ase.data import chemical_symbols
from hypothesis import given
from hypothesis import strategies as st

from chem.force_fields import bundled_force_fields, load_force_field, mix_pairs
from chem.guests import load_guest
from chem.hosts import bundled_hosts, load_host
from chem.mixing import combine
from chem.site_types import ForceField, SiteType
from data.constants import GAS_CONSTANT_KJ_PER_MOL_K
from data.errors import (
    ForceFieldError,
    MissingChargesError,
    MissingParametersError,
    NetChargeError,
)

POSITIVE = st.floats(0.01, 1000.0)


def raspa_file(tmp_path, **changes):
    content = {
        "MixingRule": "Lorentz-Berthelot",
        "TruncationMethod": "shifted",
        "TailCorrections": False,
        "PseudoAtoms": [
            {"name": "O", "framework": True, "element": "O", "mass": 15.9994, "charge": -1.025},
            {"name": "Si", "framework": True, "element": "Si", "mass": 28.0855, "charge": 2.05},
            {"name": "N_n2", "element": "N", "mass": 14.00674, "charge": -0.405},
            {"name": "N_com", "element": "N", "mass": 0.0, "charge": 0.81, "source": "comment"},
            {"name": "CH4", "element": "C", "mass": 16.04246, "charge": 0.0},
        ],
        "SelfInteractions": [
            {"name": "O", "type": "lennard-jones", "parameters": [53.0, 3.30], "source": "x"},
            {"name": "Si", "type": "lennard-jones", "parameters": [22.0, 2.30]},
            {"name": "N_n2", "type": "lennard-jones", "parameters": [38.298, 3.306]},
            {"name": "N_com", "type": "none", "parameters": [0.0, 1.0]},
            {"name": "CH4", "type": "lennard-jones", "parameters": [158.5, 3.72]},
        ],
    }
    content.update(changes)
    path = tmp_path / "force_field.json"
    path.write_text(json.dumps(content))
    return str(path)


def lattice_sum_kelvin(host, pairs, point, cutoff):
    """One guest site, no cell list: every image within the cutoff, one by one."""
    reach = np.ceil(cutoff * np.linalg.norm(np.linalg.inv(host.lattice_angstrom), axis=0)) + 1
    grid = np.indices((2 * reach + 1).astype(int)).reshape(3, -1).T - reach
    images = host.positions_angstrom[None] + (grid @ host.lattice_angstrom)[:, None]
    distance = np.linalg.norm(images - point, axis=2)
    sixth = (pairs.sigma_angstrom[0] / distance) ** 6
    energy = 4.0 * pairs.epsilon_kj_per_mol[0] * (sixth**2 - sixth)
    return energy[distance < cutoff].sum() / GAS_CONSTANT_KJ_PER_MOL_K


def test_xenon_in_sbmof1_has_the_published_energies():
    """A public test case of Xe in SBMOF-1, confirmed there with RASPA and PEGrid: K, 12.5 A."""
    xenon = replace(load_guest("Xe"), epsilon_k=np.array([229.8]), sigma_angstrom=np.array([3.97]))
    host = load_host("SBMOF-1")
    pairs = mix_pairs(host, xenon, load_force_field("DREIDING"))
    origin = lattice_sum_kelvin(host, pairs, np.zeros(3), 12.5)
    wall = lattice_sum_kelvin(host, pairs, np.array([0.494265, 2.22668, 0.450354]), 12.5)
    # the source rounds kcal/mol to K a little differently, 1e-4 in epsilon
    assert origin == pytest.approx(-5041.58, rel=1e-4)
    assert wall == pytest.approx(12945.838, rel=1e-4)


@given(POSITIVE, POSITIVE, POSITIVE, POSITIVE)
def test_lorentz_berthelot(e1, s1, e2, s2):
    epsilon, sigma = combine((e1, s1), (e2, s2), "lorentz-berthelot")
    assert epsilon**2 == pytest.approx(e1 * e2)
    assert sigma == pytest.approx((s1 + s2) / 2)
    assert combine((e2, s2), (e1, s1), "lorentz-berthelot") == (epsilon, sigma)
    assert combine((e1, s1), (e1, s1), "lorentz-berthelot") == pytest.approx((e1, s1))
    assert combine((e1, s1), (e2, s2), "geometric")[1] <= sigma * (1 + 1e-12)


def test_pairs_of_methane_and_silica_by_hand():
    pairs = mix_pairs(load_host("MFI_SI"), load_guest("CH4"), load_force_field("TraPPE-zeo"))
    oxygen = load_host("MFI_SI").elements.index("O")
    assert pairs.epsilon_kj_per_mol.shape == (1, 288)
    assert pairs.epsilon_kj_per_mol[0, oxygen] == pytest.approx(
        np.sqrt(148.0 * 53.0) * 8.31446261815324e-3
    )
    assert pairs.sigma_angstrom[0, oxygen] == pytest.approx((3.73 + 3.30) / 2)
    assert not pairs.has_charges


def test_bundled_force_fields_cover_the_bundled_hosts():
    assert set(bundled_force_fields()) == {
        "UFF",
        "DREIDING",
        "GenericMOFs",
        "TraPPE-zeo",
        "IRMOF-1-Dubbeldam",
    }
    methane = load_guest("CH4")
    for name in ("UFF", "DREIDING", "GenericMOFs"):
        field = load_force_field(name)
        assert field.source
        for host in bundled_hosts():
            assert np.all(mix_pairs(load_host(host), methane, field).epsilon_kj_per_mol > 0.0)


def test_generic_mofs_takes_metals_from_uff_and_the_rest_from_dreiding():
    generic, uff, dreiding = map(load_force_field, ("GenericMOFs", "UFF", "DREIDING"))
    for element in ("H", "C", "N", "O"):
        assert generic.types[element] == dreiding.types[element]
    for element in ("Zn", "Fe", "Ca", "Na", "Mg"):
        assert generic.types[element] == uff.types[element]
    assert dreiding.types["Zn"] != uff.types["Zn"]
    assert dreiding.types["Mg"] == uff.types["Mg"]
    assert set(uff.types) == set(chemical_symbols[1:104])  # No is nobelium, not a YAML "no"


def test_a_label_selects_its_type_before_the_element():
    host = load_host("IRMOF-1")
    pairs = mix_pairs(host, load_guest("CH4"), load_force_field("IRMOF-1-Dubbeldam"))
    depth = pairs.epsilon_kj_per_mol[0] / GAS_CONSTANT_KJ_PER_MOL_K
    assert depth[host.labels.index("O1")] == pytest.approx(np.sqrt(148.0 * 700.0))
    assert depth[host.labels.index("O2")] == pytest.approx(np.sqrt(148.0 * 70.5))


def test_force_field_charges_serve_a_host_without_any():
    host = load_host("IRMOF-1")
    pairs = mix_pairs(host, load_guest("CO2"), load_force_field("IRMOF-1-Dubbeldam"))
    assert pairs.host_charges_e.sum() == pytest.approx(0.0, abs=1e-9)
    assert pairs.host_charges_e[host.labels.index("Zn1")] == pytest.approx(1.275)
    assert "host charges: from force field IRMOF-1-Dubbeldam" in pairs.sources


def test_an_element_force_field_never_touches_a_noble_gas_guest():
    pairs = mix_pairs(load_host("CALF-20"), load_guest("Xe"), load_force_field("UFF"))
    carbon = load_host("CALF-20").elements.index("C")
    assert pairs.sigma_angstrom[0, carbon] == pytest.approx((4.10 + 3.43085) / 2)


def test_charges_none_is_silent_and_missing_charges_are_not():
    host, guest, field = load_host("IRMOF-1"), load_guest("CO2"), load_force_field("UFF")
    with pytest.raises(MissingChargesError, match=r"_atom_site_charge.*--charges none"):
        mix_pairs(host, guest, field)
    pairs = mix_pairs(host, guest, field, charges="none")
    assert not pairs.guest_charges_e.any()
    assert not pairs.host_charges_e.any()
    uncharged = mix_pairs(host, load_guest("CH4"), field)
    assert not uncharged.has_charges


def test_raspa3_file_as_it_is(tmp_path):
    field = load_force_field(raspa_file(tmp_path))
    assert (field.truncation, field.tail_correction) == ("shifted", False)
    assert field.mixing == "lorentz-berthelot"
    host = load_host("MFI_SI")
    pairs = mix_pairs(host, load_guest("N2"), field)
    np.testing.assert_array_equal(pairs.guest_charges_e, [0.81, -0.405, -0.405])
    silicon = host.elements.index("Si")
    depth = pairs.epsilon_kj_per_mol[:, silicon] / GAS_CONSTANT_KJ_PER_MOL_K
    np.testing.assert_allclose(depth, [0.0, np.sqrt(38.298 * 22), np.sqrt(38.298 * 22)])


def test_raspa3_host_charges_hold_only_where_the_cif_has_none(tmp_path):
    field = load_force_field(raspa_file(tmp_path))
    charged = load_host("SOD")
    own = mix_pairs(charged, load_guest("N2"), field)
    np.testing.assert_array_equal(own.host_charges_e, charged.charges_e)
    bare = replace(charged, charges_e=None)
    from_field = mix_pairs(bare, load_guest("N2"), field)
    assert set(np.round(from_field.host_charges_e, 9)) == {-1.025, 2.05}


def test_binary_interactions_override_the_mixing_rule(tmp_path):
    entry = {"names": ["O", "CH4"], "type": "lennard-jones", "parameters": [115.0, 3.47]}
    field = load_force_field(raspa_file(tmp_path, BinaryInteractions=[entry]))
    host = load_host("SOD")
    pairs = mix_pairs(host, load_guest("CH4"), field)
    oxygen, silicon = host.elements.index("O"), host.elements.index("Si")
    assert pairs.epsilon_kj_per_mol[0, oxygen] == pytest.approx(115.0 * GAS_CONSTANT_KJ_PER_MOL_K)
    assert pairs.sigma_angstrom[0, oxygen] == 3.47
    assert pairs.sigma_angstrom[0, silicon] == pytest.approx((3.72 + 2.30) / 2)


def test_jorgensen_mixing_is_geometric(tmp_path):
    field = load_force_field(raspa_file(tmp_path, MixingRule="Jorgensen"))
    pairs = mix_pairs(load_host("SOD"), load_guest("CH4"), field)
    silicon = load_host("SOD").elements.index("Si")
    assert pairs.sigma_angstrom[0, silicon] == pytest.approx(np.sqrt(3.72 * 2.30))


def test_a_raspa3_molecule_and_force_field_equal_the_bundled_models(tmp_path):
    molecule = tmp_path / "N2.json"
    sites = [["N_com", [0, 0, 0]], ["N_n2", [0, 0, 0.55]], ["N_n2", [0, 0, -0.55]]]
    molecule.write_text(json.dumps({"pseudoAtoms": sites}))
    host = load_host("SOD")
    by_file = mix_pairs(host, load_guest(str(molecule)), load_force_field(raspa_file(tmp_path)))
    by_name = mix_pairs(host, load_guest("N2:Martin-Calvo"), load_force_field("TraPPE-zeo"))
    np.testing.assert_allclose(by_file.epsilon_kj_per_mol, by_name.epsilon_kj_per_mol)
    np.testing.assert_allclose(by_file.guest_charges_e, by_name.guest_charges_e)


def test_a_type_without_interaction_is_silent_and_said_so(tmp_path):
    interactions = [{"name": "O", "type": "lennard-jones", "parameters": [93.53, 3.0]}]
    field = load_force_field(raspa_file(tmp_path, SelfInteractions=interactions))
    host = load_host("SOD")
    pairs = mix_pairs(host, load_guest("CH4"), field)
    assert not pairs.epsilon_kj_per_mol[0, host.elements.index("Si")]
    assert any("no Lennard-Jones: Si" in line for line in pairs.sources)
    # the bundled guest keeps its own depth when the file lists it without interaction
    assert pairs.epsilon_kj_per_mol[0, host.elements.index("O")] == pytest.approx(
        np.sqrt(148.0 * 93.53) * GAS_CONSTANT_KJ_PER_MOL_K
    )


def test_a_single_framework_type_of_the_element_serves():
    only = SiteType("O_zeo", 53.0, 3.3, element="O", for_host=True)
    field = ForceField(
        "f", {"O_zeo": only, "O_co2": SiteType("O_co2", 1.0, 1.0, "O", None, None, False, True)}
    )
    assert field.host_type("O17", "O") is only
    two = ForceField("f", {"O_zeo": only, "O_b": SiteType("O_b", 1.0, 1.0, element="O")})
    assert two.host_type("O17", "O") is None


def test_missing_types_are_all_named():
    with pytest.raises(MissingParametersError, match=r"Zn1 \(element Zn\).*N1.*Its types: Si, O"):
        mix_pairs(load_host("CALF-20"), load_guest("CH4"), load_force_field("TraPPE-zeo"))


def test_a_guest_that_is_not_neutral_is_refused(tmp_path):
    field = load_force_field(raspa_file(tmp_path))
    guest = replace(load_guest("N2"), site_types=("N_com", "N_x", "N_y"))
    with pytest.raises(NetChargeError, match=r"guest N2 add up to -0\.154 e \(N_com from"):
        mix_pairs(load_host("SOD"), guest, field)


def test_our_yaml_form(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\nmixing_rule: Jorgensen\ntypes: {O: [53, 3.3], Si: [22, 2.3]}\n"
        "charges: {O: -1.025, Si: 2.05}\nguest_types: {O_co2: [80.0, 3.0]}\n"
        "pairs: [{types: [O_co2, O], epsilon_k: 70.0, sigma_angstrom: 3.1}]\n"
        "truncation: shifted\ntail_correction: false\n"
    )
    field = load_force_field(str(path))
    assert (field.truncation, field.tail_correction) == ("shifted", False)
    host = load_host("SOD")
    pairs = mix_pairs(host, load_guest("CO2"), field)
    oxygen, silicon = host.elements.index("O"), host.elements.index("Si")
    assert pairs.sigma_angstrom[1, oxygen] == 3.1
    assert pairs.sigma_angstrom[1, silicon] == pytest.approx(np.sqrt(3.0 * 2.3))
    assert pairs.sigma_angstrom[0, silicon] == pytest.approx(np.sqrt(2.8 * 2.3))


def test_our_yaml_form_chooses_cutoff_and_force_shift(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\ntypes: {O: [53, 3.3]}\ntruncation: force-shifted\ncutoff_angstrom: 13.5\n"
    )
    field = load_force_field(str(path))
    assert (field.truncation, field.cutoff_angstrom) == ("force-shifted", 13.5)
    assert load_force_field("UFF").cutoff_angstrom is None


def test_a_pair_of_two_strangers_is_refused(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\ntypes: {O: [53, 3.3]}\n"
        "pairs: [{types: [O_co2, Si], epsilon_k: 70.0, sigma_angstrom: 3.1}]\n"
    )
    with pytest.raises(ForceFieldError, match=r"pair O_co2 with Si has no host type"):
        load_force_field(str(path))


def test_generic_mofs_takes_these_non_metals_from_dreiding():
    generic, uff, dreiding = map(load_force_field, ("GenericMOFs", "UFF", "DREIDING"))
    listed = {"H", "B", "C", "N", "O", "F", "Al", "Si", "P", "S", "Cl", "Ga", "Ge", "As"}
    listed |= {"Se", "Br", "In", "Sn", "Sb", "I"}
    assert all(generic.types[element] == dreiding.types[element] for element in listed)
    assert all(generic.types[e] == uff.types[e] for e in set(uff.types) - listed)
