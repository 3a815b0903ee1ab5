"""Bad input: each error says what was found, where, and what to do; none is a bare traceback."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chem.force_fields import load_force_field, mix_pairs
from chem.guests import load_guest
from chem.hosts import load_host, replicate
from data.errors import (
    DisorderedStructureError,
    ForceFieldError,
    GuestError,
    HostError,
    InputError,
    MissingParametersError,
    NetChargeError,
    OverlappingAtomsError,
    StructureError,
    UnknownElementError,
)

COLUMNS = ("label", "type_symbol", "fract_x", "fract_y", "fract_z")


def cif(rows=("C1 C 0 0 0",), cell="10 10 10 90 90 90", extra=(), columns=COLUMNS):
    """A small CIF; ``extra`` adds atom-site columns."""
    names = [f"_cell_length_{x}" for x in "abc"]
    names += [f"_cell_angle_{x}" for x in ("alpha", "beta", "gamma")]
    lines = ["data_test", "_symmetry_space_group_name_H-M 'P 1'"]
    lines += [f"{name} {value}" for name, value in zip(names, cell.split(), strict=False)]
    lines += ["loop_", *(f"_atom_site_{c}" for c in (*columns, *extra)), *rows]
    return "\n".join(lines) + "\n"


TWO = ("C1 C 0 0 0", "O1 O 0.5 0.5 0.5")
BAD_HOSTS = {
    "empty": ("", StructureError, r"bad\.cif is empty\. A CIF file with a cell"),
    "no CIF": ("hello world\n", StructureError, "not a CIF file: it has no line that starts"),
    "no sites": (
        "data_x\n_cell_length_a 1\n",
        StructureError,
        r"no atom sites.*_atom_site_fract_x.*fractional coordinates",
    ),
    "Cartesian only": (
        cif().replace("_fract_", "_Cartn_"),
        StructureError,
        "only Cartesian coordinates.*fractional",
    ),
    "no cell": (cif(cell="10 10 10"), StructureError, "_cell_angle_alpha.*missing.*three lengths"),
    "broken loop": (
        cif(["C1 C 0 0 0", "O1 O 0.5"]),
        StructureError,
        "cannot be read as CIF.*rows and columns disagree",
    ),
    "zero length": (
        cif(cell="0 10 10 90 90 90"),
        StructureError,
        "cell 0 10 10 90 90 90 is impossible.*positive",
    ),
    "flat cell": (
        cif(cell="10 10 10 60 60 120"),
        StructureError,
        "zero volume: its three vectors lie in a plane. Check the angles",
    ),
    "NaN length": (cif(cell="nan 10 10 90 90 90"), StructureError, "_cell_length_a is 'nan'"),
    "NaN coordinate": (
        cif(["C1 C 0 nan 0"]),
        StructureError,
        r"site 1 \(C1\): _atom_site_fract_y is 'nan', expected a finite number",
    ),
    "coordinate is text": (cif(["C1 C 0 0 up"]), StructureError, "_fract_z is 'up'"),
    "unknown coordinate": (cif(["C1 C ? 0 0"]), StructureError, r"_fract_x is '\?'"),
    "partial occupancy": (
        cif(["C1 C 0 0 0 1", "O1A O 0.5 0 0 0.6", "O1B O 0 0.5 0 0.4(1)"], extra=["occupancy"]),
        DisorderedStructureError,
        r"partly occupied sites: O1A \(0\.6\), O1B \(0\.4\)\..*every site is occupied once",
    ),
    "occupancy is text": (
        cif(["C1 C 0 0 0 half"], extra=["occupancy"]),
        StructureError,
        "site C1: _atom_site_occupancy is 'half'",
    ),
    "alternative groups": (
        cif(["C1 C 0 0 0 1", "C2 C 0.5 0 0 2"], extra=["disorder_group"]),
        DisorderedStructureError,
        "disorder groups 1, 2.*Keep one group",
    ),
    "unknown space group": (
        cif().replace("'P 1'", "'Q 7 z'"),
        StructureError,
        "symmetry in _symmetry_space_group_name_h-m is not understood.*expand to P 1",
    ),
    "unreadable operations": (
        cif()
        .replace("loop_", "loop_\n_symmetry_equiv_pos_as_xyz\n'x,y'\n'a,b,c'\nloop_")
        .replace("_symmetry_space_group_name_H-M 'P 1'\n", ""),
        StructureError,
        "symmetry in _symmetry_equiv_pos_as_xyz is not understood",
    ),
    "overlap": (
        cif(["C1 C 0 0 0", "C2 C 0.01 0 0.02"]),
        OverlappingAtomsError,
        r"C1 \(number 1\) and C2 \(number 2\) are 0\.224 angstrom apart, 1 pair.*Remove dupl",
    ),
    "overlap through the boundary": (
        cif(["C1 C 0.99 0 0", "C2 C 0.01 0 0"]),
        OverlappingAtomsError,
        r"0\.200 angstrom apart",
    ),
    "lengths in nanometres": (
        cif(TWO, cell="1.1 1.1 1.1 90 90 90").replace("0.5 0.5 0.5", "0.2 0.2 0.2"),
        OverlappingAtomsError,
        "cubic angstrom per atom, are the lengths in angstrom",
    ),
    "dummy atom": (
        cif(["C1 C 0 0 0", "X1 X 0.5 0 0"]),
        UnknownElementError,
        r"site 2 \(X1\): the symbol 'X' names no single known element.*remove dummy atoms",
    ),
    "ambiguous label": (
        cif(["CU1 0 0 0"], columns=("label", "fract_x", "fract_y", "fract_z")),
        UnknownElementError,
        "label 'CU1'.*Write the element in _atom_site_type_symbol",
    ),
    "charges on some": (
        cif([f"{TWO[0]} 0.5", f"{TWO[1]} ?"], extra=["charge"]),
        StructureError,
        "1 of 2 sites have no charge in _atom_site_charge, among them O1. Give a charge to every",
    ),
    "charge is text": (
        cif([f"{TWO[0]} plus"], extra=["charge"]),
        StructureError,
        "_atom_site_charge holds something that is no number",
    ),
    "net charge": (
        cif([f"{TWO[0]} 0.5", f"{TWO[1]} -0.4"], extra=["charge"]),
        NetChargeError,
        r"add up to \+0\.1000 e over 2 atoms.*--charges none",
    ),
}


@pytest.mark.parametrize("case", BAD_HOSTS)
def test_bad_host_files(case, tmp_path):
    text, error, message = BAD_HOSTS[case]
    path = tmp_path / "bad.cif"
    path.write_text(text)
    with pytest.raises(error, match=message) as caught:
        load_host(str(path))
    assert isinstance(caught.value, InputError)
    assert "bad.cif" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_binary_host(tmp_path):
    path = tmp_path / "host.cif"
    path.write_bytes(bytes(range(256)) * 4)
    with pytest.raises(StructureError, match=r"host\.cif is a binary file.*Unpack or export"):
        load_host(str(path))


def test_charges_none_does_not_mind_the_net_charge(tmp_path):
    path = tmp_path / "host.cif"
    path.write_text(BAD_HOSTS["net charge"][0])
    assert load_host(str(path), charges="none").charges_e is None


def test_missing_host_file(tmp_path):
    with pytest.raises(HostError, match=r"There is no file .*nothing\.cif.*Check the path"):
        load_host(str(tmp_path / "nothing.cif"))


def test_directory_as_host(tmp_path):
    with pytest.raises(HostError, match="is a directory, not a CIF file"):
        load_host(str(tmp_path))


def test_misspelt_host_name():
    with pytest.raises(HostError, match=r"named 'IRMOF1'\. Did you mean IRMOF-1.*Bundled: .*ZIF-8"):
        load_host("IRMOF1")


def test_supercell_of_nothing():
    with pytest.raises(StructureError, match=r"at least 1, found \(0, 1, 1\)"):
        replicate(load_host("CALF-20"), (0, 1, 1))


@given(st.binary(max_size=300))
@settings(max_examples=40, deadline=None)
def test_any_bytes_give_our_own_error(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("fuzz") / "x.cif"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.cif"):
        load_host(str(path))


SITES = [["O_co2", [0, 0, 1.149]]]
BAD_GUESTS = {
    "not JSON": ("g.json", "{,}", r"g\.json, line 1, column 2: not valid JSON.*Correct the file"),
    "no object": ("g.json", "[1]", "holds a list, expected one JSON object"),
    "no sites": ("g.json", {"pseudoAtoms": []}, r"g\.json: pseudoatoms: list should have at least"),
    "no pseudoAtoms": ("g.json", {"Name": "CO2"}, "pseudoatoms: field required"),
    "two coordinates": ("g.json", {"pseudoAtoms": [["O_co2", [0, 0]]]}, r"pseudoatoms\.0"),
    "NaN position": ("g.json", '{"pseudoAtoms": [["O", [0, 0, NaN]]]}', "finite number"),
    "flexible": (
        "g.json",
        {"Type": "flexible", "pseudoAtoms": SITES},
        "Type is 'flexible'; only rigid guests are supported",
    ),
    "not YAML": ("g.yaml", "name: [1\nsites: }", r"g\.yaml, line 2.*not valid YAML"),
    "YAML list": ("g.yaml", "- 1\n", "holds a list, expected a YAML mapping"),
    "empty YAML": ("g.yaml", "", "holds nothing, expected a YAML mapping"),
    "YAML object": ("g.yaml", "!!python/object:os.system {}", "not valid YAML"),
    "unknown key": (
        "g.yaml",
        "name: a\nsource: b\nsights: []\nsites: [{type: Ar, position_angstrom: [0, 0, 0],"
        " epsilon_k: 1, sigma_angstrom: 1}]",
        "sights: extra inputs are not permitted",
    ),
    "negative depth": (
        "g.yaml",
        "name: a\nsource: b\nsites: [{type: Ar, position_angstrom: [0, 0, 0],"
        " epsilon_k: -1, sigma_angstrom: 1}]",
        r"sites\.0\.epsilon_k: input should be greater than or equal to 0 \(found -1\)",
    ),
    "no element": (
        "g.yaml",
        "name: a\nsource: b\nsites: [{type: Q, element: Qq, position_angstrom: [0, 0, 0],"
        " epsilon_k: 1, sigma_angstrom: 1}]",
        "guest a: 'Qq' is no element",
    ),
}


@pytest.mark.parametrize("case", BAD_GUESTS)
def test_bad_guest_files(case, tmp_path):
    name, content, message = BAD_GUESTS[case]
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(GuestError, match=message):
        load_guest(str(path))


def test_misspelt_guest_name():
    with pytest.raises(
        GuestError, match=r"guest named 'CO3'\. Did you mean .*CO2.*RASPA3 molecule"
    ):
        load_guest("CO3")


def test_missing_guest_file_and_directory(tmp_path):
    with pytest.raises(GuestError, match=r"There is no file .*g\.json"):
        load_guest(str(tmp_path / "g.json"))
    with pytest.raises(GuestError, match="is a directory"):
        load_guest(str(tmp_path))


def test_a_raspa3_guest_without_parameters(tmp_path):
    path = tmp_path / "CO2.json"
    path.write_text(json.dumps({"pseudoAtoms": SITES}))
    with pytest.raises(
        MissingParametersError, match=r"Guest CO2 brings no parameters.*O_co2.*force_field\.json"
    ):
        mix_pairs(load_host("CALF-20"), load_guest(str(path)), load_force_field("UFF"))


def self_interaction(kind="lennard-jones", parameters=(50.0, 3.0)):
    entry = {"name": "O", "type": kind, "parameters": list(parameters)}
    return {"PseudoAtoms": [{"name": "O"}], "SelfInteractions": [entry]}


YAML = "name: f\ntypes: {O: [50, 3]}\n"
BAD_FORCE_FIELDS = {
    "not JSON": ("f.json", '{"PseudoAtoms": [],}', r"f\.json, line 1, column 20: not valid JSON"),
    "not a force field": ("f.json", {"Name": 1}, "neither PseudoAtoms nor SelfInteractions"),
    "other potential": (
        "f.json",
        self_interaction("buckingham"),
        r"SelfInteractions 'O': the potential 'buckingham' is not supported, only lennard-jones",
    ),
    "one parameter": ("f.json", self_interaction(parameters=[5.0]), r"needs two parameters.*\[5"),
    "negative sigma": (
        "f.json",
        self_interaction(parameters=[50.0, -3.0]),
        "'O': epsilon 50 K and sigma -3 angstrom are not physical; both must be positive",
    ),
    "negative epsilon": ("f.json", self_interaction(parameters=[-5.0, 3.0]), "epsilon -5 K"),
    "NaN": (
        "f.json",
        self_interaction(parameters=[float("nan"), 3.0]),
        r"selfinteractions\.0\.parameters\.0: input should be a finite number",
    ),
    "mixing rule": (
        "f.json",
        {**self_interaction(), "MixingRule": "Waldman-Hagler"},
        "mixing rule 'Waldman-Hagler' is not supported. Use Lorentz-Berthelot or Jorgensen",
    ),
    "truncation": (
        "f.json",
        {**self_interaction(), "TruncationMethod": "smoothed"},
        "'smoothed' is unknown. Use truncated or shifted",
    ),
    "pair of three": (
        "f.json",
        {**self_interaction(), "BinaryInteractions": [{"names": ["O", "C", "H"]}]},
        r"binaryinteractions\.0\.names",
    ),
    "pair potential": (
        "f.json",
        {**self_interaction(), "BinaryInteractions": [{"names": ["O", "C"], "type": "morse"}]},
        r"BinaryInteractions \['O', 'C'\]: the potential 'morse'",
    ),
    "not YAML": ("f.yaml", "types: {O: [50, 3}", r"f\.yaml, line 1.*not valid YAML"),
    "unknown key": ("f.yaml", YAML + "cutoff: 12\n", "cutoff: extra inputs are not permitted"),
    "negative in YAML": ("f.yaml", YAML.replace("50", "-50"), "type 'O': epsilon -50 K"),
    "charge of a stranger": (
        "f.yaml",
        YAML + "charges: {C: 1.0}\n",
        "given for C, which types does not list",
    ),
    "claimed twice": ("f.yaml", YAML + "guest_types: {O: [1, 1]}\n", "O is listed as host and as"),
    "three numbers": ("f.yaml", YAML.replace("[50, 3]", "[50, 3, 1]"), r"types\.O"),
}


@pytest.mark.parametrize("case", BAD_FORCE_FIELDS)
def test_bad_force_field_files(case, tmp_path):
    name, content, message = BAD_FORCE_FIELDS[case]
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(ForceFieldError, match=message) as caught:
        load_force_field(str(path))
    assert name in str(caught.value)


def test_binary_force_field(tmp_path):
    for name in ("f.json", "f.yaml"):
        (tmp_path / name).write_bytes(b"\xff\xfe\x00\x80" * 9)
        with pytest.raises(ForceFieldError, match=f"{name}.*not"):
            load_force_field(str(tmp_path / name))


def test_misspelt_force_field_name():
    with pytest.raises(ForceFieldError, match=r"named 'uf'\. Did you mean UFF.*Bundled: DREIDING"):
        load_force_field("uf")


def test_missing_force_field_file_and_directory(tmp_path):
    with pytest.raises(ForceFieldError, match=r"There is no file .*f\.json"):
        load_force_field(str(tmp_path / "f.json"))
    with pytest.raises(ForceFieldError, match="is a directory"):
        load_force_field(str(tmp_path))
