"""One entrance for every method, and what the host then says."""

from dataclasses import replace

import numpy as np
import pytest

from chem.charges import assign_charges
from chem.charges.net_charge import neutralise
from chem.hosts import load_host
from data.errors import NetChargeError, SettingsError
from data.records import Host


@pytest.fixture(scope="module")
def bare():
    """A bundled host without charges."""
    return load_host("SIFSIX-3-Cu")


@pytest.mark.parametrize(
    ("method", "title"), [("eqeq", "EQeq"), ("EEQ", "EEQ"), (" eqeq ", "EQeq")]
)
def test_estimates_say_what_they_are(bare, method, title):
    if title == "EEQ":
        pytest.importorskip("dftd4")
    host = assign_charges(bare, method)
    assert bare.charges_e is None
    assert host.charges_e.sum() == pytest.approx(0.0, abs=1e-12)
    low, high = host.charges_e.min(), host.charges_e.max()
    (note,) = [text for text in host.notes if text.startswith("host charges")]
    assert f"estimated by {title}" in note
    assert f"{low:+.3f} to {high:+.3f} e, net charge found" in note
    assert host.hash != bare.hash


def test_estimates_are_the_same_bits_every_time(bare):
    one, two = assign_charges(bare, "eqeq"), assign_charges(bare, "eqeq")
    assert one.hash == two.hash
    np.testing.assert_allclose(one.charges_e * 1e8, np.round(one.charges_e * 1e8), atol=0.5)


def test_none_drops_and_cif_keeps():
    host = load_host("Mg-MOF-74")
    assert assign_charges(host, "none").charges_e is None
    np.testing.assert_array_equal(assign_charges(host, "cif").charges_e, host.charges_e)
    bare = replace(host, charges_e=None)
    assert assign_charges(bare, "cif") is bare


def test_an_estimate_says_that_it_replaces_charges():
    host = load_host("Mg-MOF-74")
    replaced = assign_charges(host, "eqeq")
    assert any("in place of those of the structure" in note for note in replaced.notes)
    assert np.abs(replaced.charges_e - host.charges_e).mean() < 0.12


def test_a_name_that_is_no_method_and_no_file(bare, tmp_path):
    with pytest.raises(SettingsError, match=r"neither a method nor a file.*eqeq"):
        assign_charges(bare, "qeq")
    with pytest.raises(SettingsError, match="is a directory"):
        assign_charges(bare, str(tmp_path))


def test_charges_beyond_belief_are_named(bare):
    """Silicon expanded about +4 keeps more than +3, in a fluorosilicate as in a zeolite."""
    host = assign_charges(bare, "eqeq")
    assert host.charges_e.max() > 3.0
    assert any("beyond 3 e on Si" in note for note in host.notes)


def test_a_host_that_lost_its_hydrogens_is_suspected():
    whole = load_host("IRMOF-1")
    kept = [i for i, element in enumerate(whole.elements) if element != "H"]
    stripped = Host(
        "stripped",
        whole.lattice_angstrom,
        whole.fractional[kept],
        tuple(whole.elements[i] for i in kept),
        tuple(whole.labels[i] for i in kept),
    )
    assert any("no hydrogen" in note for note in assign_charges(stripped, "eqeq").notes)
    assert not any("no hydrogen" in note for note in assign_charges(whole, "eqeq").notes)


def test_one_element_alone_has_no_charges():
    diamond = Host("diamond", (1 - np.eye(3)) * 1.78, np.array([[0.0] * 3, [0.25] * 3]), "CC", "CC")
    np.testing.assert_array_equal(assign_charges(diamond, "eqeq").charges_e, 0.0)


def test_net_charge_is_refused_at_a_thousandth_per_atom():
    values = np.array([0.5, -0.25, -0.25, 0.0])
    exact = neutralise(values, "here")
    assert exact.removed_per_atom_e == 0.0
    assert exact.note is None
    near = neutralise(values + 0.0009, "here")
    assert near.values_e.sum() == pytest.approx(0.0, abs=1e-15)
    assert near.net_found_e == pytest.approx(0.0036)
    assert near.removed_per_atom_e == pytest.approx(0.0009)
    assert "+3.60e-03 e per cell" in str(near.note)
    with pytest.raises(NetChargeError, match=r"here: .*\+0.0044 e over 4 atoms"):
        neutralise(values + 0.0011, "here")
