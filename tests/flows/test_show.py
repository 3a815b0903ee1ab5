"""What `widomill show` and `widomill list` print: parameters, sources, derived facts."""

import io
import json

import pytest
from rich.console import Console

from chem.force_fields import bundled_force_fields
from chem.guests import bundled_guests, guest_aliases
from chem.hosts import bundled_hosts
from data.errors import ForceFieldError, GuestError, SettingsError
from flows.show import KINDS, list_table, show


def shown(name):
    """The printed text with every run of blanks as one."""
    console = Console(file=io.StringIO(), width=200)
    show(str(name), console)
    return " ".join(console.file.getvalue().split())


@pytest.mark.parametrize("name", bundled_guests())
def test_every_guest_shows_its_source_and_sites(name):
    text = shown(name)
    assert text.startswith(f"Guest {name} ")
    assert "source" in text
    assert "molar mass (g/mol)" in text


@pytest.mark.parametrize("name", bundled_force_fields())
def test_every_force_field_shows_its_rule_and_source(name):
    text = shown(name)
    assert text.startswith(f"Force field {name} ")
    assert "lorentz-berthelot" in text
    assert "J. " in text or "Angew." in text


def test_a_guest_with_charges():
    text = shown("co2:TRAPPE")
    assert text.startswith("Guest CO2 site")
    assert "O_co2 0.0000, 0.0000, 1.1600 79 3.05 -0.35" in text
    assert "molar mass (g/mol) 44.009" in text
    # Theta_zz = sum q z^2 = -0.7 1.16^2 e angstrom^2; the other two are minus half of it
    assert "quadrupole, principal (D angstrom) -4.524, +2.262, +2.262" in text
    assert "also named CO2:TraPPE" in text
    assert "Potoff, Siepmann, AIChE J. 47 (2001) 1676" in text


def test_dipoles_and_notes():
    assert "dipole (D) 2.305" in shown("H2O")
    assert "dipole (D)" not in shown("CH4")
    assert "Feynman-Hibbs" in shown("H2")
    assert "Hw 0.8165" not in shown("H2O")
    assert " - - 0.5564" in shown("H2O")


def test_a_host():
    text = shown("mfi_si")
    assert text.startswith("Host MFI_SI formula of the primitive cell O2Si x 96")
    assert "20.0220, 19.8990, 13.3830" in text
    assert "space group (to 0.01 angstrom) Pnma (62)" in text
    # 96 (28.085 + 2 15.999) u in 5332.03 cubic angstrom
    assert "density (kg/m3) 1796.3" in text
    assert "Si +2.050, O -1.025" in text
    assert "van Koningsveld" in text
    assert "charges (e) none in the file" in shown("IRMOF-1")
    assert "Fm-3m (225)" in shown("IRMOF-1")


def test_files_are_shown_by_their_content(tmp_path, repository):
    cif = tmp_path / "mine.cif"
    cif.write_text((repository / "data/hosts/SOD.cif").read_text())
    assert shown(cif).startswith("Host mine formula of the primitive cell O2Si")
    guest = tmp_path / "CO2.yaml"
    guest.write_text((repository / "data/guests/CO2.yaml").read_text())
    assert shown(guest).startswith("Guest CO2 site")
    assert "also named" not in shown(guest)
    field = tmp_path / "field.yaml"
    field.write_text("name: mine\nsource: made up\ntypes: {O: [53, 3.3]}\ncutoff_angstrom: 13\n")
    assert "cutoff 13 angstrom source made up" in shown(field)


def test_raspa3_files(tmp_path):
    molecule = tmp_path / "N2.json"
    molecule.write_text(json.dumps({"pseudoAtoms": [["N_n2", [0, 0, 0.55]], ["N_com", [0, 0, 0]]]}))
    text = shown(molecule)
    assert text.startswith("Guest N2 site")
    assert "from the force field" in text
    assert "dipole" not in text
    content = {
        "PseudoAtoms": [{"name": "O", "framework": True, "element": "O", "charge": -1.025}],
        "SelfInteractions": [{"name": "O", "type": "lennard-jones", "parameters": [53, 3.3]}],
        "BinaryInteractions": [
            {"names": ["O", "O"], "type": "lennard-jones", "parameters": [9.5, 3.1]}
        ],
        "TruncationMethod": "shifted",
        "TailCorrections": False,
        "ChargeMethod": "None",
        "CutOffVDW": 11.0,
    }
    field = tmp_path / "force_field.json"
    field.write_text(json.dumps(content))
    text = shown(field)
    assert "O host and guest 53 3.3 -1.025" in text
    assert "O - O 9.5 3.1" in text
    assert "truncation shifted tail correction no cutoff 11 angstrom charges switched off" in text


def test_a_name_of_several_kinds_shows_all_of_them(monkeypatch):
    names = {"hosts": ["SOD"], "guests": ["Xe"], "force-fields": ["UFF"]}
    monkeypatch.setattr("flows.show._names", lambda: names)
    assert shown("sod").startswith("Host SOD")
    names["guests"], names["hosts"] = ["Kr"], ["Kr"]
    seen = []
    monkeypatch.setattr(
        "flows.show._SHOW", {kind: lambda name, _, k=kind: seen.append((k, name)) for kind in KINDS}
    )
    shown("kr")
    assert seen == [("hosts", "Kr"), ("guests", "Kr")]


def test_unknown_names_and_files(tmp_path):
    with pytest.raises(SettingsError, match=r"named 'CALF20'\. Did you mean CALF-20 or CALF20-b"):
        shown("CALF20")
    with pytest.raises(SettingsError, match="Did you mean UFF"):
        shown("UUF")
    with pytest.raises(SettingsError, match=r"named 'qqqqqq'\. `widomill list"):
        shown("qqqqqq")
    odd = tmp_path / "notes.txt"
    odd.write_text("hello")
    with pytest.raises(SettingsError, match="no CIF, YAML or JSON"):
        shown(odd)
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    with pytest.raises(SettingsError, match="not valid JSON"):
        shown(broken)
    empty = tmp_path / "empty.json"
    empty.write_text("{}")
    with pytest.raises(GuestError, match="pseudoatoms"):
        shown(empty)
    field = tmp_path / "field.yaml"
    field.write_text("name: x\ntypes: {}\n")
    with pytest.raises(ForceFieldError, match="types"):
        shown(field)


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("hosts", bundled_hosts()),
        ("guests", bundled_guests()),
        ("force-fields", bundled_force_fields()),
    ],
)
def test_lists_name_everything_with_short_sources(kind, names):
    table = list_table(kind)
    columns = [list(column.cells) for column in table.columns]
    assert columns[0] == list(names)
    assert all(0 < len(source) <= 72 for source in columns[-1])
    if kind == "guests":
        assert columns[1] == [", ".join(aliases) for aliases in guest_aliases().values()]


def test_an_unknown_kind_of_list():
    with pytest.raises(SettingsError, match="choose one of hosts, guests, force-fields"):
        list_table("molecules")
