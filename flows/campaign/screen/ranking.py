"""The ranking of a screen: one row per host, what is believed and what was found."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chem.combine import interval
from chem.screening.top import TopK, top_k
from data.records import Estimate
from data.schemas import column, table_schema
from data.store import write_rows
from data.streams import stream
from flows.campaign.folder import CampaignFolder
from flows.campaign.screen.decide import FEWEST_DRAWS, MOST_DRAWS, MOST_NUMBERS
from flows.campaign.screen.record import Lot
from flows.campaign.screen.settings import HenryObjective, ScreenPart, SelectivityObjective
from flows.campaign.screen.state import LN_HENRY, MANY, Criterion, ScreenState

NAME = "ranking.parquet"


def write_ranking(
    folder: CampaignFolder, state: ScreenState, screen: ScreenPart, seed: int
) -> list[dict[str, Any]]:
    """Write ranking.parquet and return its rows, the best host first."""
    rows = ranking(state, screen, seed)
    write_rows(folder.path / NAME, rows, _schema(state))
    return rows


def ranking(state: ScreenState, screen: ScreenPart, seed: int) -> list[dict[str, Any]]:
    """Return one row per host, the best first."""
    draws = max(FEWEST_DRAWS, min(MOST_DRAWS, MOST_NUMBERS // max(1, len(state.hosts))))
    rng = stream(seed, "screen", "top", len(state.record.lots))
    values = state.values(state.beliefs(), rng, draws)
    utility = state.utility(values)
    top = top_k(utility, screen.top_k)
    order = np.lexsort((-np.median(utility, axis=0), -utility.mean(axis=0)))
    shown = [_shown(c, v) for c, v in zip(state.criteria, values, strict=True)]
    return [
        {"rank": rank, **_row(state, int(host), top, utility, shown)}
        for rank, host in enumerate(order, start=1)
    ]


def _shown(criterion: Criterion, value: np.ndarray) -> dict[str, np.ndarray]:
    """Return median and 95 % limits of a criterion, in its unit."""
    logarithm = isinstance(criterion.objective, HenryObjective | SelectivityObjective)
    low, middle, high = np.quantile(value, [0.025, 0.5, 0.975], axis=0)
    found = {"": middle, "_low": low, "_high": high}
    return {
        criterion.name + end: np.exp(numbers) if logarithm else numbers
        for end, numbers in found.items()
    }


def _row(
    state: ScreenState,
    host: int,
    top: TopK,
    utility: np.ndarray,
    shown: list[dict[str, np.ndarray]],
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "host": state.hosts[host],
        "probability": float(top.probability[host]),
        "probability_error": float(top.standard_error[host]),
    }
    if len(state.criteria) > 1:
        low, high = np.quantile(utility[:, host], [0.025, 0.975])
        row |= {
            "fused_score": float(utility[:, host].mean()),
            "fused_score_low": float(low),
            "fused_score_high": float(high),
        }
    for columns in shown:
        row |= {name: float(numbers[host]) for name, numbers in columns.items()}
    last = state.record.last()
    for guest in state.guests:
        unit = state.units.get((state.hosts[host], guest))
        row |= _own(guest, last.get(unit.id) if unit else None)
        if (LN_HENRY, guest) in state.classical:
            row[f"classical_{guest}"] = float(np.exp(state.classical[LN_HENRY, guest][host]))
    row["labels"] = sum(
        lot.found.labels for lot in state.record.lots if lot.found and lot.host == state.hosts[host]
    )
    return row


def _own(guest: str, lot: Lot | None) -> dict[str, Any]:
    """Return a host's own corrected estimate: no prior, no other host in it."""
    if lot is None or lot.found is None or lot.found.henry_mol_per_kg_pa is None:
        return {}
    found = lot.found
    mean, relative = lot.found.henry_mol_per_kg_pa, found.relative_standard_error
    error = mean * relative if relative is not None else math.inf
    low, high = interval(Estimate(mean, error), found.degrees_of_freedom or MANY)
    return {
        f"reference_{guest}": mean,
        f"reference_{guest}_low": low,
        f"reference_{guest}_high": high,
    }


def _schema(state: ScreenState) -> Any:
    fields = [
        column("rank", "int32", "1", "place, by the mean of what hosts are ranked by"),
        column("host", "string", "", "id of the host"),
        column("probability", "float64", "1", "of being among the top k"),
        column("probability_error", "float64", "1", "its Monte Carlo standard error"),
    ]
    if len(state.criteria) > 1:
        fields += [
            column("fused_score", "float64", "1", "reciprocal-rank fusion, mean"),
            column("fused_score_low", "float64", "1", "2.5 % quantile"),
            column("fused_score_high", "float64", "1", "97.5 % quantile"),
        ]
    for c in state.criteria:
        fields.append(column(c.name, "float64", c.unit, "believed, median: prior and own labels"))
        fields.append(column(f"{c.name}_low", "float64", c.unit, "believed, 2.5 % quantile"))
        fields.append(column(f"{c.name}_high", "float64", c.unit, "believed, 97.5 % quantile"))
    unit = "mol/(kg Pa)"
    for guest in state.guests:
        name = f"reference_{guest}"
        fields.append(column(name, "float64", unit, "the host's own corrected estimate"))
        fields.append(column(f"{name}_low", "float64", unit, "its 95 % interval"))
        fields.append(column(f"{name}_high", "float64", unit, "its 95 % interval"))
        if (LN_HENRY, guest) in state.classical:
            fields.append(column(f"classical_{guest}", "float64", unit, "classical level"))
    fields.append(column("labels", "int64", "1", "labels paid for the host"))
    return table_schema("ranking", "Hosts of a screen by what was asked for.", fields)
