"""A campaign on the pages of Prefect: steps, runs, tables, pictures, and pause and cancel."""

from __future__ import annotations

import contextlib
import contextvars
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID, uuid4

from data.errors import CampaignStopped
from flows.artifacts import artifact_key
from flows.campaign.folder import CampaignFolder, Failure
from flows.campaign.page.campaign_page import CampaignPage, Piece
from flows.campaign.page.executor import PageExecutor
from flows.campaign.page.pictures import results_with_parity, round_text
from flows.campaign.page.scribe import (
    Ending,
    Message,
    Scribe,
    Shown,
    add_tags,
    artifact,
    begin_run,
    begin_step,
    end_run,
    end_step,
    keep_paused,
    log_line,
    whole_step,
    without_patience,
)
from flows.campaign.units import Unit
from flows.campaign.view import Gate
from flows.executors import Executor

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

Result = TypeVar("Result")

UPDATE_S = 15.0
PICTURE_S = 60.0
BRIEF_S = 2.0
"""Steps shorter than that are one message, not two."""
MOST_WITHOUT = 12
"""Units whose pictures are on the campaign's page: those of a screen have none of their own."""
REFERENCE_FLOW = "reference-unit"
_around: contextvars.ContextVar[Shown | None] = contextvars.ContextVar("around", default=None)


@dataclass(frozen=True)
class _Step:
    """A step that is not on the page yet: one that ends soon is written there once."""

    run: Shown
    name: str
    tags: Sequence[str]
    began: float

    def whole(self, step: UUID, ending: Ending, words: str) -> Message:
        took = f"{time.monotonic() - self.began:.1f} s"
        told = f"{words} ({took})" if words else took
        return whole_step(self.run, step, self.name, self.tags, ending, told)


