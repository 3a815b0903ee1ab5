"""A campaign end to end: answers where they can be had, reasons elsewhere, nothing done twice."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from data.bundled import bundled_files
from data.errors import CampaignBusyError
from data.store import read_rows
from flows.campaign.folder import CampaignFolder
from flows.campaign.job import reopen, run_campaign
from flows.campaign.lock import claimed
from flows.campaign.read import read_campaign
from flows.campaign.units import read_units
from flows.campaign.view import Gate, PlainView
from flows.console import SilentReporter

FAILING = '''
from ase.calculators.lj import LennardJones


class Failing(LennardJones):
    """Converges for what the self-check looks at and for no insertion."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        raise RuntimeError("SCF not converged")


def make():
    return Failing()
'''
HANGING = '''
import time

from ase.calculators.lj import LennardJones


class Hanging(LennardJones):
    """Never comes back."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        time.sleep(3600)


def make():
    return Hanging()
'''
CAMPAIGN = """\
name: mixed
out: out
hosts: [SOD, CAXVII, bad/*.cif]
guests: [Ar]
temperatures_k: [298.15, 350]
classical: {insertions: 20000, target_error: 0.05}
references:
  - {level: "forcefield:DREIDING", hosts: [SOD], insertions: 20000, max_labels: 30, max_rounds: 2}
  - {level: "ase:never_comes_back:make", hosts: [SOD], max_labels: 10}
  - {level: "ase:never_converges:make", hosts: [SOD], max_labels: 10}
limits: {label_seconds: 2}
cluster: {kind: local, workers: 2}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("campaign")
    text = bundled_files("hosts", ".cif")["SOD"].read_text(encoding="utf-8")
    bad = folder / "bad"
    bad.mkdir()
    (bad / "truncated.cif").write_text(text[: len(text) // 3])
    (bad / "no-cell.cif").write_text(text.replace("_cell_length_a", "_cell_length_q"))
    (bad / "no-element.cif").write_text(text.replace(" Si ", " Xx ").replace("Si1", "Xx1"))
    (folder / "never_converges.py").write_text(FAILING)
    (folder / "never_comes_back.py").write_text(HANGING)
    (folder / "campaign.yaml").write_text(CAMPAIGN)
    return folder


@pytest.fixture(scope="module")
def run_once(folder: Path) -> CampaignFolder:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.setenv("PYTHONPATH", str(folder), prepend=":")
        summary = run_campaign(read_campaign(folder / "campaign.yaml"), reporter=SilentReporter())
    assert summary.complete
    return CampaignFolder(folder / "out")


@pytest.mark.slow
def test_every_unit_has_an_answer_or_a_reason(run_once: CampaignFolder) -> None:
    states = run_once.states(run_once.units())
    assert sorted(states.values()) == ["failed"] * 5 + ["finished"] * 3
    reasons = {(f.host_id, f.level): f for f in run_once.failures()}
    assert len(reasons) == 5
    for name in ("truncated", "no-cell", "no-element"):
        assert not reasons[name, "classical"].retry
        assert name in reasons[name, "classical"].reason
    hung = reasons["SOD", "ase:never_comes_back:make"]
    assert hung.error == "TimeLimitError"
    assert hung.retry
    assert "SCF not converged" in reasons["SOD", "ase:never_converges:make"].reason


@pytest.mark.slow
def test_the_numbers_are_those_of_a_run_of_its_own(run_once: CampaignFolder) -> None:
    from flows.executors import PlainExecutor
    from flows.run import run

    for unit in run_once.units():
        if run_once.state(unit) != "finished":
            continue
        alone = unit.settings.model_copy(update={"out": str(run_once.path / "alone" / unit.id)})
        results = run(alone, PlainExecutor(), SilentReporter())
        stored = run_once.unit_results(unit)
        assert [r["henry_mol_per_kg_pa"] for r in stored] == [
            r["henry_mol_per_kg_pa"] for r in results
        ]


@pytest.mark.slow
def test_results_come_as_one_table_and_a_report(run_once: CampaignFolder) -> None:
    rows = read_rows(run_once.path / "results.parquet")
    assert len(rows) == 3 * 2
    assert all(np.isfinite(row["henry_mol_per_kg_pa"]) for row in rows)
    assert run_once.report_path.stat().st_size > 1000
    assert json.loads((run_once.path / "campaign.json").read_text())["settings"]["name"] == "mixed"


@pytest.mark.slow
def test_running_again_does_what_may_help_and_no_more(
    run_once: CampaignFolder, folder: Path
) -> None:
    finished = {path: path.stat().st_mtime_ns for path in run_once.runs.glob("*/result.json")}
    (folder / "never_comes_back.py").write_text(FAILING)
    before = {f.unit_id: f.when for f in run_once.failures()}
    time.sleep(1.1)  # failures are told to the second
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.setenv("PYTHONPATH", str(folder), prepend=":")
        summary = run_campaign(reopen(run_once.path), reporter=SilentReporter())
    assert summary.done_now == 1
    after = {f.unit_id: f.when for f in run_once.failures()}
    assert [u for u in after if after[u] != before[u]] == [
        u.id for u in run_once.units() if u.level == "ase:never_comes_back:make"
    ]
    assert {p: p.stat().st_mtime_ns for p in finished} == finished


NOW_AND_THEN = '''
import time

from ase.calculators.lj import LennardJones


class NowAndThen(LennardJones):
    """Does not come back where the last atom's x has a certain third digit."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        if len(atoms) == 19 and int(abs(atoms.positions[-1, 0]) * 1000) % 10 == 3:
            time.sleep(3600)
        super().calculate(atoms, properties, system_changes)


def make():
    return NowAndThen(epsilon=0.01, sigma=3.2, rc=8.0, smooth=True)
'''
HANGS = """\
name: hangs
out: out
hosts: [SOD]
guests: [Ar]
classical: {insertions: 5000, target_error: 0.2}
references:
  - level: ase:now_and_then:make
    max_labels: 16
    max_rounds: 1
    accept_offset: true
limits: {label_seconds: 2}
"""


@pytest.mark.slow
def test_a_call_that_does_not_come_back_is_a_failed_label(tmp_path: Path) -> None:
    (tmp_path / "now_and_then.py").write_text(NOW_AND_THEN)
    (tmp_path / "campaign.yaml").write_text(HANGS)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        patch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
        summary = run_campaign(read_campaign(tmp_path / "campaign.yaml"), reporter=SilentReporter())
    assert (summary.finished, summary.failed) == (2, 0)
    folder = CampaignFolder(tmp_path / "out")
    result = next(r for r in folder.results() if r["level"] != "classical")
    assert 1 <= result["label_failures"] <= 5
    rows = [r for p in folder.runs.glob("*ase*/labels/*") for r in read_rows(p)]
    hung = [r for r in rows if r["status"] == "failed"]
    assert len(hung) == result["label_failures"]
    assert all("did not come back" in r["reason"] for r in hung)


THREADS = """\
name: threads
out: out
hosts: [SOD, CAXVII]
guests: [Ar, Kr]
classical: {insertions: 5000, target_error: 0.2, block_pockets: false, energies: direct}
cluster: {kind: threads, workers: 2}
"""


class StopAfter(PlainView):
    """Asks for the end once so many units are finished."""

    def __init__(self, units: int) -> None:
        self._left = units

    def unit_finished(self, *_: object) -> None:
        self._left -= 1

    def gate(self) -> Gate:
        return "go" if self._left > 0 else "stop"


def test_a_stopped_campaign_goes_on_and_grows(tmp_path: Path) -> None:
    file = tmp_path / "campaign.yaml"
    file.write_text(THREADS)
    first = run_campaign(read_campaign(file), view=StopAfter(1), reporter=SilentReporter())
    assert not first.complete
    assert first.finished >= 1
    assert first.failed == 0
    rest = run_campaign(read_campaign(file), reporter=SilentReporter())
    assert rest.complete
    assert rest.done_now == 4 - first.finished
    again = run_campaign(read_campaign(file), reporter=SilentReporter())
    assert again.done_now == 0
    file.write_text(THREADS.replace("[Ar, Kr]", "[Ar, Kr, Xe]"))
    grown = run_campaign(read_campaign(file), reporter=SilentReporter())
    assert (grown.finished, grown.done_now) == (6, 2)
    assert len(read_units(tmp_path / "out")) == 6


def test_a_folder_has_one_engine(tmp_path: Path) -> None:
    file = tmp_path / "campaign.yaml"
    file.write_text(THREADS)
    campaign = read_campaign(file)
    with claimed(campaign.folder), pytest.raises(CampaignBusyError, match="process"):
        run_campaign(campaign, reporter=SilentReporter())
