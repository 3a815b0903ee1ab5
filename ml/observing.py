"""Which labels a surrogate learns from, what they say of the correction, and with what noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ml.descriptors import Block, Describer
from ml.linear_system import Observations

if TYPE_CHECKING:
    from ml.training import LabelSet

RELIABLE_KT = 12.0
STRETCH_KT = 5.0
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
    """Return what labels say of the correction; noise grows from 12 kT above the deepest.

    Args:
        labels: usable labels.
        thermal: RT, kJ/mol.
        device: torch device.
    """
    above = (labels.energy_kj_per_mol - labels.energy_kj_per_mol.min()) / thermal
    excess = np.maximum(above - RELIABLE_KT, 0.0) / STRETCH_KT
    force, torque = labels.force_correction, labels.torque_correction
    return Observations(
        _tensor(labels.energy_kj_per_mol - labels.baseline_kj_per_mol, device),
        None if force is None else _tensor(force, device),
        None if torque is None else _tensor(torque, device),
        _tensor(1.0 + 4.0 * excess**2, device),
    )


def _tensor(values: np.ndarray, device: str) -> Tensor:
    return torch.as_tensor(np.asarray(values, dtype=np.float64), device=device)
