"""One run on a finite population: the functions and the order of the loop, a made-up surrogate.

Proposals, outlook, plan, routing, thinning, calibration, weights, combination and interval are
those of the package. What is made up is the surrogate, since it decides whether an interval is
put to the test:

- good: the reference plus a smooth random error that shrinks as labels grow, with a stated
  deviation that is off by a random factor;
- poor: the baseline for ever, with a stated deviation of 4 kJ/mol;
- adversarial: as good, but 6 kJ/mol too high wherever the reference is within 8 kJ/mol of its
  lowest energy, and as confident there as elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from chem.allocation import (
    FEWEST_LABELS,
    Outlook,
    Purse,
    RoundPlan,
    experience,
    humility,
    outlook_of,
    plan_round,
)
from chem.combine import Combined, RoundEstimate, combine
from chem.estimator import (
    Labelled,
    Moments,
    beta_mol_per_kj,
    boltzmann_factor,
    corrected_moments,
)
from chem.proposal import Known, learn_proposal, voxel_shape
from common.population import Population
from ml.calibration import boltzmann_relevance, calibration_factor
from ml.routing import (
    PREDICTED_BETA2_SD2,
    draw,
    expected_error_terms,
    predicted_design_variance,
    route,
)

Kind = Literal["good", "poor", "adversarial"]
Model = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
KINDS: tuple[Kind, ...] = ("good", "poor", "adversarial")

MODES = 6
PRIOR_SD = 6.0
POOR_SD = 4.0
LARGEST_ERROR = 4.0
ERROR_OF_ONE_LABEL = 40.0
LEARNING_POWER = 0.9
CLIP_BELOW = 5.0
SITE_DEPTH = 8.0
SITE_ERROR = 6.0
EXPLORE = (0.5, 0.15)
TAUGHT = 30_000
MIN_ROUNDS = 3
MIN_LABELS = 10


@dataclass(frozen=True)
class Options:
    """What every replicate may spend, as in a run."""

    insertions: int = 400_000
    max_labels: int = 150
    max_rounds: int = 8
    target_error: float = 0.02


@dataclass(frozen=True)
class ErrorField:
    """A smooth random function of position and axis with variance one."""

    waves: np.ndarray
    turns: np.ndarray
    phases: np.ndarray

    @staticmethod
    def random(rng: np.random.Generator) -> ErrorField:
        """Draw a field."""
        waves = rng.integers(-3, 4, (3, MODES)).astype(float)
        return ErrorField(waves, rng.normal(0, 1.5, (3, MODES)), rng.uniform(0, 2 * np.pi, MODES))

    def __call__(self, fractional: np.ndarray, axis: np.ndarray) -> np.ndarray:
        """Return (n,) values."""
        angle = 2 * np.pi * fractional @ self.waves + axis @ self.turns + self.phases
        return np.asarray(np.sqrt(2.0 / MODES) * np.cos(angle).sum(axis=1))


@dataclass
class Table:
    """Rows of the population drawn from one proposal, and their weights."""

    rows: np.ndarray
    weight: np.ndarray


@dataclass
class Replicate:
    """One run: its surrogate's character, its random numbers, what it has done so far.

    ``terms`` holds, for each round, numbers whose squares add up to its design variance.
    """

    population: Population
    axis: np.ndarray
    kind: Kind
    rng: np.random.Generator
    options: Options
    rounds: list[RoundEstimate] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    scores: list[np.ndarray] = field(default_factory=list)
    relevance: list[np.ndarray] = field(default_factory=list)
    terms: list[np.ndarray] = field(default_factory=list)
    labels: int = 0
    misjudged: float = 1.0

    @property
    def beta(self) -> float:
        """1/(R T), mol/kJ."""
        return beta_mol_per_kj(self.population.case.temperature_k)

    @property
    def calibration(self) -> float:
        """The factor on stated deviations that the labels so far ask for."""
        if not self.scores:
            return 1.0
        return calibration_factor(np.concatenate(self.scores), np.concatenate(self.relevance))


def run(
    population: Population, axis: np.ndarray, kind: Kind, seed: list[int], options: Options
) -> tuple[Combined, Replicate]:
    """Do one run and return its answer.

    Args:
        population: what there is to insert into.
        axis: (M, 3) body axes of the population.
        kind: the surrogate's character.
        seed: of the random numbers.
        options: what may be spent.
    """
    rng = np.random.default_rng(seed)
    work = Replicate(population, axis, kind, rng, options, misjudged=np.exp(rng.normal(0.0, 0.4)))
    pilot = rng.choice(len(population.measure), TAUGHT, p=population.measure)
    work.tables.append(Table(pilot, np.ones(TAUGHT)))
    while True:
        _round(work)
        combined = combine(work.rounds)
        if _stops(work, combined):
            return combined, work


def surrogate(work: Replicate) -> Model:
    """Return stated mean and uncalibrated deviation as functions of rows, for the next round."""
    pop, rng = work.population, work.rng
    if not work.rounds or work.kind == "poor":
        stated = POOR_SD if work.rounds else PRIOR_SD
        return lambda rows: (pop.baseline_kj_per_mol[rows], np.full(len(rows), stated))
    size = min(LARGEST_ERROR, ERROR_OF_ONE_LABEL / max(work.labels, 1) ** LEARNING_POWER)
    error, scale = ErrorField.random(rng), ErrorField.random(rng)
    lowest = float(pop.reference_kj_per_mol.min())
    shift = SITE_ERROR if work.kind == "adversarial" else 0.0

    def predict(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        where = (pop.fractional[rows], work.axis[rows])
        local = size * np.exp(0.5 * scale(*where))
        truth = pop.reference_kj_per_mol[rows]
        mean = truth + local * error(*where) + np.where(truth < lowest + SITE_DEPTH, shift, 0.0)
        return np.maximum(mean, lowest - CLIP_BELOW), work.misjudged * local

    return predict


def _round(work: Replicate) -> None:
    model = surrogate(work)
    density, promised = _learn(work, model)
    known = experience(work.rounds)
    past = [float(combine(work.rounds).mean[0])] if work.rounds else []
    (overshoot,) = promised.overshoot(past)
    outlook = promised.humbled([known * overshoot * humility(work.labels)])
    purse = _purse(work)
    plan = plan_round(purse, outlook)
    rows = np.searchsorted(np.cumsum(density), work.rng.random(plan.insertions))
    rows = np.minimum(rows, len(density) - 1)
    table = Table(rows, work.population.measure[rows] / density[rows])
    work.tables.append(table)
    moments, design = _label(work, table, model, plan, purse.labels)
    variance = outlook.relative_variance(plan.labels, plan.insertions)[0]
    number = len(work.rounds) + 1
    predicted = overshoot * known * design
    work.rounds.append(RoundEstimate(number, moments, variance, predicted, known))


def _purse(work: Replicate) -> Purse:
    options = work.options
    errors: tuple[float, ...] = ()
    if work.rounds:
        errors = (combine(work.rounds).estimate.relative_standard_error,)
    return Purse(
        options.insertions - sum(len(t.rows) for t in work.tables[1:]),
        options.max_labels - work.labels,
        options.max_rounds - len(work.rounds),
        work.labels,
        options.target_error,
        errors,
    )


def _stops(work: Replicate, combined: Combined) -> bool:
    purse = _purse(work)
    enough = len(work.rounds) >= MIN_ROUNDS and work.labels >= MIN_LABELS
    reached = combined.estimate.relative_standard_error <= work.options.target_error
    spent = purse.labels < FEWEST_LABELS or purse.insertions < 1 or purse.rounds < 1
    return (enough and reached) or spent


def _learn(work: Replicate, model: Model) -> tuple[np.ndarray, Outlook]:
    """Return the density over the population that the latest tables teach, and its outlook."""
    pop = work.population
    rows = np.concatenate([t.rows for t in work.tables[::-1]])[:TAUGHT]
    weight = np.concatenate([t.weight for t in work.tables[::-1]])[:TAUGHT]
    free = np.isfinite(pop.reference_kj_per_mol[rows])
    energy, spread = np.full(len(rows), np.inf), np.zeros(len(rows))
    energy[free], spread[free] = model(rows[free])
    known = Known(pop.fractional[rows], pop.quaternions[rows], weight, energy)
    shape = voxel_shape(pop.lattice_angstrom, len(rows), pop.bins)
    temperature = pop.case.temperature_k

    def learned(part: slice) -> Known:
        return Known(*(values[part] for values in vars(known).values()))

    new = np.ones(len(rows))
    for half in (0, 1):
        other = learned(slice(1 - half, None, 2))
        proposal = learn_proposal(shape, pop.bins, other, (temperature,))
        own = learned(slice(half, None, 2))
        new[half::2] = proposal.weights(own.fractional, own.quaternions)
    stated = (weight[free], energy[free], work.calibration * spread[free])
    outlook = outlook_of(
        weight[free],
        new[free],
        [boltzmann_factor(work.beta, energy[free])],
        [expected_error_terms(temperature, *stated, PREDICTED_BETA2_SD2)],
        len(rows),
    )
    return pop.density(learn_proposal(shape, pop.bins, known, (temperature,))), outlook


def _label(
    work: Replicate, table: Table, model: Model, plan: RoundPlan, most: int
) -> tuple[Moments, float]:
    """Route, draw and estimate; return the moments and the predicted relative variance."""
    pop, count = work.population, len(table.rows)
    free = np.isfinite(pop.reference_kj_per_mol[table.rows])
    rows, weight = table.rows[free], table.weight[free]
    mean, raw = model(rows)
    scored = (weight, mean, work.calibration * raw)
    temperature, first = pop.case.temperature_k, not work.rounds
    routing = route((temperature,), *scored, plan.labels, EXPLORE[0 if first else 1])
    chosen, probability = draw(work.rng, routing.probability, most)
    truth = pop.reference_kj_per_mol[rows[chosen]]
    work.labels += len(chosen)
    labelled = Labelled(weight[chosen], mean[chosen], truth, probability[chosen])
    change = boltzmann_factor(work.beta, truth) - boltzmann_factor(work.beta, mean[chosen])
    missed = np.sqrt(1.0 - probability[chosen])
    work.terms.append(weight[chosen] * change / probability[chosen] * missed / count)
    design = predicted_design_variance(temperature, *scored, probability)
    alone = float((weight * boltzmann_factor(work.beta, mean)).sum())
    if not first:
        work.scores.append((truth - mean[chosen]) / raw[chosen])
        work.relevance.append(boltzmann_relevance(truth, 1.0 / work.beta))
    return corrected_moments(work.beta, weight, mean, labelled, count), design / alone**2
