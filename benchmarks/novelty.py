"""Does novelty help routing? An auto-encoder's reconstruction error beside the surrogate's sd.

    python benchmarks/novelty.py                      # CO2 in CALF-20 and Mg-MOF-74, mace-dac
    python benchmarks/novelty.py --labels FOLDER      # archives of labels; made if missing

A surrogate is fitted to labels drawn like a run's; an auto-encoder learns to reproduce the
descriptors of the same labels, and so do their principal components. All other labels of the pool,
weighted to stand for the whole cell, are then routed: with the probabilities of a run, and with
these times a power of each insertion's reconstruction error over its median. As every error is
known, so is the variance of the labels' correction under either; for a wanted variance the labels
needed are proportional to it. The partial rank correlation says whether the reconstruction error
tells anything of the surrogate's error that its standard deviation does not.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from common.boards import begin, labelled, options, store_json, store_text, thermal
from common.pool import Pool, Problem, fit_to, mixed_rows, pretrained

RESULTS = Path(__file__).parent / "results" / "novelty"
SIZES = (60, 120, 240)
POWERS = (0.25, 0.5, 1.0)
SIGNALS = ("auto-encoder", "principal components")
ROUTED_LABELS, EXPLORE_SHARE = 60.0, 0.15
HIDDEN, CODE, STEPS = 48, 8, 500
RELEVANT_RT = 8.0
SWEEPS = 300
WORTH_IT = 0.9


@dataclass(frozen=True)
class Population:
    """Labelled insertions that were not fitted, standing for the whole cell.

    Attributes:
        energy: (n,) reference energies, kJ/mol.
        mean: (n,) surrogate energies.
        sd: (n,) surrogate standard deviations.
        weight: (n,) volume each stands for, in arbitrary units.
        novelty: by signal, (n,) reconstruction errors over their median.
    """

    energy: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    weight: np.ndarray
    novelty: dict[str, np.ndarray]


def main() -> int:
    """Measure, print and store table and picture."""
    draws = "draws of training set"
    arguments = options(__doc__.splitlines()[0], SIZES, draws, RESULTS).parse_args()
    machine = begin(["torch"])
    cases = [case for host in arguments.hosts for case in measure(host, arguments)]
    text = table(cases)
    print(text)
    store_json({"machine": machine, "cases": cases}, arguments.out / "novelty.json")
    store_text(text, machine, arguments.out / "novelty.md")
    draw(cases, arguments.out / "novelty.png")
    return 0


def measure(host: str, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the figures of every size and seed of one host."""
    given, labels = labelled(host, arguments)
    weight = volumes(labels, arguments.temperature_k)
    encoders = pretrained(given, seed=0)
    cases = []
    for seed in range(arguments.seeds):
        rng = np.random.default_rng(200 + seed)
        order = mixed_rows(labels, rng, max(arguments.sizes), np.ones(len(weight), dtype=bool))
        for size in arguments.sizes:
            found = population(given, labels, weight, encoders, order[:size], seed, arguments)
            figures = examine(found, arguments.temperature_k)
            cases.append({"host": host, "labels": size, "seed": seed, **figures})
            print(f"{host}: {size} labels, seed {seed} done", flush=True)
    return cases


def volumes(labels: Pool, temperature_k: float) -> np.ndarray:
    """Return the volume each label stands for, from all distributions they were drawn from.

    The densities' norms follow from each other (Shirts and Chodera, J. Chem. Phys. 129 (2008)
    124105, eq. 11). The reference energy stands for the surrogate's that guided a draw.
    """
    from scipy.special import logsumexp

    kt = thermal(temperature_k)
    kinds = sorted(set(zip(labels.guide.tolist(), labels.tempering.tolist(), strict=True)))
    guides = {
        "baseline": labels.labels.baseline_kj_per_mol,
        "surrogate": labels.labels.energy_kj_per_mol,
        "uniform": np.zeros(len(labels.guide)),
    }
    logs = np.stack([-guides[guide] / (kt * tempering) for guide, tempering in kinds])
    counts = [
        ((labels.guide == guide) & (labels.tempering == tempering)).sum()
        for guide, tempering in kinds
    ]
    norms = logsumexp(logs, axis=1)
    for _ in range(SWEEPS):
        mixed = logsumexp(logs + (np.log(counts) - norms)[:, None], axis=0)
        norms = logsumexp(logs - mixed, axis=1)
    return np.exp(-(mixed - mixed.min()))


