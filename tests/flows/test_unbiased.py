"""The claim of the project: right at the reference level whatever the surrogate got wrong.

The reference is a second force field, clearly different from the baseline, so that the truth is
known by brute force. Forty seeds of the whole loop, with few insertions and few labels each:
their mean must agree with the truth within 2.5 standard errors, and at least 34 of the 40
intervals must hold it. The same with a surrogate trained on shuffled labels.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from flows.console import SilentReporter
from flows.executors import PlainExecutor
from flows.run import run
from flows.settings import HenrySettings, make_settings
from tasks.paths import encoder_path

INPUTS = Path(__file__).parent / "inputs"
SEEDS = 40
CASES = {
    "CALF-20": INPUTS / "attractive.yaml",
    "Mg-MOF-74": INPUTS / "open-metal.yaml",
}


@dataclass(frozen=True)
class Sample:
    """Answers of many seeds and the truth."""

    truth: float
    truth_error: float
    answers: np.ndarray
    covered: int
    surrogate: np.ndarray


def small(host: str, seed: int, out: Path) -> HenrySettings:
    return make_settings(
        host=host,
        guest="CO2",
        reference=f"forcefield:{CASES[host]}",
        insertions=10_000,
        max_labels=60,
        max_rounds=3,
        target_error=1e-3,
        seed=seed,
        out=str(out),
    )


def brute_force(host: str, out: Path) -> tuple[float, float]:
    settings = make_settings(
        host=host,
        guest="CO2",
        reference="classical",
        force_field=str(CASES[host]),
        insertions=1_000_000,
        seed=1234,
        out=str(out),
    )
    result = run(settings, PlainExecutor(), SilentReporter())[0]
    truth = result["henry_mol_per_kg_pa"]
    return truth, truth * result["henry_relative_standard_error"]


def sample(host: str, folder: Path, shuffled: bool, seeds: int = SEEDS) -> Sample:
    """Run the loop for many seeds; encoders, which know no label, are trained once."""
    truth, truth_error = brute_force(host, folder / "truth")
    results = []
    for seed in range(seeds):
        settings = small(host, seed, folder / f"seed-{seed}")
        if seed:
            target = encoder_path(settings.run_dir)
            target.parent.mkdir(parents=True)
            shutil.copy(encoder_path(folder / "seed-0"), target)
        results += run(settings, PlainExecutor(), SilentReporter(), shuffle_labels=shuffled)
    for seed in range(1, seeds):
        shutil.rmtree(folder / f"seed-{seed}")
    return Sample(
        truth,
        truth_error,
        np.array([r["henry_mol_per_kg_pa"] for r in results]),
        sum(r["henry_ci95"][0] <= truth <= r["henry_ci95"][1] for r in results),
        np.array([r["surrogate_henry_mol_per_kg_pa"] for r in results]),
    )


def describe(name: str, found: Sample) -> str:
    error = found.answers.std(ddof=1) / np.sqrt(len(found.answers))
    return (
        f"{name}: truth {found.truth:.4g} +- {found.truth_error:.1g}, mean of corrected "
        f"{found.answers.mean():.4g} +- {error:.1g}, intervals that hold it {found.covered} of "
        f"{len(found.answers)}, mean of surrogate alone {found.surrogate.mean():.4g}"
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("shuffled", [False, True], ids=["trained", "shuffled"])
@pytest.mark.parametrize("host", sorted(CASES))
def test_corrected_answers_are_unbiased(
    host: str, shuffled: bool, tmp_path: Path, record_property: pytest.RecordProperty
) -> None:
    found = sample(host, tmp_path, shuffled)
    record_property("summary", describe(f"{host} shuffled={shuffled}", found))
    error = np.hypot(found.answers.std(ddof=1) / np.sqrt(SEEDS), found.truth_error)
    assert abs(found.answers.mean() - found.truth) < 2.5 * error, describe(host, found)
    assert found.covered >= 34, describe(host, found)
    if shuffled:
        off = found.surrogate / found.truth - 1.0
        assert np.sqrt(np.mean(off**2)) > 0.25, describe(host, found)
