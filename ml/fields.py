"""What reaches a guest site from the host, tabulated in space.

The radial moments at a point are smooth periodic functions of that point alone, and both the
radial descriptors and the first layers of the site networks are linear in them. So the few
principal components of these linear read-outs are tabulated on a grid of the unit cell, as
cubic B-splines; networks and head follow at the interpolated values. Nothing depends on the
labels: one table serves every surrogate of a host and its encoders.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from data.records import content_hash
from data.store import write_atomically
from ml.descriptors import Describer
from ml.encoder import radial_moments
from ml.graphs import SiteNeighbours
from ml.splines import interpolate, spline_coefficients
from ml.weights import read_weights, save_weights

FORMAT = "widomill-fields-1"
SPACING_ANGSTROM = 0.2
COARSEST_ANGSTROM = 0.25
MOST_BYTES = 512 * 2**20
TYPICAL_WIDTH = 96
LARGEST_LOSS = 2e-2
RADIAL_SHARE = 4.0
WIDTH_STEP = 8
SAMPLE = 3000
SAMPLE_FROM = 20_000
NEAREST_ANGSTROM = 1.9
LEAST_CHANNEL = 1e-6
CHUNK = 1024


@dataclass(frozen=True)
class Fields:
    """Tabulated fields of one host for one set of encoders.

    Attributes:
        shape: grid points along each cell vector.
        inverse: (3, 3) inverse of the lattice, float64.
        coefficients: (points, p) spline coefficients, float32.
        read_outs: per site type, (p, d) map from field values to the radial descriptors and,
            member after member, the input of the network's hidden layer (without bias).
        loss: root mean square of what the components left out of the read-outs.
    """

    shape: tuple[int, int, int]
    inverse: Tensor
    coefficients: Tensor
    read_outs: tuple[Tensor, ...]
    loss: float

    def at(self, positions: Tensor) -> Tensor:
        """Return the (s, p) field values at (s, 3) float64 Cartesian positions, angstrom."""
        return interpolate(self.coefficients, positions @ self.inverse, self.shape)

    def to(self, device: torch.device | str) -> Fields:
        """Return the same fields on another device."""
        return replace(
            self,
            inverse=self.inverse.to(device),
            coefficients=self.coefficients.to(device),
            read_outs=tuple(matrix.to(device) for matrix in self.read_outs),
        )

    def save(self, path: str | Path) -> None:
        """Write to one file, atomically."""
        content = {
            "specification": json.dumps(
                {"format": FORMAT, "shape": list(self.shape), "loss": self.loss}
            ),
            "inverse": self.inverse.cpu(),
            "coefficients": self.coefficients.cpu(),
            "read_outs": [matrix.cpu() for matrix in self.read_outs],
        }
        write_atomically(Path(path), lambda temporary: save_weights(content, temporary))

    @classmethod
    def load(cls, path: str | Path, device: str = "cpu") -> Fields:
        """Read fields; on the CPU the file is mapped, so that processes share its memory."""
        content = read_weights(path, mapped=True)
        spec = json.loads(content["specification"])
        if spec["format"] != FORMAT:
            raise ValueError(f"{path}: expected a file of format {FORMAT}, found {spec['format']}")
        a, b, c = spec["shape"]
        fields = cls(
            (a, b, c),
            content["inverse"],
            content["coefficients"],
            tuple(content["read_outs"]),
            spec["loss"],
        )
        return fields.to(device)


def fields_file(describer: Describer) -> str:
    """Return the name under which the fields of a describer's host and encoders are stored."""
    parts: list[object] = [FORMAT, SPACING_ANGSTROM, LARGEST_LOSS, len(describer.groups)]
    host = describer.host
    parts += [np.asarray(host.lattice_angstrom), np.asarray(host.positions_angstrom)]
    parts.append(np.asarray(host.atomic_numbers))
    if any(encoder.settings.features for encoder in describer.encoders):
        parts.append(np.asarray(host.known_features))
    for encoder in describer.encoders:
        parts.append(json.dumps(encoder.specification()))
        parts += [value.cpu().numpy() for value in encoder.state_dict().values()]
    return f"fields-{content_hash(*parts)}.pt"


def store_fields(describer: Describer, folder: str | Path) -> str | None:
    """Build the fields unless the folder holds them already.

    Args:
        describer: host and encoders.
        folder: where they are kept.

    Returns:
        The name of their file, or None for a cell too large to tabulate.
    """
    name = fields_file(describer)
    if not (Path(folder) / name).exists():
        fields = build_fields(describer)
        if fields is None:
            return None
        fields.save(Path(folder) / name)
    return name


def grid_shape(
    lattice_angstrom: np.ndarray, spacing_angstrom: float | None = None
) -> tuple[int, int, int] | None:
    """Return the grid of a cell, or None where it would take too much memory.

    Args:
        lattice_angstrom: (3, 3) cell vectors as rows.
        spacing_angstrom: largest spacing along each vector; chosen by memory when omitted.
    """
    lengths = np.linalg.norm(lattice_angstrom, axis=1)
    if spacing_angstrom is None:
        volume = abs(float(np.linalg.det(lattice_angstrom)))
        finest = (volume * TYPICAL_WIDTH * 4 / MOST_BYTES) ** (1.0 / 3.0)
        spacing_angstrom = max(SPACING_ANGSTROM, finest)
        if spacing_angstrom > COARSEST_ANGSTROM:
            return None
    a, b, c = (max(1, math.ceil(length / spacing_angstrom)) for length in lengths)
    return a, b, c


