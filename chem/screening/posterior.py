"""What is believed of every host's quantity: prior times the likelihood of its own estimate.

The prior of a host is its classical answer plus the campaign's shift (`prior`); its own estimate
says Student's t around the value, with the degrees of freedom that its error bar deserves, so
that a host with a dozen labels keeps heavy tails. The product has no closed form and is kept on
a grid of its own for each host, dense where prior and likelihood are.

Beliefs choose where labels go. They are not what is reported as a host's K_H.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chem.screening.evidence import FEWEST_FREEDOM, Evidence, student_log_density
from chem.screening.prior import SHAPE_FREEDOM, Shift, learn_shift

NODES = 96
"""Places for prior and likelihood each."""
OUTERMOST = 2e-5
LEAST_ERROR = 1e-9
FINE = 1201


@dataclass(frozen=True)
class Beliefs:
    """A distribution for each of n hosts, linear between nodes of its cumulative function.

    Attributes:
        nodes: (n, g) ascending values.
        cumulative: (n, g) probability up to each node, 0 to 1.
    """

    nodes: np.ndarray
    cumulative: np.ndarray

    def quantile(self, probability: float) -> np.ndarray:
        """Return (n,) quantiles."""
        pairs = zip(self.cumulative, self.nodes, strict=True)
        return np.array([np.interp(probability, c, x) for c, x in pairs])

    @property
    def mean(self) -> np.ndarray:
        """(n,) means."""
        middle = 0.5 * (self.nodes[:, 1:] + self.nodes[:, :-1])
        return np.asarray((middle * np.diff(self.cumulative, axis=1)).sum(axis=1))

    @property
    def spread(self) -> np.ndarray:
        """(n,) standard deviations."""
        share = np.diff(self.cumulative, axis=1)
        low, high = self.nodes[:, :-1], self.nodes[:, 1:]
        second = ((low**2 + low * high + high**2) / 3.0 * share).sum(axis=1)
        return np.sqrt(np.maximum(0.0, second - self.mean**2))

    def sample(self, rng: np.random.Generator, draws: int) -> np.ndarray:
        """Return (draws, n) independent draws."""
        uniform = rng.random((len(self.nodes), draws))
        rows = zip(uniform, self.cumulative, self.nodes, strict=True)
        return np.array([np.interp(u, c, x) for u, c, x in rows]).reshape(-1, draws).T


def believe(evidence: Evidence, shift: Shift | None = None, *, unit: float = 1.0) -> Beliefs:
    """Return what is believed of every host.

    Args:
        evidence: of all hosts.
        shift: reference less classical; learned from the evidence where None is given.
        unit: see :func:`chem.screening.prior.learn_shift`.
    """
    shift = learn_shift(evidence, unit) if shift is None else shift
    known = evidence.labelled
    base = _prior_nodes(shift)
    nodes = np.repeat(base[None, :], len(known), axis=0)
    cumulative = np.repeat(_cumulative(base, shift.log_density(base))[None, :], len(known), axis=0)
    if known.any():
        own, share = _updated(evidence, shift, base, known)
        wide = np.repeat(nodes, 2, axis=1)
        wide[known] = own
        rest = np.repeat(cumulative, 2, axis=1)
        rest[known] = share
        nodes, cumulative = wide, rest
    return Beliefs(nodes + evidence.classical[:, None], cumulative)


def _updated(
    evidence: Evidence, shift: Shift, base: np.ndarray, known: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and cumulative function of the shift of hosts with labels."""
    from scipy.special import stdtrit

    centre = evidence.shift[known][:, None]
    error = np.maximum(LEAST_ERROR, evidence.standard_error[known])[:, None]
    freedom = np.maximum(FEWEST_FREEDOM, evidence.degrees_of_freedom[known])[:, None]
    near = stdtrit(np.minimum(freedom, 1e6), _levels()[None, :])
    own = np.sort(np.concatenate([np.repeat(base[None], len(centre), 0), centre + error * near], 1))
    fine, log_prior = _prior_table(shift, own)
    density = np.interp(own, fine, log_prior) + student_log_density(own - centre, error, freedom)
    return own, _cumulative(own, density)


def _prior_table(shift: Shift, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the prior's log density on a grid that holds all nodes."""
    reach = float(np.abs(nodes - shift.centre).max()) + 1e-9
    least = float(shift.spread.min())
    stretched = np.sinh(np.linspace(-1.0, 1.0, FINE) * np.arcsinh(reach / least))
    fine = shift.centre + least * stretched
    return fine, shift.log_density(fine)


def _levels() -> np.ndarray:
    """Return probabilities of nodes: even in the middle, out into the tails."""
    tail = np.geomspace(OUTERMOST, 0.05, NODES // 4, endpoint=False)
    return np.concatenate([tail, np.linspace(0.05, 0.95, NODES - 2 * len(tail)), 1.0 - tail[::-1]])


def _prior_nodes(shift: Shift) -> np.ndarray:
    """Return (NODES,) quantiles of the mixture, by its member's quantiles."""
    from scipy.special import stdtrit

    reach = float(stdtrit(SHAPE_FREEDOM, 1.0 - 0.01 * OUTERMOST))
    widest = float(shift.spread.max())
    least = float(shift.spread.min())
    grid = np.sinh(np.linspace(-1.0, 1.0, FINE) * np.arcsinh(reach * widest / least))
    places = shift.centre + least * grid
    share = _cumulative(places, shift.log_density(places))
    return np.interp(_levels(), share, places)


def _cumulative(nodes: np.ndarray, log_density: np.ndarray) -> np.ndarray:
    """Return the cumulative function along the last axis, by the trapezoid rule."""
    density = np.exp(log_density - log_density.max(axis=-1, keepdims=True))
    pieces = 0.5 * (density[..., 1:] + density[..., :-1]) * np.diff(nodes, axis=-1)
    total = np.concatenate([np.zeros((*pieces.shape[:-1], 1)), pieces.cumsum(axis=-1)], axis=-1)
    return np.asarray(total / total[..., -1:])
