"""A plan says what is left and what it costs, from what units have cost here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flows.campaign.costs import known_costs, remember_cost
from flows.campaign.folder import CampaignFolder
from flows.campaign.plan import make_plan, measure
from flows.campaign.read import Campaign, read_campaign
from flows.campaign.show import duration
from flows.campaign.units import units_of

CAMPAIGN = """\
name: planned
out: out
hosts: [SOD, CAXVII]
guests: [Ar]
classical: {insertions: 2000, target_error: 0.5, block_pockets: false, energies: direct}
references: [{level: "forcefield:DREIDING", hosts: [SOD], max_labels: 50}]
workers: 2
"""


@pytest.fixture
def campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Campaign:
    monkeypatch.setenv("WIDOMILL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN)
    return read_campaign(tmp_path / "campaign.yaml")


def took(wall_s: float, reference_s: float = 0.0, labels: int = 0) -> dict[str, Any]:
    return {
        "wall_s": wall_s,
        "reference_s": reference_s,
        "labels": labels,
        "insertions_evaluated": 1000,
    }


def test_costs_are_medians_of_what_was_measured(campaign: Campaign) -> None:
    classical, *_, reference = units_of(campaign)
    for wall_s in (1.0, 2.0, 30.0):
        remember_cost(classical, took(wall_s))
    for seconds in (20.0, 40.0, 60.0):
        remember_cost(reference, took(100.0 + seconds, seconds, 20))
    costs = known_costs()
    assert costs["classical"].unit_s == 2.0
    assert costs["classical"].insertion_s == pytest.approx(2e-3)
    assert costs["forcefield:DREIDING"].label_s == pytest.approx(2.0)
    assert costs["forcefield:DREIDING"].unit_s == pytest.approx(100.0)
    assert costs["forcefield:DREIDING"].measured == 3


def test_a_plan_adds_up_what_is_left(campaign: Campaign) -> None:
    classical, *_, reference = units_of(campaign)
    assert make_plan(campaign).hours is None
    remember_cost(classical, took(3.0))
    remember_cost(reference, took(110.0, 100.0, 50))
    plan = make_plan(campaign)
    assert [(level.level, level.units, level.labels) for level in plan.levels] == [
        ("classical", 2, 0),
        ("forcefield:DREIDING", 1, 50),
    ]
    most = 2 * 3.0 + 10.0 + 50 * 2.0
    least = 2 * 3.0 + 10.0 + 25 * 2.0
    assert plan.hours == pytest.approx((least / 2 / 3600, most / 2 / 3600))
    done = CampaignFolder(campaign.folder).runs / reference.id
    done.mkdir(parents=True)
    (done / "result.json").write_text("{}")
    assert make_plan(campaign).hours == pytest.approx((6.0 / 2 / 3600, 6.0 / 2 / 3600))


def test_a_level_that_was_never_measured_is_tried(campaign: Campaign) -> None:
    assert measure(campaign) == []
    costs = known_costs()
    assert costs["classical"].unit_s > 0.0
    assert costs["forcefield:DREIDING"].measured == 1
    assert not campaign.folder.exists()


def test_a_damaged_record_is_passed_over(campaign: Campaign, tmp_path: Path) -> None:
    remember_cost(units_of(campaign)[0], took(3.0))
    path = tmp_path / "cache" / "costs.jsonl"
    path.write_text("{half a line\n" + path.read_text() + json.dumps({"level": "x"}) + "\n")
    assert list(known_costs()) == ["classical"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.25, "0.2 s"), (42.0, "42 s"), (150.0, "2.5 min"), (9000.0, "2.5 h"), (216e3, "2.5 d")],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words
