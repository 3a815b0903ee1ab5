"""From a finished loop to results: records, files and the words printed at the end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chem import henry_units
from chem.combine import interval
from chem.estimator import heat_of_adsorption, henry_prefactor
from chem.hosts import host_density_kg_per_m3
from chem.verdict import ErrorBudget, verdict
from data.records import Estimate
from data.schemas import RESULTS, ROUNDS
from data.store import plain, write_json, write_rows
from flows.guards import calibration_guard, guards, likeness_guard
from flows.loop import LoopOutcome, RoundLog
from flows.pore_facts import pore_facts, pore_warnings
from flows.settings import HenrySettings
from tasks.binding import BindingRecord
from tasks.classical import ClassicalRecord
from tasks.context import RunContext
from tasks.labels import labels_likeness
from tasks.pores import PoresRecord
from tasks.sites import SitesRecord


@dataclass(frozen=True)
class Clock:
    """Wall time of the run and of its reference calls, seconds."""

    wall_s: float
    reference_s: float


def _common(settings: HenrySettings, context: RunContext) -> dict[str, Any]:
    system = context.system
    return {
        "host": system.host.name,
        "guest": system.guest.name,
        "reference": settings.reference,
        "force_field": system.pairs.force_field,
        "seed": settings.seed,
        "model": context.model or None,
        "model_hash": context.model_hash or None,
        "host_hash": system.host.hash,
        "guest_hash": system.guest.hash,
    }


def loop_results(
    settings: HenrySettings,
    context: RunContext,
    outcome: LoopOutcome,
    binding: BindingRecord,
    pores: PoresRecord,
    clock: Clock,
) -> list[dict[str, Any]]:
    """Return one result per temperature of a run with a reference."""
    density = host_density_kg_per_m3(context.system.host)
    last = outcome.rounds[-1]
    like = labels_likeness(str(settings.run_dir), range(1, last.number + 1))
    reference = (*outcome.check.warnings, *likeness_guard(like), *_watched(last))
    placed = sum(t.insertions for t in outcome.tables)
    results = []
    for k, temperature in enumerate(context.temperatures_k):
        prefactor = henry_prefactor(density, temperature)
        combined = outcome.combined[k]
        low, high = interval(combined.estimate, combined.degrees_of_freedom)
        heat, heat_error = heat_of_adsorption(combined.mean, combined.covariance, temperature)
        result = _common(settings, context) | {
            "temperature_k": temperature,
            **_units(prefactor * combined.estimate.mean, context, temperature),
            "henry_ci95": [prefactor * low, prefactor * high],
            "henry_relative_standard_error": combined.estimate.relative_standard_error,
            "table_relative_error": _relative(combined.table_standard_error, combined.estimate),
            "design_relative_error": _relative(combined.design_standard_error, combined.estimate),
            "failed_relative_error": _relative(combined.failure_standard_error, combined.estimate),
            "qst_kj_per_mol": heat,
            "qst_standard_error": heat_error,
            "binding_energy_kj_per_mol": binding.energy_kj_per_mol,
            "baseline_henry_mol_per_kg_pa": prefactor * last.route.baseline_mean[k],
            "surrogate_henry_mol_per_kg_pa": prefactor * last.route.surrogate_mean[k],
            "insertions": placed,
            "insertions_evaluated": placed,
            "overlap_fraction": last.route.overlap_fraction,
            "effective_samples": combined.effective_samples,
            **pore_facts(pores, pores.excluded_share),
            "energies": context.widom.energies,
            "grid_check": None,
            "labels": outcome.labels,
            "label_failures": outcome.label_failures,
            "failed_share": _failed_share(outcome, k),
            "correction_effective_samples": combined.correction_effective_samples,
            "largest_weight_share": combined.largest_weight_share,
            "rounds": len(outcome.rounds),
            "stopped_because": outcome.stopped_because,
            "reference_key": outcome.check.key,
            "reference_check": outcome.check.message,
            "reference_offset_kj_per_mol": outcome.check.offset_kj_per_mol,
            "wall_s": clock.wall_s,
            "reference_s": clock.reference_s,
        }
        result["verdict"] = _verdict(result)
        result["warnings"] = _warnings(result, context, reference)
        results.append(result)
    return results


def classical_results(
    settings: HenrySettings,
    context: RunContext,
    record: ClassicalRecord,
    sites: SitesRecord,
    clock: Clock,
) -> list[dict[str, Any]]:
    """Return one result per temperature where the baseline is the reference."""
    results = []
    for k, temperature in enumerate(context.temperatures_k):
        henry, error = record.henry_mol_per_kg_pa[k], record.relative_standard_error[k]
        error = error if henry else float("inf")
        result = _common(settings, context) | {
            "temperature_k": temperature,
            **_units(henry, context, temperature),
            "henry_ci95": record.henry_ci95[k],
            "henry_relative_standard_error": error,
            "table_relative_error": error,
            "design_relative_error": 0.0,
            "failed_relative_error": 0.0,
            "qst_kj_per_mol": record.qst_kj_per_mol[k],
            "qst_standard_error": record.qst_standard_error[k],
            "binding_energy_kj_per_mol": sites.binding.energy_kj_per_mol,
            "baseline_henry_mol_per_kg_pa": henry,
            "surrogate_henry_mol_per_kg_pa": henry,
            "insertions": record.insertions,
            "insertions_evaluated": record.evaluated,
            "overlap_fraction": record.overlap_fraction,
            "effective_samples": record.effective_samples[k],
            **pore_facts(record.pores, record.excluded_share[k]),
            "energies": record.energies,
            "grid_check": record.grid_check,
            "labels": 0,
            "label_failures": 0,
            "failed_share": 0.0,
            "correction_effective_samples": record.effective_samples[k],
            "largest_weight_share": record.largest_weight_share[k],
            "rounds": 0,
            "stopped_because": "target error reached" if record.reached else "insertions spent",
            "reference_key": context.system.hash,
            "reference_check": "",
            "reference_offset_kj_per_mol": None,
            "wall_s": clock.wall_s,
            "reference_s": 0.0,
        }
        result["verdict"] = _verdict(result)
        result["warnings"] = record.notes + _warnings(result, context, ())
        results.append(result)
    return results


def _units(henry: float, context: RunContext, temperature_k: float) -> dict[str, float]:
    """Return the Henry coefficient in the units the field uses."""
    density = host_density_kg_per_m3(context.system.host)
    return {
        "henry_mol_per_kg_pa": henry,
        "henry_mol_per_kg_bar": henry_units.per_bar(henry),
        "henry_dimensionless": henry_units.dimensionless(henry, density, temperature_k),
        "henry_cm3_stp_per_cm3_bar": henry_units.cm3_stp_per_cm3_bar(henry, density),
    }


def _verdict(result: dict[str, Any]) -> str:
    """Return in plain words what limits the interval."""
    return verdict(
        ErrorBudget(
            result["table_relative_error"],
            result["design_relative_error"],
            result["insertions"],
            result["labels"],
            result["correction_effective_samples"],
            result["failed_relative_error"],
        )
    )


def _failed_share(outcome: LoopOutcome, k: int) -> float:
    """Return the share of the surrogates' answers that failed labels stood for."""
    shares = [log.records[k].failed_share for log in outcome.rounds]
    return float(sum(w * s for w, s in zip(outcome.combined[k].weights, shares, strict=True)))


