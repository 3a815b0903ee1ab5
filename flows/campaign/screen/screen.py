"""A screen: classical answers for all, then labels where they can change who is in the top k.

A lot is one round of a host's reference run, so whatever the screen decides, each host's own
estimate stays unbiased: rounds carry weights fixed by schedule (docs/estimator.md, section 6),
and a lot is decided from earlier ones alone.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from queue import SimpleQueue
from typing import Any

import numpy as np

from data.errors import CampaignStopped, RunFolderError, SettingsError, TransientError
from data.shortage import shortage_of
from data.store import plain
from flows.campaign.drive import failure_of
from flows.campaign.engine import GATE_S, STOP_S, Engine
from flows.campaign.folder import CampaignFolder
from flows.campaign.hosts import HostEntry
from flows.campaign.live import now
from flows.campaign.read import Campaign
from flows.campaign.screen.decide import decide, look
from flows.campaign.screen.ranking import write_ranking
from flows.campaign.screen.record import Found, Lot, ScreenRecord
from flows.campaign.screen.runs import Runs
from flows.campaign.screen.settings import ScreenPart
from flows.campaign.screen.state import (
    HEAT,
    LN_HENRY,
    Criterion,
    Quantity,
    ScreenState,
    criteria_of,
)
from flows.campaign.units import Unit, units_of

ELSEWHERE = "the screen's labels went elsewhere"


def screen_of(campaign: Campaign) -> ScreenPart:
    """Return what a campaign file asks of a screen.

    Raises:
        SettingsError: nothing.
    """
    if campaign.settings.screen is None:
        raise SettingsError(
            "the campaign file has no `screen` section. Add one, for example `screen: {top_k: 10, "
            "budget_labels: 1000}`; see docs/screening.md."
        )
    return campaign.settings.screen


def is_screened(campaign: Campaign) -> bool:
    """Return whether the screen of a campaign has ended, by its record."""
    record = ScreenRecord.load(campaign.folder, _asked(campaign))
    return bool(record.stopped_because) and (campaign.folder / "ranking.parquet").is_file()


def screen_campaign(campaign: Campaign, engine: Engine) -> bool:
    """Do a screen, or what is missing of it, on an engine that nothing else uses.

    Args:
        campaign: with a ``screen`` section.
        engine: of the campaign's units.

    Returns:
        Whether it came to its end; False where it was stopped.
    """
    if not engine.run([unit for unit in engine.units if unit.is_classical]):
        return False
    screen = screen_of(campaign)
    state = open_state(campaign, engine.folder)
    say = engine.reporter.say
    say(f"screen: {len(state.hosts)} hosts, top {screen.top_k}, {screen.budget_labels:,} labels")
    if not state.hosts:
        raise RunFolderError(
            "no host of the screen has a classical answer; `widomill campaign status` lists why"
        )
    runs = Runs(engine)
    work = _Batches(campaign, engine, state, runs)
    try:
        while not state.record.stopped_because:
            lots = state.record.open_lots or decide(state, screen, campaign.settings.seed)
            state.record.save(engine.folder.path)
            if lots and not work.run(lots):
                return False
        say(f"screen: {state.record.stopped_because}, {state.record.labels:,} labels paid")
        return work.close()
    finally:
        write_ranking(engine.folder, state, screen, campaign.settings.seed)


def open_state(campaign: Campaign, folder: CampaignFolder) -> ScreenState:
    """Return what the screen of a campaign knows, from its files.

    Hosts without a classical answer above zero for every guest asked for are left out; why, the
    campaign's failures say.
    """
    screen = screen_of(campaign)
    settings = campaign.settings
    criteria = criteria_of(screen, settings.guests)
    temperature = screen.temperature_k or settings.temperatures_k[0]
    level = screen.level or settings.references[0].level
    units = units_of(campaign)
    chosen = [h.id for h in campaign.hosts if _is_considered(h, screen)]
    references = {(u.host_id, u.guest): u for u in units if u.level == level}
    classical = {(u.host_id, u.guest): u for u in units if u.is_classical}
    guests = list(dict.fromkeys(g for c in criteria for _, g in c.needs))
    answers: dict[str, dict[Quantity, float]] = {}
    for host in chosen:
        if not any((host, guest) in references for guest in guests):
            continue
        found = _answers(folder, classical, host, criteria, temperature)
        if found is not None:
            answers[host] = found
    hosts = tuple(answers)
    quantities = list(dict.fromkeys(q for c in criteria for q in c.needs))
    return ScreenState(
        hosts,
        {q: np.array([answers[host][q] for host in hosts]) for q in quantities},
        {key: unit for key, unit in references.items() if key[0] in answers},
        criteria,
        temperature,
        ScreenRecord.load(folder.path, _asked(campaign)),
    )


def _asked(campaign: Campaign) -> dict[str, Any]:
    screen = screen_of(campaign).model_dump(mode="json")
    return {**screen, "hosts_there": sorted(host.id for host in campaign.hosts)}


def _is_considered(host: HostEntry, screen: ScreenPart) -> bool:
    return screen.hosts == "all" or any(host.matches(pattern) for pattern in screen.hosts)


def _answers(
    folder: CampaignFolder,
    units: Mapping[tuple[str, str], Unit],
    host: str,
    criteria: tuple[Criterion, ...],
    temperature_k: float,
) -> dict[Quantity, float] | None:
    """Return a host's classical answers; None where one is missing or not above zero."""
    found: dict[Quantity, float] = {}
    for criterion in criteria:
        for kind, guest in criterion.needs:
            unit = units[host, guest]
            if folder.state(unit) != "finished":
                return None
            rows = folder.unit_results(unit)
            row = min(rows, key=lambda r: abs(r["temperature_k"] - temperature_k))
            henry, heat = row["henry_mol_per_kg_pa"], row["qst_kj_per_mol"]
            if not henry or henry <= 0.0 or heat is None:
                return None
            found[kind, guest] = {LN_HENRY: float(np.log(henry)), HEAT: float(heat)}[kind]
    return found


