"""Charges from files: every form, and every way to get it wrong."""

import numpy as np
import pytest

from chem.charges import assign_charges
from chem.charges.tables import ChargeFileError, read_charges
from chem.cif import write_cif
from data.errors import InputError, MissingChargesError, NetChargeError
from data.records import Host

MADE_UP = Host(
    name="made-up",
    lattice_angstrom=np.array([[9.0, 0.0, 0.0], [1.0, 8.0, 0.0], [0.0, 2.0, 7.0]]),
    fractional=np.array([[0.0] * 3, [0.5] * 3, [0.25, 0.1, 0.7], [0.3, 0.6, 0.1]]),
    elements=("Zn", "O", "O", "H"),
    labels=("Zn1", "O1", "O2", "H1"),
)
CHARGES = [1.2, -0.7, -0.6, 0.1]

FORMS = {
    "labels.csv": "label,charge\nZn1,1.2\nO1,-0.7\nO2,-0.6\nH1,0.1\n",
    "blanks.txt": "# made by hand\nZn1  1.2\nO1  -0.7   # carboxylate\n\nO2\t-0.6\nH1 0.1\n",
    "mixed.csv": "Zn; 1.2\nO1; -0.7\nO; -0.6\nH; 0.1\nCu; 1.0\n",
    "columns.csv": "index,element,charge_e,source\n1,Zn,1.2,x\n2,O,-0.7,x\n3,O,-0.6,x\n4,H,0.1,x\n",
    "numbers.csv": "number charge\n3 -0.6\n1 1.2\n2 -0.7\n4 0.1\n",
    "list.txt": "1.2\n-0.7\n-0.6\n0.1\n",
    "list_with_header.txt": "charge\n1.2\n-0.7\n-0.6\n0.1\n",
    "labels.json": '{"Zn1": 1.2, "O1": -0.7, "O2": -0.6, "H1": 0.1}',
    "list.json": "[1.2, -0.7, -0.6, 0.1]",
}


def written(folder, name, text):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", [name for name in FORMS if name != "columns.csv"])
def test_every_form_gives_the_same_charges(tmp_path, name):
    values, _ = read_charges(written(tmp_path, name, FORMS[name]), MADE_UP)
    np.testing.assert_array_equal(values, CHARGES)


def test_a_header_picks_its_columns(tmp_path):
    """The first column that names an atom, and the first that is a charge."""
    values, how = read_charges(written(tmp_path, "t.csv", FORMS["columns.csv"]), MADE_UP)
    np.testing.assert_array_equal(values, CHARGES)
    assert how == "by atom number"


def test_charges_of_another_cif(tmp_path):
    """By label; and by position where the labels are others, in any order of the atoms."""
    charged = Host(**{**vars(MADE_UP), "charges_e": np.array(CHARGES)})
    write_cif(charged, tmp_path / "same.cif")
    values, how = read_charges(tmp_path / "same.cif", MADE_UP)
    np.testing.assert_allclose(values, CHARGES)
    assert how == "by label"
    order = [2, 0, 3, 1]
    shuffled = Host(
        "other",
        MADE_UP.lattice_angstrom,
        MADE_UP.fractional[order],
        tuple(MADE_UP.elements[i] for i in order),
        tuple(MADE_UP.elements[i] for i in order),
        np.array(CHARGES)[order],
    )
    write_cif(shuffled, tmp_path / "shuffled.cif")
    values, how = read_charges(tmp_path / "shuffled.cif", MADE_UP)
    np.testing.assert_allclose(values, CHARGES)
    assert how == "by position"


