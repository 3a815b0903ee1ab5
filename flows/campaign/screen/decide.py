"""Who gets the next batch of lots, and when the screen ends: from the record alone."""

from __future__ import annotations

import math

import numpy as np

from chem.allocation import Schedule
from chem.screening.choice import Pick, choose
from chem.screening.posterior import Beliefs
from chem.screening.top import TopK, top_k
from data.streams import stream
from flows.campaign.live import now
from flows.campaign.screen.record import Lot
from flows.campaign.screen.settings import ScreenPart
from flows.campaign.screen.state import LN_HENRY, Quantity, ScreenState
from flows.campaign.units import Unit
from flows.loop import RESERVED_FOR_BINDING

CHOICE_DRAWS = 400
MOST_DRAWS, FEWEST_DRAWS, MOST_NUMBERS = 4000, 500, 4_000_000

ENOUGH = "the top {k} are known: an expected share of {share:.3f} of them is found"
SPENT = "label budget spent"
ALL_DONE = "no host takes more labels"


def look(state: ScreenState, screen: ScreenPart, seed: int) -> TopK:
    """Return the top k by what is believed now; the same draws for the same lots."""
    draws = max(FEWEST_DRAWS, min(MOST_DRAWS, MOST_NUMBERS // max(1, len(state.hosts))))
    rng = stream(seed, "screen", "top", len(state.record.lots))
    values = state.values(state.beliefs(), rng, draws)
    return top_k(state.utility(values), screen.top_k)


def decide(state: ScreenState, screen: ScreenPart, seed: int) -> list[Lot]:
    """Add the next batch to the record, or say there why there is none.

    Args:
        state: with no lot open.
        screen: what is asked for.
        seed: of the campaign.

    Returns:
        The lots decided.
    """
    record = state.record
    top = look(state, screen, seed)
    record.shares.append((top.share, top.share_error))
    if record.lots and top.is_sure(screen.stop_share):
        record.stopped_because = ENOUGH.format(k=screen.top_k, share=top.share)
        return []
    lots = _batch(state, screen, seed)
    if not lots:
        spent = any(_can_take(state, unit) for unit in state.units.values())
        record.stopped_because = SPENT if spent else ALL_DONE
    record.lots.extend(lots)
    return lots


def _batch(state: ScreenState, screen: ScreenPart, seed: int) -> list[Lot]:
    """Return as many lots as run at once and the budget has labels for."""
    record = state.record
    batch = record.batches + 1
    rng = stream(seed, "screen", "choice", batch)
    beliefs = state.beliefs(screen.half_life_lots)
    values = state.values(beliefs, rng, CHOICE_DRAWS)
    can_take = np.array([bool(_open_units(state, host)) for host in state.hosts])
    picks = choose(
        state.utility(values), screen.top_k, screen.lots_at_once, can_take, rng, "top-two"
    )
    left = screen.budget_labels - record.labels
    lots: list[Lot] = []
    for pick in picks:
        unit = _vaguest(state, beliefs, pick)
        expected = expected_labels(unit, record.rounds().get(unit.id, 0) + 1)
        if left < max(1.0, math.floor(0.5 * expected)):
            break
        left -= round(expected)
        number = len(record.lots) + len(lots) + 1
        lots.append(_lot(state, beliefs, unit, pick, batch, number, expected))
    return lots


def _lot(
    state: ScreenState,
    beliefs: dict[Quantity, Beliefs],
    unit: Unit,
    pick: Pick,
    batch: int,
    number: int,
    expected: float,
) -> Lot:
    own = beliefs.get((LN_HENRY, unit.guest)) or next(iter(beliefs.values()))
    return Lot(
        number=number,
        batch=batch,
        unit=unit.id,
        host=unit.host_id,
        guest=unit.guest,
        round=state.record.rounds().get(unit.id, 0) + 1,
        decided=now(),
        reason=pick.reason,
        probability=pick.probability,
        believed=(float(own.mean[pick.host]), float(own.spread[pick.host])),
        expected_labels=expected,
    )


def expected_labels(unit: Unit, number: int) -> float:
    """Return the expected labels of a round of a unit; 0 where it has no such round."""
    settings = unit.settings
    most = max(1, settings.max_labels - RESERVED_FOR_BINDING)
    lots = Schedule(most, settings.max_rounds, settings.first_labels).lots
    return lots[number - 1] if number <= len(lots) else 0.0


def _can_take(state: ScreenState, unit: Unit) -> bool:
    if unit.id in state.record.closed():
        return False
    return expected_labels(unit, state.record.rounds().get(unit.id, 0) + 1) > 0.0


def _open_units(state: ScreenState, host: str) -> list[Unit]:
    units = [state.units.get((host, guest)) for guest in state.guests]
    return [unit for unit in units if unit is not None and _can_take(state, unit)]


def _vaguest(state: ScreenState, beliefs: dict[Quantity, Beliefs], pick: Pick) -> Unit:
    """Return the open unit of a host whose guest is believed least exactly."""

    def spread(unit: Unit) -> float:
        own = [b.spread[pick.host] for (_, guest), b in beliefs.items() if guest == unit.guest]
        return float(max(own))

    return max(_open_units(state, state.hosts[pick.host]), key=spread)
