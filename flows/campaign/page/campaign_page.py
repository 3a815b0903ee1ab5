"""What the page of a campaign shows, made of its files and of what its engine says."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from flows.artifacts import artifact_key, plain_value
from flows.campaign.folder import CampaignFolder, Failure, State
from flows.campaign.page.markdown import escaped, number, span, table, with_error
from flows.campaign.units import Unit

MOST_ROWS = 400
"""Rows of the table of answers; more are in the files."""
MOST_LISTED = 100
Link = Callable[[Unit], str | None]
Results = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Piece:
    """One artifact: its kind, key, content and description."""

    kind: Literal["table", "markdown", "progress"]
    key: str
    data: Any
    words: str


class CampaignPage:
    """The artifacts of a campaign's flow run.

    Args:
        name: of the campaign.
        folder: its files.
        units: its plan.
        link: returns the address of a unit's own page.
    """

    def __init__(
        self, name: str, folder: CampaignFolder, units: Sequence[Unit], link: Link
    ) -> None:
        self._name, self._folder, self._units, self._link = name, folder, list(units), link
        self._results: dict[str, Results] = {}
        self._failures: dict[str, Failure] = {}
        self._read = False

    def finished(self, unit: Unit, results: Results) -> None:
        """A unit has its answer."""
        self._failures.pop(unit.id, None)
        self._results[unit.id] = results

    def failed(self, failure: Failure) -> None:
        """A unit was given up."""
        self._failures[failure.unit_id] = failure

    def pieces(self, live: Mapping[str, Any]) -> Iterator[Piece]:
        """Yield every artifact as it is now.

        Args:
            live: what live.json holds; may be empty.
        """
        if not self._read:
            self._read_earlier()
        running = {entry["unit"]: entry for entry in live.get("running", [])}
        states = {u.id: self._state(u, running) for u in self._units}
        yield from self._bars(states, running)
        yield self._answers(states, running)
        yield self._now(live, states)
        yield self._given_up()
        if any(not u.is_classical for u in self._units):
            yield self._references(states, running)
        yield from self._ranking()

    def _read_earlier(self) -> None:
        """Take up what earlier sessions left in the files."""
        states = self._folder.states(self._units)
        for unit in self._units:
            if states[unit.id] == "finished" and unit.id not in self._results:
                self._results[unit.id] = self._folder.unit_results(unit)
            failure = self._folder.failure(unit) if states[unit.id] == "failed" else None
            if failure is not None:
                self._failures.setdefault(unit.id, failure)
        self._read = True

    def _state(self, unit: Unit, running: Mapping[str, Any]) -> State:
        if unit.id in self._results:
            return "finished"
        if unit.id in running:
            return "running"
        return "failed" if unit.id in self._failures else "waiting"

    def _bars(self, states: Mapping[str, State], running: Mapping[str, Any]) -> Iterator[Piece]:
        over = ("finished", "failed")
        hosts: dict[str, list[bool]] = defaultdict(list)
        for unit in self._units:
            hosts[unit.host_id].append(states[unit.id] in over)
        done_hosts = sum(all(ends) for ends in hosts.values())
        yield self._bar("hosts", done_hosts, len(hosts), "hosts")
        done = sum(state in over for state in states.values())
        failed = sum(state == "failed" for state in states.values())
        words = "units" + (f", {failed} failed" if failed else "")
        yield self._bar("units", done, len(states), words)
        stages = [e for e in running.values() if e["total"]]
        at_work = sum(e["done"] for e in stages)
        words = "batches at work"
        yield self._bar("batches", at_work, sum(e["total"] for e in stages), words)
        references = [u for u in self._units if not u.is_classical]
        if references:
            yield self._labels(references, states, running)

    def _labels(
        self, units: Sequence[Unit], states: Mapping[str, State], running: Mapping[str, Any]
    ) -> Piece:
        """Labels paid of those there may be: finished units need no more than they took."""
        paid = most = 0
        for unit in units:
            if unit.id in self._results:
                taken = int(self._results[unit.id][0]["labels"] or 0)
                paid, most = paid + taken, most + taken
            else:
                paid += int(running.get(unit.id, {}).get("labels", 0))
                most += unit.settings.max_labels if states[unit.id] != "failed" else 0
        return self._bar("labels", paid, most, "labels, at most")

    def _bar(self, what: str, done: int, total: int, words: str) -> Piece:
        percent = 100.0 * min(done, total) / total if total else 100.0
        text = f"{done:,} of {total:,} {words}" if total else f"no {words}"
        return Piece("progress", artifact_key(self._name, what), percent, text)

    def _answers(self, states: Mapping[str, State], running: Mapping[str, Any]) -> Piece:
        groups: dict[tuple[Any, ...], list[tuple[Unit, Mapping[str, Any]]]] = defaultdict(list)
        for unit in self._units:
            for result in self._results.get(unit.id, ()):
                groups[unit.guest, result["temperature_k"], unit.level].append((unit, result))
        most = max(10, MOST_ROWS // max(1, len(groups)))
        rows = []
        for _, found in sorted(groups.items()):
            found.sort(key=lambda pair: -_henry(pair[1]))
            rows += [_answer(rank, *pair) for rank, pair in enumerate(found[:most], start=1)]
        left = (u for u in self._units if states[u.id] != "finished")
        open_rows = [_open(u, states[u.id], running, self._failures) for u in left]
        shown = len(rows)
        rows += open_rows[: max(0, MOST_ROWS - shown)]
        total = sum(len(found) for found in groups.values())
        words = f"{total:,} answers, largest K_H first"
        if shown < total:
            words += f"; {shown:,} shown, all are in {self._folder.path}"
        return Piece("table", artifact_key(self._name, "answers"), json.dumps(rows), words)

    def _now(self, live: Mapping[str, Any], states: Mapping[str, State]) -> Piece:
        levels: dict[str, list[State]] = defaultdict(list)
        for unit in self._units:
            levels[unit.level].append(states[unit.id])
        names: tuple[State, ...] = ("finished", "failed", "running", "waiting")
        counts = [
            [escaped(level), *(str(found.count(n)) for n in names), str(len(found))]
            for level, found in levels.items()
        ]
        text = f"# Campaign {escaped(self._name)}\n\n"
        text += table(["level", *names, "all"], counts)
        text += "\n" + "".join(f"- {fact}\n" for fact in _facts(live))
        listed = live.get("running", [])[:MOST_LISTED]
        if listed:
            text += "\n## At work\n\n" + table(
                ["host", "guest", "level", "stage", "done", "labels"],
                [
                    [
                        *(escaped(e[k]) for k in ("host", "guest", "level", "stage")),
                        f"{e['done']} of {e['total']}" if e["total"] else "",
                        str(e["labels"] or ""),
                    ]
                    for e in listed
                ],
            )
        text += f"\n## Files\n\n- folder `{self._folder.path}`\n"
        if self._folder.report_path.is_file():
            text += f"- report [{self._folder.report_path}]({self._folder.report_path.as_uri()})\n"
        text += "- each unit: `runs/UNIT/report.html`, `result.json`, `labels/`\n"
        return Piece(
            "markdown", artifact_key(self._name, "now"), text, "Where it stands, and files"
        )

    def _given_up(self) -> Piece:
        failures = sorted(self._failures.values(), key=lambda f: (f.host_id, f.guest, f.level))
        rows = [
            [
                *(escaped(t) for t in (f.host_id, f.guest, f.level, f.error, f.reason)),
                f"{f.attempts}, {'worth another' if f.retry else 'mend it first'}",
            ]
            for f in failures[:MOST_LISTED]
        ]
        if rows:
            text = table(["host", "guest", "level", "error", "reason", "attempts"], rows)
        else:
            text = "Nothing has failed.\n"
        if len(failures) > len(rows):
            text += f"\nThe first {len(rows)}; all are in `{self._folder.path}/failures`.\n"
        key = artifact_key(self._name, "failures")
        return Piece("markdown", key, text, f"{len(failures)} failures with their reasons")

    def _references(self, states: Mapping[str, State], running: Mapping[str, Any]) -> Piece:
        rows: list[list[str]] = []
        for unit in self._units:
            if unit.is_classical or len(rows) >= MOST_LISTED:
                continue
            address = self._link(unit)
            name = f"[{escaped(unit.title)}]({address})" if address else escaped(unit.title)
            first = (self._results.get(unit.id) or [{}])[0]
            labels = first.get("labels", running.get(unit.id, {}).get("labels", ""))
            answer = span(first["henry_mol_per_kg_pa"], first["henry_ci95"]) if first else ""
            rows.append([name, states[unit.id], str(labels), answer])
        text = table(["unit and its page", "state", "labels", "K_H / mol/(kg Pa), 95 %"], rows)
        key = artifact_key(self._name, "references")
        return Piece("markdown", key, text, "Reference units, their pages")

    def _ranking(self) -> Iterable[Piece]:
        """Show the ranking where there is a screen."""
        rows = ranking_rows(self._folder)
        if rows:
            key = artifact_key(self._name, "ranking")
            words = "Ranking, the best host first"
            yield Piece("table", key, json.dumps(rows[:MOST_ROWS]), words)


def ranking_rows(folder: CampaignFolder) -> list[dict[str, Any]]:
    """Return the rows of a screen's ranking, ready to be shown; empty where there is none."""
    from data.store import read_rows

    path = folder.path / "ranking.parquet"
    if not path.is_file():
        return []
    return [
        {name: _short(plain_value(value)) for name, value in row.items()} for row in read_rows(path)
    ]


