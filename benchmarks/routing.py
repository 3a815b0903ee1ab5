"""Would another rule of routing, or another prediction in the sum, have paid? On a finished run.

    python benchmarks/routing.py runs/accuracy/CALF-20-150-0 runs/accuracy/Mg-MOF-74-150-0

The run's last surrogate stands for the reference: it is known there to tenths of a kJ/mol. For
the table of every round from the third to the last but one, with the surrogate of that round,
the design error of 30 labels is then a plain sum, without any label: sqrt(sum (1-pi)/pi d^2).
"Best possible" is the least that any probabilities can reach, those proportional to |d|.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common.machine import as_lines, describe

LABELS = 30
EXPLORE = 0.15
FLOOR = 0.03
TEMPERING = 3.0
CAUTION = 0.5
FIRST_ROUND = 3
BATCHES = 2
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Scored:
    """A round's table: v, beta mu and beta s of its surrogate, beta U of the last surrogate."""

    name: str
    weight: np.ndarray
    energy: np.ndarray
    spread: np.ndarray
    truth: np.ndarray

    @property
    def exact(self) -> np.ndarray:
        """The terms v W, the last surrogate taken for the reference."""
        return np.asarray(self.weight * np.exp(-self.truth))

    def predicted(self, caution: float) -> np.ndarray:
        """Return the terms v W with the mean raised by ``caution`` times beta s^2."""
        return np.asarray(self.weight * np.exp(-self.energy - caution * self.spread**2))

    def error(self, probability: np.ndarray, predicted: np.ndarray) -> float:
        """Return the relative design error with given probabilities and predictions of v W."""
        terms = (1.0 - probability) / probability * (self.exact - predicted) ** 2
        return float(np.sqrt(terms.sum()) / self.exact.sum())


def main() -> int:
    """Print and store the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("runs", nargs="+", help="folders of finished runs")
    parser.add_argument("--out", default=str(RESULTS / "routing"), help="empty: store nothing")
    arguments = parser.parse_args()
    found = [one for run in arguments.runs for one in tables(Path(run))]
    columns = [figures(one) for one in found]
    lines = [
        "| relative design error of 30 labels, % | " + " | ".join(o.name for o in found) + " |",
        "|---" * (len(found) + 1) + "|",
        *(
            f"| {name} | " + " | ".join(f"{100 * c[name]:.2f}" for c in columns) + " |"
            for name in columns[0]
        ),
    ]
    text = [*(f"- {line}" for line in as_lines(describe())), "", *lines]
    print("\n".join(text))
    if arguments.out:
        Path(arguments.out).with_suffix(".md").write_text("\n".join(text) + "\n", encoding="utf-8")
    return 0


def tables(run: Path) -> Iterator[Scored]:
    """Read the tables of a run and score them with its last surrogate."""
    from chem.estimator import beta_mol_per_kj
    from data.store import read_columns, read_rows
    from tasks.context import load_context, surrogate
    from tasks.insertions import placement
    from tasks.paths import surrogate_path

    last = max(row["round"] for row in read_rows(run / "rounds.parquet"))
    model = surrogate(surrogate_path(run, last))
    beta = beta_mol_per_kj(load_context(str(run)).temperatures_k[0])
    for number in range(FIRST_ROUND, last):
        paths = sorted((run / "insertions").glob(f"table-{number:02d}-*.parquet"))[:BATCHES]
        parts = [read_columns(path) for path in paths]
        every = {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
        kept = {name: values[~every["overlap"]] for name, values in every.items()}
        truth, _ = model.predict(*placement(kept), kept["baseline_kj_per_mol"])
        yield Scored(
            f"{run.name}, round {number}",
            kept["proposal_weight"],
            beta * kept["surrogate_kj_per_mol"],
            beta * kept["surrogate_sd_kj_per_mol"],
            beta * truth,
        )


def figures(table: Scored) -> dict[str, float]:
    """Return the relative design errors of a table, by rule."""
    predicted = table.predicted(CAUTION)
    ours = _probability(table, _aim(table, predicted))
    found = {
        "surrogate's answer by its means, % of the truth": _share(table, 0.0),
        "by what stands for insertions, % of the truth": _share(table, CAUTION),
        "ours": table.error(ours, predicted),
        "best possible with these predictions": _least(table, predicted),
    }
    for caution in (0.0, 1.0, 2.0):
        other = table.predicted(caution)
        found[f"means raised by {caution:g} beta s^2"] = table.error(
            _probability(table, _aim(table, other)), other
        )
    means = table.predicted(0.0)
    found["means, b capped at 4"] = table.error(_probability(table, _aim(table, means, 4.0)), means)
    found["b capped at 4"] = table.error(
        _probability(table, _aim(table, predicted, 4.0)), predicted
    )
    found["5 % tempered"] = table.error(
        _probability(table, _aim(table, predicted), 0.05), predicted
    )
    odds = (1.0 - ours) / ours
    best = float((odds * table.exact * predicted).sum() / (odds * predicted**2).sum())
    found["ours, best coefficient after the fact"] = table.error(ours, best * predicted)
    return found


def _share(table: Scored, caution: float) -> float:
    return float(table.predicted(caution).sum() / table.exact.sum())


def _least(table: Scored, predicted: np.ndarray) -> float:
    error = np.abs(table.exact - predicted).sum()
    return float(error / table.exact.sum() / np.sqrt(LABELS))


def _aim(table: Scored, predicted: np.ndarray, cap: float = 1.0) -> np.ndarray:
    b = np.minimum(table.spread**2, cap)
    factor = np.sqrt(np.maximum(0.0, np.exp(2.0 * b) - 2.0 * np.exp(0.5 * b) + 1.0))
    return np.asarray(predicted * factor)


def _probability(table: Scored, aim: np.ndarray, explore: float = EXPLORE) -> np.ndarray:
    """Return probabilities as in ml/routing.py, for any aim; sum 30, at most one."""
    tempered = table.weight * np.exp(-table.energy / TEMPERING)
    share = (1.0 - explore) * _unit(aim) + explore * _unit(tempered)
    share = (1.0 - FLOOR) * share + FLOOR / len(share)
    low, high = 0.0, LABELS / share.min()
    for _ in range(100):
        scale = 0.5 * (low + high)
        low, high = (scale, high) if np.minimum(1.0, scale * share).sum() < LABELS else (low, scale)
    return np.asarray(np.minimum(1.0, high * share))


def _unit(values: np.ndarray) -> np.ndarray:
    return np.asarray(values / values.sum())


if __name__ == "__main__":
    raise SystemExit(main())