@pytest.mark.parametrize(
    ("name", "text", "error", "message"),
    [
        ("a.csv", "label,charge\nZn1,1.2\nO1,minus\n", ChargeFileError, r"line 3: 'minus'"),
        ("b.csv", "Zn1 1.2 3.4\n", ChargeFileError, r"line 1: 3 field.*'label charge'"),
        ("c.csv", "label,q\nZn1\n", ChargeFileError, r"line 2: .*as many fields"),
        ("d.csv", "Zn1 1.2\nX9 0.1\n", ChargeFileError, r"line 2: 'X9' is neither .*Zn1, O1"),
        ("e.csv", "O -0.6\nO -0.7\n", ChargeFileError, r"line 2: O has -0.7 e, but -0.6 e at"),
        ("f.csv", "Zn 1.2\nO1 -0.7\n", MissingChargesError, r"2 of 4 .*O2 \(element O\), H1"),
        ("g.csv", "1 1.2\n2 -0.7\n3 -0.6\n", MissingChargesError, r"H1 \(element H\)"),
        ("h.csv", "1 1.2\n5 -0.7\n", ChargeFileError, r"line 2: .*has 4 in its cell"),
        ("i.csv", "name,charge\nZn1,1\n", ChargeFileError, r"line 1: the header .*label"),
        ("j.csv", "# nothing\n", ChargeFileError, r"holds no charges"),
        ("k.csv", "1.2\nO1 -0.7\n", ChargeFileError, r"line 1: the label is missing"),
        ("l.csv", "Zn1 nan\n", ChargeFileError, r"line 1: 'nan'"),
        ("m.json", '{"Zn1": 1.2,\n "O1"}', ChargeFileError, r"line 2: no JSON"),
        ("n.json", '{"Zn1": true}', ChargeFileError, r"entry 'Zn1': True is no charge"),
        ("o.json", "1.5", ChargeFileError, r"neither an object"),
        ("p.json", "[1.2, -0.7]", MissingChargesError, r"2 of 4"),
        ("q.cif", "data_x\n", InputError, r"no atom sites"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(tmp_path, name, text, error, message):
    with pytest.raises(error, match=f"{name}.*{message}"):
        read_charges(written(tmp_path, name, text), MADE_UP)


def test_a_cif_that_does_not_fit_is_refused(tmp_path):
    write_cif(MADE_UP, tmp_path / "bare.cif")
    with pytest.raises(MissingChargesError, match="no charges"):
        read_charges(tmp_path / "bare.cif", MADE_UP)
    other = Host("o", np.eye(3) * 5.0, np.zeros((1, 3)), ("O",), ("O9",), np.array([0.5]))
    write_cif(other, tmp_path / "other.cif")
    with pytest.raises(ChargeFileError, match="neither its labels nor its cell"):
        read_charges(tmp_path / "other.cif", MADE_UP)
    moved = MADE_UP.fractional + np.array([0.02, 0.0, 0.0])
    swapped = Host("s", MADE_UP.lattice_angstrom, moved, MADE_UP.elements, "abcd", CHARGES)
    write_cif(swapped, tmp_path / "moved.cif")
    with pytest.raises(MissingChargesError, match="4 of 4 atoms"):
        read_charges(tmp_path / "moved.cif", MADE_UP)


def test_bytes_and_folders_are_no_tables(tmp_path):
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ChargeFileError, match="not a text file"):
        read_charges(tmp_path / "b.csv", MADE_UP)
    with pytest.raises(ChargeFileError, match="cannot be read"):
        read_charges(tmp_path, MADE_UP)


def test_a_file_is_made_neutral_only_when_it_nearly_is(tmp_path):
    near = written(tmp_path, "near.csv", "Zn 1.2\nO1 -0.7\nO2 -0.6\nH 0.102\n")
    host = assign_charges(MADE_UP, str(near))
    np.testing.assert_allclose(host.charges_e, np.array([1.2, -0.7, -0.6, 0.102]) - 0.0005)
    assert any("from near.csv, matched by label or element" in note for note in host.notes)
    assert any("+2.00e-03 e per cell spread evenly over 4" in note for note in host.notes)
    far = written(tmp_path, "far.csv", "Zn 1.3\nO1 -0.7\nO2 -0.6\nH 0.1\n")
    with pytest.raises(NetChargeError, match=r"far.csv: .*\+0.1000 e over 4 atoms"):
        assign_charges(MADE_UP, str(far))
