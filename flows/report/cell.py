"""Where in the cell the guest sits: its density seen along the three cell vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from chem.estimator import beta_mol_per_kj
from data.records import Host
from flows.report.load import Insertions
from flows.report.structure import covalent_radii_angstrom, element_colours, half_bonds
from flows.report.style import INK, MUTED, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

VOXEL_ANGSTROM = 0.15
BLUR_ANGSTROM = 0.22
PIXELS = 420
ATOM_SCALE = 0.34
FACE_MARGIN = 0.02
ROOM_SHARE = 0.09
PICTURE_WIDTH_IN = 9.0
CORNERS = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
MOST_VECTOR_ATOMS = 220
AXES = "abc"


@dataclass(frozen=True)
class View:
    """A look at the cell along one of its vectors.

    Attributes:
        along: 0, 1 or 2: the cell vector looked along.
        across: the two others, first the one drawn horizontally.
        plane: (3, 2) projection of Cartesian positions onto the picture.
        cell: (2, 2) rows: the two other cell vectors in the picture, angstrom.
        towards: (3,) unit vector towards the viewer.
    """

    along: int
    across: tuple[int, int]
    plane: np.ndarray
    cell: np.ndarray
    towards: np.ndarray


def view_along(lattice_angstrom: np.ndarray, along: int) -> View:
    """Return the view along a cell vector, the next one drawn to the right."""
    first, second = (along + 1) % 3, (along + 2) % 3
    towards = lattice_angstrom[along] / np.linalg.norm(lattice_angstrom[along])
    right = lattice_angstrom[first] - (lattice_angstrom[first] @ towards) * towards
    right /= np.linalg.norm(right)
    plane = np.stack([right, np.cross(towards, right)], axis=1)
    cell = lattice_angstrom[[first, second]] @ plane
    return View(along, (first, second), plane, cell, towards)


def boltzmann_weights(insertions: Insertions, temperature_k: float) -> np.ndarray:
    """Return (n,) shares of the guest's probability; they add up to one."""
    energy = insertions.best_kj_per_mol
    factor = insertions.weight * np.exp(-beta_mol_per_kj(temperature_k) * (energy - energy.min()))
    return factor / factor.sum()


