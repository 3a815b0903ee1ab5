"""How often the 95 % interval holds the truth: hundreds of replicates of the loop.

    python benchmarks/coverage.py                    # 500 replicates of each cell
    python benchmarks/coverage.py --replicates 50 --case Mg

Each replicate is a run of several rounds on a finite population of insertions (common/
population.py) with energies at two force fields, whose truth is a plain sum. Proposals, plan,
routing, thinning, calibration, combination and interval are the functions of the package; what
is made up is the surrogate, since it decides whether the interval is put to the test:

- good: the reference plus a smooth random error field, smaller as labels grow, with a stated
  deviation that is off by a random factor;
- poor: the baseline for ever, with a stated deviation of 4 kJ/mol;
- adversarial: as good, but 6 kJ/mol too high wherever the reference is within 8 kJ/mol of its
  lowest energy, and as confident there as elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from common.population import Case, Population, populate

from chem.allocation import (
    FEWEST_LABELS,
    Outlook,
    Purse,
    experience,
    humility,
    outlook_of,
    plan_round,
)
from chem.combine import Combined, RoundEstimate, combine
from chem.estimator import Labelled, beta_mol_per_kj, boltzmann_factor, corrected_moments
from chem.proposal import Known, learn_proposal, voxel_shape
from ml.calibration import boltzmann_relevance, calibration_factor
from ml.routing import draw, expected_error_terms, predicted_design_variance, route

CASES = (
    Case("CALF-20", "CO2", {"Zn": 4.0, "H": 1.6, "N": 0.3}, {"N": 0.97}),
    Case("Mg-MOF-74", "CO2", {"Mg": 16.0}, {"Mg": 0.85}),
    Case("CALF-20", "H2O", {"Zn": 3.0, "O": 1.3}, {}),
    Case("SOD", "CH4", {"O": 1.05, "Si": 1.2}, {}),
)
SURROGATES = ("good", "poor", "adversarial")
MODES = 6
PRIOR_SD = 6.0
LARGEST_ERROR = 4.0
CLIP_BELOW = 5.0
EXPLORE = (0.5, 0.15)
TAUGHT = 40_000


@dataclass(frozen=True)
class Options:
    """What every replicate may spend, as in a run."""

    insertions: int = 400_000
    max_labels: int = 150
    max_rounds: int = 8
    target_error: float = 0.02
    min_rounds: int = 3


@dataclass(frozen=True)
class Field:
    """A smooth random function of position and axis with variance one."""

    waves: np.ndarray
    turns: np.ndarray
    phases: np.ndarray

    @staticmethod
    def random(rng: np.random.Generator) -> Field:
        """Draw a field."""
        waves = rng.integers(-3, 4, (3, MODES)).astype(float)
        return Field(waves, rng.normal(0, 1.5, (3, MODES)), rng.uniform(0, 2 * np.pi, MODES))

    def __call__(self, fractional: np.ndarray, axis: np.ndarray) -> np.ndarray:
        """Return (n,) values."""
        angle = 2 * np.pi * fractional @ self.waves + axis @ self.turns + self.phases
        return np.asarray(np.sqrt(2.0 / MODES) * np.cos(angle).sum(axis=1))


def axes(quaternions: np.ndarray) -> np.ndarray:
    """Return (n, 3) where the body's z axis points."""
    w, x, y, z = quaternions.T
    return np.stack([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)], axis=1)


@dataclass
class Replicate:
    """One run on a population: its surrogate's character and its random numbers."""

    population: Population
    axis: np.ndarray
    kind: str
    rng: np.random.Generator

    def __post_init__(self) -> None:
        """Draw the surrogate's misjudgement of its own error."""
        self.misjudged = float(np.exp(self.rng.normal(0.0, 0.4)))

    def surrogate(self, labels: int) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
        """Return mean and stated deviation, as functions of rows, after so many labels."""
        pop = self.population
        if labels == 0:
            return lambda rows: (pop.baseline_kj_per_mol[rows], np.full(len(rows), PRIOR_SD))
        if self.kind == "poor":
            return lambda rows: (pop.baseline_kj_per_mol[rows], np.full(len(rows), 4.0))
        size = min(LARGEST_ERROR, 40.0 / labels**0.9)
        field, scale = Field.random(self.rng), Field.random(self.rng)
        lowest = float(pop.reference_kj_per_mol.min())

        def predict(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            where = (pop.fractional[rows], self.axis[rows])
            local = size * np.exp(0.5 * scale(*where))
            truth = pop.reference_kj_per_mol[rows]
            mean = truth + local * field(*where)
            if self.kind == "adversarial":
                mean = mean + np.where(truth < lowest + 8.0, 6.0, 0.0)
            return np.maximum(mean, lowest - CLIP_BELOW), self.misjudged * local

        return predict


@dataclass(frozen=True)
class Answer:
    """What a replicate ends with."""

    combined: Combined
    rounds: list[RoundEstimate]
    labels: int
    terms: list[np.ndarray]


def learn(
    replicate: Replicate, rows: np.ndarray, weight: np.ndarray, labels: int, calibration: float
) -> tuple[np.ndarray, Outlook, Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]]:
    """Return the density over the population that rows teach, the outlook, the surrogate."""
    pop = replicate.population
    temperature = pop.case.temperature_k
    model = replicate.surrogate(labels)
    free = np.isfinite(pop.reference_kj_per_mol[rows])
    energy, spread = np.full(len(rows), np.inf), np.zeros(len(rows))
    energy[free], spread[free] = model(rows[free])
    known = Known(pop.fractional[rows], pop.quaternions[rows], weight, energy)
    shape = voxel_shape(pop.lattice_angstrom, len(rows), pop.bins)
    proposals = [
        learn_proposal(
            shape,
            pop.bins,
            Known(*(getattr(known, n)[k::step] for n in vars(known))),
            (temperature,),
        )
        for k, step in ((0, 1), (1, 2), (0, 2))
    ]
    new = np.ones(len(rows))
    for half in (0, 1):
        part = rows[half::2]
        new[half::2] = proposals[1 + half].weights(pop.fractional[part], pop.quaternions[part])
    factor = boltzmann_factor(beta_mol_per_kj(temperature), energy[free])
    error = expected_error_terms(
        temperature, weight[free], energy[free], calibration * spread[free]
    )
    outlook = outlook_of(weight[free], new[free], [factor], [error], len(rows))
    return pop.density(proposals[0]), outlook, model


