"""A reference in a process of its own: a call that hangs or crashes costs one label, not the run.

Foreign code, a DFT program behind ASE say, may wait for ever or end its process with a signal.
Here each call has a limit of wall time, and what it ends is a child that nothing else lives in.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import weakref
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from chem.references.contract import LATE, LabelResult, Reference, failed_label
from chem.references.registry import parse_reference_spec
from data.errors import ReferenceLevelError
from data.records import Guest, Host

FOREIGN = ("ase", "xtb")
"""Levels whose calls run in a child: code that is not ours, or may end its process."""
START_S = 300.0
"""Time for a child to import what it needs, s."""
_CODE = "import sys; sys.path[:] = {path!r}; from chem.references.child import serve; serve({fd})"


@dataclass(frozen=True)
class Binding:
    """What a child needs to bind a level: its text, host, guest and label cell."""

    text: str
    host: Host
    guest: Guest
    replication: tuple[int, int, int] | None = None


class IsolatedReference:
    """A reference whose calls run in a child process; see ``contract.Reference``.

    A call past its limit is a failed label, and so is one that ends its process twice: after
    the first time it is asked again in a fresh one.

    Args:
        inner: the reference as it is bound here; it says what it is, and computes nothing.
        binding: the same for the child.
        limit_s: longest wall time of a call, s. The first also computes the bare host.
    """

    def __init__(self, inner: Reference, binding: Binding, limit_s: float) -> None:
        self.name, self.level_key, self.key = inner.name, inner.level_key, inner.key
        self.atomistic, self.slow = inner.atomistic, inner.slow
        self.cell_note = inner.cell_note
        self.image_distance_angstrom = inner.image_distance_angstrom
        self.warnings = inner.warnings
        self._inner, self._binding, self._limit_s = inner, binding, limit_s
        self._child: _Child | None = None

    def for_host(
        self, host: Host, guest: Guest, replication: tuple[int, int, int] | None = None
    ) -> IsolatedReference:
        """Return the same level for another host, in a process of its own."""
        inner = self._inner.for_host(host, guest, replication)
        binding = replace(self._binding, host=host, guest=guest, replication=replication)
        return IsolatedReference(inner, binding, self._limit_s)

    def interaction_energies(
        self, fractional: np.ndarray, quaternions: np.ndarray, *, forces: bool = False
    ) -> list[LabelResult]:
        """Label insertions one by one; see ``contract.Reference``.

        Raises:
            ReferenceLevelError: the child cannot make the reference.
        """
        return [
            self._label(fractional[k : k + 1], quaternions[k : k + 1], forces)
            for k in range(len(fractional))
        ]

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.end()
            self._child = None

    def _label(self, fractional: np.ndarray, quaternion: np.ndarray, forces: bool) -> LabelResult:
        began = time.perf_counter()
        ended = ""
        for _ in ("first", "fresh"):
            child = self._ready()
            try:
                result: LabelResult = child.ask((fractional, quaternion, forces), self._limit_s)[0]
            except TimeoutError:
                self.close()
                return failed_label(
                    f"{LATE} {self._limit_s:g} s; its process was ended",
                    time.perf_counter() - began,
                )
            except KeyboardInterrupt:  # its answer, to come, would be taken for the next one's
                self.close()
                raise
            except EOFError:
                again, ended = ended, child.how_it_ended()
                self.close()
                if again:
                    break
                continue
            if not ended:
                return result
            words = f"{ended}; second attempt in a fresh process"
            if result.status == "failed":
                return replace(result, reason=f"{words}: {result.reason}")
            return replace(result, status="retried", reason=words)
        return failed_label(f"{ended}, twice", time.perf_counter() - began)

    def _ready(self) -> _Child:
        if self._child is not None:
            return self._child
        child = _Child()
        try:
            child.ask(self._binding, START_S)
        except (TimeoutError, EOFError) as error:
            how = child.how_it_ended() if isinstance(error, EOFError) else "it did not answer"
            child.end()
            raise ReferenceLevelError(
                f"The process of reference {self.name} could not make it: {how}. Try the "
                "reference alone in Python."
            ) from error
        except BaseException:
            child.end()
            raise
        self._child = child
        return child


def isolated(reference: Reference, binding: Binding, limit_s: float) -> Reference:
    """Return a reference as it is, or where foreign code computes it, in a process of its own."""
    kind = parse_reference_spec(binding.text).kind
    return IsolatedReference(reference, binding, limit_s) if kind in FOREIGN else reference


class _Child:
    """A process that labels, and the line to it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            fd = theirs.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-c", _CODE.format(path=sys.path, fd=fd)],
                pass_fds=[fd],
                stdin=subprocess.DEVNULL,
                stdout=2,  # what foreign code prints is not our answer
                start_new_session=True,
            )
        self._line = Connection(ours.detach())
        self._finalizer = weakref.finalize(self, _end, self._process, self._line)

    def ask(self, what: Any, limit_s: float) -> Any:
        """Send something and return the answer.

        Raises:
            TimeoutError: none came in time.
            EOFError: the process has ended.
            Exception: what it raised.
        """
        try:
            self._line.send(what)
            if not self._line.poll(limit_s):
                raise TimeoutError
            answer = self._line.recv()
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise
            raise EOFError from error
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def how_it_ended(self) -> str:
        """Return in words how the process ended."""
        try:
            status = self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            return "its process closed the line"
        if status >= 0:
            return f"its process ended with status {status}"
        if status == -signal.SIGKILL:
            return "its process was ended by SIGKILL, for want of memory perhaps"
        with contextlib.suppress(ValueError):
            return f"its process was ended by {signal.Signals(-status).name}"
        return f"its process was ended by signal {-status}"

    def end(self) -> None:
        """Kill the process and what it started."""
        self._finalizer()


def _end(process: subprocess.Popen[bytes], line: Connection) -> None:
    line.close()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
