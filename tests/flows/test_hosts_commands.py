"""`widomill hosts`: collections are listed with licence, a missing package says what to install."""

import json

import pytest

from flows import cli


def run(monkeypatch, capsys, *words):
    monkeypatch.setattr("sys.argv", ["widomill", "hosts", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code, capsys.readouterr()


def test_collections_with_licence_and_citation(monkeypatch, capsys):
    code, said = run(monkeypatch, capsys, "collections")
    assert not code
    for text in ("core-mof:2019-asr", "CC BY 4.0", "64 (2019) 5985", "doi.org"):
        assert text in said.out
    code, said = run(monkeypatch, capsys, "collections", "--json")
    names = [one["name"] for one in json.loads(said.out)["collections"]]
    assert names == ["core-mof:2019-asr", "core-mof:2019-fsr", "core-mof:2014"]


@pytest.mark.parametrize(
    "words", [("import", "core-mof:2019-asr:3"), ("build", "--topology", "pcu")]
)
def test_a_missing_package(monkeypatch, capsys, tmp_path, words):
    import importlib.util

    from chem.hypothetical import pormake

    pormake.load.cache_clear()
    pormake.database.cache_clear()
    find = importlib.util.find_spec
    absent = {"CoRE_MOF", "pormake"}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name in absent else find(name)
    )
    monkeypatch.setenv("WIDOMILL_CACHE", str(tmp_path))
    code, said = run(monkeypatch, capsys, *words, "--out", str(tmp_path / "out"))
    assert code == cli.EXIT_BAD_INPUT
    assert "Type: pip install" in said.err
    assert not (tmp_path / "out").exists()
