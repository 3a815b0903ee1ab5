"""The pores of a run: which regions the guest can reach, found once and read by every batch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.context import insertion_model, load_context

if TYPE_CHECKING:
    from chem.pores.pocket_map import PocketMap
    from chem.pores.spheres import BlockSpheres

POCKETS_FILE = "pockets.npz"
BLOCK_FILE = "pockets.block"
GIVEN_FILE = "given.block"


@dataclass(frozen=True)
class PoresItem:
    """The run whose pores are wanted."""

    run_dir: str


@dataclass(frozen=True)
class PoresRecord:
    """What was found.

    Attributes:
        blocked: whether pockets are left out of the answer.
        channels: dimensionality of each channel.
        pockets: regions that lead nowhere.
        excluded_share: their share of K_H at the baseline, from the voxels; 1 without channel.
        given: whether the user gave what is blocked.
    """

    blocked: bool
    channels: tuple[int, ...]
    pockets: int
    excluded_share: float
    given: bool = False


def find_pores(item: PoresItem) -> PoresRecord:
    """Map the pores of a run with a reference; write pockets.npz, and pockets.block if any.

    Where the baseline finds no way through at all nothing is blocked, since that is for the
    reference to say.
    """
    from chem.widom import map_pockets

    settings = load_context(item.run_dir).widom
    if not settings.block_pockets:
        return PoresRecord(False, (), 0, 0.0)
    found = load_blocking(item.run_dir)
    if found is None:
        found = map_pockets(insertion_model(item.run_dir), settings.pocket_threshold_kt)
        if not found.channels:
            return PoresRecord(False, (), len(found.pockets), 0.0)
        write_pockets(item.run_dir, found)
    return describe_blocking(found)


def write_pockets(run_dir: str, found: PocketMap) -> None:
    """Write pockets.npz, and pockets.block where there are pockets."""
    from chem.pores.block_file import write_block_file
    from chem.pores.spheres import cover_pockets

    found.save(Path(run_dir) / POCKETS_FILE)
    if found.pockets:
        write_block_file(Path(run_dir) / BLOCK_FILE, cover_pockets(found))


def describe_blocking(found: PocketMap | BlockSpheres) -> PoresRecord:
    """Return the record of what is blocked; channels are not known of spheres that were given."""
    from chem.pores.pocket_map import PocketMap

    if not isinstance(found, PocketMap):
        return PoresRecord(True, (), len(found.radii_angstrom), found.excluded_share, given=True)
    dimensions = tuple(region.dimensionality for region in found.channels)
    return PoresRecord(True, dimensions, len(found.pockets), found.excluded_share)


def write_given_spheres(run_dir: str, spheres: BlockSpheres) -> None:
    """Write the spheres a user gave, in the cell of the run."""
    from chem.pores.block_file import write_block_file

    write_block_file(Path(run_dir) / GIVEN_FILE, spheres)


def load_blocking(run_dir: str) -> PocketMap | BlockSpheres | None:
    """Return what a run blocks: spheres that were given, else its map, else None."""
    given, found = Path(run_dir) / GIVEN_FILE, Path(run_dir) / POCKETS_FILE
    if given.exists():
        return _load_spheres(run_dir, given.stat().st_mtime_ns)
    return _load_map(str(found), found.stat().st_mtime_ns) if found.exists() else None


@lru_cache(maxsize=4)
def _load_map(path: str, version: int) -> PocketMap:
    from chem.pores.pocket_map import PocketMap

    return PocketMap.load(Path(path))


@lru_cache(maxsize=4)
def _load_spheres(run_dir: str, version: int) -> BlockSpheres:
    from chem.pores.block_file import read_block_file

    lattice = load_context(run_dir).system.host.lattice_angstrom
    return read_block_file(Path(run_dir) / GIVEN_FILE, lattice)