def population(
    given: Problem,
    labels: Pool,
    weight: np.ndarray,
    encoders: Any,
    rows: np.ndarray,
    seed: int,
    arguments: argparse.Namespace,
) -> Population:
    """Fit to some rows and predict the others."""
    surrogate = fit_to(given, labels.labels, encoders, rows, arguments.temperature_k, forces=True)
    others = np.setdiff1d(np.arange(len(weight)), rows)
    asked = labels.labels.rows(others)
    mean, sd = surrogate.predict(asked.fractional, asked.quaternions, asked.baseline_kj_per_mol)
    blocks = [
        surrogate.describe(part.fractional, part.quaternions)
        for part in (labels.labels.rows(rows), asked)
    ]
    known, new = (np.hstack([b.values[0][:, 0].numpy() for b in part[1:]]) for part in blocks)
    spread = known.std(axis=0)
    kept = spread > 0.02 * spread.max()
    known, new = (((part - known.mean(axis=0)) / spread)[:, kept] for part in (known, new))
    novelty = {SIGNALS[0]: _autoencoder(known, new, seed), SIGNALS[1]: _components(known, new)}
    relative = {name: values / np.median(values) for name, values in novelty.items()}
    return Population(asked.energy_kj_per_mol, mean, sd, weight[others], relative)


def _autoencoder(known: np.ndarray, new: np.ndarray, seed: int) -> np.ndarray:
    """Return root mean square reconstruction errors of descriptors not seen in training."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        width = known.shape[1]
        net = torch.nn.Sequential(
            torch.nn.Linear(width, HIDDEN),
            torch.nn.SiLU(),
            torch.nn.Linear(HIDDEN, CODE),
            torch.nn.Linear(CODE, HIDDEN),
            torch.nn.SiLU(),
            torch.nn.Linear(HIDDEN, width),
        )
        goal = torch.as_tensor(known, dtype=torch.float32)
        optimiser = torch.optim.Adam(net.parameters(), lr=4e-3, weight_decay=1e-5)
        for _ in range(STEPS):
            optimiser.zero_grad()
            (net(goal) - goal).square().mean().backward()
            optimiser.step()
        with torch.no_grad():
            asked = torch.as_tensor(new, dtype=torch.float32)
            return np.asarray((net(asked) - asked).square().mean(dim=1).sqrt().numpy(), float)


def _components(known: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Return the same of as many principal components as the auto-encoder's code has numbers."""
    _, _, axes = np.linalg.svd(known, full_matrices=False)
    axes = axes[:CODE]
    return np.asarray(np.sqrt(((new - new @ axes.T @ axes) ** 2).mean(axis=1)))


def examine(found: Population, temperature_k: float) -> dict[str, Any]:
    """Return partial correlations and the variance with each signal over that without."""
    from ml.routing import Believed, cautious_energy, error_factor, route, scaled

    kt = thermal(temperature_k)
    near = found.energy < found.energy.min() + RELEVANT_RT * kt
    weight = found.weight
    stands = cautious_energy(found.mean, found.sd, temperature_k)
    believed = Believed(weight, found.mean, found.sd, stands)
    base = route([temperature_k], believed, ROUTED_LABELS, EXPLORE_SHARE).probability
    terms = weight * (np.exp(-found.energy / kt) - np.exp(-stands / kt))
    plain = _variance(terms, base)
    ideal = scaled(np.abs(terms) + 1e-3 * np.abs(terms).max(), ROUTED_LABELS)
    size = error_factor(1.0 / kt, found.sd)
    result: dict[str, Any] = {"ideal": _variance(terms, ideal) / plain, "signals": {}}
    for name, values in found.novelty.items():
        ratios = {
            str(p): _variance(terms, scaled(base * values**p, ROUTED_LABELS)) / plain
            for p in POWERS
        }
        result["signals"][name] = {
            "correlation": _ranked(values[near], np.abs(found.energy - found.mean)[near]),
            "partial": _partial(values[near], np.abs(found.energy - found.mean)[near], size[near]),
            "ratios": ratios,
        }
    return result


