"""One run on a finite population: the functions and the order of the loop, a made-up surrogate.

Proposals, outlook, schedule, routing, thinning, calibration, combination and interval are those
of the package. What is made up is the surrogate, since it decides whether an interval is
put to the test:

- good: the reference plus a smooth random error that shrinks as labels grow, with a stated
  deviation that is off by a random factor;
- poor: the baseline for ever, with a stated deviation of 4 kJ/mol;
- adversarial: as good, but 6 kJ/mol too high wherever the reference is within 8 kJ/mol of its
  lowest energy, and as confident there as elsewhere.

Calls of the reference may fail (common/failures.py). The same draws then also give the answers
that keep the surrogate where a label failed, and that nothing failing would have given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from chem.allocation import FEWEST_LABELS, Outlook, Schedule, outlook_of
from chem.combine import Combined, RoundEstimate, combine
from chem.estimator import (
    Labelled,
    Moments,
    beta_mol_per_kj,
    boltzmann_factor,
    corrected_moments,
    failed_share,
    responding,
)
from chem.proposal import Known, learn_proposal, voxel_shape
from common.failures import Failures, fails
from common.population import Population
from flows.loop import EXPLORE_FIRST, EXPLORE_LATER, MIN_LABELS, MIN_ROUNDS
from ml.calibration import boltzmann_relevance, calibration_factor
from ml.routing import (
    Believed,
    cautious_energy,
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
TAUGHT = 30_000


@dataclass(frozen=True)
class Options:
    """What every replicate may spend, as in a run.

    Attributes:
        insertions, max_labels, max_rounds, target_error: settings of a run.
        failures: which calls fail.
        known: labels that a model of other hosts is worth, before the first one; 0 for no model.
        min_labels: labels before a run may stop on its target.
    """

    insertions: int = 400_000
    max_labels: int = 150
    max_rounds: int = 10
    target_error: float = 0.02
    failures: Failures = "none"
    known: int = 0
    min_labels: int = MIN_LABELS

    @property
    def schedule(self) -> Schedule:
        """Labels and weights of the rounds."""
        return Schedule(self.max_labels, self.max_rounds)


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
        return np.asarray(np.sqrt(2.0 / MODES) * np.cos(angle.astype(np.float32)).sum(axis=1))


@dataclass
class Table:
    """Rows of the population drawn from one proposal, and their weights."""

    rows: np.ndarray
    weight: np.ndarray


@dataclass
class Replicate:
    """One run: its surrogate's character, its random numbers, what it has done so far.

    ``terms`` holds, for each round, numbers whose squares add up to its design variance;
    ``chance`` decides which calls fail.
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
    chance: np.random.Generator = field(default_factory=np.random.default_rng)
    failed: int = 0
    failed_shares: list[float] = field(default_factory=list)
    surrogate_kept: list[RoundEstimate] = field(default_factory=list)
    none_failed: list[RoundEstimate] = field(default_factory=list)

    @property
    def learned(self) -> int:
        """Labels that came back, and what a model of other hosts is worth."""
        return self.options.known + self.labels - self.failed

    @property
    def taught(self) -> bool:
        """Whether the surrogate is more than the baseline."""
        return bool(self.rounds or self.options.known)

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
    work.chance = np.random.default_rng([*seed, len("failures")])
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
    if not work.taught or work.kind == "poor":
        stated = POOR_SD if work.taught else PRIOR_SD
        return lambda rows: (pop.baseline_kj_per_mol[rows], np.full(len(rows), stated))
    size = min(LARGEST_ERROR, ERROR_OF_ONE_LABEL / max(work.learned, 1) ** LEARNING_POWER)
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
    options, number = work.options, len(work.rounds) + 1
    schedule = options.schedule
    model = surrogate(work)
    density, outlook = _learn(work, model)
    left = options.insertions - sum(len(t.rows) for t in work.tables[1:])
    most = schedule.most_insertions(number, left)
    lot = schedule.lots[number - 1]
    count = outlook.insertions(lot, options.target_error, most)
    rows = np.searchsorted(np.cumsum(density), np.sort(work.rng.random(count)))
    rows = np.minimum(rows, len(density) - 1)
    table = Table(rows, work.population.measure[rows] / density[rows])
    work.tables.append(table)
    answers, design = _label(work, table, model, lot, max(1, options.max_labels - work.labels))
    for kept, moments in zip(
        (work.rounds, work.surrogate_kept, work.none_failed), answers, strict=True
    ):
        kept.append(RoundEstimate(moments, schedule.weight(number), design))