def _relative(error: float, estimate: Estimate) -> float:
    return Estimate(estimate.mean, error).relative_standard_error


def _warnings(result: dict[str, Any], context: RunContext, reference: tuple[str, ...]) -> list[str]:
    found = [note for note in context.system.host.notes if "charge" in note]
    found += [context.model_note] if context.model_note else []
    found += reference
    found += pore_warnings(result, context.widom.block_pockets)
    if context.system.classical.feynman_hibbs_k is not None:
        found.append(
            "Qst leaves out how the Feynman-Hibbs potential itself changes with temperature"
        )
    return found + guards(result)


def _watched(last: RoundLog) -> tuple[str, ...]:
    """Return what the watch over the last surrogate has to say."""
    found = last.fit.validation
    told = (found.warning,) if found and found.warning else ()
    return (*told, *calibration_guard(last.fit.calibration))


def round_rows(context: RunContext, outcome: LoopOutcome) -> list[dict[str, Any]]:
    """Return the rows of rounds.parquet."""
    density = host_density_kg_per_m3(context.system.host)
    return [
        _round_row(outcome, log, k, temperature, henry_prefactor(density, temperature))
        for log in outcome.rounds
        for k, temperature in enumerate(context.temperatures_k)
    ]


def _round_row(
    outcome: LoopOutcome, log: RoundLog, k: int, temperature: float, prefactor: float
) -> dict[str, Any]:
    record, combined = log.records[k], log.combined[k]
    moments = record.estimate.moments
    low, high = interval(combined.estimate, combined.degrees_of_freedom)
    heat, heat_error = heat_of_adsorption(combined.mean, combined.covariance, temperature)
    return {
        "round": log.number,
        "temperature_k": temperature,
        "table": log.table.number,
        "insertions": log.table.insertions,
        "overlap_fraction": log.route.overlap_fraction,
        "labels_round": log.route.drawn,
        "labels_total": log.labels_total,
        "label_failures": record.failures,
        "failed_share": record.failed_share,
        "baseline_henry": prefactor * log.route.baseline_mean[k],
        "surrogate_henry": prefactor * log.route.surrogate_mean[k],
        "round_henry": prefactor * float(moments.mean[0]),
        "table_error": prefactor * max(0.0, float(moments.table_covariance[0, 0])) ** 0.5,
        "design_error": prefactor * max(0.0, float(moments.design_covariance[0, 0])) ** 0.5,
        "predicted_error": prefactor
        * log.route.surrogate_mean[k]
        * record.estimate.predicted_relative_design_variance**0.5,
        "combination_weight": float(outcome.combined[k].weights[log.number - 1]),
        "henry": prefactor * combined.estimate.mean,
        "henry_ci_low": prefactor * low,
        "henry_ci_high": prefactor * high,
        "relative_standard_error": combined.estimate.relative_standard_error,
        "effective_samples": moments.effective_samples,
        "correction_effective_samples": moments.correction_effective_samples,
        "largest_weight_share": moments.largest_weight_share,
        "qst_kj_per_mol": heat,
        "qst_standard_error": heat_error,
        "surrogate_mae_kj_per_mol": record.surrogate_mae_kj_per_mol,
        "calibration": log.fit.calibration,
        "seconds": log.seconds,
    }


def write_rounds(run_dir: Path, rounds: list[dict[str, Any]]) -> None:
    """Write rounds.parquet: the rounds so far."""
    write_rows(run_dir / "rounds.parquet", rounds, ROUNDS)


def write_results(run_dir: Path, results: list[dict[str, Any]], binding: BindingRecord) -> None:
    """Write results.parquet and result.json."""
    write_results_table(run_dir, results)
    site = {"energy_kj_per_mol": binding.energy_kj_per_mol, "placement": list(binding.placement)}
    write_json(run_dir / "result.json", plain({"results": results, "binding_site": site}))


def write_results_table(run_dir: Path, results: list[dict[str, Any]]) -> None:
    """Write results.parquet."""
    rows = [
        result
        | {
            "henry_ci95_low": result["henry_ci95"][0],
            "henry_ci95_high": result["henry_ci95"][1],
            "warnings": "\n".join(result["warnings"]),
        }
        for result in results
    ]
    write_rows(run_dir / "results.parquet", rows, RESULTS)
