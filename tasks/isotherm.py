"""One point of an isotherm: a grand-canonical chain at a temperature and a pressure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from data.store import write_json
from tasks.context import insertion_model, load_context
from tasks.paths import guest_pairs_path, point_path
from tasks.pores import load_blocking

if TYPE_CHECKING:
    from chem.gcmc.guest_mixing import GuestPairTable
    from chem.gcmc.loading import LoadingPoint

BLOCK_VOXEL_ANGSTROM = 0.2


@dataclass(frozen=True)
class PointItem:
    """A point to compute: which run, where, and how long."""

    run_dir: str
    temperature_k: float
    pressure_pa: float
    initialisation_cycles: int
    production_cycles: int
    ideal_gas: bool
    own_images: bool


def load_point(item: PointItem) -> dict[str, Any]:
    """Compute the loading at one state, or read it where it is done."""
    from chem.gcmc.isotherm import run_isotherm
    from chem.gcmc.settings import GcmcSettings

    path = point_path(item.run_dir, item.temperature_k, item.pressure_pa)
    if path.exists():
        return dict(json.loads(path.read_text(encoding="utf-8")))
    settings = GcmcSettings(
        initialisation_cycles=item.initialisation_cycles,
        production_cycles=item.production_cycles,
        fugacity_coefficient=1.0 if item.ideal_gas else None,
        own_images=item.own_images,
    )
    (point,) = run_isotherm(
        insertion_model(item.run_dir),
        read_guest_pairs(item.run_dir),
        item.temperature_k,
        (item.pressure_pa,),
        settings,
        load_context(item.run_dir).seed,
        blocked=blocked_voxels(item.run_dir),
    )
    row = point_row(point)
    write_json(path, row)
    return row


def read_guest_pairs(run_dir: str) -> GuestPairTable:
    """Return the guest-guest parameters of an isotherm."""
    from chem.gcmc.guest_mixing import GuestPairTable
    from chem.system import record_from_json

    content = json.loads(guest_pairs_path(run_dir).read_text(encoding="utf-8"))
    table: GuestPairTable = record_from_json(GuestPairTable, content)
    return table


def blocked_voxels(run_dir: str) -> np.ndarray | None:
    """Return (a, b, c) voxels where no guest's centre may be, or None where all are open.

    Spheres that a user gave are laid on voxels of 0.2 angstrom.
    """
    from chem.pores.landscape import grid_points, grid_shape
    from chem.pores.pocket_map import PocketMap

    found = load_blocking(run_dir)
    if found is None or not found.blocks_anything:
        return None
    if isinstance(found, PocketMap):
        return found.blocked_voxels
    shape = grid_shape(found.lattice_angstrom, BLOCK_VOXEL_ANGSTROM, 4_000_000)
    places = grid_points(np.arange(np.prod(shape)), shape)
    return found.blocked(places).reshape(shape)


def point_row(point: LoadingPoint) -> dict[str, Any]:
    """Return a point as plain content, an estimate as its mean and standard error."""
    row: dict[str, Any] = {}
    for name, value in asdict(point).items():
        if isinstance(value, dict) and "standard_error" in value:
            row[name] = value["mean"]
            row[f"{name}_standard_error"] = value["standard_error"]
        else:
            row[name] = value
    return row
