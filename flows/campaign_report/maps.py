"""The coverage map: hosts in the plane of the surrogate's descriptors, by guest.

Vectors of hosts are kept in report/descriptors.parquet: a host is worked out once.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data.errors import RunFolderError
from data.schemas import FINGERPRINTS, PLACEMENT_COLUMNS
from data.store import read_columns, read_rows, write_rows
from flows.campaign_report.columns import Columns, short

if TYPE_CHECKING:
    from flows.campaign.folder import CampaignFolder
    from ml.host_map import Fingerprint

SITES = 100
FEWEST_HOSTS = 4


def maps(columns: Columns) -> list[dict[str, Any]]:
    """Return the map of each guest, for guests of which enough hosts have an answer."""
    known = fingerprints(columns.folder, columns)
    by_guest: dict[int, dict[int, Fingerprint]] = defaultdict(dict)
    seen: set[tuple[int, int]] = set()
    units = columns.units
    for number, name in enumerate(units["id"]):
        place = (units["guest"][number], units["host"][number])
        if units["labels"][number]:
            seen.add(place)
        if name in known:
            by_guest[place[0]].setdefault(place[1], known[name])
    return [
        _map(guest, found, np.array([(guest, host) in seen for host in found]))
        for guest, found in by_guest.items()
        if len(found) >= FEWEST_HOSTS
    ]


def _map(guest: int, found: dict[int, Fingerprint], seen: np.ndarray) -> dict[str, Any]:
    from ml.host_map import as_matrix, distance_to_seen, principal_plane, umap_plane

    vectors = as_matrix(list(found.values()))
    plane, other = principal_plane(vectors), umap_plane(vectors)
    content = {
        "guest": guest,
        "host": list(found),
        "x": _short(plane.points[:, 0]),
        "y": _short(plane.points[:, 1]),
        "shares": [round(share, 3) for share in plane.shares],
        "near": _short(distance_to_seen(vectors, seen), 3) if seen.any() else None,
    }
    if other is not None:
        content |= {"ux": _short(other.points[:, 0]), "uy": _short(other.points[:, 1])}
    return content


def _short(values: np.ndarray, digits: int = 4) -> list[float | None]:
    return [short(float(v), digits) for v in values]


def fingerprints(folder: CampaignFolder, columns: Columns) -> dict[str, Fingerprint]:
    """Return the vectors of the classical units that are finished, by unit.

    Known ones are read, new ones worked out and kept.
    """
    path = folder.path / "report" / "descriptors.parquet"
    stored = _stored(path)
    wanted = [
        u.id for u in columns.planned if u.is_classical and columns.states[u.id] == "finished"
    ]
    fresh = {name: made for name in wanted if name not in stored and (made := _make(folder, name))}
    if fresh:
        rows = [
            {"unit": name, "kind": kind, "moments": moments.tolist()}
            for name, parts in (stored | fresh).items()
            for kind, moments in parts.items()
        ]
        write_rows(path, rows, FINGERPRINTS)
    return {name: parts for name, parts in (stored | fresh).items() if name in set(wanted)}


def _stored(path: Path) -> dict[str, Fingerprint]:
    found: dict[str, Fingerprint] = defaultdict(dict)
    if path.is_file():
        for row in read_rows(path):
            found[row["unit"]][row["kind"]] = np.array(row["moments"])
    return dict(found)


def _make(folder: CampaignFolder, name: str) -> Fingerprint | None:
    """Return the vector of one unit's host, or None where the guest finds no place in it."""
    from chem.rotations import rotate_sites
    from ml.host_map import fingerprint
    from tasks.context import load_context
    from tasks.paths import remembered_path
    from tasks.training import graph_inputs

    run = folder.runs / name
    try:
        context = load_context(str(run))
        rows = read_columns(remembered_path(run))
    except RunFolderError:
        return None
    kept = _typical(rows, context.temperatures_k[0])
    if not len(kept):
        return None
    host, guest = graph_inputs(context)
    placed = np.stack([rows[name][kept] for name in PLACEMENT_COLUMNS], axis=1)
    turned = rotate_sites(placed[:, 3:], guest.positions_angstrom)
    return fingerprint(host, guest, turned + placed[:, None, :3] @ host.lattice_angstrom)


def _typical(rows: dict[str, np.ndarray], temperature_k: float) -> np.ndarray:
    """Return rows that are an even sample of where the guest sits, by Boltzmann weight."""
    from data.constants import GAS_CONSTANT_KJ_PER_MOL_K

    usable = np.flatnonzero(rows["typical"].astype(bool))
    usable = usable[np.isfinite(rows["baseline_kj_per_mol"][usable])]
    if not len(usable):
        return usable
    energy = rows["baseline_kj_per_mol"][usable]
    weight = rows["proposal_weight"][usable] * np.exp(
        -(energy - energy.min()) / (GAS_CONSTANT_KJ_PER_MOL_K * temperature_k)
    )
    share = np.cumsum(weight) / weight.sum()
    return usable[np.searchsorted(share, (np.arange(SITES) + 0.5) / SITES).clip(max=len(share) - 1)]
