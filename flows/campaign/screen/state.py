"""What a screen knows: classical answers, lots so far, and what is believed from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chem.screening.decay import decayed
from chem.screening.evidence import Evidence, logarithmic
from chem.screening.fusion import fuse
from chem.screening.objectives import (
    heat_utility,
    ln_henry_at,
    ln_selectivity,
    working_capacity,
)
from chem.screening.posterior import Beliefs, believe
from chem.screening.prior import learn_shift
from flows.campaign.screen.record import ScreenRecord
from flows.campaign.screen.settings import (
    CapacityObjective,
    HeatObjective,
    HenryObjective,
    Objective,
    ScreenPart,
    SelectivityObjective,
)
from flows.campaign.units import Unit

LN_HENRY, HEAT = "ln_henry", "qst"
UNITS_OF = {LN_HENRY: 1.0, HEAT: 5.0}
"""A usual spread of reference less classical: 1 for ln K_H, 5 kJ/mol for a heat."""
MANY = 1e6
Quantity = tuple[str, str]
"""What is believed of hosts: LN_HENRY or HEAT, of a guest."""


@dataclass(frozen=True)
class Criterion:
    """One objective with its guests' names.

    Attributes:
        name: as a column of the ranking.
        unit: of its value.
        objective: as asked for.
        guest: name of the guest.
        over: name of the other guest of a selectivity.
    """

    name: str
    unit: str
    objective: Objective
    guest: str
    over: str = ""

    @property
    def needs(self) -> list[Quantity]:
        """The quantities it is made of."""
        own: Quantity = (LN_HENRY, self.guest)
        if isinstance(self.objective, SelectivityObjective):
            return [own, (LN_HENRY, self.over)]
        if isinstance(self.objective, HeatObjective):
            return [(HEAT, self.guest)]
        if isinstance(self.objective, CapacityObjective):
            swing = self.objective.desorption_temperature_k is not None
            return [own, (HEAT, self.guest)] if swing else [own]
        return [own]

    def value(self, draws: Mapping[Quantity, np.ndarray], temperature_k: float) -> np.ndarray:
        """Return draws of what is shown: ln K_H, ln S, kJ/mol or mol/kg."""
        asked = self.objective
        if isinstance(asked, HeatObjective):
            return draws[HEAT, self.guest]
        own = draws[LN_HENRY, self.guest]
        if isinstance(asked, SelectivityObjective):
            return ln_selectivity(own, draws[LN_HENRY, self.over])
        if isinstance(asked, CapacityObjective):
            hot = asked.desorption_temperature_k
            given_off = None
            if hot is not None:
                given_off = ln_henry_at(own, draws[HEAT, self.guest], temperature_k, hot)
            return working_capacity(own, asked.adsorption_pa, asked.desorption_pa, given_off)
        return own

    def utility(self, value: np.ndarray) -> np.ndarray:
        """Return draws of what is ranked by, more is better."""
        if isinstance(self.objective, HeatObjective):
            low, high = self.objective.low_kj_per_mol, self.objective.high_kj_per_mol
            return heat_utility(value, low, high)
        return value


def criteria_of(screen: ScreenPart, guests: Sequence[str]) -> tuple[Criterion, ...]:
    """Return the criteria of a screen; their names are columns of the ranking.

    Args:
        screen: what is asked for.
        guests: of the campaign, the first one being the default.
    """
    found: list[Criterion] = []
    for number, asked in enumerate(screen.objectives, start=1):
        guest = Path(asked.guest or guests[0]).stem
        other = Path(asked.over).stem if isinstance(asked, SelectivityObjective) else ""
        name = f"{asked.kind}_{guest}" + (f"_over_{other}" if other else "")
        if any(c.name == name for c in found):
            name = f"{name}_{number}"
        found.append(Criterion(name, _unit(asked), asked, guest, other))
    return tuple(found)


def _unit(asked: Objective) -> str:
    if isinstance(asked, HenryObjective):
        return "mol/(kg Pa)"
    if isinstance(asked, HeatObjective):
        return "kJ/mol"
    return "1" if isinstance(asked, SelectivityObjective) else "mol/kg"


@dataclass
class ScreenState:
    """Hosts, their classical answers and their lots.

    Attributes:
        hosts: ids, in the campaign's order.
        classical: per quantity (n,) answers of the classical level.
        units: reference unit of each host and guest.
        criteria: what hosts are ranked by.
        temperature_k: temperature.
        record: the lots.
    """

    hosts: tuple[str, ...]
    classical: dict[Quantity, np.ndarray]
    units: dict[tuple[str, str], Unit]
    criteria: tuple[Criterion, ...]
    temperature_k: float
    record: ScreenRecord
    _place: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        """Number the hosts."""
        self._place = {host: k for k, host in enumerate(self.hosts)}

    @property
    def guests(self) -> tuple[str, ...]:
        """Guests whose labels the criteria call for."""
        return tuple(dict.fromkeys(g for c in self.criteria for _, g in c.needs))

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """Quantities the criteria are made of."""
        return tuple(dict.fromkeys(q for c in self.criteria for q in c.needs))

    def evidence(self, quantity: Quantity) -> Evidence:
        """Return what is known of a quantity now."""
        kind, guest = quantity
        found = Evidence.of_classical(self.classical[quantity])
        for lot in self.record.last().values():
            if lot.guest == guest and lot.host in self._place and lot.found:
                k, numbers = self._place[lot.host], _numbers(lot.found, kind)
                found.estimate[k], found.standard_error[k], found.degrees_of_freedom[k] = numbers
        return found

    def ages(self, guest: str) -> np.ndarray:
        """Return (n,) lots of the screen since each host's last one of this guest."""
        ages = np.full(len(self.hosts), float(len(self.record.lots)))
        for lot in self.record.lots:
            if lot.guest == guest and lot.host in self._place:
                ages[self._place[lot.host]] = len(self.record.lots) - lot.number
        return ages

    def beliefs(self, half_life_lots: float | None = None) -> dict[Quantity, Beliefs]:
        """Return what is believed of each quantity of every host.

        Args:
            half_life_lots: of estimates, for the choice of lots; None for what is reported.
        """
        found = {}
        for quantity in self.quantities:
            evidence = self.evidence(quantity)
            shift = learn_shift(evidence, UNITS_OF[quantity[0]])
            if half_life_lots is not None:
                evidence = decayed(evidence, self.ages(quantity[1]), half_life_lots)
            found[quantity] = believe(evidence, shift)
        return found

    def values(
        self, beliefs: Mapping[Quantity, Beliefs], rng: np.random.Generator, draws: int
    ) -> list[np.ndarray]:
        """Return draws of every criterion's value, quantities drawn independently."""
        sampled = {quantity: beliefs[quantity].sample(rng, draws) for quantity in self.quantities}
        return [c.value(sampled, self.temperature_k) for c in self.criteria]

    def utility(self, values: Sequence[np.ndarray]) -> np.ndarray:
        """Return draws of what hosts are ranked by: of one criterion itself, else the fusion."""
        utilities = [c.utility(v) for c, v in zip(self.criteria, values, strict=True)]
        if len(utilities) == 1:
            return utilities[0]
        return fuse(utilities, [c.objective.weight for c in self.criteria])


def _numbers(found: Any, kind: str) -> tuple[float, float, float]:
    """Return estimate, standard error and degrees of freedom of a quantity after a lot."""
    freedom = MANY if found.degrees_of_freedom is None else found.degrees_of_freedom
    if kind == HEAT:
        return _or_nan(found.qst_kj_per_mol), _or_nan(found.qst_standard_error), freedom
    relative = np.array(_or_nan(found.relative_standard_error))
    return float(np.log(found.henry_mol_per_kg_pa)), float(logarithmic(relative)), freedom


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else float(value)