def projected_density(view: View, fractional: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the guest's density on a periodic grid of the two cell vectors across the view.

    Args:
        view: where to look from.
        fractional: (n, 3) fractional centres of mass.
        weight: (n,) probabilities, sum one.

    Returns:
        (p, q) density over that of a uniform distribution, slightly blurred.
    """
    from scipy.ndimage import gaussian_filter

    lengths = np.linalg.norm(view.cell, axis=1)
    shape = np.maximum(8, np.ceil(lengths / VOXEL_ANGSTROM).astype(int))
    places = fractional[:, list(view.across)] % 1.0
    edges = [np.linspace(0.0, 1.0, n + 1) for n in shape]
    grid, _ = np.histogramdd(places, edges, weights=weight)
    blurred = gaussian_filter(grid, BLUR_ANGSTROM * shape / lengths, mode="wrap")
    return blurred * blurred.size


def raster(view: View, density: np.ndarray) -> tuple[np.ndarray, tuple[float, ...]]:
    """Return the density on square pixels, NaN outside the cell, and the extent in angstrom."""
    from scipy.ndimage import map_coordinates

    corners = CORNERS @ view.cell
    low, high = corners.min(axis=0), corners.max(axis=0)
    step = float((high - low).max()) / PIXELS
    x, y = (np.arange(a + 0.5 * step, b, step) for a, b in zip(low, high, strict=True))
    pixels = np.stack(np.meshgrid(x, y), axis=-1) @ np.linalg.inv(view.cell)
    at = [pixels[..., k] * density.shape[k] - 0.5 for k in (0, 1)]
    values = map_coordinates(density, at, order=1, mode="grid-wrap")
    outside = ((pixels < 0) | (pixels > 1)).any(axis=-1)
    return np.where(outside, np.nan, values), (low[0], high[0], low[1], high[1])


def density_colours() -> Colormap:
    """Return a colour map that starts transparent, for light and dark pages alike."""
    from matplotlib.colors import LinearSegmentedColormap

    stops = [
        (0.00, (0.36, 0.60, 0.88, 0.00)),
        (0.15, (0.33, 0.56, 0.87, 0.35)),
        (0.40, (0.35, 0.36, 0.80, 0.80)),
        (0.65, (0.66, 0.25, 0.62, 0.95)),
        (0.85, (0.91, 0.40, 0.32, 1.00)),
        (1.00, (0.99, 0.78, 0.30, 1.00)),
    ]
    return LinearSegmentedColormap.from_list("guest", stops)


def density_views(host: Host, insertions: Insertions, temperature_k: float) -> Figure | None:
    """Draw host and guest density along a, b and c; None where the guest has no room."""
    if not len(insertions.weight):
        return None
    from matplotlib.colors import PowerNorm

    weight = boltzmann_weights(insertions, temperature_k)
    views = [view_along(host.lattice_angstrom, k) for k in range(3)]
    maps = [projected_density(v, insertions.fractional, weight) for v in views]
    norm = PowerNorm(0.5, vmin=0.0, vmax=max(float(m.max()) for m in maps))
    spans = np.array([np.ptp(CORNERS @ v.cell, axis=0) for v in views])
    room = ROOM_SHARE * float(spans.max())
    widths, tallest = spans[:, 0] + 2.0 * room, float(spans[:, 1].max()) + 2.0 * room
    height = float(np.clip(PICTURE_WIDTH_IN * tallest / widths.sum(), 2.0, 5.5))
    figure = new_figure(PICTURE_WIDTH_IN + 0.9, height + 0.8)
    columns = figure.subplots(1, 3, width_ratios=list(widths))
    for axes, view, density in zip(columns, views, maps, strict=True):
        pixels, extent = raster(view, density)
        shown = axes.imshow(
            pixels, extent=extent, origin="lower", cmap=density_colours(), norm=norm, zorder=1
        )
        draw_host(axes, host, view)
        _frame(axes, view, room, tallest)
    bar = figure.colorbar(shown, ax=list(columns), shrink=0.8, pad=0.01, aspect=28)
    if bar.solids is not None:
        bar.solids.set_rasterized(True)
    bar.set_label("guest density over uniform", color=INK, fontsize=9)
    bar.ax.set_facecolor("none")
    bar.ax.tick_params(colors=MUTED, labelcolor=INK, labelsize=8.5)
    bar.outline.set_edgecolor(MUTED)
    element_legend(figure, host.elements)
    return figure


def draw_host(axes: Axes, host: Host, view: View) -> None:
    """Draw atoms and bonds of a cell, atoms on its faces on both sides."""
    from matplotlib.collections import LineCollection, PatchCollection
    from matplotlib.patches import Circle

    indices, places = _atoms_with_faces(host)
    order = np.argsort(places @ view.towards, kind="stable")
    indices, places = indices[order], places[order]
    flat = places @ view.plane
    colours = element_colours(host.elements)
    radii = ATOM_SCALE * covalent_radii_angstrom(host.elements)
    raster_it = len(indices) > MOST_VECTOR_ATOMS
    first, vector = half_bonds(host)
    starts = (host.positions_angstrom[first]) @ view.plane
    lines = np.stack([starts, starts + vector @ view.plane], axis=1)
    axes.add_collection(
        LineCollection(
            list(lines), colors=0.85 * colours[first], linewidths=1.3, zorder=2, alpha=0.75
        )
    ).set_rasterized(raster_it)
    atoms = PatchCollection(
        [Circle(tuple(at), radii[k]) for at, k in zip(flat, indices, strict=True)],
        facecolors=colours[indices],
        edgecolors=0.55 * colours[indices],
        linewidths=0.5,
        zorder=3,
        alpha=0.95,
    )
    axes.add_collection(atoms).set_rasterized(raster_it)


def _atoms_with_faces(host: Host) -> tuple[np.ndarray, np.ndarray]:
    """Return indices and positions of the atoms of a cell, doubled where on a face."""
    indices, places = [], []
    for shift in np.ndindex(2, 2, 2):
        image = host.fractional % 1.0 + np.array(shift)
        kept = np.flatnonzero((image <= 1.0 + FACE_MARGIN).all(axis=1))
        indices.append(kept)
        places.append(image[kept] @ host.lattice_angstrom)
    return np.concatenate(indices), np.concatenate(places)


def _frame(axes: Axes, view: View, room: float, tallest: float) -> None:
    """Draw the cell's outline with its vectors named, and nothing else.

    Args:
        axes: where to draw.
        view: where to look from.
        room: free space left and right, angstrom.
        tallest: height of the picture, the same for all views, angstrom.
    """
    (right, up), origin = view.cell, np.zeros(2)
    outline = np.array([origin, right, right + up, up, origin])
    axes.plot(*outline.T, color=MUTED, linewidth=1.0, zorder=4)
    names = [AXES[k] for k in view.across]
    for vector, name, other in ((right, names[0], up), (up, names[1], right)):
        away = other - (other @ vector) / (vector @ vector) * vector
        at = 0.5 * vector - 0.6 * room * away / np.linalg.norm(away)
        axes.text(
            at[0], at[1], name, color=INK, fontsize=10, style="italic", ha="center", va="center"
        )
    axes.set_aspect("equal")
    axes.axis("off")
    corners = CORNERS @ view.cell
    middle = 0.5 * (corners[:, 1].min() + corners[:, 1].max())
    axes.set_xlim(corners[:, 0].min() - room, corners[:, 0].max() + room)
    axes.set_ylim(middle - 0.5 * tallest, middle + 0.5 * tallest)
    axes.set_title(f"along {AXES[view.along]}", color=INK, fontsize=10)


def element_legend(figure: Figure, elements: tuple[str, ...]) -> None:
    """Name the elements by their colours, below a figure."""
    from matplotlib.lines import Line2D

    kinds = tuple(dict.fromkeys(elements))
    colours = element_colours(kinds)
    handles = [
        Line2D(
            [],
            [],
            linestyle="none",
            marker="o",
            markersize=7,
            markerfacecolor=colour,
            markeredgecolor=0.55 * colour,
            markeredgewidth=0.6,
            label=kind,
        )
        for kind, colour in zip(kinds, colours, strict=True)
    ]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncol=len(kinds),
        frameon=False,
        fontsize=9,
        labelcolor=INK,
        handletextpad=0.1,
        columnspacing=1.4,
    )