def _stops(work: Replicate, combined: Combined) -> bool:
    options, number = work.options, len(work.rounds)
    enough = number >= MIN_ROUNDS and work.labels >= options.min_labels
    reached = combined.interval_error <= options.target_error
    spent = options.max_labels - work.labels < FEWEST_LABELS
    return (enough and reached) or spent or number >= len(options.schedule.lots)


def _learn(work: Replicate, model: Model) -> tuple[np.ndarray, Outlook]:
    """Return the density over the population that the latest tables teach, and its outlook."""
    pop = work.population
    rows = np.concatenate([t.rows for t in work.tables[::-1]])[:TAUGHT]
    weight = np.concatenate([t.weight for t in work.tables[::-1]])[:TAUGHT]
    free = np.isfinite(pop.reference_kj_per_mol[rows])
    energy = np.full(len(rows), np.inf)
    believed = _believed(work, model, rows[free], weight[free])
    energy[free] = believed.prediction_kj_per_mol
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
    terms = expected_error_terms(temperature, weight[free], energy[free], believed.sd_kj_per_mol)
    outlook = outlook_of(
        weight[free],
        new[free],
        [boltzmann_factor(work.beta, energy[free])],
        [terms],
        len(rows),
    )
    return pop.density(learn_proposal(shape, pop.bins, known, (temperature,))), outlook


def _label(
    work: Replicate, table: Table, model: Model, lot: float, most: int
) -> tuple[list[Moments], float]:
    """Route, draw and estimate; return the moments and the predicted relative variance.

    The moments are those of the package, those with the surrogate's energy where a label failed
    and those without failures.
    """
    pop, count = work.population, len(table.rows)
    free = np.isfinite(pop.reference_kj_per_mol[table.rows])
    rows, weight = table.rows[free], table.weight[free]
    believed = _believed(work, model, rows, weight)
    prediction = believed.prediction_kj_per_mol
    temperature, first = pop.case.temperature_k, not work.rounds
    routing = route(
        (temperature,), believed, min(lot, most), EXPLORE_FIRST if first else EXPLORE_LATER
    )
    chosen, probability = draw(work.rng, routing.probability, most)
    truth = pop.reference_kj_per_mol[rows[chosen]]
    back = ~fails(work.options.failures, pop, rows[chosen], work.chance)
    came = np.where(back, truth, np.nan)
    labelled = Labelled(weight[chosen], prediction[chosen], came, probability[chosen])
    work.labels += len(chosen)
    work.failed += int((~back).sum())
    work.failed_shares.append(failed_share(work.beta, weight, prediction, labelled))
    known = responding(labelled)
    change = boltzmann_factor(work.beta, truth[back])
    change -= boltzmann_factor(work.beta, known.surrogate_kj_per_mol)
    missed = np.sqrt(1.0 - known.probability)
    work.terms.append(known.weight * change / known.probability * missed / count)
    design = predicted_design_variance(temperature, believed, probability)
    alone = float((weight * boltzmann_factor(work.beta, prediction)).sum())
    if not first:
        raw = believed.sd_kj_per_mol[chosen] / work.calibration
        work.scores.append(((truth - believed.mean_kj_per_mol[chosen]) / raw)[back])
        work.relevance.append(boltzmann_relevance(truth[back], 1.0 / work.beta))
    kept = np.where(back, truth, prediction[chosen])
    answers = [
        corrected_moments(
            work.beta, weight, prediction, replace(labelled, reference_kj_per_mol=energy), count
        )
        for energy in (came, kept, truth)
    ]
    return answers, design / alone**2


def _believed(work: Replicate, model: Model, rows: np.ndarray, weight: np.ndarray) -> Believed:
    """Return what the surrogate says of insertions; the first one has learned nothing."""
    mean, raw = model(rows)
    spread = work.calibration * raw
    temperature = work.population.case.temperature_k
    prediction = cautious_energy(mean, spread, temperature) if work.taught else mean
    return Believed(weight, mean, spread, prediction)
