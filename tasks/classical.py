"""The classical level of a run in one task: grids, pores, average, insertions on disk."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data.schemas import INSERTIONS, REMEMBERED
from data.store import write_json, write_table
from tasks.context import load_context, user_cache
from tasks.finish import closed_columns
from tasks.insertions import batch_columns, placement_columns
from tasks.paths import insertions_path, remembered_path
from tasks.pores import PoresRecord, describe_blocking, load_blocking, write_pockets

if TYPE_CHECKING:
    from chem.batches import Batch, Pooled
    from chem.widom import WidomResult

CLASSICAL_FILE = "classical.json"
ANSWER_TABLE = 1


@dataclass(frozen=True)
class ClassicalItem:
    """A run to do at the classical level; whether to write its insertions."""

    run_dir: str
    keep_insertions: bool


@dataclass(frozen=True)
class ClassicalRecord:
    """The classical answer, lists with one entry per temperature.

    Attributes:
        henry_mol_per_kg_pa: Henry coefficients.
        henry_ci95: their 95 % intervals.
        relative_standard_error: of them.
        relative_covariance: between temperatures, a list of rows.
        qst_kj_per_mol: heats of adsorption.
        qst_standard_error: of them, kJ/mol.
        effective_samples: Kish size of the insertions.
        largest_weight_share: largest insertion's share of the answer.
        excluded_share: share of the whole in pores out of reach.
        insertions: averaged over.
        evaluated: those that only taught included.
        overlap_fraction: share of the cell inside the hard core.
        reached: whether the target error was reached.
        degrees_of_freedom: of the error.
        energies: "grid" or "direct".
        grid_check: comparison of grid and direct energies, or None.
        pores: what the search for pores found.
        notes: what a reader must know.
        seconds: wall time.
    """

    henry_mol_per_kg_pa: list[float]
    henry_ci95: list[list[float]]
    relative_standard_error: list[float]
    relative_covariance: list[list[float]]
    qst_kj_per_mol: list[float]
    qst_standard_error: list[float]
    effective_samples: list[float]
    largest_weight_share: list[float]
    excluded_share: list[float]
    insertions: int
    evaluated: int
    overlap_fraction: float
    reached: bool
    degrees_of_freedom: float
    energies: str
    grid_check: dict[str, Any] | None
    pores: PoresRecord
    notes: list[str]
    seconds: float


def average_classical(item: ClassicalItem) -> ClassicalRecord:
    """Compute the classical answer of a run, or read it where it is done."""
    from chem.pores.pocket_map import PocketMap
    from chem.widom import run_widom

    path = Path(item.run_dir) / CLASSICAL_FILE
    if path.exists():
        return _read(path)
    context = load_context(item.run_dir)

    def keep(number: int, batch: Batch) -> None:
        columns = closed_columns(batch_columns(batch.known, number), ANSWER_TABLE, 0)
        write_table(insertions_path(item.run_dir, ANSWER_TABLE, number), columns, INSERTIONS)

    result = run_widom(
        context.system,
        context.temperatures_k,
        context.widom,
        pockets=load_blocking(item.run_dir),
        cache=user_cache(),
        keep=keep if item.keep_insertions else None,
    )
    if isinstance(result.pockets, PocketMap):
        write_pockets(item.run_dir, result.pockets)
    _write_remembered(item.run_dir, result.pooled)
    record = _record(result)
    write_json(path, asdict(record))
    return record


def _write_remembered(run_dir: str, pooled: Pooled) -> None:
    """Write the lowest and the typical insertions, where the binding sites are looked for."""
    from chem.batches import join

    known = join([pooled.lowest, pooled.typical])
    columns = {
        **placement_columns(known.fractional, known.quaternions),
        "baseline_kj_per_mol": known.energy_kj_per_mol,
        "proposal_weight": known.weights,
        "typical": np.arange(len(known.weights)) >= len(pooled.lowest.weights),
    }
    write_table(remembered_path(run_dir), columns, REMEMBERED)


def _record(result: WidomResult) -> ClassicalRecord:
    pooled = result.pooled
    return ClassicalRecord(
        henry_mol_per_kg_pa=result.henry_mol_per_kg_pa.tolist(),
        henry_ci95=result.henry_ci95.tolist(),
        relative_standard_error=result.relative_standard_error.tolist(),
        relative_covariance=pooled.relative_covariance.tolist(),
        qst_kj_per_mol=result.qst_kj_per_mol.tolist(),
        qst_standard_error=result.qst_standard_error.tolist(),
        effective_samples=[m.effective_samples for m in pooled.moments],
        largest_weight_share=[m.largest_weight_share for m in pooled.moments],
        excluded_share=pooled.excluded_share.tolist(),
        insertions=pooled.insertions,
        evaluated=result.evaluated,
        overlap_fraction=pooled.overlap_fraction,
        reached=result.reached,
        degrees_of_freedom=pooled.degrees_of_freedom,
        energies="direct" if result.grid_check is None else "grid",
        grid_check=None if result.grid_check is None else asdict(result.grid_check),
        pores=_pores(result),
        notes=list(result.notes),
        seconds=result.seconds,
    )


def _pores(result: WidomResult) -> PoresRecord:
    if result.pockets is None:
        return PoresRecord(False, (), 0, 0.0)
    return describe_blocking(result.pockets)


def _read(path: Path) -> ClassicalRecord:
    content = json.loads(path.read_text(encoding="utf-8"))
    pores = content["pores"]
    pores["channels"] = tuple(pores["channels"])
    content["pores"] = PoresRecord(**pores)
    return ClassicalRecord(**_numbers(content))


def _numbers(content: dict[str, Any]) -> dict[str, Any]:
    """Return stored content with null back as NaN in lists of numbers."""

    def back(value: Any) -> Any:
        if isinstance(value, list):
            return [back(v) for v in value]
        return float("nan") if value is None else value

    return {k: back(v) if isinstance(v, list) else v for k, v in content.items()}