class PrefectView:
    """Shows a campaign on the page of a flow run. Use as a context manager inside the flow.

    The steps of the campaign become task runs of that run, and each reference unit a flow run of
    its own with its steps, answer and pictures. What is shown is sent in the background (see
    :class:`flows.campaign.scribe.Scribe`): no number waits for the server or hangs on it.

    Args:
        name: of the campaign.
        run_id: the flow run; default: the one this is called in.
        update_s: least time between two updates of tables and bars, s.
    """

    def __init__(self, name: str, run_id: UUID | None = None, update_s: float = UPDATE_S) -> None:
        self._name = name
        watched = run_id or _current_run()
        self._run = Shown(watched)
        self._update_s = update_s
        self._scribe = Scribe(watched)
        self._page: CampaignPage | None = None
        self._told: Gate = "go"
        self._updated = 0.0
        self._sent: dict[str, Piece] = {}
        self._pictured: dict[str, float] = {}
        self._units: dict[str, Shown] = {}
        self._open: dict[UUID, Shown | None] = {}
        self._unseen: dict[UUID, _Step] = {}
        self._turn = threading.Lock()
        self._without: set[str] = set()
        self._drawing = threading.Lock()

    def __enter__(self) -> PrefectView:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for step, run in list(self._open.items()):  # of threads that were left behind
            self._end(step, run, "cancelled", "the campaign was stopped")
        self._scribe.close()
        if self._scribe.away:  # nor shall the end of the flow hang on it
            without_patience()
            logging.getLogger("prefect.flow_runs").disabled = True

    @property
    def stopped(self) -> bool:
        """Whether the UI asked the campaign to stop."""
        return self._told == "stop"

    def task(self, function: Callable[[], Result], *, name: str, tags: Sequence[str]) -> Result:
        """Run ``function`` in this thread, shown as a task run."""
        run, step = _around.get() or self._run, uuid4()
        self._open[step] = None
        self._unseen[step] = _Step(run, name, tags, time.monotonic())
        with self._ended(step, None):
            return function()

    def subflow(self, function: Callable[[], Result], *, name: str, tags: Sequence[str]) -> Result:
        """Run ``function`` in this thread, shown as a flow run with a page of its own."""
        run, step = Shown(), uuid4()
        self._open[step] = run
        self._units[name] = run
        self._scribe.send(begin_run(self._run, run, step, REFERENCE_FLOW, name, tags))
        before = _around.set(run)
        try:
            with self._ended(step, run):
                return function()
        finally:
            _around.reset(before)

    def page(self, executor: Executor) -> Executor:
        """Return an executor whose tables, texts and bars are on the unit's page."""
        return PageExecutor(executor, self._write, self._update_s)

    def opened(self, folder: CampaignFolder, units: Sequence[Unit]) -> None:
        """Show the plan, and what earlier sessions have found."""
        self._page = CampaignPage(self._name, folder, units, self._link)
        guests = sorted({unit.guest for unit in units})
        tags = [f"campaign:{self._name}", *(f"guest:{guest}" for guest in guests)]
        self._scribe.send(add_tags(self._run, tags))
        self._say(f"{len(units)} units in {folder.path}")
        self._send_page({})

    def round_finished(self, unit: Unit, executor: Executor) -> None:
        """Draw the convergence, now and then."""
        if time.monotonic() - self._pictured.get(unit.id, -PICTURE_S) < PICTURE_S:
            return
        self._pictured[unit.id] = time.monotonic()
        self._draw(unit, lambda: round_text(unit), "convergence", "Convergence, round by round")

    def unit_finished(
        self, unit: Unit, results: Sequence[Mapping[str, Any]], executor: Executor
    ) -> None:
        """Show the answer: in the campaign's table, and on the page of a reference unit."""
        if self._page is not None:
            self._page.finished(unit, results)
        if unit.is_classical:
            return
        first = results[0]
        self._say(
            f"{unit.title}: {first['henry_mol_per_kg_pa']:.4g} mol/(kg Pa) after "
            f"{first['labels']} labels, {first['stopped_because']}"
        )
        self._draw(
            unit,
            lambda: results_with_parity(unit, results),
            "answer",
            "The answer, what it rests on, and its files",
        )
        self._draw(unit, lambda: round_text(unit), "convergence", "Convergence, round by round")

    def unit_failed(self, unit: Unit, failure: Failure) -> None:
        """Say why a unit was given up."""
        if self._page is not None:
            self._page.failed(failure)
        self._say(f"{unit.title} failed: {failure.reason}", logging.ERROR)

    def moved(self, live: Mapping[str, Any]) -> None:
        """Show steps that take their time, and bring tables and bars up to date now and then."""
        with self._turn:
            for step, told in list(self._unseen.items()):
                if time.monotonic() - told.began > BRIEF_S:
                    del self._unseen[step]
                    self._scribe.send(begin_step(told.run, step, told.name, told.tags))
        if time.monotonic() - self._updated >= self._update_s:
            self._send_page(live)

    def closed(self, folder: CampaignFolder) -> None:
        """Write everything once more, as it is in the files now."""
        self._send_page(folder.live())

    def gate(self) -> Gate:
        """Return what the state of the flow run on the server asks for."""
        state = self._scribe.state
        wanted = self._told if state is None else wanted_by(state, self._scribe.deployed)
        if wanted != self._told:
            details = None if state is None else state.state_details
            if wanted == "pause" and details is not None and details.pause_reschedule:
                self._scribe.send(keep_paused(self._run, details.pause_timeout))
            self._told = wanted
            self._say(_WORDS[wanted], logging.WARNING)
        return wanted

    @contextlib.contextmanager
    def _ended(self, step: UUID, run: Shown | None) -> Iterator[None]:
        try:
            yield
        except CampaignStopped as stop:
            self._end(step, run, "cancelled", str(stop))
            raise
        except Exception as error:
            self._end(step, run, "failed", f"{type(error).__name__}: {error}")
            raise
        except BaseException as error:
            self._end(step, run, "crashed", type(error).__name__)
            raise
        self._end(step, run, "completed")

    def _end(self, step: UUID, run: Shown | None, ending: Ending, words: str = "") -> None:
        if step in self._open:
            del self._open[step]
            if run is not None:
                self._scribe.send(end_run(run, ending, words))
            with self._turn:
                brief = self._unseen.pop(step, None)
                self._scribe.send(
                    end_step(step, ending, words)
                    if brief is None
                    else brief.whole(step, ending, words)
                )

    def _write(self, kind: Any, key: str, data: Any, words: str) -> None:
        """Write an artifact of the unit this thread works on; classical units have no page."""
        run = _around.get()
        if run is not None:
            self._send_artifact(run, kind, key, data, words)

    def _send_artifact(self, run: Shown, kind: Any, key: str, data: Any, words: str) -> None:
        self._scribe.send(artifact(run, kind, key, data, words), f"{id(run)} {key}")

    def _send_page(self, live: Mapping[str, Any]) -> None:
        page = self._page
        if page is None:
            return
        self._updated = time.monotonic()

        def send(client: Any) -> None:
            for piece in page.pieces(live):
                if self._sent.get(piece.key) != piece:
                    artifact(self._run, piece.kind, piece.key, piece.data, piece.words)(client)
                    self._sent[piece.key] = piece

        self._scribe.send(send, "page")

    def _draw(self, unit: Unit, draw: Callable[[], str | None], key: str, words: str) -> None:
        """Write a text with pictures on a unit's page; one that cannot be drawn is left out."""
        run = self._units.get(unit.title) or self._of_screen(unit)
        if run is None:
            return
        try:
            with self._drawing:
                text = draw()
        except Exception as error:
            logging.getLogger("widomill.page").warning("%s of %s: %s", key, unit.title, error)
            return
        if text is not None:
            self._send_artifact(run, "markdown", artifact_key(key, unit.title), text, words)

    def _of_screen(self, unit: Unit) -> Shown | None:
        """Return the campaign's own page for a unit without one, as long as they are few."""
        self._without.add(unit.id)
        return self._run if len(self._without) <= MOST_WITHOUT else None

    def _link(self, unit: Unit) -> str | None:
        """Return the address of a unit's page below the server's, or None."""
        run = self._units.get(unit.title)
        return None if run is None or run.id is None else f"/runs/flow-run/{run.id}"

    def _say(self, words: str, level: int = logging.INFO) -> None:
        self._scribe.send(log_line(self._run, words, level))


_WORDS: dict[Gate, str] = {
    "go": "Going on.",
    "pause": "Paused: what is running ends, nothing new begins. Resume to go on.",
    "stop": "Stopping: what is finished is kept. Run the same campaign again to go on.",
}


def wanted_by(state: State, deployed: bool) -> Gate:
    """Return what a state of the campaign's flow run asks for.

    A run of a deployment that is suspended ends: Prefect starts it anew when it is resumed. One
    that was started by hand waits, for nobody else would go on with it.

    Args:
        state: of the flow run.
        deployed: whether the run belongs to a deployment.
    """
    if state.is_cancelling() or state.is_final():
        return "stop"
    if state.is_paused():
        return "stop" if deployed and state.state_details.pause_reschedule else "pause"
    if state.is_scheduled() and deployed:
        return "stop"
    return "go"


def _current_run() -> UUID:
    from prefect.runtime import flow_run

    if not flow_run.id:
        raise RuntimeError("PrefectView works inside a Prefect flow; see PlainView")
    return UUID(flow_run.id)