def run(replicate: Replicate, options: Options) -> Answer:
    """Do one run, with the functions and the order of flows/loop.py."""
    pop, rng = replicate.population, replicate.rng
    pilot = rng.choice(len(pop.measure), TAUGHT, p=pop.measure)
    tables = [(pilot, np.ones(TAUGHT))]
    rounds: list[RoundEstimate] = []
    labels, spent, calibration = 0, 0, 1.0
    scores: list[np.ndarray] = []
    relevance: list[np.ndarray] = []
    errors: tuple[float, ...] = ()
    terms = []
    while True:
        rows, weight = (np.concatenate(x) for x in zip(*tables[::-1], strict=True))
        density, outlook, model = learn(
            replicate, rows[:TAUGHT], weight[:TAUGHT], labels, calibration
        )
        known = experience(rounds)
        factor = known * (humility(labels) if labels else 1.0)
        outlook = outlook.humbled([factor])
        purse = Purse(
            options.insertions - spent,
            options.max_labels - labels,
            options.max_rounds - len(rounds),
            labels,
            options.target_error,
            errors,
        )
        plan = plan_round(purse, outlook)
        table = np.searchsorted(np.cumsum(density), rng.random(plan.insertions))
        table = np.minimum(table, len(density) - 1)
        new_weight = pop.measure[table] / density[table]
        tables.append((table, new_weight))
        spent += plan.insertions
        estimate, drawn, z, term = one_round(
            replicate, table, new_weight, model, plan.labels, purse.labels, calibration,
            len(rounds), factor, known, outlook.relative_variance(plan.labels, plan.insertions)[0],
        )  # fmt: skip
        terms.append(term)
        rounds.append(estimate)
        if labels:
            scores.append(z[0])
            relevance.append(z[1])
            calibration = calibration_factor(np.concatenate(scores), np.concatenate(relevance))
        labels += drawn
        combined = combine(rounds)
        errors = (combined.estimate.relative_standard_error,)
        enough = len(rounds) >= options.min_rounds and labels >= 10
        left = options.max_labels - labels
        if (enough and errors[0] <= options.target_error) or left < FEWEST_LABELS:
            break
        if len(rounds) == options.max_rounds or spent >= options.insertions:
            break
    return Answer(combined, rounds, labels, terms)


def one_round(replicate, table, weight, model, expected, most, calibration, number, factor, known, promised):
    pop, rng = replicate.population, replicate.rng
    temperature = pop.case.temperature_k
    beta = beta_mol_per_kj(temperature)
    count = len(table)
    free = np.isfinite(pop.reference_kj_per_mol[table])
    rows, v = table[free], weight[free]
    mean, raw = model(rows)
    spread = raw * (calibration if number else 1.0)
    routing = route((temperature,), v, mean, spread, expected, EXPLORE[min(number, 1)])
    chosen, probability = draw(rng, routing.probability, most)
    truth = pop.reference_kj_per_mol[rows[chosen]]
    labelled = Labelled(v[chosen], mean[chosen], truth, probability[chosen])
    moments = corrected_moments(beta, v, mean, labelled, count)
    alone = float((v * boltzmann_factor(beta, mean)).sum()) / count
    design = predicted_design_variance(temperature, v, mean, spread, probability) / count**2
    estimate = RoundEstimate(number, moments, promised, factor * design / alone**2, known)
    z = ((truth - mean[chosen]) / raw[chosen], boltzmann_relevance(truth, 1 / beta))
    term = v[chosen] * (np.exp(-beta * truth) - np.exp(-beta * mean[chosen])) / probability[chosen] / count
    return estimate, len(chosen), z, np.stack([term, 1 - probability[chosen]])