class _Batches:
    """Runs the lots of a batch side by side, each driven by a thread of its own."""

    def __init__(self, campaign: Campaign, engine: Engine, state: ScreenState, runs: Runs) -> None:
        self._campaign, self._engine, self._state, self._runs = campaign, engine, state, runs
        self._units = {unit.id: unit for unit in state.units.values()}
        self._lock = threading.Lock()

    def run(self, lots: list[Lot]) -> bool:
        """Do lots and return whether all of them came to an end."""
        if not self._beside([partial(self._lot, lot) for lot in lots]):
            return False
        self._tell(lots)
        return True

    def close(self) -> bool:
        """Write the results of every run that has rounds; return whether all were written."""
        last = self._state.record.last()
        left = [
            (self._units[name], lot)
            for name, lot in last.items()
            if name in self._units and self._engine.folder.state(self._units[name]) != "finished"
        ]
        size = max(1, self._engine.pools.workers)
        for start in range(0, len(left), size):
            calls = [partial(self._finish, *one) for one in left[start : start + size]]
            if not self._beside(calls):
                return False
        return True

    def _finish(self, unit: Unit, lot: Lot) -> None:
        found = lot.found
        because = found.closed if found and found.closed else ELSEWHERE
        self._runs.finish(unit, lot.round, found.labels_total if found else 0, because)

    def _beside(self, calls: Sequence[Callable[[], None]]) -> bool:
        """Make calls in threads, looking after the engine; return whether all were made."""
        ended: SimpleQueue[BaseException | None] = SimpleQueue()

        def one(call: Callable[[], None]) -> None:
            try:
                call()
                ended.put(None)
            except BaseException as error:
                ended.put(error)

        threads = [
            threading.Thread(target=contextvars.copy_context().run, args=(one, call), daemon=True)
            for call in calls
        ]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                while thread.is_alive():
                    thread.join(GATE_S)
                    self._engine.tick()
        except BaseException:
            self._engine.stop()
            for thread in threads:
                thread.join(STOP_S)
            raise
        errors = [error for error in (ended.get() for _ in threads) if error is not None]
        for error in errors:
            if not isinstance(error, CampaignStopped):
                raise error
        return not errors

    def _lot(self, lot: Lot) -> None:
        """Do one lot and note what it found, or why it found nothing."""
        unit = self._units.get(lot.unit)
        if unit is None:
            raise RunFolderError(
                f"screen.json names the run {lot.unit}, which is not in the campaign any more. "
                "Restore its settings, or remove screen.json to decide the lots again."
            )
        before = sum(
            x.found.labels for x in self._state.record.lots if x.found and x.unit == lot.unit
        )
        try:
            found = self._runs.advance(unit, lot.round, self._state.temperature_k, before)
        except CampaignStopped:
            raise
        except Exception as error:
            short = shortage_of(error)
            if short is not None:
                raise short from error
            attempts = self._engine.limits.attempts if isinstance(error, TransientError) else 1
            failure = failure_of(unit, error, attempts)
            self._engine.folder.record_failure(failure)
            self._engine.live.fail(unit, failure)
            self._engine.view.unit_failed(unit, failure)
            self._engine.reporter.say(f"{unit.title} failed: {failure.reason}")
            found = Found(0, before, None, None, None, None, None, now(), failed=failure.reason)
        with self._lock:
            self._state.record.settle(lot.number, found)
            self._state.record.save(self._engine.folder.path)

    def _tell(self, lots: list[Lot]) -> None:
        screen, seed = screen_of(self._campaign), self._campaign.settings.seed
        top = look(self._state, screen, seed)
        names = ", ".join(f"{lot.host} ({lot.reason})" for lot in lots)
        self._engine.reporter.say(
            f"lots {lots[0].number} to {lots[-1].number}: {names}; "
            f"{self._state.record.labels:,} labels, expected share of the top {screen.top_k} "
            f"found {top.share:.2f}"
        )
        write_ranking(self._engine.folder, self._state, screen, seed)


def as_json(state: ScreenState, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a screen as JSON content: how it stands and the ranking."""
    record = state.record
    shares = record.shares[-1] if record.shares else (float("nan"), float("nan"))
    content: dict[str, Any] = plain(
        {
            "stopped_because": record.stopped_because,
            "lots": len(record.lots),
            "labels": record.labels,
            "expected_share": shares[0],
            "ranking": rows,
        }
    )
    return content
