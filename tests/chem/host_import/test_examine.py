"""Import: what each check finds in a sound structure that was spoilt in one way."""

from dataclasses import replace

import numpy as np
import pytest

from chem.cells import replicate
from chem.cif import write_cif
from chem.host_import import ImportSettings, examine
from chem.host_import.bonds import find_bonds
from chem.host_import.components import find_components
from chem.host_import.hydrogens import missing_hydrogens
from chem.hosts import bundled_hosts, load_host
from data.records import Host

WATER = (("O", (0.0, 0.0, 0.0)), ("H", (0.76, 0.59, 0.0)), ("H", (-0.76, 0.59, 0.0)))
PORE = (0.5, 0.5, 0.5)


@pytest.fixture(scope="module")
def framework():
    """IRMOF-1 whose cell begins in a metal cluster, so that its middle is a pore."""
    host = load_host("IRMOF-1")
    return replace(host, labels=tuple(f"{e}{i}" for i, e in enumerate(host.elements)))


def with_atoms(host: Host, atoms, place=PORE, charge=0.0):
    """The host with atoms at Cartesian offsets from a place in its cell."""
    inverse = np.linalg.inv(host.lattice_angstrom)
    extra = np.array([np.array(place) + np.array(offset) @ inverse for _, offset in atoms])
    elements = tuple(element for element, _ in atoms)
    charges = host.charges_e
    if charges is not None:
        charges = np.append(charges, np.full(len(atoms), charge))
    return replace(
        host,
        fractional=np.vstack([host.fractional, extra]) % 1.0,
        elements=host.elements + elements,
        labels=host.labels + tuple(f"{element}x{i}" for i, element in enumerate(elements)),
        charges_e=charges,
    )


def without_atoms(host: Host, gone):
    keep = [i for i in range(len(host.elements)) if i not in set(gone)]
    charges = None if host.charges_e is None else host.charges_e[keep]
    return replace(
        host,
        fractional=host.fractional[keep],
        elements=tuple(host.elements[i] for i in keep),
        labels=tuple(host.labels[i] for i in keep),
        charges_e=charges,
    )


@pytest.fixture
def look(tmp_path):
    """Write a host, examine the file."""

    def examined(host, **settings):
        path = tmp_path / "host.cif"
        write_cif(host, path)
        return examine(path, ImportSettings(**settings))

    return examined


def found(examined, check):
    return [f for f in examined.findings if f.check == check]


def pore_of(host):
    """The place of a grid farthest from all atoms."""
    grid = np.stack(np.meshgrid(*[np.arange(8) / 8.0] * 3), axis=-1).reshape(-1, 3)
    shifts = grid[:, None] - host.fractional[None]
    shifts -= np.round(shifts)
    nearest = np.linalg.norm(shifts @ host.lattice_angstrom, axis=2).min(axis=1)
    return tuple(grid[nearest.argmax()])


@pytest.mark.parametrize("name", [n for n in bundled_hosts() if n != "LOJFUL"])
def test_bundled_hosts_have_nothing_against_them(name, look):
    examined = look(load_host(name))
    assert examined.verdict == "accepted", examined.findings


def test_frameworks_span_the_lattice_and_cells_do_not_matter(framework):
    for host in (framework, replicate(framework, (1, 2, 1)), load_host("CALF-20")):
        parts = find_components(find_bonds(host), host.elements)
        assert parts[0].dimension == 3
    mil = load_host("MIL-47")
    assert find_components(find_bonds(mil), mil.elements)[0].dimension == 3


def test_solvent_is_named_and_taken_out(framework, look):
    wet = with_atoms(framework, WATER, pore_of(framework))
    examined = look(wet)
    (finding,) = found(examined, "solvent")
    assert "1 H2O (water)" in finding.text
    assert examined.verdict == "accepted with warning"
    dry = look(wet, strip_solvent=True)
    assert dry.verdict == "accepted"
    assert len(dry.host.elements) == len(framework.elements)
    assert "H2O" in found(dry, "solvent")[0].text


def test_stripping_keeps_ions_and_metals(framework, look):
    for atoms in ([("Cl", (0, 0, 0))], [("Na", (0, 0, 0))]):
        examined = look(with_atoms(framework, atoms, pore_of(framework)), strip_solvent=True)
        assert len(examined.host.elements) == len(framework.elements) + 1
        assert found(examined, "ions")


