"""References that misbehave, end to end: each call recorded with its reason, the answer honest.

The reference is ASE's Lennard-Jones calculator on SOD with argon, so that what it says when it
behaves is known; a digit of the guest's x decides how it misbehaves.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.errors import CrashedWorkerError
from data.store import read_rows
from flows.console import SilentReporter
from flows.executors import PlainExecutor
from flows.report import write_report
from flows.run import run
from flows.settings import make_settings
from tasks.labels import label_chunk, try_label

CALCULATOR = '''
import os
import signal

from ase.calculators.lj import LennardJones

KJ_PER_MOL = 0.010364269574711573


class Moody(LennardJones):
    """Misbehaves where a digit of the guest's x says so; SCALE is on every energy."""

    used = False

    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        super().calculate(atoms, properties, system_changes)
        self.results = {name: SCALE * value for name, value in self.results.items()}
        if len(atoms) != 19:
            return
        digit = int(abs(atoms.positions[-1, 0]) * 1e4) % 40
        before, self.used = self.used, True
        if digit in NOT_CONVERGED:
            raise RuntimeError("SCF not converged in 100 cycles")
        if digit in NAN:
            self.results["energy"] = float("nan")
        if digit in DEEP:
            self.results["energy"] -= 1e5 * KJ_PER_MOL
        if digit in HIGH:
            self.results["energy"] += 1e6 * KJ_PER_MOL
        if digit in TIRED and before:
            raise RuntimeError("tired of this geometry")
        if digit in CRASHES:
            os.kill(os.getpid(), signal.SIGSEGV)


def make():
    return Moody(epsilon=0.012, sigma=3.0, rc=8.0, smooth=True)
