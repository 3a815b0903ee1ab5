r"""How far the reference lies from the classical level, learned over the campaign.

For every host d = (value at the reference) - (value at the classical level), d ~ t_5(mu, tau): one
shared mean and one shared spread, with tails, since now and then a classical force field misses an
open metal site altogether. An estimate with standard error s and nu degrees of freedom says
d_hat ~ t_nu(d, s). The marginal of d_hat is taken as Student's t with scale^2 = tau^2 + s^2 and the
degrees of freedom of Welch and Satterthwaite of the two parts.

mu and tau are learned by empirical Bayes: on a grid of tau, mu by its mode and its curvature
(Laplace), each tau weighted by what it explains and by a half-Cauchy prior. What is believed of
a host without labels is the mixture over tau, wide while hosts with labels are few.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chem.screening.evidence import FEWEST_FREEDOM, Evidence, student_log_density

SHAPE_FREEDOM = 5.0
SPREADS = 25
LEAST_SPREAD, MOST_SPREAD = 0.02, 12.0
MEAN_SPREAD = 2.0
TURNS = 8
NEGLIGIBLE = 1e-8


@dataclass(frozen=True)
class Shift:
    """What is believed of reference less classical of a host that has no label.

    A mixture of Student's t distributions of 5 degrees of freedom.

    Attributes:
        weight: (m,) of the members, sum one.
        mean: (m,) their centres.
        spread: (m,) their scales, the uncertainty of the centre included.
        hosts: hosts with labels it was learned from.
    """

    weight: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    hosts: int

    def log_density(self, shift: np.ndarray) -> np.ndarray:
        """Return the log density at places of any shape."""
        flat = np.ravel(shift)
        members = student_log_density(
            flat[:, None] - self.mean, self.spread, SHAPE_FREEDOM
        ) + np.log(self.weight)
        top = members.max(axis=1)
        total = top + np.log(np.exp(members - top[:, None]).sum(axis=1))
        return np.asarray(total.reshape(np.shape(shift)))

    @property
    def centre(self) -> float:
        """The mean."""
        return float((self.weight * self.mean).sum())

    @property
    def scale(self) -> float:
        """The weighted root mean square scale of the members."""
        return float(np.sqrt((self.weight * self.spread**2).sum()))


def learn_shift(evidence: Evidence, unit: float = 1.0) -> Shift:
    """Learn the distribution of reference less classical from the hosts labelled so far.

    Args:
        evidence: of all hosts.
        unit: what counts as a usual spread before any label: 1 for ln K_H; the scale of the
            half-Cauchy prior of tau, twice it the deviation of the normal prior of mu.

    Returns:
        The prior of a host without labels.
    """
    known = evidence.labelled
    shift = evidence.shift[known]
    error = evidence.standard_error[known]
    freedom = np.maximum(FEWEST_FREEDOM, evidence.degrees_of_freedom[known])
    tau = unit * np.geomspace(LEAST_SPREAD, MOST_SPREAD, SPREADS)[:, None]
    variance = tau**2 + error**2
    total_freedom = variance**2 / (tau**4 / SHAPE_FREEDOM + error**4 / freedom)
    mean_precision = (MEAN_SPREAD * unit) ** -2.0
    mean = np.full((SPREADS, 1), float(np.median(shift)) if len(shift) else 0.0)
    for _ in range(TURNS):
        residual = (shift - mean) ** 2 / variance
        pull = (total_freedom + 1.0) / (total_freedom + residual) / variance
        mean = (pull * shift).sum(axis=1, keepdims=True) / (
            pull.sum(axis=1, keepdims=True) + mean_precision
        )
    residual = (shift - mean) ** 2 / variance
    bend = (total_freedom + 1.0) * (total_freedom - residual) / (total_freedom + residual) ** 2
    curvature = np.maximum((bend / variance).sum(axis=1), 0.0) + mean_precision
    log_weight = (
        student_log_density(shift - mean, np.sqrt(variance), total_freedom).sum(axis=1)
        - 0.5 * mean_precision * mean[:, 0] ** 2
        - 0.5 * np.log(curvature)
        - np.log1p((tau[:, 0] / unit) ** 2)
        + np.log(tau[:, 0])
    )
    weight = np.exp(log_weight - log_weight.max())
    used = weight > NEGLIGIBLE * weight.sum()
    return Shift(
        weight[used] / weight[used].sum(),
        mean[used, 0],
        np.sqrt(tau[used, 0] ** 2 + 1.0 / curvature[used]),
        int(known.sum()),
    )
