"""Hypothetical hosts: the blocks asked for, sound, the same for a seed, with provenance."""

import importlib.util

import pytest

from chem.host_import.bonds import find_bonds
from chem.host_import.components import find_components
from chem.hosts import load_host
from chem.hypothetical import pormake
from chem.hypothetical.pormake import BuildError, Recipe

needs_pormake = pytest.mark.skipif(
    importlib.util.find_spec("pormake") is None, reason="the package pormake is not installed"
)


def test_a_missing_package_says_what_to_install(monkeypatch):
    pormake.load.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BuildError, match=r"not installed\. Type: pip install pormake=="):
        pormake.load()


@needs_pormake
def test_irmof_1_comes_out_of_its_blocks(tmp_path, monkeypatch):
    """A zinc oxide cluster and benzene on the primitive cubic net, whose cell edge is known."""
    monkeypatch.chdir(tmp_path)
    host, deviation = pormake.assemble(Recipe("pcu", ("N16",), ("E14",)))
    known = load_host("IRMOF-1")
    assert deviation < 0.05
    assert sorted(host.elements) == sorted(known.elements[i] for i in half(known))
    assert host.volume_angstrom3 == pytest.approx(known.volume_angstrom3 / 2, rel=0.08)
    assert find_components(find_bonds(host), host.elements)[0].dimension == 3
    assert list(tmp_path.iterdir()) == []  # no log file left behind


def half(host):
    """Atoms of half the primitive cell: real IRMOF-1 doubles the net's cell by turning rings."""
    order = sorted(range(len(host.elements)), key=lambda i: host.elements[i])
    return order[::2]


@needs_pormake
def test_recipes_are_the_same_for_a_seed_and_never_repeat():
    from itertools import islice

    from chem.hypothetical.run import recipes

    first = list(islice(recipes("tbo", (), (), 3), 20))
    assert first == list(islice(recipes("tbo", (), (), 3), 20))
    assert first != list(islice(recipes("tbo", (), (), 4), 20))
    few = list(recipes("pcu", ("N16",), ("E14", "E1", "E9"), 0))
    assert len(few) == len(set(few)) == 3


@needs_pormake
@pytest.mark.parametrize(
    ("net", "nodes", "edges", "message"),
    [
        ("pcv", (), (), "no net 'pcv'. Did you mean"),
        ("pcu", ("N9999",), (), "no building block 'N9999'"),
        ("pcu", ("N1",), (), "needs a node with 6 connection points"),
        ("pcu", (), ("N16",), "N16 is no edge"),
    ],
)
def test_unknown_names(net, nodes, edges, message):
    from chem.hypothetical.run import recipes

    with pytest.raises(BuildError, match=message):
        next(recipes(net, nodes, edges, 0))


@needs_pormake
def test_built_hosts_are_sound_reproducible_and_say_where_they_come_from(tmp_path):
    from chem.hypothetical.run import build_and_import

    runs = [
        build_and_import("pcu", ("N16",), (), number=2, seed=1, folder=tmp_path / name)
        for name in "ab"
    ]
    kept = [[row for row in run.rows if row["path"]] for run in runs]
    assert [row["host_hash"] for row in kept[0]] == [row["host_hash"] for row in kept[1]]
    assert len(kept[0]) == 2
    for row in kept[0]:
        path = tmp_path / "a" / row["path"]
        assert load_host(str(path)).hash == row["host_hash"]
        head = path.read_text()[:600]
        assert "pormake 0.2.3" in head
        assert "net pcu, nodes N16" in head
        assert "seed 1" in head
