"""Block files: the number of spheres, then x y z (fractional) and a radius in angstrom a line.

RASPA2 reads such a file with ``BlockPockets yes`` and ``BlockPocketsFileName``, and Zeo++ writes
it; RASPA3 takes the same four numbers of each sphere as ``"BlockingPockets"`` of a component.
Coordinates are those of the cell the other program is given.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from chem.bounds import plain_number, shown
from chem.pores.spheres import BlockSpheres
from data.errors import SettingsError
from data.store import write_text

LARGEST_NUMBER = 1000.0
"""Radii and coordinates beyond this are damaged."""


def write_block_file(path: Path, spheres: BlockSpheres) -> None:
    """Write spheres as a block file, atomically."""
    write_text(path, format_block_file(spheres))


def format_block_file(spheres: BlockSpheres) -> str:
    """Return the text of a block file."""
    lines = [f"{len(spheres.radii_angstrom)}"]
    for centre, radius in zip(spheres.centres_fractional, spheres.radii_angstrom, strict=True):
        lines.append("{:12.8f} {:12.8f} {:12.8f} {:10.5f}".format(*centre, radius))
    return "\n".join(lines) + "\n"


def read_block_file(path: Path, lattice_angstrom: np.ndarray) -> BlockSpheres:
    """Read a block file.

    Args:
        path: the file.
        lattice_angstrom: (3, 3) cell vectors the file's coordinates refer to, angstrom; use
            :meth:`BlockSpheres.in_cell` for a host that was reduced to a primitive cell.

    Returns:
        The spheres.

    Raises:
        SettingsError: the file is missing or is no block file.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"Cannot read the block file {path}: {error}.") from error
    lines = [(n, line.split("#")[0].split()) for n, line in enumerate(text.splitlines(), 1)]
    lines = [(number, words) for number, words in lines if words]
    count = _count(path, lines)
    if len(lines) - 1 < count:
        raise SettingsError(
            f"{path}: the first line announces {count} spheres, {len(lines) - 1} line(s) follow."
        )
    rows = [_sphere(path, number, words) for number, words in lines[1 : count + 1]]
    values = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return BlockSpheres(
        np.array(lattice_angstrom, dtype=np.float64),
        values[:, :3] % 1.0,
        values[:, 3].copy(),
        source=str(path),
    )


def _count(path: Path, lines: list[tuple[int, list[str]]]) -> int:
    """Return the number of spheres the first line announces."""
    words = lines[0][1] if lines else []
    if len(words) != 1 or not re.fullmatch(r"\d{1,7}", words[0], re.ASCII):
        raise SettingsError(
            f"{path}: expected the number of spheres in the first line, found "
            f"{shown(' '.join(words))}. Every other line is x y z (fractional) and a radius in A."
        )
    return int(words[0])


def _sphere(path: Path, number: int, words: list[str]) -> list[float]:
    """Return the four numbers of one line."""
    try:
        values = [plain_number(word) for word in words]
    except ValueError:
        values = []
    if len(values) != 4 or max(map(abs, values)) > LARGEST_NUMBER or values[3] < 0.0:
        raise SettingsError(
            f"{path}, line {number}: expected x y z (fractional) and a radius in angstrom, found "
            f"{shown(' '.join(words))}."
        )
    return values
