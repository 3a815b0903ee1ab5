"""Fitting of surrogates to labels: what they learn from, and which of several ways is best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from data.constants import GAS_CONSTANT_KJ_PER_MOL_K
from ml.calibration import boltzmann_relevance, calibration_factor
from ml.descriptors import Block, Describer
from ml.encoder import Encoder
from ml.evidence import FEWEST_TO_TUNE, Fit, fit_kernel
from ml.graphs import GuestSites, HostArrays
from ml.heads import Kernel, fit_head
from ml.linear_system import Observations, PairTerm
from ml.observing import beyond_prior, describe_labels, observations, relevant_rows
from ml.pair_prior import PairPrior
from ml.surrogate import PRIOR_SD_KJ_PER_MOL, SKIP_ABOVE_KJ_PER_MOL, Limits, Surrogate
from ml.training import LabelSet

CLIP_BELOW_KT = 2.0
OPEN_LABELS = 20.0
"""With so many labels the margin below the lowest of them is twice that of many."""
SKIP_KT = 8.0
SKIP_MARGIN_KJ_PER_MOL = 20.0
LARGEST_SKIP_KJ_PER_MOL = 150.0
FEWEST_TO_VALIDATE = 20
FOLDS = 5
LOWEST_SPREAD = 0.4


def fit_surrogate(
    encoders: tuple[Encoder, ...],
    host: HostArrays,
    guest: GuestSites,
    labels: LabelSet,
    *,
    temperature_k: float,
    seed: int,
    calibration: float = 1.0,
    shuffle_labels: bool = False,
    prior_sd_kj_per_mol: float = PRIOR_SD_KJ_PER_MOL,
    device: str = "cpu",
    prior: Surrogate | None = None,
    pairs: PairPrior | None = None,
    departures: bool = False,
) -> Surrogate:
    """Fit a surrogate to labels.

    Labels far above the deepest one, or with baselines far above it, count with growing noise
    (:func:`ml.observing.observations`), those more than 35 kT above it not at all. With fewer
    than three usable labels what was known before comes back, unless it is known how hosts
    depart from it: then one is enough.

    Args:
        encoders: pretrained encoders of this host and guest.
        host: the host.
        guest: the guest's sites.
        labels: reference labels, with forces and torques where known.
        temperature_k: temperature that says which labels matter, K.
        seed: seed of the shuffling; the fit itself draws no random numbers.
        calibration: factor on predicted standard deviations.
        shuffle_labels: hand the corrections to the wrong insertions and drop forces; a
            deliberately bad surrogate with which to test that estimates stay unbiased.
        prior_sd_kj_per_mol: standard deviation where no correction is evaluated.
        device: torch device to fit and predict on.
        prior: what labels in other hosts taught, as a prior mean.
        pairs: what pair potentials of other hosts have in common. Of neither, the one and the
            other, that is used under which the labels are most probable.
        departures: whether pair potentials tell how hosts depart from the prior mean, so that
            they are used together or not at all.

    Returns:
        The surrogate.
    """
    thermal = GAS_CONSTANT_KJ_PER_MOL_K * temperature_k
    kept = labels.rows(relevant_rows(labels, thermal))
    few = len(kept.energy_kj_per_mol) < FEWEST_TO_TUNE
    if shuffle_labels:
        prior = pairs = None
    departing = departures and prior is not None and pairs is not None
    if few and not (departing and len(kept.energy_kj_per_mol)):
        return prior or Surrogate(host, guest, Limits(prior_sd_kj_per_mol=prior_sd_kj_per_mol))
    observed = observations(kept, thermal, device)
    if shuffle_labels:
        order = torch.as_tensor(np.random.default_rng(seed).permutation(len(observed.energy)))
        shuffled = observed.energy[order.to(observed.energy.device)]
        observed = Observations(shuffled, None, None, observed.stretch)
    describer = Describer(encoders, host, guest, device)
    blocks = describe_labels(describer, kept, observed)
    relevance = boltzmann_relevance(kept.energy_kj_per_mol, thermal)
    known = None if pairs is None else pairs.term(describer)
    ways = [] if few else [_Way(observed, fit_kernel(blocks, observed))]
    if prior is not None:
        above = beyond_prior(prior, kept, observed)
        rest = prior.limits.calibration * prior.limits.noise_kj_per_mol
        term = known if departing else None
        fit = fit_kernel(blocks, above, pairs=term, rest_kj_per_mol=rest)
        ways.append(_Way(above, fit, prior))
    if known is not None and not departures:
        ways.append(_Way(observed, fit_kernel(blocks, observed, pairs=known)))
    best = max(ways, key=lambda way: way.fit.log_evidence)
    kernel, term = best.fit.kernel, best.fit.pairs
    spread = _cross_validate(blocks, best.observed, kernel, relevance, term)
    limits = Limits(
        skip_above_kj_per_mol=_skip_above(kept, thermal),
        lowest_kj_per_mol=_lowest(
            kept, thermal, informed=term is not None or best.prior is not None
        ),
        prior_sd_kj_per_mol=prior_sd_kj_per_mol,
        noise_kj_per_mol=kernel.noise[0],
        calibration=calibration * spread,
    )
    head = fit_head(blocks, best.observed, kernel, term)
    return Surrogate(host, guest, limits, encoders, head, device, prior=best.prior)


@dataclass(frozen=True)
class _Way:
    """One way to learn from labels: what is left to learn, its fit, and the prior mean."""

    observed: Observations
    fit: Fit
    prior: Surrogate | None = None


def _cross_validate(
    blocks: tuple[Block, ...],
    observed: Observations,
    kernel: Kernel,
    relevance: np.ndarray,
    pairs: PairTerm | None = None,
) -> float:
    """Predict labels held out in turn; hyperparameters are those of all labels.

    Returns:
        The factor that makes deviations fit the errors; 1 with fewer than 20 labels.
    """
    count = len(relevance)
    if count < FEWEST_TO_VALIDATE:
        return 1.0
    errors, spreads = np.zeros(count), np.zeros(count)
    for fold in range(FOLDS):
        held = torch.arange(fold, count, FOLDS)
        kept = torch.as_tensor(np.setdiff1d(np.arange(count), held.numpy()))
        head = fit_head(tuple(b.rows(kept) for b in blocks), observed.rows(kept), kernel, pairs)
        mean, sd = head.predict(tuple(b.rows(held) for b in blocks))
        errors[held.numpy()] = (observed.energy[held.to(mean.device)] - mean).cpu().numpy()
        spreads[held.numpy()] = torch.hypot(sd, _level(kernel, sd)).cpu().numpy()
    return calibration_factor(errors / spreads, relevance, lowest=LOWEST_SPREAD)


def _level(kernel: Kernel, like: Tensor) -> Tensor:
    return torch.full_like(like, kernel.noise[0])


def _lowest(labels: LabelSet, thermal: float, *, informed: bool) -> float:
    """Return where predictions are clipped from below, kJ/mol.

    A few labels need not have met the deepest site yet. Where other hosts speak too, predictions
    may go deeper by as much as few labels leave open.
    """
    energy = labels.energy_kj_per_mol
    margin = CLIP_BELOW_KT * (1.0 + (OPEN_LABELS / len(energy)) ** 2 if informed else 1.0)
    return float(energy.min()) - margin * thermal


def _skip_above(labels: LabelSet, thermal: float) -> float:
    """Return the baseline energy above which no label ever came out low."""
    low = labels.energy_kj_per_mol < labels.energy_kj_per_mol.min() + SKIP_KT * thermal
    seen = float(labels.baseline_kj_per_mol[low].max()) + SKIP_MARGIN_KJ_PER_MOL
    return min(max(seen, SKIP_ABOVE_KJ_PER_MOL), LARGEST_SKIP_KJ_PER_MOL)
