"""Routing of one round: probabilities, the draw, and what the draw is expected to achieve."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from data.records import content_hash
from data.schemas import PLACEMENT_COLUMNS, PROBABILITIES, ROUTED, SCORE_COLUMNS
from data.store import read_columns, write_json, write_table
from data.streams import stream
from tasks.context import load_context, reference_level
from tasks.labels import label_key, read_labels
from tasks.paths import (
    probability_path,
    routed_path,
    routing_record_path,
    scores_path,
    table_path,
)


@dataclass(frozen=True)
class RouteItem:
    """One round to route.

    Attributes:
        run_dir: run folder.
        round_number: round.
        table: its table of insertions.
        batches: batches in the table.
        expected_labels: wanted number of labels.
        most_labels: the most that may be drawn.
        explore_share: part of the budget for exploration.
    """

    run_dir: str
    round_number: int
    table: int
    batches: int
    expected_labels: float
    most_labels: int
    explore_share: float


@dataclass(frozen=True)
class RouteRecord:
    """What was drawn and what it is expected to give.

    Attributes:
        drawn: labelled insertions.
        rows_to_label: rows of the routed file without a known label.
        insertions: N of the table, overlapping ones included.
        overlap_fraction: share of the uniform volume inside the hard core.
        predicted_design_variance: of <W>, per temperature.
        surrogate_mean: <W> by the surrogate's mean energies alone, per temperature.
        predicted_mean: <W> by the energies that stand for insertions, per temperature.
        baseline_mean: <W> by the baseline alone, per temperature.
    """

    drawn: int
    rows_to_label: tuple[int, ...]
    insertions: int
    overlap_fraction: float
    predicted_design_variance: tuple[float, ...]
    surrogate_mean: tuple[float, ...]
    predicted_mean: tuple[float, ...]
    baseline_mean: tuple[float, ...]


@dataclass(frozen=True)
class ScoredTable:
    """The non-overlapping insertions of a table with their scores in one round.

    ``rows`` are their places among all insertions of the table.
    """

    columns: dict[str, np.ndarray]
    rows: np.ndarray
    insertions: int
    overlap_fraction: float
    batch_sizes: tuple[int, ...]


def read_scored_table(run_dir: str, table: int, batches: int, round_number: int) -> ScoredTable:
    """Read a whole table and, for a round above zero, its scores."""
    parts: list[dict[str, np.ndarray]] = []
    rows: list[np.ndarray] = []
    total, core = 0, 0.0
    for batch in range(batches):
        columns = read_columns(table_path(run_dir, table, batch))
        free = ~columns["overlap"]
        rows.append(total + np.flatnonzero(free))
        total += len(free)
        core += float(columns["proposal_weight"][~free].sum())
        part = {name: values[free] for name, values in columns.items()}
        if round_number:
            part |= read_columns(
                scores_path(run_dir, round_number, batch),
                list(SCORE_COLUMNS),
            )
        parts.append(part)
    joined = {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
    sizes = tuple(len(part["insertion"]) for part in parts)
    return ScoredTable(joined, np.concatenate(rows), total, core / max(1, total), sizes)


def _probabilities_exist(item: RouteItem) -> bool:
    paths = (probability_path(item.run_dir, item.round_number, k) for k in range(item.batches))
    return all(path.exists() for path in paths)


def route_round(item: RouteItem) -> RouteRecord:
    """Choose the insertions of one round that go to the reference."""
    from chem.estimator import beta_mol_per_kj, table_moments
    from ml.routing import Believed, draw, predicted_design_variance, route

    record_path = routing_record_path(item.run_dir, item.round_number)
    if record_path.exists() and _probabilities_exist(item):
        stored: dict[str, Any] = json.loads(record_path.read_text(encoding="utf-8"))
        values: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()
        }
        return RouteRecord(**values)
    context = load_context(item.run_dir)
    table = read_scored_table(item.run_dir, item.table, item.batches, item.round_number)
    weight = table.columns["proposal_weight"]
    mean, spread, prediction = (table.columns[name] for name in SCORE_COLUMNS)
    believed = Believed(weight, mean, spread, prediction)
    routing = route(context.temperatures_k, believed, item.expected_labels, item.explore_share)
    host, guest = context.system.host, context.system.guest
    rng = stream(context.seed, host.hash, guest.hash, "route", item.round_number)
    chosen, probability = draw(rng, routing.probability, item.most_labels, table.rows)
    _write_probabilities(item, table, probability)
    keys = _write_routed(item, table, chosen, probability)
    known = set(read_labels(item.run_dir, range(1, item.round_number))["label_key"].tolist())
    count = table.insertions
    moments = {
        name: [
            table_moments(beta_mol_per_kj(t), weight, energy, count) for t in context.temperatures_k
        ]
        for name, energy in (
            ("surrogate", mean),
            ("predicted", prediction),
            ("baseline", table.columns["baseline_kj_per_mol"]),
        )
    }
    record = RouteRecord(
        drawn=len(chosen),
        rows_to_label=tuple(k for k, key in enumerate(keys) if key not in known),
        insertions=count,
        overlap_fraction=table.overlap_fraction,
        predicted_design_variance=tuple(
            predicted_design_variance(t, believed, probability) / count**2
            for t in context.temperatures_k
        ),
        surrogate_mean=tuple(float(m.mean[0]) for m in moments["surrogate"]),
        predicted_mean=tuple(float(m.mean[0]) for m in moments["predicted"]),
        baseline_mean=tuple(float(m.mean[0]) for m in moments["baseline"]),
    )
    write_json(record_path, asdict(record))
    return record


def _write_probabilities(item: RouteItem, table: ScoredTable, probability: np.ndarray) -> None:
    stop = 0
    for batch, size in enumerate(table.batch_sizes):
        part = slice(stop, stop + size)
        stop += size
        content = {
            "insertion": table.columns["insertion"][part],
            "routing_probability": probability[part],
        }
        write_table(
            probability_path(item.run_dir, item.round_number, batch), content, PROBABILITIES
        )


def _write_routed(
    item: RouteItem, table: ScoredTable, chosen: np.ndarray, probability: np.ndarray
) -> list[str]:
    context = load_context(item.run_dir)
    reference_key = reference_level(item.run_dir).key
    system = content_hash(context.system.host.hash, context.system.guest.hash)
    columns = {name: values[chosen] for name, values in table.columns.items()}
    places = np.stack([columns[name] for name in PLACEMENT_COLUMNS], axis=1)
    keys = [label_key(reference_key, system, place) for place in places]
    columns |= {
        "round": np.full(len(chosen), item.round_number),
        "routing_probability": probability[chosen],
        "labelled": np.ones(len(chosen), dtype=bool),
        "label_key": keys,
    }
    write_table(routed_path(item.run_dir, item.round_number), columns, ROUTED)
    return keys
