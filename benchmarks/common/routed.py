"""Threshold routing in a case whose reference is a second force field, so that all is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

OPEN_METAL = Path(__file__).parents[2] / "tests" / "flows" / "inputs" / "open-metal.yaml"
# Host, force field that stands for the reference, and what to call it.
CASES = (
    ("CALF-20", "DREIDING", "DREIDING"),
    ("Mg-MOF-74", str(OPEN_METAL), "a made-up force field that binds at the open metal"),
)
TEMPERATURE_K = 298.15
BASELINE_KJ_PER_MOL = (-20.0, -10.0, 0.0, 20.0)
SPREADS_KJ_PER_MOL = (2.0, 0.5, 0.1)
ROUNDS = (2, 3)
MILLION = 1_000_000
BATCHES = 20


@dataclass(frozen=True)
class Routed:
    """One case.

    Attributes:
        name: guest and host.
        reference: what stands for the reference.
        exact: Henry coefficient at the reference level, mol/(kg Pa).
        exact_error: its relative standard error.
        rows: rule, labels, relative error of K_H, standard error of that.
    """

    name: str
    reference: str
    exact: float
    exact_error: float
    rows: list[tuple[str, float, float, float]]


def routed_cases(runs: Path) -> list[Routed]:
    """Return CO2 in each host; a run of widomill is done where its folder is not there."""
    return [
        _routed(host, field, called, runs / f"{host}_CO2_{Path(field).stem}")
        for host, field, called in CASES
    ]


def _routed(host: str, field: str, called: str, folder: Path) -> Routed:
    from chem.estimator import beta_mol_per_kj
    from flows.launch import launch
    from flows.settings import make_settings

    settings = make_settings(
        host=host,
        guest="CO2",
        reference=f"forcefield:{field}",
        temperatures_k=(TEMPERATURE_K,),
        insertions=300_000,
        max_labels=200,
        max_rounds=3,
        target_error=0.02,
        out=str(folder),
    )
    result = launch(settings, orchestration=False)[0]
    exact, exact_error = _exact(folder, field)
    beta = beta_mol_per_kj(TEMPERATURE_K)
    rows: list[tuple[str, float, float, float]] = []
    for number in ROUNDS:
        weight, baseline, surrogate, spread, reference, insertions = _table(folder, field, number)
        true = weight * np.exp(-beta * reference)
        if number == ROUNDS[-1]:
            cheap = weight * np.exp(-beta * baseline)
            for limit in BASELINE_KJ_PER_MOL:
                rule = f"baseline under {limit:g} kJ/mol, the baseline elsewhere"
                rows.append((rule, *_outcome(baseline < limit, weight, true, cheap, insertions)))
        learned = weight * np.exp(-beta * surrogate)
        for limit in SPREADS_KJ_PER_MOL:
            rule = f"spread over {limit:g} kJ/mol, the surrogate of round {number} elsewhere"
            rows.append((rule, *_outcome(spread > limit, weight, true, learned, insertions)))
    off = result["henry_mol_per_kg_pa"] / exact - 1.0
    own = float(np.hypot(result["henry_relative_standard_error"], exact_error))
    rows.sort(key=lambda row: row[0].partition(" under")[1] == "")
    rows.append(("widomill (its labels, its stated error)", float(result["labels"]), off, own))
    return Routed(f"CO2 in {host}", called, exact, exact_error, rows)


def _outcome(
    labelled: np.ndarray, weight: np.ndarray, true: np.ndarray, cheap: np.ndarray, insertions: int
) -> tuple[float, float, float]:
    """Return labels in a million uniform insertions, relative error and its standard error.

    Against the reference's own sum over the same table, so that the table's error cancels.
    """
    from common.choices import ratio

    mixed = np.where(labelled, true, cheap)
    parts = np.arange(len(weight)) * BATCHES // len(weight)
    found = ratio(np.bincount(parts, mixed), np.bincount(parts, true))
    share = float(weight[labelled].sum()) / insertions
    return MILLION * share, found.value - 1.0, found.standard_error


def _exact(folder: Path, field: str) -> tuple[float, float]:
    """Return the Henry coefficient at the reference level by brute force and its relative error."""
    from chem.force_fields import load_force_field
    from chem.mixing import mix_pairs
    from chem.system import System
    from chem.widom import WidomSettings, run_widom
    from tasks.context import load_context

    system = load_context(str(folder)).system
    pairs = mix_pairs(system.host, system.guest, load_force_field(field))
    other = System(system.host, system.guest, pairs, system.classical)
    settings = WidomSettings(insertions=8_000_000, target_error=0.002, block_pockets=False)
    answer = run_widom(other, (TEMPERATURE_K,), settings)
    return float(answer.henry_mol_per_kg_pa[0]), float(answer.relative_standard_error[0])


def _table(folder: Path, field: str, number: int) -> tuple[Any, ...]:
    """Return weights, baseline, surrogate, its spread, reference and N of the table of a round."""
    from chem.references.registry import make_reference
    from data.store import read_columns
    from tasks.context import baseline_model, load_context
    from tasks.insertions import placement

    parts = [read_columns(path) for path in sorted((folder / "insertions").glob("*.parquet"))]
    parts = [part for part in parts if part["round"][0] == number]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    free = ~columns["overlap"].astype(bool)
    kept = {name: values[free] for name, values in columns.items()}
    system = load_context(str(folder)).system
    reference = make_reference(
        f"forcefield:{field}", system.host, system.guest, classical=baseline_model(str(folder))
    )
    labels = reference.interaction_energies(*placement(kept))
    names = ("proposal_weight", "baseline_kj_per_mol", "surrogate_kj_per_mol")
    chosen = [kept[name] for name in (*names, "surrogate_sd_kj_per_mol")]
    return (*chosen, np.array([label.energy_kj_per_mol for label in labels]), len(free))
