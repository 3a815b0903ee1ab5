"""What a report is made of, read from the files of a run folder."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import RunFolderError
from data.store import read_columns, read_rows
from tasks.context import RunContext, load_context
from tasks.labels import read_labels
from tasks.paths import remembered_path, routed_path

MOST_BATCHES = 20
NEEDED = ("settings.json", "provenance.json", "context.json", "rounds.parquet")


@dataclass(frozen=True)
class Run:
    """A finished run folder.

    Attributes:
        folder: its path.
        results: one result per temperature, as in result.json.
        binding: (7,) placement of the binding site, or None where none was found.
        settings: settings.json.
        provenance: provenance.json.
        rounds: rows of rounds.parquet; empty where the baseline is the reference.
        context: host, guest and temperatures.
    """

    folder: Path
    results: list[dict[str, Any]]
    binding: np.ndarray | None
    settings: dict[str, Any]
    provenance: dict[str, Any]
    rounds: list[dict[str, Any]]
    context: RunContext

    @property
    def round_numbers(self) -> list[int]:
        """The rounds done, in order."""
        return sorted({row["round"] for row in self.rounds})


@dataclass(frozen=True)
class Insertions:
    """Non-overlapping insertions of the last table, or of an even share of its batches.

    Attributes:
        fractional: (n, 3) fractional centres of mass.
        weight: (n,) v = p/q.
        baseline_kj_per_mol: (n,) classical energies.
        surrogate_kj_per_mol: (n,) surrogate energies, or None where there is no surrogate.
        placed: insertions read, overlapping ones included.
    """

    fractional: np.ndarray
    weight: np.ndarray
    baseline_kj_per_mol: np.ndarray
    surrogate_kj_per_mol: np.ndarray | None
    placed: int

    @property
    def best_kj_per_mol(self) -> np.ndarray:
        """(n,) energies of the best level that every insertion has."""
        if self.surrogate_kj_per_mol is None:
            return self.baseline_kj_per_mol
        return self.surrogate_kj_per_mol


@dataclass(frozen=True)
class Unseen:
    """Labels together with what was predicted before they were paid for; arrays of length n.

    Attributes:
        round: round that paid.
        reference_kj_per_mol: reference energy.
        surrogate_kj_per_mol: the surrogate's mean at that time.
        sd_kj_per_mol: its calibrated standard deviation.
        baseline_kj_per_mol: classical energy.
    """

    round: np.ndarray
    reference_kj_per_mol: np.ndarray
    surrogate_kj_per_mol: np.ndarray
    sd_kj_per_mol: np.ndarray
    baseline_kj_per_mol: np.ndarray

    @property
    def learned(self) -> np.ndarray:
        """(n,) whether the prediction was learned: round one has no labels to learn from."""
        return self.round > 1


def load_run(run_dir: Path) -> Run:
    """Read a finished run folder.

    Raises:
        RunFolderError: the folder is missing, unfinished or incomplete.
    """
    if not run_dir.is_dir():
        raise RunFolderError(
            f"There is no run folder {run_dir}. Give the folder that `widomill henry` wrote "
            "(its --out)."
        )
    if not (run_dir / "result.json").exists():
        raise RunFolderError(
            f"{run_dir} has no result.json: no run was finished there. Give the folder of a "
            "finished run, or run the command that made it again; it goes on where it stopped."
        )
    missing = [name for name in NEEDED if not (run_dir / name).exists()]
    if not table_files(run_dir) and not remembered_path(run_dir).exists():
        missing.append("insertions/*.parquet")
    if missing:
        raise RunFolderError(
            f"{run_dir} is incomplete: {', '.join(missing)} missing. Copy the whole run folder, "
            "or run the command that made it again."
        )
    content = read_json(run_dir / "result.json")
    results = content.get("results")
    if not results:
        raise RunFolderError(f"{run_dir / 'result.json'} holds no results. Run again.")
    return Run(
        folder=run_dir,
        results=results,
        binding=_placement(content.get("binding_site")),
        settings=read_json(run_dir / "settings.json"),
        provenance=read_json(run_dir / "provenance.json"),
        rounds=read_rows(run_dir / "rounds.parquet"),
        context=load_context(str(run_dir)),
    )


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object of a run folder.

    Raises:
        RunFolderError: the file is missing or damaged.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunFolderError(f"Cannot read {path}: {error}.") from error
    if not isinstance(content, dict):
        raise RunFolderError(f"{path} holds no JSON object.")
    return content


def _placement(site: dict[str, Any] | None) -> np.ndarray | None:
    """Return (7,) fractional position and quaternion, or None where there is no site."""
    values = (site or {}).get("placement") or []
    if len(values) != 7 or any(v is None for v in values):
        return None
    return np.array(values, dtype=float)


def table_files(run_dir: Path) -> list[Path]:
    """Return the files of the last table of insertions, in order of batch."""
    every = sorted((run_dir / "insertions").glob("table-*-batch-*.parquet"))
    last = every[-1].name.partition("-batch-")[0] if every else ""
    return [path for path in every if path.name.startswith(last + "-batch-")]


def read_insertions(run: Run) -> Insertions:
    """Read the last table, which has most insertions and the latest scores.

    Of a table of many batches an even share is read: pictures need no more.
    """
    files = table_files(run.folder)
    if not files:
        return _remembered(run.folder)
    kept = np.unique(np.linspace(0, len(files) - 1, min(len(files), MOST_BATCHES)).astype(int))
    names = ["frac_x", "frac_y", "frac_z", "overlap", "baseline_kj_per_mol"]
    names += ["proposal_weight", "surrogate_kj_per_mol"]
    parts = [read_columns(files[k], names) for k in kept]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in names}
    free = ~columns["overlap"].astype(bool)
    surrogate = columns["surrogate_kj_per_mol"][free]
    return Insertions(
        np.stack([columns[f"frac_{axis}"][free] for axis in "xyz"], axis=1),
        columns["proposal_weight"][free],
        columns["baseline_kj_per_mol"][free],
        surrogate if len(surrogate) and np.isfinite(surrogate).all() else None,
        len(free),
    )


def _remembered(folder: Path) -> Insertions:
    """Return the typical insertions of a run that did not keep all of them."""
    columns = read_columns(remembered_path(folder))
    rows = columns["typical"].astype(bool)
    return Insertions(
        np.stack([columns[f"frac_{axis}"][rows] for axis in "xyz"], axis=1),
        columns["proposal_weight"][rows],
        columns["baseline_kj_per_mol"][rows],
        None,
        int(rows.sum()),
    )


def read_unseen(run: Run) -> Unseen:
    """Join each round's drawn insertions with the labels that this very round paid for.

    A label that an earlier round had paid for was known to the surrogate and is left out;
    so are failed labels.
    """
    parts = [_unseen_of_round(run.folder, number) for number in run.round_numbers]
    if not parts:
        return Unseen(*(np.zeros(0),) * 5)
    return Unseen(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _unseen_of_round(folder: Path, number: int) -> tuple[np.ndarray, ...]:
    routed = read_columns(routed_path(folder, number))
    labels = read_labels(str(folder), [number])
    energy = dict(zip(labels["label_key"].tolist(), labels["energy_kj_per_mol"], strict=True))
    reference = np.array([energy.get(key, np.nan) for key in routed["label_key"]], dtype=float)
    kept = np.isfinite(reference)
    return (
        np.full(int(kept.sum()), number),
        reference[kept],
        routed["surrogate_kj_per_mol"][kept],
        routed["surrogate_sd_kj_per_mol"][kept],
        routed["baseline_kj_per_mol"][kept],
    )


def read_failures(run: Run) -> list[tuple[str, int]]:
    """Return the reasons of failed labels with how often each occurred."""
    reasons: Counter[str] = Counter()
    for path in sorted((run.folder / "labels").glob("*.parquet")):
        reasons.update(r["reason"] for r in read_rows(path) if r["status"] == "failed")
    return reasons.most_common()
