"""What a campaign will do and what it will cost, from what units have cost on this machine."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from data.errors import WidomillError
from flows.campaign.costs import Cost, known_costs, remember_cost
from flows.campaign.folder import CampaignFolder, State
from flows.campaign.read import Campaign
from flows.campaign.screen.settings import ScreenPart
from flows.campaign.units import CLASSICAL, Unit, units_of

TRIAL_INSERTIONS = 20_000
TRIAL_LABELS = 8


@dataclass(frozen=True)
class LevelPlan:
    """What is planned at one level.

    Attributes:
        level: "classical" or a reference.
        units: units in all.
        states: units by state.
        labels: most reference calls of the units that are left.
        cost: what a unit costs; None where nothing is known.
        worker_s: worker seconds of what is left, at most; None where nothing is known.
        worker_low_s: the same if units are cheap and stop at half their labels.
    """

    level: str
    units: int
    states: Mapping[State, int]
    labels: int
    cost: Cost | None
    worker_s: float | None
    worker_low_s: float | None


@dataclass(frozen=True)
class Plan:
    """A campaign's work.

    Attributes:
        name: of the campaign.
        folder: where it goes.
        hosts: number of hosts.
        guests: guests.
        temperatures_k: temperatures, K.
        workers: workers that the times are for.
        levels: plan of each level.
    """

    name: str
    folder: Path
    hosts: int
    guests: tuple[str, ...]
    temperatures_k: tuple[float, ...]
    workers: int
    levels: tuple[LevelPlan, ...]

    @property
    def hours(self) -> tuple[float, float] | None:
        """Least and most expected wall time, hours; None where a level's cost is unknown."""
        low = high = 0.0
        for level in self.levels:
            if level.worker_s is None or level.worker_low_s is None:
                return None
            low, high = low + level.worker_low_s, high + level.worker_s
        return low / self.workers / 3600.0, high / self.workers / 3600.0


def make_plan(campaign: Campaign, workers: int | None = None) -> Plan:
    """Return what a campaign will do; nothing is written and nothing is computed.

    Args:
        campaign: checked.
        workers: worker processes; default: what the campaign says.
    """
    folder = CampaignFolder(campaign.folder)
    units = units_of(campaign)
    states = folder.states(units)
    costs = known_costs()
    levels = list(dict.fromkeys(u.level for u in units))
    settings = campaign.settings
    return Plan(
        settings.name,
        folder.path,
        len(campaign.hosts),
        settings.guests,
        settings.temperatures_k,
        workers or settings.workers,
        tuple(
            _level(
                level,
                [u for u in units if u.level == level],
                states,
                costs.get(level),
                _screen_of(campaign, level),
            )
            for level in levels
        ),
    )


def _screen_of(campaign: Campaign, level: str) -> ScreenPart | None:
    """Return the screen that spends its labels at a level, if there is one."""
    settings = campaign.settings
    screen = settings.screen
    if screen is None or level != (screen.level or settings.references[0].level):
        return None
    return screen


def _level(
    level: str,
    units: list[Unit],
    states: Mapping[str, State],
    cost: Cost | None,
    screen: ScreenPart | None,
) -> LevelPlan:
    left = [u for u in units if states[u.id] in ("waiting", "running")]
    labels = 0 if level == CLASSICAL else sum(u.settings.max_labels for u in left)
    runs = len(left)
    if screen is not None:
        labels = min(labels, screen.budget_labels)
        runs = min(runs, max(1, labels // screen.first_labels))
    high = low = None
    if cost is not None:
        high = runs * cost.unit_high_s + labels * cost.label_s
        low = runs * cost.unit_low_s + 0.5 * labels * cost.label_s
    counts = Counter(states[u.id] for u in units)
    return LevelPlan(level, len(units), counts, labels, cost, high, low)


def measure(campaign: Campaign) -> list[str]:
    """Measure levels whose cost is unknown on their first host; return what could not be.

    A classical unit is run as it is; of a reference, a few labels on a small table.

    Args:
        campaign: checked.
    """
    known = known_costs()
    told = []
    first: dict[str, Unit] = {}
    for unit in units_of(campaign):
        first.setdefault(unit.level, unit)
    for level, unit in first.items():
        if level in known:
            continue
        try:
            _trial(unit)
        except WidomillError as error:
            told.append(f"{unit.title} was to be measured and failed: {error}")
    return told


def _trial(unit: Unit) -> None:
    from flows.console import SilentReporter
    from flows.executors import PlainExecutor
    from flows.run import run

    with tempfile.TemporaryDirectory(prefix="widomill-plan-") as folder:
        changed: dict[str, object] = {"out": str(Path(folder) / "run")}
        if not unit.is_classical:
            changed |= {
                "insertions": TRIAL_INSERTIONS,
                "max_labels": TRIAL_LABELS,
                "max_rounds": 1,
            }
        settings = unit.settings.model_copy(update=changed)
        remember_cost(unit, run(settings, PlainExecutor(), SilentReporter())[0])
