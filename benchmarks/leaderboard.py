"""A leaderboard: the surrogate against plain regressors, by number of labels.

    python benchmarks/leaderboard.py                     # CO2 in CALF-20 and Mg-MOF-74, mace-dac
    python benchmarks/leaderboard.py --labels FOLDER     # labels kept in FOLDER; made if missing

Everybody learns the correction to the same baseline from the same labels, drawn like a run's: two
fifths from the baseline's Boltzmann distribution at three times the temperature, the others from a
surrogate's, half of them tempered. The test labels follow the Boltzmann distribution at the
temperature and lie in geometry clusters (position and orientation, symmetry included) of which
no label is in the training set. The peers of the first group get radial descriptors of the host
around each kind of guest site; those of the second the network's learned descriptors as well.
Needs scikit-learn (extra "bench").
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from common.boards import begin, labelled, options, store_json, store_text, thermal
from common.pool import Pool, Problem, fit_to, mixed_rows, pretrained, take
from common.regressors import NAMES, predict

RESULTS = Path(__file__).parent / "results" / "leaderboard"
SIZES = (50, 100, 200, 400)
TEST_SHARE = 0.25
OURS = ("widomill, energies", "widomill, energies and forces")
OWN_RADIAL = ("own head, radial only, energies", "own head, radial only, energies and forces")
CLASSICAL = "classical alone"
GROUPS = {
    "plain models on the radial descriptors": ("radial", CLASSICAL),
    "plain models given the network's descriptors too": ("learned",),
}
NEEDED = "The plain regressors need scikit-learn: pip install scikit-learn (or give --only-ours)."
DROPPED_RT, CLIP_BELOW_RT = 35.0, 2.0


@dataclass(frozen=True)
class Split:
    """Rows of a pool: the training set in order of use, and the test set.

    Attributes:
        train: row numbers for the largest size, mixed so that any beginning is a fair mix.
        test: row numbers of the test set.
        clusters: (n,) cluster of every row.
    """

    train: np.ndarray
    test: np.ndarray
    clusters: np.ndarray


def main() -> int:
    """Measure, print and store table and picture."""
    arguments = _arguments()
    if arguments.show:
        return show(arguments)
    if find_spec("sklearn") is None and not arguments.only_ours:
        print(NEEDED, file=sys.stderr)
        return 2
    machine = begin(["torch"] + ["scikit-learn"] * (not arguments.only_ours))
    scores = {host: measure(host, arguments) for host in arguments.hosts}
    store_json({"machine": machine, "scores": scores}, arguments.out / "leaderboard.json")
    return show(arguments)


def show(arguments: argparse.Namespace) -> int:
    """Print and store table and picture of what was measured."""
    stored = json.loads((arguments.out / "leaderboard.json").read_text(encoding="utf-8"))
    tables = [table(host, found, arguments) for host, found in stored["scores"].items()]
    text = "\n\n".join(tables)
    print(text)
    store_text(text, stored["machine"], arguments.out / "leaderboard.md")
    draw(stored["scores"], arguments, arguments.out / "leaderboard.png")
    return 0


def _arguments() -> argparse.Namespace:
    draws = "draws of training and test set"
    parser = options(__doc__.splitlines()[0], SIZES, draws, RESULTS)
    parser.add_argument("--members", type=int, default=None, help="encoders; as in a run")
    parser.add_argument("--only-ours", action="store_true", help="leave the regressors out")
    parser.add_argument("--show", action="store_true", help="of what is stored, without measuring")
    return parser.parse_args()


def measure(host: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return root mean square errors (kJ/mol) by model, size and seed, and seconds to train."""
    given, labels = labelled(host, arguments)
    found: dict[str, Any] = {"errors": {}, "seconds": {}, "test": [], "pool": len(labels.guide)}
    for seed in range(arguments.seeds):
        parts = split(given, labels, max(arguments.sizes), seed)
        found["test"].append(len(parts.test))
        one_seed(given, labels, parts, arguments, seed, found)
        print(f"{host}: seed {seed} done\n{table(host, found, arguments)}", flush=True)
    return found


def split(given: Problem, labels: Pool, most: int, seed: int) -> Split:
    """Set whole clusters aside for the test and draw the training set from the others."""
    from chem.binding_sites import approximate_symmetry
    from chem.sites.clusters import geometry_clusters
    from chem.sites.placements import Metric

    model, every = given.model, labels.labels
    symmetry = approximate_symmetry(model.host, model.pairs)
    metric = Metric(model.host.lattice_angstrom, model.guest, symmetry)
    clusters = geometry_clusters(metric, every.fractional, every.quaternions)
    rng = np.random.default_rng(100 + seed)
    likely = labels.rows("surrogate", 1.0, 1.0)
    order = rng.permutation(np.unique(clusters))
    counts = np.array([(clusters[likely] == c).sum() for c in order])
    held = order[np.cumsum(counts) <= TEST_SHARE * len(likely)]
    kept = ~np.isin(clusters, held)
    train = mixed_rows(labels, rng, most, kept)
    return Split(train, likely[~kept[likely]], clusters)


