"""Take a finished run one reference level up, with few labels at that level."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from chem.combine import interval
from chem.estimator import henry_prefactor
from chem.hosts import host_density_kg_per_m3
from chem.two_step import Upgraded
from data.constants import GAS_CONSTANT_KJ_PER_MOL_K, LABEL_SECONDS
from data.errors import RunFolderError, SettingsError
from data.records import content_hash
from data.store import plain, write_json
from flows.console import Reporter
from flows.executors import Executor
from flows.settings import HOW_IT_RUNS
from flows.stages import Stages
from tasks.check import CheckRecord
from tasks.context import load_context
from tasks.upgrade import (
    UpgradeChunk,
    UpgradeItem,
    check_upgrade,
    draw_upgrade,
    estimate_upgrade,
    label_upgrade,
)

if TYPE_CHECKING:
    from rich.console import Console

CHUNK_SIZE = 2
FEW_EFFECTIVE = 10.0


class UpgradeSettings(BaseModel):
    """Settings of an upgrade."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    run_dir: str = Field(min_length=1, description="finished run with a reference")
    reference: str = Field(min_length=1, description="higher reference level")
    max_labels: int = Field(default=40, ge=4, le=10**6, description="most calls at that level")
    explore_share: float = Field(
        default=0.15, ge=0.0, le=1.0, description="part of the draw that explores"
    )
    seed: int = Field(default=0, ge=0, le=2**63 - 1, description="random seed")
    accept_offset: bool = Field(default=False, description="use a reference that fails its check")
    trust_model_file: bool = Field(default=False, description="load a model file of unknown hash")
    label_seconds: float = Field(
        default=LABEL_SECONDS, gt=0.0, le=1e7, description="wall time of one reference call"
    )
    workers: int = Field(default=2, ge=1, le=1024, description="worker processes")
    cluster: str | None = Field(default=None, description="YAML file that says where to run")

    @property
    def folder(self) -> Path:
        """Where the upgrade's files lie, below the run's own folder."""
        numbers = self.model_dump(mode="json", exclude={"run_dir", *HOW_IT_RUNS})
        words = re.sub(r"[^\w.-]+", "-", Path(self.reference).name)
        name = f"{words}_{content_hash(sorted(numbers.items()))[:8]}"
        return Path(self.run_dir).expanduser().absolute() / "upgrades" / name

    @property
    def item(self) -> UpgradeItem:
        """What the tasks are told."""
        return UpgradeItem(
            str(Path(self.run_dir).expanduser().absolute()),
            str(self.folder),
            self.reference,
            self.max_labels,
            self.explore_share,
            self.seed,
            self.accept_offset,
            self.trust_model_file,
            self.label_seconds,
        )


def upgrade_run(
    settings: UpgradeSettings, executor: Executor, reporter: Reporter
) -> list[dict[str, Any]]:
    """Do an upgrade, or what is missing of it, and return one result per temperature.

    Args:
        settings: what to do.
        executor: where labels run.
        reporter: where progress is told.

    Raises:
        RunFolderError: there is no finished run with labels.
        SettingsError: the higher level is the run's own.
    """
    below = _run_below(settings)
    done = settings.folder / "result.json"
    if done.exists():
        reporter.say(f"{settings.folder} is finished: its results are shown")
        stored: list[dict[str, Any]] = json.loads(done.read_text(encoding="utf-8"))["results"]
        return stored
    item = settings.item
    stages = Stages(executor, reporter, item.run_dir, f"{below[0]['host']} {below[0]['guest']}")
    check = stages.call(check_upgrade, item, "labels", "check of the higher level")
    reporter.say(f"reference {settings.reference}: {check.message}")
    spent = _label(stages, item)
    answers = stages.call(estimate_upgrade, item, "train", "estimate")
    results = []
    for k, (low, answer) in enumerate(zip(below, answers, strict=True)):
        result = _result(item, k, low, answer) | spent | _checked(check)
        result |= {"seed": settings.seed, "warnings": [*check.warnings, *_warnings(result | spent)]}
        results.append(plain(result))
    write_json(settings.folder / "settings.json", settings.model_dump(mode="json"))
    write_json(done, {"results": results})
    return results


