"""The proposal of a round: earlier insertions, scored anew, teach where the next ones go."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from chem.allocation import Outlook, outlook_of
from data.store import read_columns, write_json
from tasks.context import RunContext, load_context
from tasks.insertions import placement
from tasks.paths import outlook_path, proposal_path, table_path, taught_path

if TYPE_CHECKING:
    from chem.proposal import Known, Proposal


@dataclass(frozen=True)
class ProposalItem:
    """A proposal to learn.

    Attributes:
        run_dir: run folder.
        round_number: the round whose surrogate scored the sources; also its table's number.
        sources: earlier tables and how many of their batches were scored.
        adaptive: learn the proposal; otherwise it is uniform.
    """

    run_dir: str
    round_number: int
    sources: tuple[tuple[int, int], ...]
    adaptive: bool


@dataclass(frozen=True)
class _Taught:
    """Scored insertions: all with their energy, and the spread of the ones that have one."""

    known: Known
    spread: np.ndarray


def uniform_table_proposal(run_dir: str, table: int) -> None:
    """Save the uniform density as the proposal of a table."""
    from chem.proposal import uniform_proposal

    path = proposal_path(run_dir, table)
    if not path.exists():
        uniform_proposal().save(path)


def learn_table_proposal(item: ProposalItem) -> Outlook:
    """Learn and save the proposal of a round's table, and what round and table promise."""
    path = outlook_path(item.run_dir, item.round_number)
    if path.exists():
        stored = json.loads(path.read_text(encoding="utf-8"))
        return Outlook(**{name: tuple(values) for name, values in stored.items()})
    context = load_context(item.run_dir)
    taught = _read(item)
    _proposal(context, taught.known, item.adaptive).save(
        proposal_path(item.run_dir, item.round_number)
    )
    outlook = _outlook(context, taught, item.adaptive)
    write_json(path, asdict(outlook))
    return outlook


def _proposal(context: RunContext, known: Known, adaptive: bool) -> Proposal:
    from chem.orientations import orientation_bins
    from chem.proposal import learn_proposal, uniform_proposal, voxel_shape

    if not adaptive or not np.isfinite(known.energy_kj_per_mol).any():
        return uniform_proposal()
    bins = orientation_bins(context.system.guest)
    voxels = voxel_shape(context.system.host.lattice_angstrom, len(known.weights), bins)
    return learn_proposal(voxels, bins, known, context.temperatures_k)


def _read(item: ProposalItem) -> _Taught:
    from chem.proposal import Known

    parts = [
        _read_batch(item, table, batch) for table, count in item.sources for batch in range(count)
    ]
    known = Known(
        *(np.concatenate([getattr(p.known, f.name) for p in parts]) for f in fields(Known))
    )
    return _Taught(known, np.concatenate([p.spread for p in parts]))


def _read_batch(item: ProposalItem, table: int, batch: int) -> _Taught:
    from chem.proposal import Known

    columns = read_columns(table_path(item.run_dir, table, batch))
    scores = read_columns(taught_path(item.run_dir, item.round_number, table, batch))
    free = ~columns["overlap"]
    energy, spread = np.full(len(free), np.inf), np.zeros(len(free))
    energy[free] = scores["prediction_kj_per_mol"]
    spread[free] = scores["surrogate_sd_kj_per_mol"]
    return _Taught(Known(*placement(columns), columns["proposal_weight"], energy), spread)


def _outlook(context: RunContext, taught: _Taught, adaptive: bool) -> Outlook:
    """Return the outlook from halves that each teach the proposal of the other."""
    from chem.estimator import beta_mol_per_kj, boltzmann_factor
    from ml.routing import expected_error_terms

    known = taught.known
    new_weight = np.ones(len(known.weights))
    for half in (0, 1):
        proposal = _proposal(context, _rows(known, slice(1 - half, None, 2)), adaptive)
        other = _rows(known, slice(half, None, 2))
        new_weight[half::2] = proposal.weights(other.fractional, other.quaternions)
    free = np.isfinite(known.energy_kj_per_mol)
    weight, energy = known.weights[free], known.energy_kj_per_mol[free]
    return outlook_of(
        weight,
        new_weight[free],
        [boltzmann_factor(beta_mol_per_kj(t), energy) for t in context.temperatures_k],
        [
            expected_error_terms(t, weight, energy, taught.spread[free])
            for t in context.temperatures_k
        ],
        len(known.weights),
    )


def _rows(known: Known, part: slice) -> Known:
    from chem.proposal import Known

    return Known(*(getattr(known, f.name)[part] for f in fields(Known)))


def sources_of(tables: Sequence[tuple[int, int, int]], most: int) -> tuple[tuple[int, int], ...]:
    """Choose the batches that teach: whole batches, latest table first.

    Args:
        tables: (number, batches, insertions) of the tables so far, oldest first.
        most: insertions to stop at.

    Returns:
        (table, batches) pairs.
    """
    chosen, total = [], 0
    for number, batches, insertions in reversed(tables):
        if total >= most:
            break
        size = insertions / batches
        count = min(batches, max(1, round((most - total) / size)))
        chosen.append((number, count))
        total += int(count * size)
    return tuple(chosen)
