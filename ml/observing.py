"""Which labels a surrogate learns from, what they say of the correction, and with what noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ml.descriptors import Block, Describer
from ml.linear_system import Observations

if TYPE_CHECKING:
    from ml.surrogate import Surrogate
    from ml.training import LabelSet

RELIABLE_KT = 12.0
STRETCH_KT = 5.0
DEEP_KT = 4.0
DOUBTED_KT = 20.0
DOUBT_STRETCH_KT = 3.0
DROPPED_KT = 35.0


def relevant_rows(labels: LabelSet, thermal: float) -> np.ndarray:
    """Return the labels that did not fail and do not lie far up the repulsive wall.

    Args:
        labels: labels.
        thermal: RT, kJ/mol.
    """
    energy = np.asarray(labels.energy_kj_per_mol, dtype=float)
    usable = np.isfinite(energy) & np.isfinite(np.asarray(labels.baseline_kj_per_mol, dtype=float))
    lowest = energy[usable].min(initial=np.inf)
    return np.flatnonzero(usable & (energy <= lowest + DROPPED_KT * thermal))


def describe_labels(
    describer: Describer, labels: LabelSet, observed: Observations
) -> tuple[Block, ...]:
    """Return the descriptors of labels, with slopes where forces or torques are observed."""
    device = str(describer.device)
    places = (_tensor(labels.fractional, device), _tensor(labels.quaternions, device))
    if observed.force is None and observed.torque is None:
        return describer.describe(*places)
    return describer.describe_with_slopes(*places)


def observations(labels: LabelSet, thermal: float, device: str = "cpu") -> Observations:
    """Return what labels say of the correction, and how far each is to be followed.

    Noise grows where an energy lies more than 12 kT above the deepest one, or a baseline more
    than 20 kT above where baselines of deep labels lie. A baseline far up its wall where the
    reference binds asks for a correction of hundreds of kJ/mol; followed to 0.1 kJ/mol, a few
    such labels set amplitudes and lengths for all others.

    Args:
        labels: usable labels.
        thermal: RT, kJ/mol.
        device: torch device.
    """
    energy, baseline = labels.energy_kj_per_mol, labels.baseline_kj_per_mol
    lowest = energy.min()
    usual = max(lowest, float(np.median(baseline[energy < lowest + DEEP_KT * thermal])))
    far = np.maximum((energy - lowest) / thermal - RELIABLE_KT, 0.0) / STRETCH_KT
    doubt = np.maximum((baseline - usual) / thermal - DOUBTED_KT, 0.0) / DOUBT_STRETCH_KT
    force, torque = labels.force_correction, labels.torque_correction
    return Observations(
        _tensor(energy - baseline, device),
        None if force is None else _tensor(force, device),
        None if torque is None else _tensor(torque, device),
        _tensor(1.0 + 4.0 * far**2 + 4.0 * doubt**4, device),
    )


def beyond_prior(prior: Surrogate, labels: LabelSet, observed: Observations) -> Observations:
    """Return what labels say beyond a prior mean.

    Args:
        prior: what other hosts taught.
        labels: labels in this host.
        observed: what they say of the whole correction.
    """
    said = prior.correction_and_gradient(labels.fractional, labels.quaternions)
    energy, force, torque = (_tensor(part, str(observed.energy.device)) for part in said)
    return observed.beyond(Observations(energy, force, torque, observed.stretch))


def _tensor(values: np.ndarray, device: str) -> Tensor:
    return torch.as_tensor(np.asarray(values, dtype=np.float64), device=device)
