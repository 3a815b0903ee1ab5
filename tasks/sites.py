"""The binding sites of a classical run: minima of the energy, clustered by symmetry."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data.store import read_columns, write_json
from tasks.binding import BINDING_FILE, BindingRecord
from tasks.context import insertion_model, load_context
from tasks.insertions import placement
from tasks.paths import remembered_path

if TYPE_CHECKING:
    from chem.binding_sites import BindingSite

SITES_FILE = "binding_sites.json"


@dataclass(frozen=True)
class SitesItem:
    """The classical run whose binding sites are wanted."""

    run_dir: str


@dataclass(frozen=True)
class SitesRecord:
    """The sites, lowest energy first, and the lowest one as the run's binding site."""

    binding: BindingRecord
    sites: list[dict[str, Any]]


def find_sites(item: SitesItem) -> SitesRecord:
    """Relax the remembered insertions of a run and write its binding sites."""
    from chem.binding_sites import find_binding_sites
    from chem.sites.files import write_sites

    folder = Path(item.run_dir)
    if (folder / SITES_FILE).exists():
        stored = json.loads((folder / SITES_FILE).read_text(encoding="utf-8"))
        return _record(stored["sites"])
    context = load_context(item.run_dir)
    columns = read_columns(remembered_path(item.run_dir))
    # The lowest insertions are starts only: the typical ones alone are a sample of the answer.
    weights = np.where(columns["typical"], columns["proposal_weight"], 0.0)
    found = find_binding_sites(
        insertion_model(item.run_dir),
        *placement(columns),
        columns["baseline_kj_per_mol"],
        weights,
        context.temperatures_k[0],
    )
    write_sites(folder, context.system.host, context.system.guest, found)
    record = _record([_plain(site) for site in found])
    write_json(folder / BINDING_FILE, asdict(record.binding))
    write_json(folder / SITES_FILE, {"sites": record.sites})
    return record


def _plain(site: BindingSite) -> dict[str, Any]:
    content = asdict(site)
    return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in content.items()}


def _record(sites: list[dict[str, Any]]) -> SitesRecord:
    if not sites:
        nowhere = (float("nan"),) * 7
        return SitesRecord(BindingRecord(float("nan"), nowhere, False, 0, float("nan")), [])
    lowest = sites[0]
    place = tuple(lowest["fractional"]) + tuple(lowest["quaternion"])
    energy = lowest["energy_kj_per_mol"]
    return SitesRecord(BindingRecord(energy, place, True, 0, energy), sites)
