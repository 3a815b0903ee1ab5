"""Energy grids: the classical level by look-up."""

from chem.grids.build import (
    GridAccuracyError,
    GridOptions,
    GridSizeError,
    build_at,
    build_grid_model,
)
from chem.grids.cache import GridCache, default_cache_folder
from chem.grids.check import GridCheck
from chem.grids.model import GridModel

__all__ = [
    "GridAccuracyError",
    "GridCache",
    "GridCheck",
    "GridModel",
    "GridOptions",
    "GridSizeError",
    "build_at",
    "build_grid_model",
    "default_cache_folder",
]
