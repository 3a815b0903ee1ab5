"""Collections: what an entry asks for, unpacked once, with licence and citation."""

import importlib.util
import io
import json
import sys
import tarfile
from dataclasses import replace

import pytest

from chem.collections import (
    COLLECTIONS,
    archive,
    catalogue,
    expand_collection,
    is_collection,
    record_of,
)
from chem.collections.catalogue import CollectionError, archive_path

CORE_MOF = importlib.util.find_spec("CoRE_MOF") is not None
NAMES = ["BETA_clean", "ALFA_clean", "GAMMA_ion_b", "DELTA_clean"]


def make_archive(path, members):
    with tarfile.open(path, "w:xz") as tar:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of the same shape as CoRE-MOF on the path, in place of it."""
    folder = tmp_path / "packages" / "tiny_collection"
    (folder / "data").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('never imported')\n")
    make_archive(
        folder / "data" / "tiny.tar.xz",
        [(f"deep/../{name}.cif", f"data_{name}\n".encode()) for name in NAMES]
        + [("../../outside.cif", b"data_outside\n"), ("readme.txt", b"no"), (".hidden.cif", b"")],
    )
    monkeypatch.syspath_prepend(str(folder.parent))
    tiny = replace(
        COLLECTIONS[0], name="tiny:one", module="tiny_collection", archive="data/tiny.tar.xz"
    )
    monkeypatch.setattr(catalogue, "COLLECTIONS", (tiny,))
    yield tmp_path / "cache"
    sys.modules.pop("tiny_collection", None)


def ids(spec, cache):
    return [name for name, _ in expand_collection(spec, cache)]


def test_all_first_random_and_named(package):
    everything = ids("tiny:one", package)
    assert everything == sorted([*NAMES, "outside"])
    assert ids("tiny:one:2", package) == everything[:2]
    assert ids("tiny:one[:2]", package) == everything[:2]
    assert ids("Tiny:ONE:beta_clean", package) == ["BETA_clean"]
    assert ids("tiny:one:GAMMA_ion_b.cif", package) == ["GAMMA_ion_b"]
    assert ids("tiny:one:beta", package) == ["BETA_clean"]
    assert ids("tiny:one:*_clean", package) == ["ALFA_clean", "BETA_clean", "DELTA_clean"]


def test_a_random_choice_is_the_same_for_a_seed_and_grows(package):
    assert ids("tiny:one:3@7", package) == ids("tiny:one:3@7", package)
    assert set(ids("tiny:one:2@7", package)) < set(ids("tiny:one:3@7", package))
    several = {tuple(ids(f"tiny:one:2@{seed}", package)) for seed in range(12)}
    assert len(several) > 3


def test_unpacked_once_inside_the_cache_with_licence(package, monkeypatch):
    (_, path), *_ = expand_collection("tiny:one", package)
    assert path.read_text() == "data_ALFA_clean\n"
    assert {p.parent for p in package.rglob("*.cif")} == {path.parent}
    assert not list(package.parent.glob("outside.cif"))
    record = json.loads((path.parent / "collection.json").read_text())
    assert record["licence"] == "CC BY 4.0"
    assert "Chung" in record["citation"]
    assert record["structures"] == 5
    monkeypatch.setattr(archive, "archive_path", None)  # not asked for a second time
    assert len(expand_collection("tiny:one", package)) == 5


def test_a_half_unpacked_folder_is_not_used(package):
    (_, path), *_ = expand_collection("tiny:one", package)
    (path.parent / "collection.json").unlink()
    path.unlink()
    assert len(expand_collection("tiny:one", package)) == 5
    assert not list(package.rglob(".*"))


def test_a_damaged_archive_is_said(package, tmp_path):
    where = tmp_path / "packages" / "tiny_collection" / "data" / "tiny.tar.xz"
    where.write_bytes(where.read_bytes()[:200])
    with pytest.raises(CollectionError, match=r"damaged.*Install it again: pip install"):
        expand_collection("tiny:one", package)
    assert not list(package.rglob("*.cif"))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("tiny:two", r"no collection of hosts named 'tiny:two'\. Known: tiny:one"),
        ("tiny:one:", "ends in a colon"),
        ("tiny:one:0", "asks for no structure"),
        ("tiny:one:99", "asks for 99 structures, the collection has 5"),
        ("tiny:one:BETA_claen", r"no structure named 'BETA_claen'\. Did you mean BETA_clean"),
        ("tiny:one:3@x", "no structure named '3@x'"),
    ],
)
def test_bad_entries(package, spec, message):
    with pytest.raises(CollectionError, match=message):
        expand_collection(spec, package)


def test_a_missing_package_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CollectionError, match=r"not installed\. Type: pip install .*CoRE-MOF=="):
        expand_collection("core-mof:2019-asr:3", tmp_path)


def test_what_counts_as_a_collection():
    assert is_collection("core-mof:2019-asr:100")
    assert is_collection("core-mof:nonsense")
    for other in ("MOF-5", "hosts/*.cif", "./a:b.cif", "/x/a:b.cif", "C:/x.cif", "a.cif:3"):
        assert not is_collection(other)


def test_licence_and_citation_of_an_entry():
    record = record_of("core-mof:2019-asr:100")
    assert record["licence"] == "CC BY 4.0"
    assert "64 (2019) 5985" in record["citation"]


@pytest.mark.skipif(not CORE_MOF, reason="the package CoRE-MOF is not installed")
def test_core_mof_itself(tmp_path):
    from chem.hosts import load_host

    first = expand_collection("core-mof:2019-fsr:3", tmp_path)
    assert [name for name, _ in first] == sorted(name for name, _ in first)
    assert len(expand_collection("core-mof:2019-fsr", tmp_path)) == 7061
    assert load_host(str(first[1][1])).elements
    assert archive_path(COLLECTIONS[0]).name == "2019-ASR.tar.xz"
