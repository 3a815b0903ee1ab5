"""Threshold routing in a case whose reference is a second force field, so that all is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

HOSTS = ("CALF-20", "Mg-MOF-74")
REFERENCE = "forcefield:DREIDING"
TEMPERATURE_K = 298.15
BASELINE_KJ_PER_MOL = (-20.0, -10.0, 0.0, 20.0)
SPREADS_KJ_PER_MOL = (4.0, 2.0, 1.0, 0.5)
MILLION = 1_000_000
BATCHES = 20


@dataclass(frozen=True)
class Routed:
    """One case.

    Attributes:
        name: guest and host.
        exact: Henry coefficient at the reference level, mol/(kg Pa).
        exact_error: its relative standard error.
        rows: rule, labels, relative error of K_H, standard error of that.
    """

    name: str
    exact: float
    exact_error: float
    rows: list[tuple[str, float, float, float]]


def routed_cases(runs: Path) -> list[Routed]:
    """Return CO2 in each host; a run of widomill is done where its folder is not there."""
    return [_routed(host, runs / f"{host}_CO2_DREIDING") for host in HOSTS]


def _routed(host: str, folder: Path) -> Routed:
    from chem.estimator import beta_mol_per_kj
    from flows.launch import launch
    from flows.settings import make_settings

    settings = make_settings(
        host=host,
        guest="CO2",
        reference=REFERENCE,
        temperatures_k=(TEMPERATURE_K,),
        insertions=300_000,
        max_labels=200,
        target_error=0.02,
        out=str(folder),
    )
    result = launch(settings, orchestration=False)[0]
    exact, exact_error = _exact(folder)
    columns, reference, insertions = _table(folder)
    beta = beta_mol_per_kj(TEMPERATURE_K)
    weight, baseline, surrogate, spread = columns
    true = weight * np.exp(-beta * reference)
    rows = []
    for limit in BASELINE_KJ_PER_MOL:
        cheap = weight * np.exp(-beta * baseline)
        rule = f"baseline under {limit:g} kJ/mol, the baseline elsewhere"
        rows.append((rule, *_outcome(baseline < limit, weight, true, cheap, insertions)))
    learned = weight * np.exp(-beta * surrogate)
    for limit in SPREADS_KJ_PER_MOL:
        rule = f"spread over {limit:g} kJ/mol, the last surrogate elsewhere"
        rows.append((rule, *_outcome(spread > limit, weight, true, learned, insertions)))
    off = result["henry_mol_per_kg_pa"] / exact - 1.0
    own = float(np.hypot(result["henry_relative_standard_error"], exact_error))
    rows.append(("widomill (its labels, its stated error)", float(result["labels"]), off, own))
    return Routed(f"CO2 in {host}", exact, exact_error, rows)


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


def _exact(folder: Path) -> tuple[float, float]:
    """Return the Henry coefficient at the reference level by brute force and its relative error."""
    from chem.force_fields import load_force_field
    from chem.mixing import mix_pairs
    from chem.system import System
    from chem.widom import WidomSettings, run_widom
    from tasks.context import load_context

    system = load_context(str(folder)).system
    force_field = load_force_field(REFERENCE.partition(":")[2])
    pairs = mix_pairs(system.host, system.guest, force_field)
    other = System(system.host, system.guest, pairs, system.classical)
    settings = WidomSettings(insertions=8_000_000, target_error=0.002, block_pockets=False)
    answer = run_widom(other, (TEMPERATURE_K,), settings)
    return float(answer.henry_mol_per_kg_pa[0]), float(answer.relative_standard_error[0])


def _table(folder: Path) -> tuple[tuple[np.ndarray, ...], np.ndarray, int]:
    """Return columns of the last table, its energies at the reference, and its insertions."""
    from chem.references.registry import make_reference
    from data.store import read_columns
    from tasks.context import baseline_model, load_context
    from tasks.insertions import placement

    paths = sorted((folder / "insertions").glob("table-*-batch-*.parquet"))
    last = paths[-1].name.partition("-batch-")[0]
    parts = [read_columns(path) for path in paths if path.name.startswith(last)]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    free = ~columns["overlap"].astype(bool)
    kept = {name: values[free] for name, values in columns.items()}
    system = load_context(str(folder)).system
    reference = make_reference(
        REFERENCE, system.host, system.guest, classical=baseline_model(str(folder))
    )
    labels = reference.interaction_energies(*placement(kept))
    names = ("proposal_weight", "baseline_kj_per_mol", "surrogate_kj_per_mol")
    chosen = tuple(kept[name] for name in (*names, "surrogate_sd_kj_per_mol"))
    return chosen, np.array([label.energy_kj_per_mol for label in labels]), len(free)
