"""``widomill doctor DIR``: what is wrong in the folder of a run or a campaign, and its repair.

Nothing is thrown away but what an interrupted write left over. A damaged file is set aside, under
``set-aside/`` in the same folder, and what was made from it with it, so that the next run of the
same command redoes exactly that: every number is keyed by the seed, so it comes out as it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import RunFolderError, WidomillError
from data.faults import LEFT_OVER, problem_of
from data.store import read_rows
from flows.campaign.folder import CampaignFolder

if TYPE_CHECKING:
    from rich.console import Console

ASIDE = "set-aside"
NOT_OURS = ("prefect", ASIDE, "runs")
REDONE = "set aside; the same command redoes it"


@dataclass(frozen=True)
class Fault:
    """Something wrong in a folder.

    Attributes:
        path: the file.
        problem: what is wrong with it.
        repair: what was done about it, or would be.
        repaired: whether it was done.
    """

    path: Path
    problem: str
    repair: str
    repaired: bool


def mend(folder: Path, *, repair: bool = True) -> list[Fault]:
    """Look through the folder of a run or a campaign and repair what can be.

    Args:
        folder: as made by `widomill henry`, `isotherm`, `campaign run` or `screen`. No other
            process may be working in it.
        repair: whether to change anything.

    Returns:
        The faults found, in the order of their paths.

    Raises:
        RunFolderError: it is neither.
        CampaignBusyError: a campaign is running in it.
    """
    folder = Path(folder).expanduser().absolute()
    names = {p.name for p in folder.iterdir()} if folder.is_dir() else set()
    if names & {"units.parquet", "campaign.json"}:
        from flows.campaign.lock import claimed

        with claimed(folder):
            return list(_campaign(folder, repair))
    if names & {"settings.json", "context.json", "result.json"}:
        return list(_run(folder, repair))
    raise RunFolderError(
        f"{folder} is the folder of neither a run nor a campaign. Give the one that `widomill "
        "henry` or `widomill campaign run` wrote."
    )


def tell(folder: Path, faults: list[Fault], console: Console) -> int:
    """Print what was found; return 1 where something is left that could not be mended."""
    from rich.text import Text

    for fault in faults:
        place = fault.path.relative_to(Path(folder).expanduser().absolute())
        done = "" if fault.repaired else "not done: "
        console.print(Text(f"{place}: {fault.problem} -> {done}{fault.repair}"))
    left = sum(not fault.repaired for fault in faults)
    if not faults:
        console.print(Text(f"{folder}: nothing is wrong."))
    elif not left:
        console.print(Text(f"{len(faults)} mended. Repeat the command that made the folder."))
    else:
        console.print(Text(f"{len(faults)} found, {left} left as they are."))
    return int(left > 0)


def _campaign(folder: Path, repair: bool) -> Iterator[Fault]:
    yield from _left_over(folder, repair)
    yield from _plan(folder, repair)
    for run in sorted(p for p in (folder / "runs").glob("*") if p.is_dir()):
        yield from _run(run, repair)
    for path in sorted((folder / "failures").glob("*.json")):
        problem = problem_of(path)
        if problem is None and (folder / "runs" / path.stem / "result.json").is_file():
            problem = "the unit has an answer"
        if problem:
            yield _removed(path, problem, "removed; the unit's state follows its files", repair)
    for path in sorted(p for p in folder.iterdir() if p.is_file()):
        known = ("units.parquet", "campaign.json")
        if path.name not in known and (problem := problem_of(path)):
            yield _set_aside(folder, path, problem, repair)
    live = CampaignFolder(folder).live()
    if live and not live.get("ended"):
        if repair:
            CampaignFolder(folder).write_live({**live, "ended": True, "running": []})
        yield Fault(
            folder / "live.json", "says a campaign is running, and none is", "told so", repair
        )


def _plan(folder: Path, repair: bool) -> Iterator[Fault]:
    """Mend units.parquet and campaign.json; each can be had from the other or the file."""
    units, told = folder / "units.parquet", folder / "campaign.json"
    broken = problem_of(told) if told.is_file() else "it is missing"
    if broken:
        repair_words = "run the campaign file again; it is written anew"
        yield Fault(told, broken, repair_words, repaired=False)
    lost = problem_of(units) if units.is_file() else "it is missing"
    if not lost:
        return
    if broken:
        yield Fault(units, lost, "run the campaign file again; it is written anew", repaired=False)
        return
    done, words = repair, "written anew from campaign.json"
    if repair:
        try:
            _write_units(folder)
        except WidomillError as error:
            done, words = False, f"cannot be written anew: {error}"
    yield Fault(units, lost, words, done)


def _write_units(folder: Path) -> None:
    from flows.campaign.job import campaign_of
    from flows.campaign.units import units_of, write_units

    write_units(folder, units_of(campaign_of(folder)))


def _run(folder: Path, repair: bool) -> Iterator[Fault]:
    yield from _left_over(folder, repair)
    found = []
    for path in _files(folder):
        problem = problem_of(path) or _inner_problem(path)
        if problem:
            found.append(_set_aside(folder, path, problem, repair))
    yield from found
    result = folder / "result.json"
    lost = [f for f in found if f.path.name not in ("results.parquet", "result.json")]
    if lost and result.is_file():
        problem = f"it rests on {lost[0].path.relative_to(folder)}"
        yield _set_aside(folder, result, problem, repair)
    elif result.is_file():
        yield from _table(folder, repair)


def _table(folder: Path, repair: bool) -> Iterator[Fault]:
    """Hold results.parquet against result.json, and write it anew where they differ."""
    from flows.results import write_results_table

    path = folder / "results.parquet"
    results = json.loads((folder / "result.json").read_text(encoding="utf-8")).get("results", [])
    if not results or "henry_mol_per_kg_pa" not in results[0]:
        return
    problem = None if path.is_file() else "it is missing"
    if problem is None:
        rows = read_rows(path)
        same = [r["henry_mol_per_kg_pa"] for r in rows] == [
            r["henry_mol_per_kg_pa"] for r in results
        ]
        problem = None if same else "it is not what result.json says"
    if problem:
        if repair:
            write_results_table(folder, results)
        yield Fault(path, problem, "written anew from result.json", repair)


def _inner_problem(path: Path) -> str | None:
    """Return what is wrong inside a file that can be read."""
    if path.parent.name == "labels" and path.suffix == ".parquet":
        from tasks.labels import misplaced_labels

        wrong = misplaced_labels(path)
        return f"{wrong} labels in it are not those of their placements" if wrong else None
    if path.name == "settings.json":
        return _settings_problem(path)
    return None


def _settings_problem(path: Path) -> str | None:
    from pydantic import ValidationError

    from flows.settings import HenrySettings, IsothermSettings

    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or "hash" not in content:
        return "it holds no settings"
    stored = content.pop("hash")
    for kind in (HenrySettings, IsothermSettings):
        try:
            return None if kind(**content).hash == stored else "it was changed by hand"
        except (ValidationError, TypeError):
            continue
    return None  # of another command, or another version


def _files(folder: Path) -> list[Path]:
    """Return the files of a run's folder that are ours, in order."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and path.relative_to(folder).parts[0] not in NOT_OURS
        and not LEFT_OVER.match(path.name)
    )


def _left_over(folder: Path, repair: bool) -> Iterator[Fault]:
    for path in sorted(folder.rglob(".*.tmp")):
        inside = path.relative_to(folder).parts
        if LEFT_OVER.match(path.name) and inside[0] not in NOT_OURS:
            yield _removed(path, "left by a write that was interrupted", "removed", repair)


def _removed(path: Path, problem: str, words: str, repair: bool) -> Fault:
    if repair:
        path.unlink(missing_ok=True)
    return Fault(path, problem, words, repair)


def _set_aside(folder: Path, path: Path, problem: str, repair: bool) -> Fault:
    if repair:
        target = folder / ASIDE / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        for number in range(1, 10_000):
            if not target.exists():
                break
            target = target.with_name(f"{path.name}.{number}")
        path.rename(target)
    return Fault(path, problem, REDONE, repair)
