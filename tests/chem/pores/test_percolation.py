"""Connected components on a torus: known shapes, and a slow search written another way."""

import numpy as np
import pytest

from chem.pores.percolation import label_components, spread_labels, touching


def slow_components(free):
    """Depth-first search that carries the unwrapped position of every voxel."""
    shape = np.array(free.shape)
    place, label, loops, count = {}, -np.ones(free.shape, dtype=int), [], 0
    for seed in zip(*np.nonzero(free), strict=True):
        if label[seed] >= 0:
            continue
        place[seed], label[seed], stack, vectors = np.array(seed), count, [seed], []
        while stack:
            here = stack.pop()
            for axis in range(3):
                for sign in (-1, 1):
                    target = place[here].copy()
                    target[axis] += sign
                    there = tuple(int(x) for x in target % shape)
                    if not free[there]:
                        continue
                    if label[there] < 0:
                        label[there], place[there] = count, target
                        stack.append(there)
                    else:
                        vectors.append((target - place[there]) // shape)
        loops.append(int(np.linalg.matrix_rank(np.array(vectors))) if vectors else 0)
        count += 1
    return label, loops


@pytest.mark.parametrize("share", [0.2, 0.28, 0.33, 0.5])
@pytest.mark.parametrize("shape", [(5, 6, 7), (2, 9, 4), (1, 8, 8)])
def test_random_voxels_as_in_a_slow_search(share, shape):
    for seed in range(6):
        free = np.random.default_rng(seed).random(shape) < share
        found = label_components(free)
        label, ranks = slow_components(free)
        assert np.array_equal(found.labels, label)
        assert found.dimensionalities.tolist() == ranks


def test_offsets_bring_a_component_together():
    free = np.random.default_rng(3).random((6, 7, 8)) < 0.25
    found = label_components(free)
    shape = np.array(free.shape)
    for label in np.flatnonzero(found.dimensionalities == 0):
        voxels = np.argwhere(found.labels == label)
        places = voxels + found.offsets[found.labels == label] * shape
        reached, waiting = {tuple(places[0])}, [tuple(places[0])]
        every = {tuple(p) for p in places}
        while waiting:
            here = np.array(waiting.pop())
            for step in np.vstack([np.eye(3, dtype=int), -np.eye(3, dtype=int)]):
                there = tuple(here + step)
                if there in every and there not in reached:
                    reached.add(there)
                    waiting.append(there)
        assert reached == every


def test_rods_slabs_and_boxes():
    empty = np.zeros((6, 6, 6), dtype=bool)
    rod, slab, box, staircase = (empty.copy() for _ in range(4))
    rod[:, 2, 3] = True
    slab[:, 2, :] = True
    box[[5, 0]] = True
    box[:, 2:] = False
    box[:, :, 3:] = False
    for n in range(6):
        staircase[n, n, 0] = staircase[(n + 1) % 6, n, 0] = True
    for mask, rank in ((rod, 1), (slab, 2), (box, 0), (staircase, 1), (~empty, 3), (~slab, 2)):
        found = label_components(mask)
        assert found.dimensionalities.tolist() == [rank]
    assert abs(label_components(staircase).loops[0, 0]).tolist() == [1, 1, 0]
    assert len(label_components(empty).dimensionalities) == 0


def test_a_helix_that_closes_after_two_cells():
    """It meets its image two cells away; the mere count of crossings would not tell."""
    free = np.zeros((4, 8, 2), dtype=bool)
    for n in range(8):
        free[n % 4, n, 0] = free[(n + 1) % 4, n, 0] = True
    found = label_components(free)
    assert found.dimensionalities.tolist() == [1]
    assert abs(found.loops[0, 0]).tolist() == [2, 1, 0]


def test_spreading_fills_everything_from_the_nearest():
    labels = np.full((8, 8, 8), -1)
    labels[0, 0, 0], labels[4, 4, 4] = 0, 1
    filled = spread_labels(labels)
    assert (filled >= 0).all()
    assert filled[7, 7, 7] == filled[1, 0, 0] == 0
    assert filled[3, 4, 5] == 1
    assert (spread_labels(np.full((3, 3, 3), -1)) == -1).all()


def test_touching_goes_through_faces():
    mask = np.zeros((4, 4, 4), dtype=bool)
    mask[0, 0, 0] = True
    assert touching(mask).sum() == 6
    assert touching(mask)[3, 0, 0]
    assert touching(mask)[0, 0, 1]