'''
SOUND: dict[str, Any] = {
    "SCALE": 1.0,
    "NOT_CONVERGED": (),
    "NAN": (),
    "DEEP": (),
    "HIGH": (),
    "TIRED": (),
    "CRASHES": (),
}
MOODY = {
    "NOT_CONVERGED": (3, 23),
    "NAN": (7, 27),
    "DEEP": (11, 31),
    "HIGH": (14, 34),
    "TIRED": (19,),
}


def write_calculator(folder: Path, name: str, **moods: object) -> str:
    """Write the calculator as a module and return its level."""
    values = "\n".join(f"{key} = {value!r}" for key, value in (SOUND | moods).items())
    (folder / f"{name}.py").write_text(f"{values}\n{CALCULATOR}")
    return f"ase:{name}:make"


def outcome(folder: Path, name: str, labels: int = 60, **moods: object) -> dict:
    """Run with a calculator of given moods and return its result."""
    settings = make_settings(
        host="SOD",
        guest="Ar",
        reference=write_calculator(folder, name, **moods),
        insertions=6000,
        max_labels=labels,
        max_rounds=1,
        target_error=1e-3,
        out=str(folder / f"run-{name}"),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        return run(settings, PlainExecutor(), SilentReporter())[0]


def rows_of(folder: Path, name: str) -> list[dict[str, Any]]:
    return [r for p in sorted(folder.glob(f"run-{name}/labels/*")) for r in read_rows(p)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("moody")


@pytest.fixture(scope="module")
def sound(folder: Path) -> dict:
    return outcome(folder, "sound_lj")


@pytest.fixture(scope="module")
def moody(folder: Path) -> dict:
    return outcome(folder, "moody_lj", labels=100, **MOODY)


def test_each_failure_is_recorded_with_its_reason(folder: Path, moody: dict) -> None:
    labels = rows_of(folder, "moody_lj")
    failed = [r for r in labels if r["status"] == "failed"]
    words = ("SCF not converged", "is nan", "is no energy of a molecule")
    reasons = Counter(word for r in failed for word in words if word in r["reason"])
    assert set(reasons) == set(words)
    assert sum(reasons.values()) == len(failed) == moody["label_failures"]
    assert all(np.isnan(r["energy_kj_per_mol"]) for r in failed)
    assert all("a fresh calculator" in r["reason"] for r in failed)


def test_a_second_attempt_mends_what_it_can(folder: Path, moody: dict) -> None:
    retried = [r for r in rows_of(folder, "moody_lj") if r["status"] == "retried"]
    assert retried
    assert all("tired of this geometry" in r["reason"] for r in retried)
    assert all(abs(r["energy_kj_per_mol"]) < 1e3 for r in retried)


def test_no_energy_below_any_floor_is_in_the_answer(folder: Path, moody: dict) -> None:
    energy = np.array([r["energy_kj_per_mol"] for r in rows_of(folder, "moody_lj")])
    assert np.nanmin(energy) > -50.0
    assert moody["binding_energy_kj_per_mol"] > -50.0


def test_the_share_is_in_results_warnings_and_report(folder: Path, moody: dict) -> None:
    (stored,) = read_rows(folder / "run-moody_lj" / "results.parquet")
    assert stored["failed_share"] == moody["failed_share"] > 0.01
    assert stored["label_failures"] == moody["label_failures"]
    said = f"failed labels stood for {100 * moody['failed_share']:.1f} % of the answer"
    assert said in stored["warnings"]
    assert moody["failed_relative_error"] > 0
    report = write_report(folder / "run-moody_lj").read_text(encoding="utf-8")
    assert said in report
    assert "SCF not converged" in report


def test_energies_far_too_high_are_told(moody: dict, sound: dict) -> None:
    (warning,) = [w for w in moody["warnings"] if "no room where the baseline" in w]
    assert "1e+06 kJ/mol" in warning
    assert not any("no room where" in w or "times the baseline" in w for w in sound["warnings"])


def test_the_answer_is_that_of_the_reference_when_it_behaves(moody: dict, sound: dict) -> None:
    """High ones are zeros of a twentieth; the rest of the difference is within both errors."""
    ratio = moody["henry_mol_per_kg_pa"] / sound["henry_mol_per_kg_pa"]
    error = np.hypot(moody["henry_relative_standard_error"], sound["henry_relative_standard_error"])
    assert 0.95 - 3.0 * error < ratio < 1.0 + 3.0 * error
    assert sound["failed_share"] == sound["failed_relative_error"] == 0.0


@pytest.mark.parametrize("scale", [12.0, 1 / 27.2])
def test_a_wrong_unit_is_told_with_its_factor(folder: Path, sound: dict, scale: float) -> None:
    name = f"scaled_{scale:.0f}"
    found = outcome(folder, name, labels=24, SCALE=scale)
    (warning,) = [w for w in found["warnings"] if "times the baseline's" in w]
    factor = float(warning.partition("energies are ")[2].partition(" times")[0])
    assert scale / 3 < factor < scale * 3


def test_a_call_that_kills_its_process_is_a_failed_label(folder: Path) -> None:
    found = outcome(folder, "crashing_lj", labels=40, CRASHES=(13, 33))
    rows = rows_of(folder, "crashing_lj")
    failed = [r for r in rows if r["status"] == "failed"]
    assert 1 <= len(failed) == found["label_failures"] < len(rows) / 2
    assert all("SIGSEGV" in r["reason"] and "twice" in r["reason"] for r in failed)
    assert found["failed_share"] > 0


class Losing(PlainExecutor):
    """Pools whose workers die over some rows of a round, with every chunk that holds one."""

    rows = (2, 9)

    def map(self, function: Any, items: Any, **others: Any) -> list[Any]:
        for item in items if function in (label_chunk, try_label) else ():
            if set(self.rows) & set(item.rows) - set(dict(item.given_up)):
                raise CrashedWorkerError("the worker process died each time it ran this")
        return super().map(function, items, **others)


def test_a_label_that_kills_its_worker_is_found_among_its_chunk(folder: Path) -> None:
    settings = make_settings(
        host="SOD",
        guest="Ar",
        reference="forcefield:DREIDING",
        insertions=6000,
        max_labels=30,
        max_rounds=1,
        out=str(folder / "run-losing"),
    )
    result = run(settings, Losing(), SilentReporter())[0]
    rows = [r for r in rows_of(folder, "losing") if r["round"]]
    failed = [k for k, r in enumerate(rows) if r["status"] == "failed"]
    assert failed == list(Losing.rows)
    assert result["label_failures"] == len(failed)
    assert all("ended every process that ran it" in rows[k]["reason"] for k in failed)
