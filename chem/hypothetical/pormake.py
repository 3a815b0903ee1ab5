"""pormake kept quiet: it logs to a file in the current folder and to the terminal on import."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from chem.cif import wrap_fractional
from data.errors import SettingsError
from data.records import Host

VERSION = "0.2.3"
INSTALL = f"pip install pormake=={VERSION}   (or: pip install 'widomill[pormake]')"
CITATION = "Lee et al., ACS Appl. Mater. Interfaces 13 (2021) 23647"
LOGGER = "unique_logger"
"""The name pormake gives its logger."""


class BuildError(SettingsError):
    """Hypothetical hosts cannot be built: pormake is missing, or a name is unknown to it."""


@dataclass(frozen=True)
class Recipe:
    """What a host is built from.

    Attributes:
        net: name of the topology.
        nodes: building block of every node type.
        edges: building block of every edge type, None where nodes are bonded directly.
    """

    net: str
    nodes: tuple[str, ...]
    edges: tuple[str | None, ...]

    @property
    def name(self) -> str:
        """The usual name: net, nodes and edges joined by plus signs."""
        return "+".join([self.net, *self.nodes, *(edge or "none" for edge in self.edges)])


@cache
def load() -> Any:
    """Return the module pormake, imported where its log file harms nobody.

    Raises:
        BuildError: it is not installed.
    """
    if importlib.util.find_spec("pormake") is None:
        raise BuildError(
            f"Hypothetical hosts need the package pormake, which is not installed. Type: {INSTALL}"
        )
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), _no_warnings():
        import pormake
    logger = logging.getLogger(LOGGER)
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.addHandler(logging.NullHandler())
    return pormake


@contextlib.contextmanager
def _no_warnings() -> Iterator[None]:
    """Leave out what pormake's own dependencies say about each other."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@cache
def database() -> Any:
    """Return pormake's own nets and building blocks."""
    with _no_warnings():
        return load().Database()


def net(name: str) -> Any:
    """Return a topology.

    Raises:
        BuildError: there is none of that name.
    """
    known = sorted(database().topology_list)
    if name not in known:
        raise BuildError(_unknown("net", name, known))
    with _no_warnings():
        return database().get_topo(name)


@cache
def block(name: str) -> Any:
    """Return a building block.

    Raises:
        BuildError: there is none of that name.
    """
    known = sorted(database().building_block_list)
    if name not in known:
        raise BuildError(_unknown("building block", name, known))
    with _no_warnings():
        return database().get_bb(name)


def blocks(first_letter: str) -> list[str]:
    """Return the names of all nodes (``N``) or edges (``E``), in order of number."""
    names = [name for name in database().building_block_list if name.startswith(first_letter)]
    return sorted(names, key=lambda name: (len(name), name))


def _unknown(kind: str, name: str, known: list[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, known, n=5, cutoff=0.4)
    guess = f" Did you mean {', '.join(near)}?" if near else ""
    return f"pormake has no {kind} {name!r}.{guess} It knows {len(known)}."


@cache
def deviation(net_name: str, kind: int, block_name: str) -> float:
    """Return how badly a block fits a node type of a net, as `assemble` does, without building.

    Args:
        net_name: the topology.
        kind: the node type's place among the net's.
        block_name: the building block.
    """
    topology = net(net_name)
    wanted = _types(topology.unique_node_types)[kind]
    slot = next(int(i) for i in topology.node_indices if topology.node_types[i] == wanted)
    with _no_warnings():
        target, own = topology.local_structure(slot), block(block_name)
        locator = load().Locator()
        mirrored = own.make_chiral_building_block()
        return float(min(locator.calculate_rmsd(target, one) for one in (own, mirrored)))


def assemble(recipe: Recipe) -> tuple[Host, float]:
    """Return the host that a recipe makes, and how badly its blocks fit the net.

    Returns:
        The host in the cell pormake makes, and the largest root mean square deviation of a block's
        connection points from the net's directions (0 fits, 0.3 is strained).

    Raises:
        BuildError: pormake cannot put these blocks together.
    """
    topology = net(recipe.net)
    nodes = dict(zip(_types(topology.unique_node_types), recipe.nodes, strict=True))
    edges = dict(zip(edge_types(topology), recipe.edges, strict=True))
    try:
        with _no_warnings():
            made = (
                load()
                .Builder()
                .build_by_type(
                    topology=topology,
                    node_bbs={kind: block(name) for kind, name in nodes.items()},
                    edge_bbs={kind: block(name) for kind, name in edges.items() if name},
                    wrap=False,
                )
            )
    except BuildError:
        raise
    except Exception as error:  # pormake raises what its parts raise
        raise BuildError(f"pormake cannot build {recipe.name}: {error}.") from error
    elements = tuple(made.atoms.get_chemical_symbols())
    host = Host(
        name=recipe.name,
        lattice_angstrom=np.array(made.atoms.cell),
        fractional=wrap_fractional(made.atoms.get_scaled_positions(wrap=False)),
        elements=elements,
        labels=tuple(f"{element}{i}" for i, element in enumerate(elements, start=1)),
        source=(
            f"hypothetical, built by pormake {VERSION} ({CITATION}): net {recipe.net}, nodes "
            f"{' '.join(recipe.nodes)}, edges {' '.join(e or 'none' for e in recipe.edges)}"
        ),
        notes=("built from rigid blocks and not relaxed",),
    )
    return host, float(made.info["max_rmsd"])


def _types(found: Any) -> list[int]:
    return [int(kind) for kind in found]


def edge_types(topology: Any) -> list[tuple[int, int]]:
    """Return the edge types of a net."""
    return [(int(one), int(two)) for one, two in topology.unique_edge_types]
