"""A host's reference run, replayed on its finite population: round after round, one lot each.

Schedule, routing, thinning, the estimator, the combination of rounds and its degrees of freedom
are those of the package. The surrogate is a plain Bayesian linear regression of reference less
baseline on the baseline's parts, learned from the labels drawn so far; the proposal follows its
energies insertion by insertion. What a run finds does not hang on when its lots come, so that
all ways of spending labels are compared on the same runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from chem.allocation import Schedule
from chem.combine import Combined, RoundEstimate, combine
from chem.estimator import Labelled, beta_mol_per_kj, boltzmann_factor, corrected_moments
from chem.proposal import CAUTIOUS
from chem.screening.evidence import logarithmic
from common.screen_tables import HostTable
from ml.routing import Believed, cautious_energy, draw, predicted_design_variance, route

DRAWN = 2_500
FIRST_SD = 4.0
PRIOR_SD = np.array([4.0, 2.0, 2.0])
NOISE_SD, NOISE_TERMS = 1.5, 4.0
LEARNED_KT = 15.0
EXPLORE = (0.5, 0.15)


@dataclass(frozen=True)
class Known:
    """What a run knows after a lot.

    Attributes:
        labels: paid so far.
        ln_henry: ln of the combined estimate; NaN where it is not positive.
        standard_error: of it.
        degrees_of_freedom: of its error bar.
    """

    labels: int
    ln_henry: float
    standard_error: float
    degrees_of_freedom: float


@dataclass
class Course:
    """A host's run, lots worked out when they are first asked for.

    Attributes:
        table: the host.
        schedule: of its lots.
        rng: source of randomness, its own.
    """

    table: HostTable
    schedule: Schedule
    rng: np.random.Generator
    rows: list[np.ndarray] = field(default_factory=list)
    rounds: list[RoundEstimate] = field(default_factory=list)
    known: list[Known] = field(default_factory=list)
    labels: int = 0

    @property
    def beta(self) -> float:
        """1/(R T), mol/kJ."""
        return beta_mol_per_kj(self.table.temperature_k)

    @property
    def lots(self) -> int:
        """Lots there are."""
        return len(self.schedule.lots)

    def after(self, lots: int) -> Known:
        """Return what is known after a number of lots, at least one."""
        while len(self.known) < lots:
            combined = _round(self)
            # An estimate that is not positive says nothing about ln K_H.
            positive = combined.mean[0] > 0.0
            relative = np.array(combined.estimate.relative_standard_error)
            self.known.append(
                Known(
                    self.labels,
                    float(np.log(self.table.prefactor * combined.mean[0])) if positive else np.nan,
                    float(logarithmic(relative)) if positive else np.nan,
                    combined.degrees_of_freedom,
                )
            )
        return self.known[lots - 1]


def _round(run: Course) -> Combined:
    table, number = run.table, len(run.rounds) + 1
    mean, sd = _surrogate(run)
    energy = cautious_energy(mean, sd, table.temperature_k) if run.labels else mean
    density = _density(run, energy)
    free = run.rng.binomial(DRAWN, density.sum())
    rows = run.rng.choice(len(density), free, p=density / density.sum())
    weight = table.measure[rows] / density[rows]
    believed = Believed(weight, mean[rows], sd[rows], energy[rows])
    left = max(1, run.schedule.max_labels - run.labels)
    lot = min(run.schedule.lots[number - 1], float(left))
    routing = route((table.temperature_k,), believed, lot, EXPLORE[0 if number == 1 else 1])
    chosen, probability = draw(run.rng, routing.probability, left)
    labelled = Labelled(
        weight[chosen],
        energy[rows[chosen]],
        table.reference_kj_per_mol[rows[chosen]],
        probability[chosen],
    )
    moments = corrected_moments(run.beta, weight, energy[rows], labelled, DRAWN)
    design = predicted_design_variance(table.temperature_k, believed, probability)
    alone = float((weight * boltzmann_factor(run.beta, energy[rows])).sum())
    run.rows.append(rows[chosen])
    run.labels += len(chosen)
    relative = design / alone**2
    run.rounds.append(RoundEstimate(moments, run.schedule.weight(number), relative))
    return combine(run.rounds)


def _density(run: Course, energy: np.ndarray) -> np.ndarray:
    """Return the probability to draw each row: a proposal's mixture, overlaps being the rest."""
    measure, shares = run.table.measure, CAUTIOUS

    low = (run.beta * (energy - energy.min())).astype(np.float32)

    def tempered(factor: float) -> np.ndarray:
        found = measure * np.exp(low * np.float32(-1.0 / factor))
        return np.asarray(found / found.sum())

    focus = 1.0 - shares.uniform - shares.explore
    return np.asarray(
        shares.uniform * measure
        + shares.explore * tempered(shares.explore_tempering)
        + focus * tempered(shares.focus_tempering)
    )


def _surrogate(run: Course) -> tuple[np.ndarray, np.ndarray]:
    """Return (n,) energies and their standard deviations from the labels so far, kJ/mol."""
    table = run.table
    base = table.baseline_kj_per_mol
    if not run.labels:
        return base, np.full(len(base), FIRST_SD)
    rows = np.concatenate(run.rows)
    delta = table.reference_kj_per_mol[rows] - base[rows]
    reference = table.reference_kj_per_mol[rows]
    kept = reference < reference.min() + LEARNED_KT / run.beta
    rows, delta = rows[kept], delta[kept]
    features = _features(table)
    own = features[rows]
    noise = NOISE_SD**2
    for _ in range(3):
        covariance = np.linalg.inv(np.diag(PRIOR_SD**-2.0) + own.T @ own / noise)
        coefficients = covariance @ (own.T @ delta) / noise
        residual = float(((delta - own @ coefficients) ** 2).sum())
        noise = (NOISE_TERMS * NOISE_SD**2 + residual) / (NOISE_TERMS + len(rows))
    spread = ((features @ covariance) * features).sum(axis=1)
    mean = np.maximum(base + features @ coefficients, reference.min() - 2.0 / run.beta)
    return mean, np.sqrt(noise + spread)


def _features(table: HostTable) -> np.ndarray:
    """Return (n, 3): one, Lennard-Jones part, Coulomb part, in tens of kJ/mol, soft-clipped."""
    lj = np.clip(table.dispersion_kj_per_mol, -100.0, 20.0) / 10.0
    coulomb = np.clip(table.baseline_kj_per_mol - table.dispersion_kj_per_mol, -100.0, 100.0) / 10.0
    return np.stack([np.ones(len(lj)), lj, coulomb], axis=1)
