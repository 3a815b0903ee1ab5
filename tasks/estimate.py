"""The answer of one round, and of all rounds together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chem.combine import RoundEstimate
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


@dataclass(frozen=True)
class EstimateItem:
    """A round to estimate from its table, scores and labels.

    Attributes:
        run_dir: run folder.
        round_number: round.
        table: its table of insertions.
        batches: batches in the table.
        route: what was drawn.
        weight: how much the round counts, by the schedule.
    """

    run_dir: str
    round_number: int
    table: int
    batches: int
    route: RouteRecord
    weight: float


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


def labelled_of(routed: dict[str, np.ndarray], reference: np.ndarray) -> Labelled:
    """Return a round's routed columns with their reference energies as the labelled share."""
    return Labelled(
        routed["proposal_weight"],
        routed["prediction_kj_per_mol"],
        reference,
        routed["routing_probability"],
    )


def estimate_round(item: EstimateItem) -> list[RoundRecord]:
    """Estimate the Henry average at the reference level from one round, per temperature."""
    context = load_context(item.run_dir)
    table = read_scored_table(item.run_dir, item.table, item.batches, item.round_number)
    weight = table.columns["proposal_weight"]
    prediction = table.columns["prediction_kj_per_mol"]
    routed, reference = reference_of_routed(item.run_dir, item.round_number)
    labelled = labelled_of(routed, reference)
    records = []
    for k, temperature in enumerate(context.temperatures_k):
        beta = beta_mol_per_kj(temperature)
        scale = max(item.route.predicted_mean[k] ** 2, np.finfo(float).tiny)
        design = item.route.predicted_design_variance[k] / scale
        estimate = RoundEstimate(
            moments=corrected_moments(beta, weight, prediction, labelled, table.insertions),
            weight=item.weight,
            predicted_relative_design_variance=design,
        )
        records.append(
            RoundRecord(
                item.round_number,
                temperature,
                estimate,
                int((~np.isfinite(reference)).sum()),
                failed_share(beta, weight, prediction, labelled),
                _weighted_mae(beta, labelled, routed["surrogate_kj_per_mol"]),
            )
        )
    return records


def _weighted_mae(beta: float, labelled: Labelled, surrogate_mean: np.ndarray) -> float:
    known = np.isfinite(labelled.reference_kj_per_mol)
    if not known.any():
        return float("nan")
    energy = labelled.reference_kj_per_mol[known]
    weight = (
        labelled.weight[known]
        / labelled.probability[known]
        * boltzmann_factor(beta, energy - energy.min())
    )
    error = np.abs(energy - surrogate_mean[known])
    return float((weight * error).sum() / weight.sum())
