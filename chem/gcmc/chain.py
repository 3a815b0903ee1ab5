"""One chain at one temperature and pressure: initialisation, production, audit."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from chem.gcmc.arrays import empty_state, larger_state, scratch_for
from chem.gcmc.audit import energy_drift
from chem.gcmc.chain_kernel import run_cycles
from chem.gcmc.layout import EVERY, MOVES, Conditions, Model, State
from chem.gcmc.refs import by_reference
from chem.gcmc.settings import GcmcSettings
from data.constants import (
    ANGSTROM3_PER_M3,
    BOLTZMANN_J_PER_K,
    GAS_CONSTANT_KJ_PER_MOL_K,
)

FIRST_CAPACITY = 256
LEAST_MOVES = 20
"""Moves in a cycle, as in RASPA: this many or the number of guests, whichever is more."""
ADAPT_CYCLES = 50
TARGET_ACCEPTANCE = 0.5
ENOUGH_ATTEMPTS = 50
FIRST_STEPS = (1.0, 0.5)
SMALLEST_STEP = 0.01
PARTS = 50
"""Calls of the compiled chain in a production, for those who watch."""

Watcher = Callable[[int, int], None]
"""Called with cycles done and cycles in all."""


@dataclass(frozen=True)
class ChainResult:
    """What a chain leaves behind.

    Attributes:
        series: (production cycles, 4) averages over each cycle of N, N^2, U and U N; U in kJ/mol.
        moves_per_cycle: moves of each production cycle.
        attempts: production attempts of each kind of move, by name.
        acceptance: share of them accepted, by name; zero where none was tried.
        steps: largest translation in angstrom and rotation in radian used in production.
        energy_drift_kj_per_mol: running total minus energy recomputed at the end.
        moves: all moves made, initialisation included.
        state: the last configuration.
    """

    series: np.ndarray
    moves_per_cycle: int
    attempts: dict[str, int]
    acceptance: dict[str, float]
    steps: tuple[float, float]
    energy_drift_kj_per_mol: float
    moves: int
    state: State


class Chain:
    """A configuration with its work space, grown as guests come in."""

    def __init__(
        self,
        model: Model,
        temperature_k: float,
        fugacity_pa: float,
        settings: GcmcSettings,
        random: np.ndarray,
        start: State | None = None,
    ) -> None:
        """Prepare a chain.

        Args:
            model: what it reads.
            temperature_k: temperature.
            fugacity_pa: fugacity of the gas.
            settings: moves and their number.
            random: (4,) state of its generator.
            start: configuration to begin from; None is the empty host.
        """
        self.model, self.settings = model, settings
        self.conditions = conditions(model, temperature_k, fugacity_pa, settings)
        if start is None:
            self.state = empty_state(model, random, FIRST_CAPACITY)
        else:
            self.state = larger_state(start, start.host.size)._replace(random=random.copy())
        self.moves = 0
        self._bind()

    def run(self, cycles: int, moves: int) -> tuple[np.ndarray, np.ndarray]:
        """Run some cycles.

        Args:
            cycles: how many.
            moves: moves in each; zero for max(20, N) anew each time.

        Returns:
            (6, 2) attempts, acceptances and moves, and the (cycles, 4) series.
        """
        counters = np.zeros((len(MOVES) + 1, 2), dtype=np.int64)
        series = np.zeros((cycles, 4))
        done = 0
        while True:
            done = run_cycles(
                done, cycles, moves, *self._references, self.conditions, counters, series
            )  # fmt: skip
            if done == cycles:
                self.moves += int(counters[EVERY, 0])
                return counters, series
            capacity = 2 * max(self.state.host.size, moves)
            self.state = larger_state(self.state, capacity)
            self._bind()

    def energy_drift(self) -> tuple[float, float]:
        """Return the potential energy from scratch, and the running one minus it, kJ/mol."""
        fresh, drift = energy_drift(*self._references)
        return float(fresh), float(drift)

    def _bind(self) -> None:
        """Make work space for the arrays as they are, and hand all to compiled code."""
        scratch = scratch_for(self.model, self.state.host.size)
        self._references = by_reference(self.state, scratch, self.model)

    def adapt(self, counters: np.ndarray) -> None:
        """Move the step sizes towards an acceptance of one half."""
        largest = (float(np.linalg.norm(self.model.box.lattice, axis=1).min()) / 2.0, math.pi)
        for place, name in enumerate(("translation", "rotation")):
            tried, taken = counters[MOVES.index(name)]
            if tried < ENOUGH_ATTEMPTS:
                continue
            factor = min(1.5, max(0.5, taken / tried / TARGET_ACCEPTANCE))
            step = self.conditions.steps[place] * factor
            self.conditions.steps[place] = min(largest[place], max(SMALLEST_STEP, step))


def conditions(
    model: Model, temperature_k: float, fugacity_pa: float, settings: GcmcSettings
) -> Conditions:
    """Return the state point: beta, ln(beta f V) and which move how often."""
    volume_angstrom3 = abs(float(np.linalg.det(model.box.lattice)))
    volume_m3 = volume_angstrom3 / ANGSTROM3_PER_M3
    ideal_pa = BOLTZMANN_J_PER_K * temperature_k / volume_m3  # pressure of one guest in the box
    rotates = len(model.body) > 1 or bool(np.any(model.body))
    weights = np.array(
        [
            settings.swap,
            settings.translation,
            settings.rotation if rotates else 0.0,
            settings.reinsertion,
        ]
    )
    return Conditions(
        beta=1.0 / (GAS_CONSTANT_KJ_PER_MOL_K * temperature_k),
        log_activity=math.log(fugacity_pa / ideal_pa),
        thresholds=np.cumsum(weights) / weights.sum(),
        steps=np.array(FIRST_STEPS),
    )


def run_chain(chain: Chain, watcher: Watcher | None = None) -> ChainResult:
    """Run initialisation and production.

    A production cycle has max(20, N) moves with N the mean loading in the second half of the
    initialisation, the same for all: a length that followed N would favour some loadings.
    """
    settings = chain.settings
    first, last = settings.initialisation_cycles, settings.production_cycles
    watch = watcher or (lambda done, total: None)
    loadings = [np.zeros(0)]
    for done in range(0, first, ADAPT_CYCLES):
        counters, series = chain.run(min(ADAPT_CYCLES, first - done), 0)
        chain.adapt(counters)
        loadings.append(series[:, 0])
        watch(min(done + ADAPT_CYCLES, first), first + last)
    settled = np.concatenate(loadings)[first // 2 :]
    moves = max(LEAST_MOVES, round(float(settled.mean()))) if first else LEAST_MOVES
    total = np.zeros((len(MOVES) + 1, 2), dtype=np.int64)
    parts = []
    for done in range(0, last, part := max(1, last // PARTS)):
        counters, series = chain.run(min(part, last - done), moves)
        total += counters
        parts.append(series)
        watch(first + min(done + part, last), first + last)
    steps, tried, taken = chain.conditions.steps, total[:EVERY, 0], total[:EVERY, 1]
    return ChainResult(
        series=np.concatenate(parts),
        moves_per_cycle=moves,
        attempts=dict(zip(MOVES, tried.tolist(), strict=True)),
        acceptance=dict(zip(MOVES, (taken / np.maximum(1, tried)).tolist(), strict=True)),
        steps=(float(steps[0]), float(steps[1])),
        energy_drift_kj_per_mol=chain.energy_drift()[1],
        moves=chain.moves,
        state=chain.state,
    )