def _short(value: Any) -> Any:
    return number(value) if isinstance(value, float) else value


def _henry(result: Mapping[str, Any]) -> float:
    value = result["henry_mol_per_kg_pa"]
    return float(value) if value is not None and value == value else -1.0


def _answer(rank: int, unit: Unit, result: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "#": rank,
        "host": unit.host_id,
        "guest": unit.guest,
        "T / K": f"{result['temperature_k']:g}",
        "level": unit.level,
        "K_H / mol/(kg Pa), 95 %": span(result["henry_mol_per_kg_pa"], result["henry_ci95"]),
        "Qst / kJ/mol": with_error(result["qst_kj_per_mol"], result["qst_standard_error"]),
        "labels": result["labels"] or "",
        "status": str(result["stopped_because"] or "finished"),
    }


def _open(
    unit: Unit, state: State, running: Mapping[str, Any], failures: Mapping[str, Failure]
) -> dict[str, Any]:
    status: str = state
    if unit.id in running:
        status = f"running: {running[unit.id]['stage']}"
    elif unit.id in failures:
        status = f"failed: {failures[unit.id].error}"
    return {
        "#": "",
        "host": unit.host_id,
        "guest": unit.guest,
        "T / K": "",
        "level": unit.level,
        "K_H / mol/(kg Pa), 95 %": "",
        "Qst / kJ/mol": "",
        "labels": running.get(unit.id, {}).get("labels") or "",
        "status": status,
    }


def _facts(live: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the engine says about speed, in words."""
    if not live:
        return
    rates, cpu = live["rates"], live["cpu"]
    yield f"{'ended' if live['ended'] else 'as of'} {live['at']}, begun {live['started']}"
    yield f"{rates['units_per_hour']:,.0f} units and {rates['labels_per_hour']:,.0f} labels an hour"
    yield f"{cpu['workers']} workers, busy {100.0 * cpu['busy_share']:.0f} % of the time"
    if live.get("left_s") is not None:
        yield f"about {live['left_s'] / 60.0:,.0f} minutes left"