def one_seed(
    given: Problem,
    labels: Pool,
    parts: Split,
    arguments: argparse.Namespace,
    seed: int,
    found: dict[str, Any],
) -> None:
    """Train everybody on every size of one draw and note errors and seconds."""
    from ml.descriptors import Describer

    encoders = _pretrained(given, arguments, seed, found)
    describer = Describer(encoders, given.arrays, given.sites)
    for size in arguments.sizes:
        rows = _relevant(labels, parts.train[:size], arguments.temperature_k)
        contenders = {CLASSICAL: lambda: labels.labels.baseline_kj_per_mol[parts.test]}
        for name, forces in zip(OURS, (False, True), strict=True):
            contenders[name] = _ours(given, labels, encoders, rows, parts, forces, arguments)
        for name, forces in zip(OWN_RADIAL, (False, True), strict=True):
            contenders[name] = _radial(describer, labels, rows, parts, forces, arguments)
        if not arguments.only_ours:
            contenders |= _peers(describer, labels, rows, parts, seed, arguments)
        truth = labels.labels.energy_kj_per_mol[parts.test]
        for name, answer in contenders.items():
            start = time.process_time()
            error = float(np.sqrt(np.mean((answer() - truth) ** 2)))
            _note(found["errors"], name, size, error)
            _note(found["seconds"], name, size, time.process_time() - start)


def _note(store: dict[str, Any], name: str, size: int, value: float) -> None:
    store.setdefault(name, {}).setdefault(str(size), []).append(value)


def _pretrained(
    given: Problem, arguments: argparse.Namespace, seed: int, found: dict[str, Any]
) -> Any:
    start = time.process_time()
    encoders = pretrained(given, seed, arguments.members)
    _note(found["seconds"], "pretraining", 0, time.process_time() - start)
    found["members"] = len(encoders)
    return encoders


def _relevant(labels: Pool, rows: np.ndarray, temperature_k: float) -> np.ndarray:
    """Leave out labels so far up the wall that they cannot matter, for everybody."""
    energy = labels.labels.energy_kj_per_mol[rows]
    return rows[energy < energy.min() + DROPPED_RT * thermal(temperature_k)]


def _ours(
    given: Problem,
    labels: Pool,
    encoders: Any,
    rows: np.ndarray,
    parts: Split,
    forces: bool,
    arguments: argparse.Namespace,
) -> Any:
    def answer() -> np.ndarray:
        surrogate = fit_to(
            given, labels.labels, encoders, rows, arguments.temperature_k, forces=forces
        )
        asked = labels.labels.rows(parts.test)
        return surrogate.predict(asked.fractional, asked.quaternions, asked.baseline_kj_per_mol)[0]

    return answer


def _radial(
    describer: Any,
    labels: Pool,
    rows: np.ndarray,
    parts: Split,
    forces: bool,
    arguments: argparse.Namespace,
) -> Any:
    """Return the surrogate's head without the network's descriptors."""
    from ml.evidence import fit_kernel
    from ml.heads import fit_head
    from ml.observing import observations

    def answer() -> np.ndarray:
        kept = take(labels.labels, rows, forces=forces)
        observed = observations(kept, thermal(arguments.temperature_k))
        describe = describer.describe_with_slopes if forces else describer.describe
        blocks = describe(*_places(labels, rows))[:2]
        head = fit_head(blocks, observed, fit_kernel(blocks, observed).kernel)
        mean, _ = head.predict(describer.describe(*_places(labels, parts.test))[:2])
        return _clipped(mean.numpy(), labels, rows, parts, arguments)

    return answer


def _places(labels: Pool, rows: np.ndarray) -> tuple[Any, Any]:
    import torch

    every = labels.labels
    return torch.as_tensor(every.fractional[rows]), torch.as_tensor(every.quaternions[rows])


def _clipped(
    correction: np.ndarray,
    labels: Pool,
    rows: np.ndarray,
    parts: Split,
    arguments: argparse.Namespace,
) -> np.ndarray:
    """Add the baseline, and clip from below as the surrogate does."""
    every = labels.labels
    lowest = every.energy_kj_per_mol[rows].min() - CLIP_BELOW_RT * thermal(arguments.temperature_k)
    return np.maximum(every.baseline_kj_per_mol[parts.test] + correction, lowest)


def _peers(
    describer: Any,
    labels: Pool,
    rows: np.ndarray,
    parts: Split,
    seed: int,
    arguments: argparse.Namespace,
) -> dict[str, Any]:
    """Return the regressors of scikit-learn on radial, and on all, descriptors."""
    from ml.observing import observations

    kept = take(labels.labels, rows, forces=False)
    observed = observations(kept, thermal(arguments.temperature_k))
    known, asked = (
        _descriptors(describer, labels, rows),
        _descriptors(describer, labels, parts.test),
    )
    found = {}
    for title, width in (("radial", 1), ("radial and learned", 2)):
        one, two = np.hstack(known[:width]), np.hstack(asked[:width])
        for name in NAMES:

            def answer(
                name: str = name, one: np.ndarray = one, two: np.ndarray = two
            ) -> np.ndarray:
                noise, groups = observed.stretch.numpy(), parts.clusters[rows]
                found = predict(name, one, observed.energy.numpy(), noise, groups, two, seed)
                return _clipped(found, labels, rows, parts, arguments)

            found[f"{name}, {title}"] = answer
    return found


