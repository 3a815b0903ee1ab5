"""Surrogate scores of a batch of insertions."""

from __future__ import annotations

from dataclasses import dataclass

from data.schemas import SCORES
from data.store import read_columns, write_table
from tasks.context import load_context, surrogate
from tasks.insertions import placement
from tasks.paths import scores_path, surrogate_path, table_path, taught_path


@dataclass(frozen=True)
class ScoreItem:
    """One batch to score in one round; whether it is an earlier one, to learn from."""

    run_dir: str
    round_number: int
    table: int
    batch: int
    earlier: bool = False


def score_batch(item: ScoreItem) -> str:
    """Give every non-overlapping insertion of a batch a surrogate mean, spread and prediction."""
    from ml.routing import cautious_energy

    path = (
        taught_path(item.run_dir, item.round_number, item.table, item.batch)
        if item.earlier
        else scores_path(item.run_dir, item.round_number, item.batch)
    )
    if path.exists():
        return str(path)
    model = surrogate(surrogate_path(item.run_dir, item.round_number))
    columns = read_columns(table_path(item.run_dir, item.table, item.batch))
    free = ~columns["overlap"]
    fractional, quaternions = placement(columns)
    mean, spread = model.predict(
        fractional[free], quaternions[free], columns["baseline_kj_per_mol"][free]
    )
    prediction = mean
    if model.head is not None:
        coldest = min(load_context(item.run_dir).temperatures_k)
        prediction = cautious_energy(mean, spread, coldest)
    content = {
        "insertion": columns["insertion"][free],
        "surrogate_kj_per_mol": mean,
        "surrogate_sd_kj_per_mol": spread,
        "prediction_kj_per_mol": prediction,
    }
    write_table(path, content, SCORES)
    return str(path)
