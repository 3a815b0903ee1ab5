"""Writes runs, states, artifacts and log lines to the Prefect server, behind the numbers' back.

Everything is queued and sent by one thread, in order. Nobody waits for the server: where it is
gone, the queue waits for it, what is newer replaces what is older of the same artifact, and the
page is brought up to date when it answers again.
"""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID, uuid4

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import State

logger = logging.getLogger("widomill.page")

POLL_S = 5.0
AWAY_S, BUSY_S = 5.0, 0.5
REQUEST_S = 60.0
MOST_WAITING = 20_000
"""Messages kept for a server that is away; beyond that only artifacts are."""
MOST_REFUSALS = 20
"""Attempts at a message that a server too busy for its database did not take."""
Ending = Literal["completed", "failed", "cancelled", "crashed"]
Message = Callable[["SyncPrefectClient"], None]


@dataclass
class Shown:
    """A flow run on the server; its id is known once the server has made it."""

    id: UUID | None = None
    artifacts: dict[str, UUID] = field(default_factory=dict)


class Scribe:
    """One queue and one thread to the Prefect server of the current settings.

    Args:
        watched: the flow run whose state is looked at every few seconds; see ``state``.
    """

    def __init__(self, watched: UUID) -> None:
        self.state: State | None = None
        self.deployed = False
        self.away = False
        self._watched = watched
        self._waiting: deque[str | Message] = deque()
        self._latest: dict[str, Message] = {}
        self._dropped = 0
        self._refusals = self._missed = 0
        self._refused: set[str] = set()
        self._wake = threading.Condition()
        self._closing = False
        context = contextvars.copy_context()  # Prefect's settings live there
        self._thread = threading.Thread(
            target=context.run, args=(self._work,), name="prefect page", daemon=True
        )
        self._thread.start()

    def send(self, message: Message, key: str | None = None) -> None:
        """Queue a message; one with a key takes the place of a waiting one of the same key."""
        with self._wake:
            if key is None and len(self._waiting) >= MOST_WAITING:
                self._dropped += 1
                return
            if key is not None:
                if key in self._latest:
                    self._waiting.remove(key)
                self._latest[key] = message
            self._waiting.append(message if key is None else key)
            self._wake.notify()

    def close(self, timeout_s: float = 60.0) -> None:
        """Send what is left and end; a server that is away is given up."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(timeout_s)
        left = len(self._waiting) + self._dropped
        if left:
            logger.warning(
                "%d messages did not reach the Prefect server; its page is not complete, the "
                "files are.",
                left,
            )

    def _work(self) -> None:
        from prefect.client.orchestration import get_client

        without_patience()
        self._looked = time.monotonic() - POLL_S
        with get_client(sync_client=True, httpx_settings={"timeout": REQUEST_S}) as client:
            while self._step(client):
                pass

    def _step(self, client: SyncPrefectClient) -> bool:
        """Send one message, or look at the run's state; return False at the end."""
        with self._wake:
            if not self._waiting and not self._closing:
                self._wake.wait(POLL_S)
            if self._closing and (self.away or not self._waiting):
                return False
            due = time.monotonic() - self._looked >= POLL_S
            entry = None if due or not self._waiting else self._waiting.popleft()
            message = self._latest.pop(entry) if isinstance(entry, str) else entry
        if entry is None or message is None:
            self._looked = time.monotonic()
            self._attempt(self._look, client)
        elif not self._attempt(message, client):
            self._put_back(entry, message)
        return True

    def _put_back(self, entry: str | Message, message: Message) -> None:
        """Keep a message for when the server is back, unless there is a newer one of its key."""
        with self._wake:
            if isinstance(entry, str):
                if entry in self._latest:
                    return
                self._latest[entry] = message
            self._waiting.appendleft(entry)
            if not self._closing:
                self._wake.wait(AWAY_S if self.away else BUSY_S)

    def _attempt(self, message: Message, client: SyncPrefectClient) -> bool:
        """Send a message; return False where the server is away and it has to wait."""
        import httpx

        try:
            message(client)
        except httpx.TransportError as error:
            self._missed += 1  # once may be a connection that was idle for too long
            if not self.away and self._missed > 1:
                self.away = True
                logger.warning(
                    "The Prefect server at %s does not answer (%s). The campaign goes on and its "
                    "files are complete; the page is brought up to date when it is back.",
                    client.api_url,
                    error,
                )
            return False
        except Exception as error:
            if is_busy(error) and self._refusals < MOST_REFUSALS:
                self._refusals += 1
                return False
            what = f"{type(error).__name__}: {error}"
            if what not in self._refused:
                self._refused.add(what)
                logger.warning("The Prefect server refused a part of the page: %s", what)
        self._refusals = self._missed = 0
        if self.away:
            self.away = False
            logger.warning("The Prefect server answers again.")
        return True

    def _look(self, client: SyncPrefectClient) -> None:
        run = client.read_flow_run(self._watched)
        self.state, self.deployed = run.state, run.deployment_id is not None


def is_busy(error: Exception) -> bool:
    """Return whether a server failed over a message that it may take the next time."""
    import httpx

    return isinstance(error, httpx.HTTPStatusError) and error.response.status_code >= 500


def without_patience() -> None:
    """Let the rest of this context ask a server that does not answer once, not for a minute."""
    from prefect.context import SettingsContext, get_settings_context
    from prefect.settings import PREFECT_CLIENT_MAX_RETRIES

    now = get_settings_context()
    settings = now.settings.copy_with_update(updates={PREFECT_CLIENT_MAX_RETRIES: 0})
    SettingsContext(profile=now.profile, settings=settings).__enter__()


