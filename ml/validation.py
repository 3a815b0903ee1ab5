"""Is a fitted surrogate to be trusted: its labels held out by geometry, its own spread beside.

Labels close to each other say nearly the same, so whole clusters of them are held out in turn.
The error there stands beside what the surrogate's standard deviation claims, and beside the
residual on labels it was fitted to: a surrogate that does well on the latter alone, and does not
know it, is over-fitted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data.constants import GAS_CONSTANT_KJ_PER_MOL_K
from ml.calibration import boltzmann_relevance

if TYPE_CHECKING:
    from ml.linear_system import Observations
    from ml.surrogate import Surrogate
    from ml.training import LabelSet

FOLDS = 5
FEWEST_LABELS = 20
OVERCONFIDENT = 1.75
OVERFITTED = 3.0
NO_BETTER = 0.9


@dataclass(frozen=True)
class Validation:
    """Root mean square errors of a surrogate, weighted by how much each label matters, kJ/mol.

    Attributes:
        labels: labels that were fitted.
        clusters: geometry clusters among them.
        baseline_kj_per_mol: error of the baseline.
        training_kj_per_mol: residual of the fit on its own labels.
        held_out_kj_per_mol: error on clusters held out in turn.
        predicted_kj_per_mol: what its standard deviation claims there.
        within_one_sd: share of held-out labels within one standard deviation.
    """

    labels: int
    clusters: int
    baseline_kj_per_mol: float
    training_kj_per_mol: float
    held_out_kj_per_mol: float
    predicted_kj_per_mol: float
    within_one_sd: float

    @property
    def warning(self) -> str:
        """What is wrong, in plain words; empty where nothing is."""
        held_out, claimed = self.held_out_kj_per_mol, self.predicted_kj_per_mol
        if held_out > NO_BETTER * self.baseline_kj_per_mol:
            return (
                f"the surrogate has learned little: on labels held out by geometry it errs by "
                f"{held_out:.2g} kJ/mol, the baseline by {self.baseline_kj_per_mol:.2g}. The "
                "interval holds, but it narrows slowly; more labels help, or a baseline "
                "(--force-field) that is closer to the reference"
            )
        if held_out > OVERCONFIDENT * claimed and held_out > OVERFITTED * self.training_kj_per_mol:
            return (
                f"the surrogate is over-fitted: it errs by {held_out:.2g} kJ/mol on labels held "
                f"out by geometry, by {self.training_kj_per_mol:.2g} on those it was fitted to, "
                f"and claims {claimed:.2g}. The interval holds, but labels may go to the wrong "
                "insertions; more labels help"
            )
        return ""


def cluster_folds(clusters: np.ndarray, folds: int = FOLDS) -> np.ndarray:
    """Return the fold of each label: clusters stay whole, folds are about equally large.

    Args:
        clusters: (L,) cluster numbers.
        folds: number of folds.

    Returns:
        (L,) fold numbers; fewer folds than asked where there are fewer clusters.
    """
    numbers, place, counts = np.unique(clusters, return_inverse=True, return_counts=True)
    filled = np.zeros(folds, dtype=np.int64)
    fold = np.zeros(len(numbers), dtype=np.int64)
    for cluster in np.argsort(-counts, kind="stable"):
        fold[cluster] = int(np.argmin(filled))
        filled[fold[cluster]] += counts[cluster]
    return fold[place]


def validate(
    surrogate: Surrogate, labels: LabelSet, clusters: np.ndarray, temperature_k: float
) -> Validation | None:
    """Cross-validate a surrogate over geometry clusters of its own labels.

    Its hyperparameters are kept; the conditioning on labels is repeated without each fold.

    Args:
        surrogate: as fitted.
        labels: the labels it was fitted to.
        clusters: (L,) geometry cluster of each label.
        temperature_k: temperature that says which labels matter, K.

    Returns:
        The errors; None for a surrogate without a head, and with too few labels or clusters.
    """
    from ml.observing import beyond_prior, observations, relevant_rows

    thermal = GAS_CONSTANT_KJ_PER_MOL_K * temperature_k
    rows = relevant_rows(labels, thermal)
    folds = cluster_folds(np.asarray(clusters)[rows])
    parts = np.unique(folds)
    if surrogate.head is None or len(rows) < FEWEST_LABELS or len(parts) < 2:
        return None
    energy, plain = labels.energy_kj_per_mol[rows], labels.baseline_kj_per_mol[rows]
    kept = labels.rows(rows)
    observed = observations(kept, thermal, surrogate.device)
    if surrogate.prior is not None:
        observed = beyond_prior(surrogate.prior, kept, observed)
    baseline = energy - observed.energy.cpu().numpy()
    fitted, held_out, spread = _predictions(surrogate, kept, observed, folds)
    weight = boltzmann_relevance(energy, thermal)
    lowest = surrogate.limits.lowest_kj_per_mol
    miss = np.maximum(baseline + held_out, lowest) - energy
    return Validation(
        labels=len(rows),
        clusters=len(np.unique(np.asarray(clusters)[rows])),
        baseline_kj_per_mol=_rms(plain - energy, weight),
        training_kj_per_mol=_rms(baseline + fitted - energy, weight),
        held_out_kj_per_mol=_rms(miss, weight),
        predicted_kj_per_mol=_rms(spread, weight),
        within_one_sd=float(np.average(np.abs(miss) < spread, weights=weight)),
    )


def _predictions(
    surrogate: Surrogate, labels: LabelSet, observed: Observations, folds: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return corrections of the fit, of the folds without each label, and their calibrated sd."""
    import torch

    from ml.heads import fit_head
    from ml.observing import describe_labels

    head, describer = surrogate.head, surrogate.describer
    if head is None or describer is None:
        raise ValueError("a surrogate without a head has nothing to validate")
    blocks = describe_labels(describer, labels, observed)
    fitted = head.predict(blocks)[0].cpu().numpy()
    held_out, spread = np.zeros(len(folds)), np.zeros(len(folds))
    for fold in np.unique(folds):
        held, kept = (torch.as_tensor(np.flatnonzero(m)) for m in (folds == fold, folds != fold))
        known = tuple(b.rows(kept) for b in blocks)
        part = fit_head(known, observed.rows(kept), head.kernel, head.pairs)
        mean, sd = part.predict(tuple(b.rows(held) for b in blocks))
        held_out[held.numpy()], spread[held.numpy()] = mean.cpu().numpy(), sd.cpu().numpy()
    return fitted, held_out, surrogate.limits.stretched(spread)


def _rms(values: np.ndarray, weights: np.ndarray) -> float:
    return float(np.sqrt(np.average(values**2, weights=weights)))
