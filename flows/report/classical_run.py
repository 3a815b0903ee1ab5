"""What the page says of the classical level of a run, read from its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from chem.binding_sites import BindingSite
from chem.henry_units import HenryContext
from chem.hosts import host_density_kg_per_m3
from chem.van_t_hoff import HenryCurve, fit_van_t_hoff
from chem.widom import POCKET_TEMPERATURE_K
from data.constants import ANGSTROM3_PER_M3
from flows.report import classical
from flows.report.load import Run, read_json
from tasks.classical import CLASSICAL_FILE
from tasks.pores import BLOCK_FILE
from tasks.sites import SITES_FILE


def pieces(run: Run) -> dict[str, Markup]:
    """Return the pieces of the page by name; empty where there is nothing to say."""
    first = run.results[0]
    return {
        "thermal": _thermal(run),
        "sites": _sites(run),
        "pores": classical.pores(_pore_facts(run)),
        "grid": classical.grid_check(_grid_facts(first)),
        "units": classical.units(
            first["henry_mol_per_kg_pa"], first["henry_ci95"], _context(run, first)
        ),
    }


def _context(run: Run, result: dict[str, Any]) -> HenryContext:
    host, guest = run.context.system.host, run.context.system.guest
    density = host_density_kg_per_m3(host)
    return HenryContext(
        result["temperature_k"],
        density,
        guest.molar_mass_g_per_mol,
        density * host.volume_angstrom3 / ANGSTROM3_PER_M3,
    )


def _thermal(run: Run) -> Markup:
    """Return K_H over temperature, where a classical run has several."""
    path = run.folder / CLASSICAL_FILE
    results = sorted(run.results, key=lambda r: r["temperature_k"])
    henry = np.array([r["henry_mol_per_kg_pa"] for r in results], dtype=float)
    if len(results) < 2 or not path.exists() or not (henry > 0).all():
        return Markup("")
    order = np.argsort([r["temperature_k"] for r in run.results])
    relative = np.array(read_json(path)["relative_covariance"], dtype=float)[np.ix_(order, order)]
    curve = HenryCurve(
        np.array([r["temperature_k"] for r in results]),
        henry,
        relative * np.outer(henry, henry),
        np.array([r["effective_samples"] for r in results]),
        np.array([r["qst_kj_per_mol"] for r in results]),
        np.array([r["qst_standard_error"] for r in results]),
    )
    intervals = np.array([r["henry_ci95"] for r in results])
    return classical.temperatures(curve, intervals, fit_van_t_hoff(curve))


def _sites(run: Run) -> Markup:
    path = run.folder / SITES_FILE
    sites = read_sites(path) if path.exists() else ()
    if not sites:
        return Markup("")
    system, first = run.context.system, run.results[0]
    return classical.binding_sites(system.host, system.guest, sites, first["temperature_k"])


def read_sites(path: Path) -> tuple[BindingSite, ...]:
    """Read the binding sites of a classical run."""

    def one(content: dict[str, Any]) -> BindingSite:
        arrays = {name: np.array(content[name]) for name in ("fractional", "quaternion")}
        values: dict[str, Any] = {k: float("nan") if v is None else v for k, v in content.items()}
        return BindingSite(**(values | arrays))

    return tuple(one(content) for content in read_json(path)["sites"])


def _pore_facts(run: Run) -> dict[str, Any]:
    first = run.results[0]
    if not first["pockets_blocked"]:
        return {}
    block = run.folder / BLOCK_FILE
    return {
        "channels": len(first["channels"]),
        "pockets": first["pockets"],
        "threshold_kt": run.settings["pocket_threshold_kt"],
        "pocket_temperature_k": POCKET_TEMPERATURE_K,
        "excluded_share": first["excluded_share"],
        "blocked": True if first["pockets"] else None,
        "block_file": block.name if block.exists() else None,
    }


def _grid_facts(result: dict[str, Any]) -> dict[str, Any]:
    check = result["grid_check"]
    if not check:
        return {}
    bias = check["bias"][0] if check["bias"] else {}
    return {
        "spacing_angstrom": check["spacing_angstrom"],
        "points": check["points"],
        "henry_bias": bias.get("mean"),
        "henry_bias_error": bias.get("standard_error"),
        "target": check["bias_target"],
        "rms_error_kj_per_mol": check["rms_kj_per_mol"],
        "largest_error_kj_per_mol": check["max_kj_per_mol"],
        "seconds": check["seconds"],
        "from_cache": check["from_cache"],
    }