def build_fields(describer: Describer, spacing_angstrom: float | None = None) -> Fields | None:
    """Tabulate the fields of a describer's host and encoders.

    Args:
        describer: the host's neighbour look-up and the encoders.
        spacing_angstrom: largest grid spacing; by default 0.2, more for a large cell.

    Returns:
        The fields, or None where the cell is too large to tabulate.
    """
    shape = grid_shape(describer.lattice.cpu().numpy(), spacing_angstrom)
    if shape is None:
        return None
    channels, spread = _few_channels(describer.channels)
    reading, scales = _linear_read_outs(describer, spread)
    basis, loss = _principal(describer, channels, reading * scales, shape)
    projection = ((reading * scales) @ basis).to(torch.float32)
    points = math.prod(shape)
    values = torch.empty((points, basis.shape[1]), dtype=torch.float32, device=describer.device)
    for part in _chunks(points):
        moments = _moments(describer, channels, _grid_points(part, shape, describer.neighbours))
        values[part] = moments @ projection
    mixing = (basis.T / scales).to(torch.float32)
    return Fields(
        shape,
        torch.linalg.inv(describer.lattice.cpu()).to(describer.device),
        spline_coefficients(values, shape),
        tuple(m.contiguous() for m in mixing.chunk(len(describer.groups), dim=1)),
        loss,
    )


def _chunks(count: int) -> Iterator[slice]:
    return (slice(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK))


def _few_channels(channels: Tensor) -> tuple[Tensor, Tensor]:
    """Factor (n, c) channels of host atoms; few differ where many atoms are equivalent.

    Returns:
        (n, r) float32 channels and the (r, c) float64 map back to all of them.
    """
    left, values, right = torch.linalg.svd(channels.double(), full_matrices=False)
    kept = values > LEAST_CHANNEL * values[0]
    return (left[:, kept] * values[kept]).float(), right[kept]


def _linear_read_outs(describer: Describer, spread: Tensor) -> tuple[Tensor, Tensor]:
    """Return the read-outs of all types as one matrix, and the weight of each of them.

    Args:
        describer: encoders and scales.
        spread: (r, c) map from few channels to all.

    Returns:
        (k * r, y) float64 matrix from flattened moments, and (y,) weights.
    """
    basis, width = describer.basis.count, describer.width
    columns, scales = [], []
    for kind in range(len(describer.groups)):
        flags = spread[:, width - describer.kinds : width]
        radial = torch.kron(torch.eye(basis, dtype=spread.dtype, device=spread.device), flags)
        columns.append(radial / describer.radial_scale(kind).double())
        scales.append(torch.full((columns[-1].shape[1],), RADIAL_SHARE))
        for member, encoder in enumerate(describer.encoders):
            part = spread[:, member * width : (member + 1) * width]
            weight = encoder.first_weight(kind).double()
            inputs = weight.reshape(len(weight), basis, width)
            columns.append(torch.einsum("rc,hkc->krh", part, inputs).flatten(0, 1))
            scales.append(torch.ones(len(weight)))
    weights = torch.cat(scales).to(spread)
    return torch.cat(columns, dim=1), weights


def _moments(describer: Describer, channels: Tensor, positions: Tensor) -> Tensor:
    with torch.no_grad():
        neighbours = describer.neighbours
        return radial_moments(neighbours, describer.basis, channels, positions).flatten(1)


def _grid_points(part: slice, shape: tuple[int, int, int], neighbours: SiteNeighbours) -> Tensor:
    """Return Cartesian positions of a run of grid points."""
    number = torch.arange(part.start, part.stop, device=neighbours.lattice.device)
    steps = (number // (shape[1] * shape[2]), (number // shape[2]) % shape[1], number % shape[2])
    axes = [step.double() / size for step, size in zip(steps, shape, strict=True)]
    return torch.stack(axes, dim=1) @ neighbours.lattice


def _principal(
    describer: Describer, channels: Tensor, reading: Tensor, shape: tuple[int, int, int]
) -> tuple[Tensor, float]:
    """Return the (y, p) leading directions of weighted read-outs where guests can be.

    The sample is every so-manieth grid point that lies no closer to a host atom than guest
    sites come.
    """
    points, found = math.prod(shape), []
    step = max(1, points // SAMPLE_FROM)
    for start in range(0, points, step * CHUNK):
        run = slice(start, min(start + step * CHUNK, points))
        places = _grid_points(run, shape, describer.neighbours)[::step]
        found.append(places[_distance_to_host(describer.neighbours, places) > NEAREST_ANGSTROM])
    places = torch.cat(found)
    places = places[:: max(1, len(places) // SAMPLE)][:SAMPLE]
    if len(places) == 0:
        places = _grid_points(slice(0, min(points, SAMPLE)), shape, describer.neighbours)
    parts = [_moments(describer, channels, places[part]) for part in _chunks(len(places))]
    values = torch.cat(parts).double() @ reading
    powers, directions = torch.linalg.eigh(values.T @ values / len(values))
    left = torch.sqrt(powers.clamp(min=0.0).cumsum(0)).flip(0)
    width = WIDTH_STEP * math.ceil(max(1, int((left > LARGEST_LOSS).sum())) / WIDTH_STEP)
    width = min(width, len(powers))
    loss = float(left[width]) if width < len(left) else 0.0
    return directions.flip(1)[:, :width], loss


def _distance_to_host(neighbours: SiteNeighbours, positions: Tensor) -> Tensor:
    """Return (s,) distances to the nearest host atom in reach, angstrom."""
    wrapped, images = neighbours.lookup(positions)
    gaps = wrapped.unsqueeze(1) - neighbours.images[images]
    return torch.linalg.vector_norm(gaps, dim=2).min(dim=1).values
