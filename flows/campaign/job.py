"""A campaign from its checked settings to its files, whoever watches it."""

from __future__ import annotations

import json
import platform
import resource
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data.errors import RunFolderError
from data.store import write_json
from flows.campaign.engine import Engine
from flows.campaign.folder import CampaignFolder
from flows.campaign.live import now
from flows.campaign.lock import claimed
from flows.campaign.read import Campaign, check_campaign
from flows.campaign.settings import CampaignSettings
from flows.campaign.units import Unit, units_of, write_units
from flows.campaign.view import CampaignView, PlainView
from flows.console import Reporter
from flows.pools import Pools, open_pools
from flows.prepare import VERSIONED, installed


@dataclass(frozen=True)
class CampaignSummary:
    """How a campaign ended.

    Attributes:
        folder: of the campaign.
        complete: whether every unit was tried.
        finished: units with an answer.
        failed: units given up, each with its reason in failures/.
        waiting: units not tried yet.
        done_now: units of this session.
        wall_s: wall time of this session, s.
        cpu_s: CPU time of its workers, s.
        busy_share: of the workers' time, while there was work.
        orchestration_share: CPU time of this process over all CPU time.
    """

    folder: str
    complete: bool
    finished: int
    failed: int
    waiting: int
    done_now: int
    wall_s: float
    cpu_s: float
    busy_share: float
    orchestration_share: float


def run_campaign(
    campaign: Campaign,
    *,
    view: CampaignView | None = None,
    reporter: Reporter | None = None,
    retry_failed: bool = False,
    pools: Pools | None = None,
) -> CampaignSummary:
    """Run a campaign, or what is missing of it, and write its results and report.

    With a ``screen`` section the labels go where the screen says; other reference levels of the
    file wait.

    Args:
        campaign: checked.
        view: who watches.
        reporter: where progress is told.
        retry_failed: also try units that failed for a reason that lasts.
        pools: workers to use; default: those of the campaign's settings.

    Raises:
        CampaignBusyError: another process is working on it.
        StorageError: files cannot be written; resuming goes on once they can.
    """
    view, folder = view or PlainView(), CampaignFolder(campaign.folder)
    units = units_of(campaign)
    with claimed(folder.path):
        write_plan(campaign, folder, units)
        view.opened(folder, units)
        if _is_done(campaign, folder, units, retry_failed):
            summary = _nothing_to_do(folder, units)
        elif pools is not None:
            summary = _run(campaign, folder, units, view, reporter, retry_failed, pools)
        else:
            cluster, workers = campaign.settings.cluster, campaign.settings.workers
            where = Path(cluster) if isinstance(cluster, str) else cluster
            with open_pools(where, workers) as opened:
                summary = _run(campaign, folder, units, view, reporter, retry_failed, opened)
        close_campaign(folder)
        view.closed(folder)
    return summary


def write_plan(campaign: Campaign, folder: CampaignFolder, units: list[Unit]) -> None:
    """Write what a campaign is and what it is made of."""
    write_units(folder.path, units)
    path = folder.path / "campaign.json"
    write_json(
        path,
        {
            "settings": campaign.settings.model_dump(mode="json"),
            "hosts": [asdict(host) for host in campaign.hosts],
            "written": now(),
            "versions": {name: installed(name) for name in VERSIONED},
            "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.machine()}",
        },
    )


def close_campaign(folder: CampaignFolder) -> None:
    """Write the results of all units as one table, and the report."""
    from flows.campaign.export.export import export
    from flows.campaign_report import write_campaign_report

    if "finished" in folder.states(folder.units()).values():
        export(folder, "parquet", folder.path / "results.parquet")
    write_campaign_report(folder)


def reopen(folder: Path) -> Campaign:
    """Return the campaign of a folder, from what was written when it was last run.

    Raises:
        RunFolderError: it holds no campaign.
        CampaignFileError: what it refers to is no longer there.
    """
    return campaign_of(CampaignFolder(folder).require().path)


def campaign_of(folder: Path) -> Campaign:
    """Return the campaign that campaign.json tells of, whatever else is in the folder.

    Args:
        folder: of the campaign, absolute.

    Raises:
        RunFolderError: campaign.json cannot be read.
        CampaignFileError: what it refers to is no longer there.
    """
    path = folder / "campaign.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))["settings"]
        settings = CampaignSettings.model_validate({**content, "out": str(folder)})
    except (OSError, ValueError, KeyError) as error:
        raise RunFolderError(
            f"Cannot read {path}: {' '.join(str(error).split())}. Run the campaign file again."
        ) from error
    return check_campaign(settings, folder)


def _is_done(
    campaign: Campaign, folder: CampaignFolder, units: list[Unit], retry_failed: bool
) -> bool:
    """Return whether nothing is left; of a screen, what its labels did not go to stays."""
    waiting = folder.left(units, folder.states(units), retry_failed)
    if campaign.settings.screen is None:
        return not waiting
    from flows.campaign.screen.screen import is_screened

    return not any(unit.is_classical for unit in waiting) and is_screened(campaign)


def _nothing_to_do(folder: CampaignFolder, units: list[Unit]) -> CampaignSummary:
    states = list(folder.states(units).values())
    return CampaignSummary(
        str(folder.path),
        True,
        states.count("finished"),
        states.count("failed"),
        0,
        0,
        0.0,
        0.0,
        0.0,
        0.0,
    )


def _run(
    campaign: Campaign,
    folder: CampaignFolder,
    units: list[Unit],
    view: CampaignView,
    reporter: Reporter | None,
    retry_failed: bool,
    pools: Pools,
) -> CampaignSummary:
    began, own_began = time.monotonic(), _own_cpu_s()
    with reporter or Reporter() as told:
        engine = Engine(
            folder,
            units,
            campaign.settings.limits,
            pools,
            view,
            told,
            campaign.settings.name,
            retry_failed,
        )
        before = engine.live.counts()
        if campaign.settings.screen is None:
            complete = engine.run()
        else:
            from flows.campaign.screen.screen import screen_campaign

            complete = screen_campaign(campaign, engine)
            engine.refuse_shortage()
        engine.live.ended = True
        engine.tick()
    told_last = engine.live.as_dict()
    counts, cpu = told_last["counts"], told_last["cpu"]
    own_s = _own_cpu_s() - own_began
    summary = CampaignSummary(
        str(folder.path),
        complete,
        counts["finished"],
        counts["failed"],
        counts["waiting"] + counts["running"],
        counts["finished"] + counts["failed"] - before["finished"] - before["failed"],
        time.monotonic() - began,
        cpu["cpu_s"],
        cpu["busy_share"],
        own_s / max(own_s + cpu["cpu_s"], 1e-9),
    )
    _add_usage(folder, asdict(summary), told_last)
    return summary


def _add_usage(folder: CampaignFolder, summary: Mapping[str, Any], live: Mapping[str, Any]) -> None:
    """Add this session to what the campaign has used."""
    usage = folder.usage()
    sessions = [*usage.get("sessions", [])]
    sessions.append({**summary, "ended": now(), "labels": live["labels"], "cpu": live["cpu"]})
    folder.write_usage(
        {
            "wall_s": sum(s["wall_s"] for s in sessions),
            "cpu_s": sum(s["cpu_s"] for s in sessions),
            "labels": sum(s["labels"] for s in sessions),
            "sessions": sessions,
        }
    )


def _own_cpu_s() -> float:
    """Return the CPU seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