def _variance(terms: np.ndarray, probability: np.ndarray) -> float:
    return float(((1.0 / probability - 1.0) * terms**2).sum())


def _ranked(one: np.ndarray, two: np.ndarray) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(one, two).statistic)


def _partial(one: np.ndarray, two: np.ndarray, given: np.ndarray) -> float:
    """Return the rank correlation of two quantities that is left when a third is known."""
    a, b, c = _ranked(one, two), _ranked(one, given), _ranked(two, given)
    return float((a - b * c) / np.sqrt((1.0 - b * b) * (1.0 - c * c)))


def table(cases: list[dict[str, Any]]) -> str:
    """Return means over seeds as Markdown, and the verdict."""
    powers = " | ".join(f"labels at power {p:g}" for p in POWERS)
    lines = [
        "Labels needed with the signal over labels needed without (geometric mean over seeds; "
        "below 1 is better), and rank correlations of the signal with the surrogate's error. "
        "Ideal: probabilities proportional to the true errors.",
        "",
        f"| host | labels | signal | correlation | partial, sd known | {powers} | ideal |",
        "| --- " * (6 + len(POWERS)) + "|",
    ]
    for host, size in dict.fromkeys((c["host"], c["labels"]) for c in cases):
        some = [c for c in cases if (c["host"], c["labels"]) == (host, size)]
        ideal = float(np.exp(np.mean(np.log([c["ideal"] for c in some]))))
        for name in SIGNALS:
            found = [c["signals"][name] for c in some]
            plain, partial = (np.mean([f[k] for f in found]) for k in ("correlation", "partial"))
            shown = " | ".join(f"{_mean(found, p):.2f}" for p in POWERS) + f" | {ideal:.2f}"
            lines.append(f"| {host} | {size} | {name} | {plain:.2f} | {partial:.2f} | {shown} |")
    return "\n".join([*lines, "", verdict(cases)])


def _mean(found: list[dict[str, Any]], power: float) -> float:
    return float(np.exp(np.mean([np.log(f["ratios"][str(power)]) for f in found])))


def verdict(cases: list[dict[str, Any]]) -> str:
    """Say what the best power saves over all cases, and whether that is worth it."""
    found = {
        (name, power): _mean([c["signals"][name] for c in cases], power)
        for name in SIGNALS
        for power in POWERS
    }
    (name, power), best = min(found.items(), key=lambda item: item[1])
    worse = sum(c["signals"][name]["ratios"][str(power)] > 1.0 for c in cases)
    said = (
        f"Best over all {len(cases)} cases: {name} at power {power:g}, {best:.2f} times the labels "
        f"(more of them in {worse} cases)."
    )
    return said + (" Worth it." if best < WORTH_IT else " Not worth it: left out of routing.")


def draw(cases: list[dict[str, Any]], path: Path) -> None:
    """Draw the ratio of labels for every case and power, one panel a host."""
    from matplotlib.figure import Figure

    hosts = list(dict.fromkeys(c["host"] for c in cases))
    figure = Figure(figsize=(4.6 * len(hosts), 3.8), layout="constrained")
    panels: Any = np.atleast_1d(figure.subplots(1, len(hosts), sharey=True))
    for axis, host in zip(panels, hosts, strict=True):
        for k, name in enumerate(SIGNALS):
            for j, power in enumerate(POWERS):
                some = [c for c in cases if c["host"] == host]
                x = np.array([c["labels"] for c in some]) * 1.06 ** (2 * (j - 1) + k - 0.5)
                y = [c["signals"][name]["ratios"][str(power)] for c in some]
                label = f"{name}, power {power:g}"
                axis.loglog(x, y, "os"[k], ms=4, color=f"C{j}", mfc="w" if k else None, label=label)
        axis.axhline(1.0, color="k", lw=1)
        sizes = sorted({c["labels"] for c in cases})
        axis.set_xticks(sizes, [str(s) for s in sizes])
        axis.set_xticks([], minor=True)
        axis.set_yticks([0.5, 0.7, 1.0, 1.4, 2.0], ["0.5", "0.7", "1", "1.4", "2"])
        axis.set_yticks([], minor=True)
        axis.set(title=f"CO2 in {host}", xlabel="labels fitted")
        axis.grid(alpha=0.3)
    panels[0].set_ylabel("labels needed, with signal over without")
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    sys.exit(main())
