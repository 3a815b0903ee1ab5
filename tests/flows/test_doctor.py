"""The doctor never fails; it says what is there and what to do about the rest."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from flows.doctor import Check, collect, render


def by_name() -> dict[str, Check]:
    return {check.name: check for section in collect().values() for check in section}


def test_what_is_installed_is_found_with_its_version() -> None:
    checks = by_name()
    assert checks["prefect"] == Check("prefect", "ok", importlib.metadata.version("prefect"))
    assert checks["Python"].status == "ok"
    assert checks["mace-dac"].status == "ok"
    assert "SHA-256 as expected" in checks["mace-dac"].found
    assert "offset" in checks["xtb"].found
    assert checks["torch device"].found.startswith(("cpu", "cuda"))


def test_every_missing_thing_has_advice_and_nothing_crashes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real_version, real_spec = importlib.metadata.version, importlib.util.find_spec
    gone = {"torch", "tblite", "dac_sim", "prefect-dask", "mace", "ase"}

    def version(name: str) -> str:
        if name in gone:
            raise importlib.metadata.PackageNotFoundError(name)
        return "0.1" if name == "scipy" else real_version(name)

    def find_spec(name: str, package: str | None = None) -> Any:
        return None if name in gone else real_spec(name, package)

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    (tmp_path / "file").touch()
    monkeypatch.setenv("WIDOMILL_CACHE", str(tmp_path / "file" / "cache"))
    checks = by_name()
    names = ("torch device", "tblite", "prefect-dask", "mace-dac", "mace:PATH", "xtb", "scipy")
    for name in (*names, "ase:MODULE:CALLABLE", "Cache"):
        assert checks[name].status == "missing", name
        assert checks[name].advice, name
    assert checks["scipy"].found.startswith("0.1, needs >=")


def test_a_broken_package_is_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> str:
        raise RuntimeError("damaged metadata")

    monkeypatch.setattr(importlib.metadata, "requires", broken)
    assert by_name()["Packages"].found == "RuntimeError: damaged metadata"


def test_a_server_that_does_not_answer_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    url = "http://127.0.0.1:9/api"
    with temporary_settings({PREFECT_API_URL: url}):
        monkeypatch.delenv("PREFECT_API_URL", raising=False)
        assert by_name()["Prefect server"].status == "note"
        monkeypatch.setenv("PREFECT_API_URL", url)
        assert by_name()["Prefect server"].status == "missing"


def test_the_page_has_one_line_per_check_and_the_count() -> None:
    page = io.StringIO()
    section = [Check("a", "ok", "1.0"), Check("b", "missing", "[none]", "install it")]
    render({"Section": section}, Console(file=page, width=100))
    text = page.getvalue()
    assert "[none]" in text
    assert "install it" in text
    assert "1 missing." in text
