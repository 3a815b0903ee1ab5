"""A campaign in words on the terminal: its plan, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from flows.campaign.job import CampaignSummary
from flows.campaign.plan import LevelPlan, Plan


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    for size, unit in ((86_400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def print_plan(plan: Plan, notes: Sequence[str] = ()) -> None:
    """Print what a campaign will do and what it is expected to cost."""
    console = Console(highlight=False)
    temperatures = ", ".join(f"{t:g}" for t in plan.temperatures_k)
    console.print(
        Text(
            f"{plan.name}: {plan.hosts} hosts x {', '.join(plan.guests)} at {temperatures} K, "
            f"in {plan.folder}"
        ),
        soft_wrap=True,
    )
    for level in plan.levels:
        console.print(Text("  " + _line(level)), soft_wrap=True)
    for note in notes:
        console.print(Text(note, style="yellow"), soft_wrap=True)
    if plan.hours is None:
        console.print("The time is not known: no unit of every level has been measured here yet.")
    elif plan.hours[1] > 0.0:
        low, high = plan.hours
        workers = f"{plan.workers} worker{'s' if plan.workers > 1 else ''}"
        console.print(
            f"About {duration(3600 * low)} to {duration(3600 * high)} on {workers}; host by host "
            "it varies with the size of the cell.",
            soft_wrap=True,
        )


def _line(level: LevelPlan) -> str:
    counts = level.states
    todo = counts.get("waiting", 0) + counts.get("running", 0)
    line = f"{level.level}: {level.units} unit{'s' if level.units > 1 else ''}, {todo} to do"
    if counts.get("failed"):
        line += f", {counts['failed']} failed"
    if level.labels:
        line += f", at most {level.labels:,} labels"
    cost = level.cost
    if not todo:
        return line
    if cost is None or level.worker_s is None or level.worker_low_s is None:
        return line + "; cost unknown"
    line += f"; {duration(cost.unit_s)} a unit"
    if cost.label_s:
        line += f" and {duration(cost.label_s)} a label"
    line += f", {1e6 * cost.insertion_s:.3g} s a million insertions all told"
    span = f"{duration(level.worker_low_s)} to {duration(level.worker_s)}"
    return f"{line} ({cost.measured} measured here): {span} of worker time"


def print_summary(summary: CampaignSummary) -> None:
    """Print how a campaign ended."""
    console = Console(highlight=False)
    if summary.done_now == 0 and summary.complete:
        console.print("Nothing to do: every unit has its answer or its reason.")
    console.print(
        f"{summary.finished} units finished, {summary.failed} failed, {summary.waiting} to go; "
        f"{duration(summary.wall_s)}, workers busy {100 * summary.busy_share:.0f} % of the time, "
        f"orchestration {100 * summary.orchestration_share:.1f} % of the CPU time"
    )
    folder = Text(summary.folder)
    console.print(Text("Folder: ") + folder, soft_wrap=True)
    console.print(Text(f"Report: {summary.folder}/report.html"), soft_wrap=True)
    if summary.failed:
        console.print(
            Text(
                f"Reasons: widomill campaign status {summary.folder}; after mending, resume it "
                "with --retry-failed"
            ),
            soft_wrap=True,
        )
    if summary.waiting:
        console.print(Text(f"Go on: widomill campaign resume {summary.folder}"), soft_wrap=True)