def _run_below(settings: UpgradeSettings) -> list[dict[str, Any]]:
    """Return the results of the run to go on from."""
    from flows.run import finished_results

    run_dir = Path(settings.item.run_dir)
    results = finished_results(run_dir)
    if not results:
        raise RunFolderError(
            f"{run_dir} has no result.json: no run was finished there. Give the folder "
            "that `widomill henry` wrote (its --out)."
        )
    if results[0]["reference"] == settings.reference:
        raise SettingsError(
            f"--reference {settings.reference} is the level of the run itself: give a higher one, "
            "or run `widomill henry` again with more labels."
        )
    return results


def _label(stages: Stages, item: UpgradeItem) -> dict[str, Any]:
    """Draw and label, and say what was spent."""
    rows = range(stages.call(draw_upgrade, item, "train", "draw"))
    chunks = [tuple(rows[k : k + CHUNK_SIZE]) for k in range(0, len(rows), CHUNK_SIZE)]
    items = [UpgradeChunk(item, k, chunk) for k, chunk in enumerate(chunks)]
    records = stages.map(label_upgrade, items, "labels", "higher labels", "labels")
    return {
        "labels": sum(r.labels for r in records),
        "label_failures": sum(r.failures for r in records),
        "reference_s": sum(r.seconds for r in records),
    }


def _checked(check: CheckRecord) -> dict[str, Any]:
    return {
        "reference_key": check.key,
        "reference_check": check.message,
        "reference_offset_kj_per_mol": check.offset_kj_per_mol,
    }


def _result(item: UpgradeItem, k: int, low: dict[str, Any], answer: Upgraded) -> dict[str, Any]:
    context = load_context(item.run_dir)
    temperature = context.temperatures_k[k]
    prefactor = henry_prefactor(host_density_kg_per_m3(context.system.host), temperature)
    mean = answer.estimate.mean
    limits = interval(answer.estimate, answer.degrees_of_freedom)
    return {
        "host": low["host"],
        "guest": low["guest"],
        "temperature_k": temperature,
        "reference": item.reference,
        "low_reference": low["reference"],
        "henry_mol_per_kg_pa": prefactor * mean,
        "henry_ci95": [prefactor * limit for limit in limits],
        "henry_relative_standard_error": answer.estimate.relative_standard_error,
        "table_relative_error": answer.table_standard_error / abs(mean),
        "low_labels_relative_error": answer.first_standard_error / abs(mean),
        "high_labels_relative_error": answer.second_standard_error / abs(mean),
        "low_henry_mol_per_kg_pa": low["henry_mol_per_kg_pa"],
        "ratio_to_low": answer.ratio,
        "energy_shift_kj_per_mol": answer.shift_kj_per_mol,
        "qst_kj_per_mol": GAS_CONSTANT_KJ_PER_MOL_K * temperature - answer.energy_kj_per_mol,
        "qst_standard_error": answer.energy_standard_error,
        "low_labels": low["labels"],
        "correction_effective_samples": answer.estimate.effective_samples,
    }


def _warnings(result: dict[str, Any]) -> list[str]:
    found = []
    if not result["henry_mol_per_kg_pa"] > 0:
        found.append("too few labels: the corrected estimate is negative, which is no answer yet")
    if result["correction_effective_samples"] < FEW_EFFECTIVE:
        found.append(
            f"only {result['correction_effective_samples']:.0f} effective labels at the higher "
            f"level at {result['temperature_k']} K: a heavy tail may not have been met"
        )
    if result["label_failures"]:
        found.append(
            f"{result['label_failures']} of {result['labels']} labels failed at the higher level; "
            "those that came back stand for them"
        )
    return found


def print_upgrade(
    results: list[dict[str, Any]], folder: Path, console: Console | None = None
) -> None:
    """Print the answer at both levels."""
    from rich.console import Console

    out = console or Console(highlight=False, soft_wrap=True)
    for r in results:
        low, high = (value if value is not None else float("inf") for value in r["henry_ci95"])
        error = r["henry_relative_standard_error"]
        out.print(
            f"{r['guest']} in {r['host']} at {r['temperature_k']:g} K, {r['reference']}: "
            f"{r['henry_mol_per_kg_pa']:.4g} mol/(kg Pa)   95 % {low:.4g} to {high:.4g}   "
            + ("error unknown" if error is None else f"relative standard error {100 * error:.2g} %")
        )
        out.print(
            f"  {r['low_reference']} gave {r['low_henry_mol_per_kg_pa']:.4g} with "
            f"{r['low_labels']} labels; {r['labels']} labels at {r['reference']}"
        )
        for warning in r["warnings"]:
            out.print(f"  warning: {warning}")
    out.print(f"  files: {folder}")
