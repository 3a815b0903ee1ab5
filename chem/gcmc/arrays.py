"""Makes the configuration and the work space of a chain, and larger ones as guests come in."""

from __future__ import annotations

import numpy as np

from chem.gcmc.layout import Model, Scratch, State


def empty_state(model: Model, random: np.ndarray, capacity: int) -> State:
    """Return the empty box.

    Args:
        model: what the chain reads.
        random: (4,) state of its generator.
        capacity: guests the arrays can hold.
    """
    sites = len(model.body)
    return State(
        random=random.copy(),
        number=np.zeros(1, dtype=np.int64),
        centres=np.zeros((3, capacity)),
        quaternions=np.zeros((4, capacity)),
        offsets=np.zeros((sites, 3, capacity)),
        host=np.zeros(capacity),
        factors=np.zeros((2, len(model.waves.green))),
        totals=np.zeros(4),
    )


def larger_state(state: State, capacity: int) -> State:
    """Return a copy whose arrays can hold ``capacity`` guests."""

    def grown(array: np.ndarray) -> np.ndarray:
        new = np.zeros((*array.shape[:-1], capacity))
        new[..., : array.shape[-1]] = array
        return new

    return state._replace(
        random=state.random.copy(),
        number=state.number.copy(),
        centres=grown(state.centres),
        quaternions=grown(state.quaternions),
        offsets=grown(state.offsets),
        host=grown(state.host),
        factors=state.factors.copy(),
        totals=state.totals.copy(),
    )


def scratch_for(model: Model, capacity: int) -> Scratch:
    """Return the work space of one chain with room for ``capacity`` guests."""
    sites, waves = len(model.body), len(model.waves.green)
    width = 2 * int(model.waves.limits.max()) + 1
    return Scratch(
        centre=np.zeros(3),
        quaternion=np.zeros(4),
        offsets=np.zeros((sites, 3)),
        old_centre=np.zeros(3),
        old_offsets=np.zeros((sites, 3)),
        near=np.zeros((sites, 3, len(model.box.shifts) * capacity)),
        separations=np.zeros((4, capacity)),
        before=np.zeros((2, waves)),
        after=np.zeros((2, waves)),
        phases=np.zeros((3, 2, width)),
        rows=np.zeros((2, len(model.waves.rows))),
        sites=np.zeros((1, sites, 3)),
        points=np.zeros((1, sites, 3)),
        bins=np.zeros((1, sites), dtype=np.int64),
        energy=np.zeros(1),
        cell=np.zeros(1, dtype=np.int64),
        uniforms=np.zeros((1, 6)),
        place=np.zeros((1, 3)),
        turn=np.zeros((1, 4)),
    )
