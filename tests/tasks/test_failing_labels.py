"""A reference that fails now and then: recorded, counted, and the run goes on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data.store import read_rows
from flows.console import SilentReporter
from flows.executors import PlainExecutor
from flows.run import run
from flows.settings import make_settings

CALCULATOR = '''
from ase.calculators.lj import LennardJones


class Moody(LennardJones):
    """Gives up when the last atom's x coordinate has an odd third digit."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        if len(atoms) == 19 and int(abs(atoms.positions[-1, 0]) * 1000) % 2:
            raise RuntimeError("not converged")
        super().calculate(atoms, properties, system_changes)


def make():
    return Moody(epsilon=0.01, sigma=3.2, rc=8.0, smooth=True)
'''


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    folder = tmp_path_factory.mktemp("moody")
    (folder / "moody_reference.py").write_text(CALCULATOR)
    settings = make_settings(
        host="SOD",
        guest="Ar",
        reference="ase:moody_reference:make",
        insertions=3000,
        max_labels=40,
        max_rounds=2,
        target_error=1e-3,
        accept_offset=True,
        out=str(folder / "run"),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        return settings.run_dir, run(settings, PlainExecutor(), SilentReporter())[0]


def test_failures_are_recorded_with_their_reason(outcome):
    run_dir, result = outcome
    labels = [r for p in sorted(run_dir.glob("labels/*.parquet")) for r in read_rows(p)]
    failed = [r for r in labels if r["status"] == "failed"]
    assert 0 < len(failed) < len(labels)
    assert all("not converged" in r["reason"] for r in failed)
    assert all(np.isnan(r["energy_kj_per_mol"]) for r in failed)
    assert result["label_failures"] >= sum(r["round"] > 0 for r in failed) > 0


def test_the_answer_says_what_the_failures_stood_for(outcome):
    _, result = outcome
    assert result["failed_share"] > 0.01
    assert any("failed labels stood for" in warning for warning in result["warnings"])
    assert np.isfinite(result["henry_mol_per_kg_pa"])


def test_an_accepted_offset_is_said_in_the_result(outcome):
    _, result = outcome
    said = result["reference_check"] + " ".join(result["warnings"])
    if result["reference_offset_kj_per_mol"] is not None:
        assert "in spite of its self-check" in said
    assert result["reference"] == "ase:moody_reference:make"