def _descriptors(describer: Any, labels: Pool, rows: np.ndarray) -> list[np.ndarray]:
    _, sums, learned = describer.describe(*_places(labels, rows))
    return [sums.values[0][:, 0].numpy(), learned.values[0][:, 0].numpy()]


def table(host: str, found: dict[str, Any], arguments: argparse.Namespace) -> str:
    """Return mean and spread over seeds of every model as Markdown, best first."""
    sizes = [str(size) for size in arguments.sizes]
    lines = [
        f"{arguments.guest} in {host}, {arguments.reference}, {arguments.temperature_k} K: root "
        f"mean square error (kJ/mol) on Boltzmann-distributed labels of clusters left out "
        f"({', '.join(map(str, found['test']))} of them), mean and standard deviation of "
        f"{arguments.seeds} draws; ensemble of {found['members']}.",
        "",
        "| model | " + " | ".join(f"{size} labels" for size in sizes) + " | CPU s at most |",
        "| --- " * (len(sizes) + 2) + "|",
    ]
    errors = found["errors"]
    mean = {n: [float(np.mean(e[size])) for size in sizes] for n, e in errors.items()}
    best = np.min([mean[name] for name in mean], axis=0)
    for name in sorted(mean, key=lambda n: float(np.mean(np.log(mean[n])))):
        cells = []
        for size, value, lowest in zip(sizes, mean[name], best, strict=True):
            text = f"{value:.2f} ± {np.std(errors[name][size]):.2f}"
            cells.append(f"**{text}**" if value == lowest else text)
        seconds = max(max(values) for values in found["seconds"][name].values())
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {seconds:.1f} |")
    lines += ["", verdict(mean, arguments.sizes)]
    pretraining = found["seconds"]["pretraining"]["0"]
    lines += ["", f"Pretraining of the encoders: {np.mean(pretraining):.0f} CPU s."]
    return "\n".join(lines)


def verdict(mean: dict[str, list[float]], sizes: list[int]) -> str:
    """Say at which sizes each of ours beats the plain models, by the descriptors these had."""
    said = []
    for group, marks in GROUPS.items():
        others = [v for n, v in mean.items() if n not in OURS + OWN_RADIAL and n.endswith(marks)]
        plain = np.min(others, axis=0) if others else np.full(len(sizes), np.inf)
        for name in OURS:
            won = [s for s, own, best in zip(sizes, mean[name], plain, strict=True) if own < best]
            lost = [s for s in sizes if s not in won]
            words = f"{name}, against {group}: ahead at {_listed(won) or 'no number of'} labels"
            said.append(words + (f", not at {_listed(lost)}" if lost else ""))
    return ". ".join(said) + "."


def _listed(sizes: list[int]) -> str:
    return ", ".join(str(size) for size in sizes)


def draw(scores: dict[str, Any], arguments: argparse.Namespace, path: Path) -> None:
    """Draw error against labels, one panel a host."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2 * len(scores), 5.4), layout="constrained")
    panels: Any = np.atleast_1d(figure.subplots(1, len(scores), sharey=True))
    for axis, (host, found) in zip(panels, scores.items(), strict=True):
        for name, errors in found["errors"].items():
            value = [np.mean(errors[str(size)]) for size in arguments.sizes]
            axis.loglog(arguments.sizes, value, label=name, **_style(name))
        axis.set(title=f"{arguments.guest} in {host}", xlabel="labels")
        axis.set_xticks(arguments.sizes, [str(size) for size in arguments.sizes], minor=False)
        axis.set_xticks([], minor=True)
        axis.set_yticks([0.2, 0.5, 1, 2, 5, 10], ["0.2", "0.5", "1", "2", "5", "10"])
        axis.grid(alpha=0.3)
    panels[0].set_ylabel("rms error on held-out clusters / kJ/mol")
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    figure.savefig(path, dpi=130)


def _style(name: str) -> dict[str, Any]:
    if name in OURS:
        return {"color": "C0", "lw": 2.4, "marker": "o", "ls": "-" if name == OURS[1] else "--"}
    if name in OWN_RADIAL:
        return {"color": "C9", "lw": 1.2, "ls": "-" if name == OWN_RADIAL[1] else "--"}
    if name == CLASSICAL:
        return {"color": "k", "lw": 1.2, "ls": ":"}
    colour = dict(zip(NAMES, ("C1", "C2", "C3", "C4"), strict=True))[name.partition(",")[0]]
    return {"color": colour, "lw": 1.2, "marker": ".", "ls": ":" if "learned" in name else "-"}


if __name__ == "__main__":
    sys.exit(main())
