"""A folder of structures: duplicates, names, the catalogue and its copies."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chem.cells import replicate, wrap_fractional
from chem.cif import write_cif
from chem.host_import.duplicates import Duplicates, reduced_formula
from chem.host_import.names import UniqueNames, safe_name
from chem.host_import.run import find_files, import_hosts
from chem.hosts import load_host
from data.errors import HostError
from flows.hosts import import_places


def moved(host, shift=(0.13, 0.37, 0.21)):
    """The same crystal, other origin, atoms in other order, other names."""
    order = np.random.default_rng(3).permutation(len(host.elements))
    return replace(
        host,
        fractional=wrap_fractional(host.fractional[order] + np.array(shift)),
        elements=tuple(host.elements[i] for i in order),
        labels=tuple(f"{host.elements[i]}{k}" for k, i in enumerate(order)),
        charges_e=None,
    )


def turned(host):
    """The same crystal with other cell vectors, turned in space."""
    change = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 1]])
    angle = 0.7
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    fractional = host.fractional @ np.linalg.inv(change)
    return replace(
        host,
        lattice_angstrom=change @ host.lattice_angstrom @ turn,
        fractional=wrap_fractional(fractional),
    )


@pytest.mark.parametrize("name", ["CALF-20", "IRMOF-1", "MIL-47"])
def test_the_same_crystal_is_recognised_however_it_is_written(name):
    host = load_host(name)
    seen = Duplicates()
    assert seen.find("first", host) is None
    noisy = replace(moved(host), fractional=moved(host).fractional + 1e-4)
    for same in (host, moved(host), turned(host), replicate(host, (1, 1, 2)), noisy):
        assert seen.find("again", same) == "first"


def test_other_crystals_are_not_duplicates():
    host = load_host("CALF-20")
    seen = Duplicates()
    seen.find("first", host)
    assert seen.find("wider", replace(host, lattice_angstrom=1.05 * host.lattice_angstrom)) is None
    elements = tuple({"Zn": "Cu"}.get(element, element) for element in host.elements)
    assert seen.find("copper", replace(host, elements=elements)) is None
    assert seen.find("b", load_host("CALF20-b")) in {None, "first"}  # another refinement of it
    fractional = host.fractional.copy()
    fractional[host.elements.index("O")] += 0.12
    assert seen.find("bent", replace(host, fractional=fractional)) is None


def test_formulas_are_reduced():
    assert reduced_formula(("O", "Si", "O", "O", "Si", "O")) == "O2 Si1"


def test_import_of_a_folder(tmp_path):
    source = tmp_path / "from"
    (source / "deep").mkdir(parents=True)
    calf = load_host("CALF-20")
    write_cif(calf, source / "a.cif")
    write_cif(moved(calf), source / "deep" / "b.cif")
    write_cif(load_host("Mg-MOF-74"), source / "été.cif")
    (source / "broken.cif").write_text("data_x\n")
    (source / "notes.txt").write_text("no structure")
    before = {p: p.read_bytes() for p in source.rglob("*") if p.is_file()}
    seen = []
    files = [(p.stem, p) for p in find_files([source])]
    imported = import_hosts(files, tmp_path / "out", progress=lambda *step: seen.append(step))
    assert {p: p.read_bytes() for p in source.rglob("*") if p.is_file()} == before
    assert [done for done, _ in seen] == [1, 2, 3, 4]
    assert imported.verdicts == {"accepted": 2, "refused": 2}
    rows = {row["id"]: row for row in pq.read_table(imported.catalogue).to_pylist()}
    assert set(rows) == {"a", "broken", "b", "ete"}
    assert rows["b"]["reasons"] == "duplicate: the same structure as a"
    assert rows["broken"]["path"] is None
    assert rows["broken"]["reasons"].startswith("unreadable")
    for name in ("a", "ete"):
        again = load_host(str(imported.catalogue.parent / rows[name]["path"]))
        assert again.hash == rows[name]["host_hash"]
        assert len(again.elements) == rows[name]["atoms_primitive"]
    assert load_host("CALF-20").charges_e is not None
    assert rows["a"]["has_charges"]


def test_the_catalogue_is_a_campaigns_host_list(tmp_path):
    from flows.campaign.hosts import expand_hosts
    from flows.campaign.settings import HostList

    write_cif(load_host("CALF-20"), tmp_path / "a.cif")
    (tmp_path / "broken.cif").write_text("data_x\n")
    imported = import_places(
        [str(tmp_path / "a.cif"), str(tmp_path / "broken.cif")], tmp_path / "o"
    )
    for suffix in (".parquet", ".csv"):
        table = imported.catalogue.with_suffix(suffix)
        (entry,) = expand_hosts(HostList(list=str(table)), tmp_path)
        assert entry.id == "a"
        assert load_host(entry.source).elements


def test_originals_are_never_overwritten(tmp_path):
    (tmp_path / "hosts").mkdir()
    write_cif(load_host("CALF-20"), tmp_path / "hosts" / "a.cif")
    with pytest.raises(HostError, match="never overwritten"):
        import_places([str(tmp_path)], tmp_path)


def test_nothing_to_import(tmp_path):
    with pytest.raises(HostError, match=r"no file that ends in \.cif"):
        find_files([tmp_path])
    with pytest.raises(HostError, match="no file or folder"):
        find_files([tmp_path / "x"])


def test_hostile_names_stay_in_the_folder(tmp_path):
    path = tmp_path / "x.cif"
    write_cif(load_host("CALF-20"), path)
    other = tmp_path / "y.cif"
    write_cif(load_host("Mg-MOF-74"), other)
    imported = import_hosts([("../../up", path), ("/etc/x;rm", other)], tmp_path / "out")
    written = sorted(p.relative_to(tmp_path).parts[0] for p in tmp_path.rglob("*.cif"))
    assert written == ["out", "out", "x.cif", "y.cif"]
    assert all((imported.catalogue.parent / row["path"]).is_file() for row in imported.rows)


@given(st.text(max_size=120))
@settings(max_examples=300, deadline=None)
def test_any_text_makes_a_safe_name(text):
    name = safe_name(text)
    assert name == safe_name(name)
    assert set(name) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-")
    assert name[0] not in ".-_+"
    assert ".." not in name
    assert 0 < len(name) <= 90


@given(st.lists(st.text(max_size=8), max_size=30))
@settings(max_examples=100, deadline=None)
def test_names_are_unique_whatever_the_letter_case(texts):
    names = UniqueNames()
    taken = [names.take(text).lower() for text in texts]
    assert len(set(taken)) == len(taken)


def test_the_command_line(tmp_path, capsys, monkeypatch):
    from flows import cli

    shutil.copy(str(find_bundled("CALF-20")), tmp_path / "a.cif")
    (tmp_path / "=b.cif").write_text("nothing")
    monkeypatch.setattr(
        "sys.argv",
        ["widomill", "hosts", "import", str(tmp_path), "--out", f"{tmp_path}/o", "--json"],
    )
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    answer = json.loads(capsys.readouterr().out)
    assert answer["verdicts"] == {"accepted": 1, "refused": 1}
    assert "\n=" not in (tmp_path / "o" / "catalogue.csv").read_text()


def find_bundled(name):
    from data.bundled import bundled_files

    return bundled_files("hosts", ".cif")[name]
