"""Builds hypothetical hosts until enough of them pass the checks of the import."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from math import prod
from pathlib import Path

import numpy as np

from chem.host_import.examine import Examined, ImportSettings, judge
from chem.host_import.findings import Finding
from chem.host_import.run import Imported, Importer
from chem.hypothetical import pormake
from chem.hypothetical.pormake import BuildError, Recipe
from data.streams import stream

TRIES_PER_HOST = 5
LOOKED_AT_PER_HOST = 500
LARGEST_RMSD = 0.3
"""Blocks whose connection points deviate more than this do not fit the net."""
LARGEST_ATOMS = 3000
STRICT = frozenset(
    {"short bonds", "too many bonds", "framework", "solvent", "isolated atoms", "density"}
)
"""A built structure has no excuse for these, so they refuse it."""


def build_and_import(
    net: str,
    nodes: tuple[str, ...],
    edges: tuple[str, ...],
    *,
    number: int,
    seed: int,
    folder: Path,
    say: Callable[[str], None] = lambda text: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Imported:
    """Build hosts on a net and write those that are sound, with a catalogue of all.

    Args:
        net: name of the topology, such as ``pcu``.
        nodes: building blocks to choose from; empty means all that fit.
        edges: likewise for edges; empty means all without a metal.
        number: sound hosts wanted; fewer when the combinations or ``TRIES_PER_HOST`` tries for
            each are used up.
        seed: of the choice; the same choices for the same seed.
        folder: where hosts/ and the catalogue go.
        say: called with remarks.
        progress: called with sound hosts so far and ``number``.

    Raises:
        BuildError: pormake is missing, a name is unknown, or no block fits the net.
    """
    folder = folder.absolute()
    importer, sound = Importer(folder), 0
    settings = ImportSettings(strict=STRICT)
    say(f"pormake {pormake.VERSION}, MIT; cite {pormake.CITATION}")
    fitting = filter(_fits, islice(recipes(net, nodes, edges, seed), LOOKED_AT_PER_HOST * number))
    for tries, recipe in enumerate(fitting, start=1):
        row = _one(importer, recipe, settings, f"seed {seed}, try {tries}")
        sound += row is not None
        progress(sound, number)
        if sound >= number or tries >= TRIES_PER_HOST * number + TRIES_PER_HOST:
            break
    if sound < number:
        say(f"{sound} of {number} hosts: no more combinations, or too many tries failed")
    return importer.finish()


def _fits(recipe: Recipe) -> bool:
    """Whether every node points where the net's edges go; the others are not worth building."""
    kinds = enumerate(recipe.nodes)
    return all(pormake.deviation(recipe.net, k, name) <= LARGEST_RMSD for k, name in kinds)


def _one(importer: Importer, recipe: Recipe, settings: ImportSettings, where: str) -> str | None:
    """Build one host and hand it over; return its id if it was accepted."""
    source = Path(recipe.name)
    try:
        host, deviation = pormake.assemble(recipe)
    except BuildError as error:
        finding = Finding("build", "refused", str(error))
        importer.add(recipe.name, Examined(source, (finding,)))
        return None
    if deviation > LARGEST_RMSD or len(host.elements) > LARGEST_ATOMS:
        text = (
            f"blocks deviate by {deviation:.2f} from the net (at most {LARGEST_RMSD}), "
            f"{len(host.elements)} atoms (at most {LARGEST_ATOMS})"
        )
        importer.add(recipe.name, Examined(source, (Finding("build", "refused", text),)))
        return None
    host = replace(host, notes=(*host.notes, f"{where}, deviation from the net {deviation:.3f}"))
    row = importer.add(recipe.name, judge(source, host, settings))
    return None if row["path"] is None else str(row["id"])


def recipes(
    net: str, nodes: tuple[str, ...], edges: tuple[str, ...], seed: int
) -> Iterator[Recipe]:
    """Yield combinations of blocks that fit a net, each once, in the random order of a seed.

    Raises:
        BuildError: a name is unknown, or no block fits.
    """
    topology = pormake.net(net)
    choices: list[list[str]] = [
        _nodes_with(int(points), nodes, net) for points in topology.unique_cn
    ]
    linkers = list(edges) or [e for e in pormake.blocks("E") if not pormake.block(e).has_metal]
    for name in linkers:
        if pormake.block(name).n_connection_points != 2:
            raise BuildError(f"{name} is no edge: it has not two connection points.")
    choices += [linkers] * len(pormake.edge_types(topology))
    sizes = [len(choice) for choice in choices]
    random, total = stream(seed, "hypothetical", net), prod(sizes)
    done: set[tuple[int, ...]] = set()
    while len(done) < total:
        picked = tuple(int(random.integers(size)) for size in sizes)
        if picked in done:
            if len(done) > total // 2:  # few are left: take the first of them
                picked = next(p for p in np.ndindex(*sizes) if p not in done)
            else:
                continue
        done.add(picked)
        names = [choice[i] for choice, i in zip(choices, picked, strict=True)]
        count = len(topology.unique_cn)
        yield Recipe(net, tuple(names[:count]), tuple(names[count:]))


def _nodes_with(points: int, allowed: tuple[str, ...], net: str) -> list[str]:
    """Return the nodes with a number of connection points."""
    names = list(allowed) or pormake.blocks("N")
    fitting = [n for n in names if pormake.block(n).n_connection_points == points]
    if not fitting:
        raise BuildError(
            f"The net {net} needs a node with {points} connection points; none of "
            f"{', '.join(allowed) or 'the blocks'} has that many."
        )
    return fitting
