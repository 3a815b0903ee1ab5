"""The binding site drawn: the guest, the host around it and the closest contacts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.distance import cdist

from data.records import Guest, Host
from flows.report.cell import element_legend
from flows.report.structure import (
    Contact,
    bonded,
    contacts,
    covalent_radii_angstrom,
    element_colours,
    guest_atoms_angstrom,
    images_within,
)
from flows.report.style import ANSWER, INK, PAPER, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REACH_ANGSTROM = 4.3
LONGEST_BOND_ANGSTROM = 2.6
SMALLEST_PART = 4
GUEST_WORTH = 1.5
CLEAR_ANGSTROM = 1.3
DIRECTIONS = 400
BALL = 0.42
GUEST_BALL = 0.55
FOG = np.array([0.62, 0.66, 0.70])
PERSPECTIVE_ANGSTROM = 40.0
HIDING_ANGSTROM = 0.8


@dataclass(frozen=True)
class Scene:
    """Atoms in the picture's frame, guest atoms last.

    Attributes:
        elements: n element symbols.
        flat: (n, 2) picture coordinates, angstrom.
        depth: (n,) coordinate towards the viewer, zero at the guest's centre.
        radii: (n,) radii to draw.
        guest: (n,) whether the atom is the guest's.
        bonds: (b, 2) pairs of atoms.
    """

    elements: tuple[str, ...]
    flat: np.ndarray
    depth: np.ndarray
    radii: np.ndarray
    guest: np.ndarray
    bonds: np.ndarray


def site_picture(host: Host, guest: Guest, placement: np.ndarray) -> Figure:
    """Draw the guest at its binding site with the host atoms around it."""
    atoms = guest_atoms_angstrom(host, guest, placement)
    centre = atoms.mean(axis=0)
    close = contacts(host, guest, placement)
    indices, places = surroundings(host, atoms, [c.host_angstrom for c in close])
    basis = best_basis(atoms - centre, places - centre, [c.host_angstrom - centre for c in close])
    scene = _scene(host, guest, indices, (places - centre) @ basis, (atoms - centre) @ basis)
    figure = new_figure(4.9, 4.9)
    axes = figure.subplots()
    _draw(axes, scene)
    for contact in close:
        start = ((atoms[contact.guest_atom] - centre) @ basis)[:2]
        _draw_contact(axes, contact, start, ((contact.host_angstrom - centre) @ basis))
    axes.set_aspect("equal")
    axes.axis("off")
    axes.autoscale_view()
    element_legend(figure, tuple(dict.fromkeys((*guest.atom_elements, *scene.elements))))
    return figure


def surroundings(
    host: Host, atoms: np.ndarray, always: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return host atoms near the guest and those bonded to them; loose bits are left out.

    Args:
        host: the host.
        atoms: (k, 3) guest atoms.
        always: (3,) positions of host atoms never left out.

    Returns:
        (n,) indices of host atoms and (n, 3) positions of the images.
    """
    from scipy.sparse.csgraph import connected_components

    indices, places = images_within(host, atoms, REACH_ANGSTROM + LONGEST_BOND_ANGSTROM)
    if not len(indices):
        return indices, places
    near = cdist(places, atoms).min(axis=1) <= REACH_ANGSTROM
    joined = bonded([host.elements[k] for k in indices], places)
    kept = np.flatnonzero(near | joined[near].any(axis=0))
    _, part = connected_components(joined[np.ix_(kept, kept)])
    whole = np.bincount(part)[part] >= SMALLEST_PART
    if always:
        whole |= cdist(places[kept], np.array(always)).min(axis=1) < 1e-6
    return indices[kept[whole]], places[kept[whole]]


def best_basis(guest: np.ndarray, host: np.ndarray, close: list[np.ndarray]) -> np.ndarray:
    """Return (3, 3) columns right, up, towards: a direction from which the guest is seen best.

    Of many directions the one with least host in front of the guest, and the guest and its
    contacts least foreshortened. All positions are relative to the guest's centre.
    """
    k = np.arange(DIRECTIONS) + 0.5
    polar, turn = np.arccos(1.0 - 2.0 * k / DIRECTIONS), np.pi * (1.0 + 5.0**0.5) * k
    directions = np.stack(
        [np.cos(turn) * np.sin(polar), np.sin(turn) * np.sin(polar), np.cos(polar)], axis=1
    )
    important = np.vstack([guest, *close]) if close else guest
    worth = np.where(np.arange(len(important)) < len(guest), GUEST_WORTH, 1.0)
    scores = []
    for towards in directions:
        depth = host @ towards
        front = depth > 0.3
        aside = host[front] - depth[front, None] * towards
        seen = important - (important @ towards)[:, None] * towards
        hidden = np.clip(CLEAR_ANGSTROM - cdist(aside, seen), 0.0, None).sum(axis=0)
        scores.append(float(worth @ (np.sqrt((seen**2).sum(axis=1)) - 2.0 * hidden)))
    towards = directions[int(np.argmax(scores))]
    longest = np.linalg.svd(important - important.mean(axis=0))[2][0]
    right = longest - (longest @ towards) * towards
    if np.linalg.norm(right) < 1e-6:
        right = np.cross(towards, np.eye(3)[int(np.argmin(np.abs(towards)))])
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(towards, right), towards], axis=1)