def test_stripped_charges_must_stay_neutral(look):
    host = load_host("CALF-20")
    assert host.charges_e is not None
    place = pore_of(host)
    charged = with_atoms(host, [("O", (0, 0, 0))], place, 0.5)
    charges = charged.charges_e.copy()
    charges[:-1] -= 0.5 / len(host.elements)
    examined = look(replace(charged, charges_e=charges), strip_solvent=True)
    assert examined.host.charges_e is None
    assert "not neutral and are dropped" in found(examined, "charges")[0].text


def test_missing_hydrogens_are_counted_by_geometry(framework, look):
    hydrogens = [i for i, element in enumerate(framework.elements) if element == "H"]
    bare = without_atoms(framework, hydrogens)
    lost = missing_hydrogens(bare, find_bonds(bare))
    assert sum(lost.values()) == len(hydrogens)
    assert all(bare.elements[i] == "C" for i in lost)
    examined = look(bare)
    assert f"about {len(hydrogens)} on C" in found(examined, "missing hydrogens")[0].text
    assert examined.verdict == "accepted with warning"


@pytest.mark.parametrize("name", ["ZIF-8", "CALF-20", "Mg-MOF-74", "Cu-BTC", "MFI_SI"])
def test_no_hydrogen_is_missing_where_all_are_there(name):
    host = load_host(name)
    assert missing_hydrogens(host, find_bonds(host)) == {}


def test_methyl_hydrogens(framework):
    host = load_host("ZIF-8")
    bonds = find_bonds(host)
    near = {i: bonds.second[bonds.first == i] for i, e in enumerate(host.elements) if e == "C"}
    of = {i: [int(j) for j in found if host.elements[j] == "H"] for i, found in near.items()}
    methyl = [i for i, hydrogens in of.items() if len(hydrogens) == 3]
    gone = [j for i in methyl for j in of[i]]
    bare = without_atoms(host, gone)
    assert len(gone) == 3 * len(methyl) > 0
    assert sum(missing_hydrogens(bare, find_bonds(bare)).values()) == len(gone)


def test_charges(look):
    host = load_host("CALF-20")
    assert not found(look(host), "charges")
    assert found(look(replace(host, charges_e=None)), "charges")[0].weight == "note"
    net = look(replace(host, charges_e=host.charges_e + 0.1))
    assert net.verdict == "accepted with warning"
    assert net.host.charges_e is None
    assert "+4.4" in found(net, "charges")[0].text
    large = look(replace(host, charges_e=host.charges_e * (4.0 / abs(host.charges_e).max())))
    assert found(large, "charges")[0].weight == "warning"
    assert large.host.charges_e is not None
    absurd = look(replace(host, charges_e=host.charges_e * 50.0))
    assert absurd.host.charges_e is None
    flipped = look(replace(load_host("Mg-MOF-74"), charges_e=-load_host("Mg-MOF-74").charges_e))
    assert "metals with negative charges" in found(flipped, "charges")[0].text


def test_atoms_too_close_and_atoms_alone(framework, look):
    carbon = framework.elements.index("C")
    near = with_atoms(framework, [("C", (0.7, 0, 0))], framework.fractional[carbon])
    examined = look(near)
    assert examined.verdict == "refused"
    assert examined.host is None
    assert "0.70 angstrom" in found(examined, "overlap")[0].text
    lone = look(with_atoms(framework, [("C", (0, 0, 0))], pore_of(framework)))
    assert "bonded to nothing: Cx0" in found(lone, "isolated atoms")[0].text


def test_unreadable_files_are_refused_with_the_reason(tmp_path):
    for text, check in (
        ("", "unreadable"),
        ("data_x\n", "unreadable"),
        (
            "data_x\n_cell_length_a 9\n_cell_length_b 9\n_cell_length_c 9\n_cell_angle_alpha 90\n"
            "_cell_angle_beta 90\n_cell_angle_gamma 90\nloop_\n_atom_site_label\n"
            "_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n"
            "_atom_site_occupancy\nC1 0 0 0 0.5\n",
            "disorder",
        ),
    ):
        path = tmp_path / "x.cif"
        path.write_text(text)
        examined = examine(path)
        assert examined.verdict == "refused"
        assert [f.check for f in examined.findings] == [check]
    assert examine(tmp_path).verdict == "refused"


def test_thin_cells_are_noted(look):
    examined = look(load_host("KAXQIL"), cutoff_angstrom=12.0)
    assert "5.57 angstrom thick" in found(examined, "thin cell")[0].text
    assert not found(look(load_host("KAXQIL"), cutoff_angstrom=5.0), "thin cell")
    big = look(load_host("KAXQIL"))
    assert big.verdict == "accepted"
