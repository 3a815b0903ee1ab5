"""A real screen of four hosts: stopped, gone on with, ranked as the reference itself ranks them."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from chem.energies import ClassicalSettings
from chem.force_fields import load_force_field
from chem.guests import load_guest
from chem.hosts import load_host
from chem.mixing import mix_pairs
from chem.system import System
from chem.widom import WidomSettings, run_widom
from data.store import read_rows
from flows.campaign.folder import CampaignFolder
from flows.campaign.job import CampaignSummary, run_campaign
from flows.campaign.read import read_campaign
from flows.campaign.view import Gate, PlainView
from flows.cli import app
from flows.console import SilentReporter

pytestmark = pytest.mark.slow
HOSTS = ("SOD", "CAXVII", "KAXQIL", "SBMOF-1")
BUDGET = 44
CAMPAIGN = f"""\
name: screened
out: out
hosts: [{", ".join(HOSTS)}]
guests: [Ar]
classical: {{insertions: 20000, target_error: 0.05, block_pockets: false, charges: none}}
references:
  - {{level: "forcefield:DREIDING", insertions: 4000, max_labels: 40, max_rounds: 3}}
screen: {{top_k: 2, budget_labels: {BUDGET}, lots_at_once: 2, stop_share: 0.999}}
cluster: {{kind: threads, workers: 2}}
"""


class Stopping(PlainView):
    """Stops a campaign once its screen has done a lot."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "screen.json"

    def gate(self) -> Gate:
        done = self._path.exists() and any(lot["found"] for lot in lots(self._path.parent))
        return "stop" if done else "go"


def lots(folder: Path) -> list[dict[str, Any]]:
    """The lots in screen.json."""
    return list(json.loads((folder / "screen.json").read_text(encoding="utf-8"))["lots"])


def run(file: Path, view: PlainView | None = None) -> CampaignSummary:
    return run_campaign(read_campaign(file), view=view, reporter=SilentReporter())


@pytest.fixture(scope="module")
def screened(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """The file of a screen that was stopped after its first lots and gone on with."""
    folder = tmp_path_factory.mktemp("screen")
    file = folder / "screen.yaml"
    file.write_text(CAMPAIGN)
    assert not run(file, Stopping(folder / "out")).complete
    before = lots(folder / "out")
    assert run(file).complete
    return file, before


def test_what_was_found_before_the_stop_stays(
    screened: tuple[Path, list[dict[str, Any]]],
) -> None:
    file, before = screened
    after = lots(file.parent / "out")
    for old, new in zip(before, after, strict=False):
        assert (old["host"], old["round"]) == (new["host"], new["round"])
        assert old["found"] in (None, new["found"])
    assert all(lot["found"]["henry_mol_per_kg_pa"] > 0 for lot in after)
    assert sum(lot["found"]["labels"] for lot in after) <= BUDGET + 12


def test_hosts_are_ranked_as_the_reference_ranks_them(
    screened: tuple[Path, list[dict[str, Any]]],
) -> None:
    """Two of them are 1 % apart, less than the labels can tell: the ranking has to say so."""
    rows = read_rows(screened[0].parent / "out" / "ranking.parquet")
    truth = {}
    for name in HOSTS:
        host, guest = load_host(name), load_guest("Ar")
        pairs = mix_pairs(host, guest, load_force_field("DREIDING"), charges="none")
        settings = WidomSettings(100_000, 0.02, energies="direct", block_pockets=False)
        found = run_widom(System(host, guest, pairs, ClassicalSettings()), settings=settings)
        truth[name] = float(found.henry_mol_per_kg_pa[0])
    ranks = {row["host"]: rank for rank, row in enumerate(rows)}
    for one, other in itertools.permutations(HOSTS, 2):
        if truth[one] > 1.1 * truth[other]:
            assert ranks[one] < ranks[other]
    tied = [name for name in HOSTS if 0.9 < truth[name] / truth["KAXQIL"] < 1.1]
    assert tied == ["KAXQIL", "SBMOF-1"]
    chances = {row["host"]: row["probability"] for row in rows}
    assert all(0.05 < chances[name] < 0.95 for name in tied)
    assert sum(chances.values()) == pytest.approx(2.0)
    for row in rows:
        if row["reference_Ar"] is not None:
            width = np.log(row["reference_Ar_high"] / row["reference_Ar_low"])
            assert abs(np.log(row["reference_Ar"] / truth[row["host"]])) < width


def test_labelled_hosts_have_results_like_any_run(
    screened: tuple[Path, list[dict[str, Any]]],
) -> None:
    """And hosts that got no label have none: the screen's own way of being complete."""
    folder = CampaignFolder(screened[0].parent / "out")
    rows = {row["host"]: row for row in read_rows(folder.path / "ranking.parquet")}
    units = [unit for unit in folder.units() if not unit.is_classical]
    states = {unit.host_id: folder.state(unit) for unit in units}
    assert {name for name, state in states.items() if state == "finished"} == {
        name for name, row in rows.items() if row["labels"]
    }
    for unit in units:
        if states[unit.host_id] == "finished":
            own = folder.unit_results(unit)[0]["henry_mol_per_kg_pa"]
            assert own == pytest.approx(rows[unit.host_id]["reference_Ar"])


def test_an_ended_screen_does_nothing_again(
    screened: tuple[Path, list[dict[str, Any]]],
) -> None:
    file, _ = screened
    before = (file.parent / "out" / "screen.json").read_bytes()
    assert run(file).done_now == 0
    assert (file.parent / "out" / "screen.json").read_bytes() == before


def test_command_prints_the_ranking(screened: tuple[Path, list[dict[str, Any]]]) -> None:
    file, _ = screened
    told = CliRunner().invoke(app, ["screen", str(file), "--show", "--json"])
    content = json.loads(told.stdout)
    assert [row["rank"] for row in content["ranking"]] == [1, 2, 3, 4]
    assert content["labels"] > 0
    shown = CliRunner().invoke(app, ["screen", str(file), "--show"]).stdout
    assert content["ranking"][0]["host"] in shown
