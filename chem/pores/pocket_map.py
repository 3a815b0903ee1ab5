"""The map of a host's channels and pockets for one guest, as a record."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import RunFolderError
from data.records import content_hash
from data.store import write_atomically


@dataclass(frozen=True)
class Region:
    """One connected region of free room.

    Attributes:
        dimensionality: 0 for a pocket; 1, 2 or 3 for a channel.
        centre_fractional: mean fractional position of its free voxels (for a channel, of one
            cell's worth of them).
        volume_angstrom3: volume of its free voxels in one cell.
        share: its part of the sum of <exp(-U/kT)> over all free voxels, that is, of K_H,
            from few orientations: good to some per cent. In a host without pockets, where no
            share is needed, its part of the free volume.
    """

    dimensionality: int
    centre_fractional: tuple[float, float, float]
    volume_angstrom3: float
    share: float


@dataclass(frozen=True)
class PocketMap:
    """Which region every place of the cell belongs to.

    Attributes:
        host: name of the host.
        guest: name of the guest.
        lattice_angstrom: (3, 3) cell vectors as rows, angstrom.
        labels: (na, nb, nc) region of each voxel, walls included; -1 everywhere if there is
            no free voxel. Voxel (i, j, k) is centred at (i/na, j/nb, k/nc).
        free: (na, nb, nc) voxels whose free energy lies below the threshold.
        regions: the regions, channels first, each kind by falling share.
        temperature_k: temperature of the free energy.
        threshold_kt: its threshold, kT above the guest far away.
        model_hash: content hash of the energy model.
    """

    host: str
    guest: str
    lattice_angstrom: np.ndarray
    labels: np.ndarray
    free: np.ndarray
    regions: tuple[Region, ...]
    temperature_k: float
    threshold_kt: float
    model_hash: str

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along the cell vectors."""
        a, b, c = self.labels.shape
        return a, b, c

    @property
    def channels(self) -> tuple[Region, ...]:
        """Regions that lead through the crystal."""
        return tuple(region for region in self.regions if region.dimensionality > 0)

    @property
    def pockets(self) -> tuple[Region, ...]:
        """Regions that do not."""
        return tuple(region for region in self.regions if region.dimensionality == 0)

    @property
    def excluded_share(self) -> float:
        """Share of K_H that blocking takes away, from the voxels; 1 where nothing is open."""
        if not self.channels:
            return 1.0
        return float(sum(region.share for region in self.pockets))

    @cached_property
    def blocked_voxels(self) -> np.ndarray:
        """(na, nb, nc) flags of voxels that belong to a pocket, or to nothing at all."""
        closed = np.array([r.dimensionality == 0 for r in self.regions] + [True])
        return np.ascontiguousarray(closed[self.labels])

    @cached_property
    def blocks_anything(self) -> bool:
        """Whether any voxel is blocked."""
        return bool(self.blocked_voxels.any())

    def blocked(self, fractional: np.ndarray) -> np.ndarray:
        """Return whether places are blocked.

        Args:
            fractional: (n, 3) fractional positions of the guest's body origin, any image.

        Returns:
            (n,) flags.
        """
        from chem.pores.kernels import look_up

        places = np.ascontiguousarray(fractional, dtype=np.float64)
        flags = np.zeros(len(places), dtype=np.bool_)
        if self.blocks_anything:
            look_up(self.blocked_voxels, places, flags)
        return flags

    @cached_property
    def hash(self) -> str:
        """Content hash of what is blocked and why."""
        return content_hash(
            self.lattice_angstrom,
            np.packbits(self.blocked_voxels),
            self.shape,
            self.temperature_k,
            self.threshold_kt,
            self.model_hash,
        )

    @property
    def warning(self) -> str | None:
        """What a user must be told, or None."""
        limit = f"{self.threshold_kt:g} kT at {self.temperature_k:g} K"
        if not self.regions:
            return (
                f"{self.guest} finds no place in {self.host} with a free energy below {limit}: "
                "the whole cell is blocked and K_H is 0. Use --keep-pockets to count it all the "
                "same."
            )
        if not self.channels:
            return (
                f"{self.guest} cannot enter {self.host}: none of its {len(self.regions)} free "
                f"region(s) is connected through the crystal by a path below {limit}. The whole "
                "cell is blocked and K_H is 0. Use --keep-pockets to count the closed room."
            )
        return None

    def summary(self) -> dict[str, Any]:
        """Return the regions and settings as plain JSON content."""
        return {
            "host": self.host,
            "guest": self.guest,
            "temperature_k": self.temperature_k,
            "threshold_kt": self.threshold_kt,
            "voxels": list(self.shape),
            "excluded_share": self.excluded_share,
            "channels": [asdict(region) for region in self.channels],
            "pockets": [asdict(region) for region in self.pockets],
            "warning": self.warning,
            "hash": self.hash,
        }

    def save(self, path: Path) -> None:
        """Write the map to an .npz file, atomically."""
        header = json.dumps(
            {
                "host": self.host,
                "guest": self.guest,
                "regions": [asdict(region) for region in self.regions],
                "temperature_k": self.temperature_k,
                "threshold_kt": self.threshold_kt,
                "model_hash": self.model_hash,
            }
        )

        def write(temporary: Path) -> None:
            with open(temporary, "wb") as handle:
                np.savez_compressed(
                    handle,
                    header=np.array(header),
                    lattice_angstrom=self.lattice_angstrom,
                    labels=self.labels,
                    free=self.free,
                )

        write_atomically(path, write)

    @staticmethod
    def load(path: Path) -> PocketMap:
        """Read a map written by :meth:`save`.

        Raises:
            RunFolderError: the file is missing or damaged.
        """
        try:
            with np.load(path) as content:
                header = json.loads(str(content["header"]))
                regions = tuple(
                    Region(**{**r, "centre_fractional": tuple(r["centre_fractional"])})
                    for r in header.pop("regions")
                )
                return PocketMap(
                    lattice_angstrom=content["lattice_angstrom"],
                    labels=content["labels"],
                    free=content["free"],
                    regions=regions,
                    **header,
                )
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise RunFolderError(f"Cannot read the pocket map {path}: {error}.") from error
