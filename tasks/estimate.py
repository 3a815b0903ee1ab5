"""The answer of one round, and of all rounds together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chem.combine import Combined, RoundEstimate, combine
from chem.estimator import (
    Labelled,
    beta_mol_per_kj,
    boltzmann_factor,
    corrected_moments,
    failed_share,
)
from data.store import read_columns
from tasks.context import load_context
from tasks.labels import read_labels
from tasks.paths import routed_path
from tasks.routing import RouteRecord, read_scored_table

# Relative variance of one insertion's term, typical of adaptive tables. A fixed number, since a
# table's own estimate would give less weight to tables that happened to catch a large term.
TABLE_SPREAD = 50.0


@dataclass(frozen=True)
class EstimateItem:
    """A round to estimate from its table, scores and labels."""

    run_dir: str
    round_number: int
    table: int
    batches: int
    route: RouteRecord


@dataclass(frozen=True)
class RoundRecord:
    """One round at one temperature.

    Attributes:
        round_number: round.
        temperature_k: temperature.
        estimate: moments and predictions of the round.
        failures: failed labels among those drawn.
        failed_share: share of the surrogate's answer they stood for.
        surrogate_mae_kj_per_mol: Boltzmann-weighted error on the round's labels.
    """

    round_number: int
    temperature_k: float
    estimate: RoundEstimate
    failures: int
    failed_share: float
    surrogate_mae_kj_per_mol: float


def reference_of_routed(
    run_dir: str, round_number: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the routed columns of a round and the reference energy of each row (NaN: failed)."""
    routed = read_columns(routed_path(run_dir, round_number))
    labels = read_labels(run_dir, range(1, round_number + 1))
    energy = dict(zip(labels["label_key"].tolist(), labels["energy_kj_per_mol"], strict=True))
    return routed, np.array([energy.get(k, np.nan) for k in routed["label_key"]], dtype=float)


def estimate_round(item: EstimateItem) -> list[RoundRecord]:
    """Estimate the Henry average at the reference level from one round, per temperature."""
    context = load_context(item.run_dir)
    table = read_scored_table(item.run_dir, item.table, item.batches, item.round_number)
    weight = table.columns["proposal_weight"]
    surrogate = table.columns["surrogate_kj_per_mol"]
    routed, reference = reference_of_routed(item.run_dir, item.round_number)
    labelled = Labelled(
        routed["proposal_weight"],
        routed["surrogate_kj_per_mol"],
        reference,
        routed["routing_probability"],
    )
    records = []
    for k, temperature in enumerate(context.temperatures_k):
        beta = beta_mol_per_kj(temperature)
        scale = max(item.route.surrogate_mean[k] ** 2, np.finfo(float).tiny)
        design = item.route.predicted_design_variance[k] / scale
        estimate = RoundEstimate(
            table=item.table,
            moments=corrected_moments(beta, weight, surrogate, labelled, table.insertions),
            predicted_relative_variance=design + TABLE_SPREAD / table.insertions,
            predicted_relative_design_variance=design,
        )
        records.append(
            RoundRecord(
                item.round_number,
                temperature,
                estimate,
                int((~np.isfinite(reference)).sum()),
                failed_share(beta, weight, surrogate, labelled),
                _weighted_mae(beta, labelled),
            )
        )
    return records


def _weighted_mae(beta: float, labelled: Labelled) -> float:
    known = np.isfinite(labelled.reference_kj_per_mol)
    if not known.any():
        return float("nan")
    energy = labelled.reference_kj_per_mol[known]
    weight = (
        labelled.weight[known]
        / labelled.probability[known]
        * boltzmann_factor(beta, energy - energy.min())
    )
    error = np.abs(energy - labelled.surrogate_kj_per_mol[known])
    return float((weight * error).sum() / weight.sum())


def combine_rounds(records: Sequence[RoundRecord]) -> Combined:
    """Combine the rounds of one temperature; see :func:`chem.combine.combine`."""
    return combine([r.estimate for r in records])