def whole_step(
    run: Shown, step: UUID, name: str, tags: Sequence[str], ending: Ending, words: str
) -> Message:
    """Return the message that shows a step which has begun and ended since; see ``begin_step``.

    Args:
        run: the flow run around it.
        step: id of its task run.
        name: its name.
        tags: see ``begin_step``.
        ending: how it ended.
        words: what to say of that.
    """
    return _step(run, step, name, tags, lambda: _final(ending, words))


def begin_step(run: Shown, step: UUID, name: str, tags: Sequence[str]) -> Message:
    """Return the message that shows a task run as running.

    Args:
        run: the flow run it belongs to.
        step: its id, chosen here.
        name: its name.
        tags: the last one also says what kind of step it is.
    """
    return _step(run, step, name, tags, _running)


def _step(
    run: Shown, step: UUID, name: str, tags: Sequence[str], state: Callable[[], State]
) -> Message:
    def send(client: SyncPrefectClient) -> None:
        from prefect.client.schemas.actions import TaskRunCreate
        from prefect.states import to_state_create

        create = TaskRunCreate(
            id=step,
            name=name,
            flow_run_id=run.id,
            task_key=tags[-1] if tags else "step",
            dynamic_key=str(step),
            tags=list(tags),
            state=to_state_create(state()),
        )
        client.request("POST", "/task_runs/", json=create.model_dump(mode="json"))

    return send


def end_step(step: UUID, ending: Ending, words: str = "") -> Message:
    """Return the message that ends a task run."""

    def send(client: SyncPrefectClient) -> None:
        client.set_task_run_state(step, _final(ending, words), force=True)

    return send


def begin_run(
    parent: Shown, run: Shown, step: UUID, flow_name: str, name: str, tags: Sequence[str]
) -> Message:
    """Return the message that shows a flow run inside another; ``run`` gets its id.

    Args:
        parent: the flow run it belongs to.
        run: receives the id.
        step: id of the task run that stands for it in the parent.
        flow_name: name of its flow.
        name: its own name.
        tags: its tags.
    """
    key = str(uuid4())

    def send(client: SyncPrefectClient) -> None:
        from prefect.client.schemas.actions import FlowRunCreate
        from prefect.states import Running, to_state_create

        begin_step(parent, step, name, [*tags, "reference unit"])(client)
        create = FlowRunCreate(
            flow_id=client.create_flow_from_name(flow_name),
            name=name,
            tags=list(tags),
            parent_task_run_id=step,
            idempotency_key=key,
            state=to_state_create(Running()),
        )
        reply = client.request("POST", "/flow_runs/", json=create.model_dump(mode="json"))
        run.id = UUID(reply.json()["id"])

    return send


def end_run(run: Shown, ending: Ending, words: str = "") -> Message:
    """Return the message that ends a flow run."""

    def send(client: SyncPrefectClient) -> None:
        if run.id is not None:
            client.set_flow_run_state(run.id, _final(ending, words), force=True)

    return send


def keep_paused(run: Shown, until: Any) -> Message:
    """Return the message that makes a suspended flow run a paused one.

    Prefect resumes suspended runs of deployments only; a paused one waits in its process and is
    resumed by the same button.

    Args:
        run: the flow run.
        until: time after which Prefect gives it up.
    """

    def send(client: SyncPrefectClient) -> None:
        from prefect.states import Paused

        if run.id is not None:
            state: State[Any] = Paused(pause_expiration_time=until)
            client.set_flow_run_state(run.id, state, force=True)

    return send


def add_tags(run: Shown, tags: Sequence[str]) -> Message:
    """Return the message that gives a flow run more tags."""

    def send(client: SyncPrefectClient) -> None:
        if run.id is not None:
            known = client.read_flow_run(run.id).tags
            client.update_flow_run(run.id, tags=sorted({*known, *tags}))

    return send


def artifact(
    run: Shown, kind: Literal["table", "markdown", "progress"], key: str, data: Any, words: str
) -> Message:
    """Return the message that writes an artifact of a flow run, or the new content of it."""

    def send(client: SyncPrefectClient) -> None:
        from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate

        # Plain requests: the client's own methods also queue events, which a server that is gone
        # holds up for minutes.
        if key in run.artifacts:
            changed = ArtifactUpdate(data=data, description=words)
            content = changed.model_dump(mode="json", exclude_unset=True)
            place = {"id": run.artifacts[key]}
            client.request("PATCH", "/artifacts/{id}", json=content, path_params=place)
            return
        create = ArtifactCreate(
            key=key, type=kind, data=data, description=words, flow_run_id=run.id
        )
        content = create.model_dump(mode="json", exclude_unset=True)
        run.artifacts[key] = UUID(client.request("POST", "/artifacts/", json=content).json()["id"])

    return send


def log_line(run: Shown, words: str, level: int = logging.INFO) -> Message:
    """Return the message that adds a line to the log of a flow run."""
    when = datetime.now(UTC)

    def send(client: SyncPrefectClient) -> None:
        line: Mapping[str, Any] = {
            "name": "widomill",
            "level": level,
            "message": words,
            "timestamp": when.isoformat(),
            "flow_run_id": str(run.id),
        }
        client.create_logs([dict(line)])

    return send


def _running() -> State:
    from prefect.states import Running

    return Running()


def _final(ending: Ending, words: str) -> State:
    from prefect.states import Cancelled, Completed, Crashed, Failed

    made = {
        "completed": Completed,
        "failed": Failed,
        "cancelled": Cancelled,
        "crashed": Crashed,
    }[ending]
    return made(message=words[:2000] or None)
