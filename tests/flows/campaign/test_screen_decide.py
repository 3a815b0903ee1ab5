"""A screen's decisions from its record alone: budget, stopping, several guests, resumption."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from data.errors import RunFolderError
from flows.campaign.screen.decide import ALL_DONE, SPENT, decide, expected_labels
from flows.campaign.screen.ranking import ranking
from flows.campaign.screen.record import Found, ScreenRecord
from flows.campaign.screen.settings import ScreenPart
from flows.campaign.screen.state import HEAT, LN_HENRY, Quantity, ScreenState, criteria_of
from flows.campaign.settings import CampaignSettings
from flows.campaign.units import Unit
from flows.settings import HenrySettings

HOSTS = ("a", "b", "c", "d", "e", "f")
CLASSICAL = np.array([-9.0, -9.3, -10.0, -11.0, -12.0, -16.0])
TRUTH = CLASSICAL + np.array([0.2, 0.6, 0.9, 0.1, 0.3, 0.4])


def unit(host: str, guest: str, max_labels: int = 100) -> Unit:
    settings = HenrySettings(
        host=host,
        guest=guest,
        reference="forcefield:UFF",
        max_labels=max_labels,
        first_labels=8,
    )
    return Unit(f"{host}_{guest}", host, guest, "forcefield:UFF", settings)


def state_of(screen: ScreenPart, max_labels: int = 100) -> ScreenState:
    criteria = criteria_of(screen, ["CO2", "N2"])
    guests = {guest for c in criteria for _, guest in c.needs}
    values: dict[Quantity, np.ndarray] = {
        (LN_HENRY, "CO2"): CLASSICAL,
        (LN_HENRY, "N2"): 0.5 * CLASSICAL - 6.0,
        (HEAT, "CO2"): -2.0 * CLASSICAL,
    }
    needed = {q: values[q] for c in criteria for q in c.needs}
    units = {(h, g): unit(h, g, max_labels) for h in HOSTS for g in guests}
    return ScreenState(HOSTS, needed, units, criteria, 298.15, ScreenRecord({}))


def found(state: ScreenState, number: int, error: float = 0.1) -> Found:
    """What a lot finds: the truth, with an error bar that shrinks with rounds."""
    lot = state.record.lots[number - 1]
    truth = TRUTH[HOSTS.index(lot.host)]
    labels = round(lot.expected_labels)
    total = labels + sum(
        x.found.labels for x in state.record.lots if x.found and x.unit == lot.unit
    )
    return Found(labels, total, float(np.exp(truth)), error / lot.round, 8.0, 20.0, 1.0, "now")


def play(
    state: ScreenState, screen: ScreenPart, seed: int = 0, batches: int = 200, error: float = 0.1
) -> None:
    for _ in range(batches):
        for lot in decide(state, screen, seed):
            state.record.settle(lot.number, found(state, lot.number, error))
        if state.record.stopped_because:
            return


def test_screen_finds_the_top_and_stops_when_it_is_sure() -> None:
    screen = ScreenPart(top_k=2, budget_labels=2000, lots_at_once=2)
    state = state_of(screen)
    play(state, screen)
    assert "top 2 are known" in state.record.stopped_because
    rows = ranking(state, screen, 0)
    best = [HOSTS[k] for k in np.argsort(-TRUTH)[:2]]
    assert [row["host"] for row in rows[:2]] == best
    assert sum(row["probability"] for row in rows) == pytest.approx(2.0)
    assert sum(row["labels"] for row in rows) == state.record.labels < 2000


def test_labels_go_where_the_top_is_decided() -> None:
    """The host that is 6 behind in ln K_H gets one lot at most; the boundary gets most."""
    screen = ScreenPart(top_k=2, budget_labels=400, lots_at_once=1, stop_share=0.99)
    state = state_of(screen)
    play(state, screen)
    labels = {row["host"]: row["labels"] for row in ranking(state, screen, 0)}
    assert labels["f"] <= 8
    assert sum(labels[h] for h in "abc") > 0.6 * state.record.labels


def test_budget_is_kept_to_a_lot() -> None:
    screen = ScreenPart(top_k=3, budget_labels=61, lots_at_once=4, stop_share=1.0)
    state = state_of(screen)
    play(state, screen, error=2.0)
    assert state.record.stopped_because == SPENT
    assert 50 <= state.record.labels <= 61 + 8


def test_hosts_that_are_done_take_no_more() -> None:
    """Every run has 20 labels; with all of them paid the screen ends."""
    screen = ScreenPart(top_k=2, budget_labels=10_000, lots_at_once=3, stop_share=1.0)
    state = state_of(screen, max_labels=20)
    play(state, screen)
    assert state.record.stopped_because == ALL_DONE
    assert expected_labels(unit("a", "CO2", 20), 99) == 0.0


def test_closed_and_failed_runs_take_no_more() -> None:
    screen = ScreenPart(top_k=2, budget_labels=10_000, lots_at_once=6, stop_share=1.0)
    state = state_of(screen)
    for lot in decide(state, screen, 0):
        end = {"a": {"closed": "target error reached"}, "b": {"failed": "SCF"}}.get(lot.host, {})
        state.record.settle(lot.number, replace(found(state, lot.number), **end))
    assert {lot.host for lot in decide(state, screen, 0)} == {"c", "d", "e", "f"}


def test_a_killed_screen_decides_the_same_lots(tmp_path: Path) -> None:
    """Saved after a batch and read again, at every batch: the decisions of a run in one go."""
    screen = ScreenPart(top_k=2, budget_labels=200, lots_at_once=2, stop_share=1.0)
    whole = state_of(screen)
    play(whole, screen, seed=5)
    killed = state_of(screen)
    for _ in range(200):
        play(killed, screen, seed=5, batches=1)
        killed.record.save(tmp_path)
        if killed.record.stopped_because:
            break
        killed = replace(state_of(screen), record=ScreenRecord.load(tmp_path, {}))
    assert [(x.host, x.round, x.reason) for x in killed.record.lots] == [
        (x.host, x.round, x.reason) for x in whole.record.lots
    ]
    assert ranking(killed, screen, 5) == ranking(whole, screen, 5)


def test_lots_decided_and_not_done_are_there_after_a_kill(tmp_path: Path) -> None:
    screen = ScreenPart(top_k=2, lots_at_once=3)
    state = state_of(screen)
    lots = decide(state, screen, 0)
    state.record.save(tmp_path)
    assert ScreenRecord.load(tmp_path, {}).open_lots == lots


def test_another_budget_opens_an_ended_screen_again(tmp_path: Path) -> None:
    record = ScreenRecord({"budget_labels": 10}, stopped_because=SPENT)
    record.save(tmp_path)
    assert ScreenRecord.load(tmp_path, {"budget_labels": 10}).stopped_because == SPENT
    assert ScreenRecord.load(tmp_path, {"budget_labels": 20}).stopped_because == ""


def test_damaged_record_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "screen.json").write_text(json.dumps({"lots": [{}]}))
    with pytest.raises(RunFolderError, match=r"Remove it to decide all lots again"):
        ScreenRecord.load(tmp_path, {})


def test_several_criteria_are_fused_and_label_both_guests() -> None:
    screen = ScreenPart.model_validate(
        {
            "top_k": 2,
            "budget_labels": 200,
            "stop_share": 1.0,
            "objectives": [
                {"kind": "selectivity", "guest": "CO2", "over": "N2", "weight": 2},
                {"kind": "qst", "low_kj_per_mol": 18, "high_kj_per_mol": 20},
                {"kind": "working_capacity", "adsorption_pa": 1e5, "desorption_pa": 1e4},
            ],
        }
    )
    state = state_of(screen)
    play(state, screen)
    rows = ranking(state, screen, 0)
    assert {lot.guest for lot in state.record.lots} == {"CO2", "N2"}
    assert [row["fused_score"] for row in rows] == sorted(
        (row["fused_score"] for row in rows), reverse=True
    )
    first = rows[0]
    assert first["fused_score_low"] <= first["fused_score"] <= first["fused_score_high"] < 1 / 60
    for name in ("selectivity_CO2_over_N2", "qst_CO2", "working_capacity_CO2"):
        assert first[f"{name}_low"] <= first[name] <= first[f"{name}_high"]


def test_own_estimate_in_the_ranking_has_no_prior_in_it() -> None:
    screen = ScreenPart(top_k=2, budget_labels=60, lots_at_once=2, stop_share=1.0)
    state = state_of(screen)
    play(state, screen)
    rows = {row["host"]: row for row in ranking(state, screen, 0)}
    for host, row in rows.items():
        if row["labels"]:
            own = np.exp(TRUTH[HOSTS.index(host)])
            assert row["reference_CO2"] == pytest.approx(own)
            assert row["reference_CO2_low"] < own < row["reference_CO2_high"]
            assert row["henry_CO2"] != pytest.approx(own, rel=1e-6)


@pytest.mark.parametrize(
    ("screen", "says"),
    [
        ({"level": "xtb"}, "xtb is not among the references"),
        ({"temperature_k": 300.0}, "300 K is not among temperatures_k"),
        ({"objectives": [{"kind": "henry", "guest": "Xe"}]}, "Xe is not among the guests"),
        ({"objectives": [{"kind": "selectivity", "over": "CO2"}]}, "CO2 over itself"),
        (
            {"objectives": [{"kind": "qst", "low_kj_per_mol": 40, "high_kj_per_mol": 30}]},
            "high_kj_per_mol is below",
        ),
        (
            {"objectives": [{"kind": "working_capacity", "adsorption_pa": 1, "desorption_pa": 2}]},
            "must be below adsorption_pa",
        ),
        ({"objectives": [{"kind": "smell"}]}, "henry"),
    ],
)
def test_what_a_screen_cannot_be(screen: dict, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        CampaignSettings(
            name="x",
            hosts=("SOD",),
            guests=("CO2", "N2"),
            references=({"level": "forcefield:UFF"},),
            screen=screen,
        )


def test_a_screen_needs_a_reference() -> None:
    with pytest.raises(ValidationError, match="add one to references"):
        CampaignSettings(name="x", hosts=("SOD",), guests=("CO2",), screen={})