def _scene(
    host: Host, guest: Guest, indices: np.ndarray, around: np.ndarray, inside: np.ndarray
) -> Scene:
    elements = (*(host.elements[k] for k in indices), *guest.atom_elements)
    position = np.vstack([around, inside])
    is_guest = np.arange(len(position)) >= len(around)
    covalent = covalent_radii_angstrom(elements)
    joined = bonded(elements, position)
    joined &= is_guest[:, None] == is_guest[None]
    near = 1.0 + position[:, 2] / PERSPECTIVE_ANGSTROM
    return Scene(
        elements,
        position[:, :2] * near[:, None],
        position[:, 2],
        covalent * np.where(is_guest, GUEST_BALL, BALL) * near,
        is_guest,
        np.argwhere(np.triu(joined, 1)),
    )


def _draw(axes: Axes, scene: Scene) -> None:
    """Draw bonds and atoms from the back to the front."""
    colours = _fogged(scene)
    opacity = _opacity(scene)
    for a, b in scene.bonds:
        middle = 0.5 * (scene.flat[a] + scene.flat[b])
        for end in (a, b):
            axes.plot(
                *np.stack([scene.flat[end], middle]).T,
                color=0.85 * colours[end],
                alpha=min(opacity[a], opacity[b]),
                linewidth=6.0 if scene.guest[end] else 3.2,
                solid_capstyle="round",
                zorder=10.0 + 0.5 * (scene.depth[a] + scene.depth[b]),
            )
    for k in range(len(scene.elements)):
        _draw_ball(axes, scene, k, colours[k], float(opacity[k]))


def _draw_ball(axes: Axes, scene: Scene, k: int, colour: np.ndarray, opacity: float) -> None:
    from matplotlib.patches import Circle

    at, radius = scene.flat[k], float(scene.radii[k])
    edge = ANSWER if scene.guest[k] else tuple(0.5 * colour)
    width = 1.8 if scene.guest[k] else 0.6
    height = 10.0 + scene.depth[k] + 0.01
    axes.add_patch(
        Circle(tuple(at), radius, fc=colour, ec=edge, lw=width, alpha=opacity, zorder=height)
    )
    shine = at + radius * np.array([-0.32, 0.34])
    axes.add_patch(
        Circle(
            tuple(shine),
            0.34 * radius,
            fc="white",
            lw=0,
            alpha=0.45 * opacity,
            zorder=height + 1e-3,
        )
    )


def _fogged(scene: Scene) -> np.ndarray:
    """Return (n, 3) colours that fade towards a neutral grey in the back."""
    fade = np.clip(-scene.depth / (1.6 * REACH_ANGSTROM), 0.0, 0.75)[:, None]
    fade[scene.guest] = 0.0
    return (1.0 - fade) * element_colours(scene.elements) + fade * FOG


def _opacity(scene: Scene) -> np.ndarray:
    """Return (n,) opacities: host atoms that would hide the guest are faint."""
    lateral = scene.flat[:, None] - scene.flat[None, scene.guest]
    reach = scene.radii[:, None] + scene.radii[None, scene.guest]
    covers = (np.sqrt((lateral**2).sum(axis=2)) < reach).any(axis=1)
    hides = covers & (scene.depth > HIDING_ANGSTROM) & ~scene.guest
    return np.where(hides, 0.22, 1.0)


def _draw_contact(axes: Axes, contact: Contact, start: np.ndarray, end: np.ndarray) -> None:
    target = end[:2] * (1.0 + end[2] / PERSPECTIVE_ANGSTROM)
    axes.plot(*np.stack([start, target]).T, color=ANSWER, lw=1.3, linestyle=(0, (2, 2)), zorder=30)
    axes.text(
        0.5 * (start[0] + target[0]),
        0.5 * (start[1] + target[1]),
        f"{contact.distance_angstrom:.2f} Å",
        color=INK,
        fontsize=8.5,
        ha="center",
        va="center",
        zorder=31,
        bbox={"boxstyle": "round,pad=0.15", "fc": PAPER, "ec": "none", "alpha": 0.8},
    )
