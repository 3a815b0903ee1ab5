"""Clusters of placements that are alike: what to keep together when labels are split.

Insertions close to each other have nearly the same energy, so an error measured on labels whose
neighbours were learned from flatters. Splits by cluster keep neighbours on one side.
"""

from __future__ import annotations

import numpy as np

from chem.sites.placements import Metric

CLUSTER_RADIUS_ANGSTROM = 0.75
MOST_CLUSTERS = 200


def geometry_clusters(
    metric: Metric,
    fractional: np.ndarray,
    quaternions: np.ndarray,
    *,
    radius_angstrom: float = CLUSTER_RADIUS_ANGSTROM,
    most: int = MOST_CLUSTERS,
) -> np.ndarray:
    """Return the cluster of each insertion, by position and orientation, symmetry included.

    Centres are taken one after the other, always the insertion farthest from all centres so
    far (Gonzalez, Theor. Comput. Sci. 38 (1985) 293); each insertion belongs to its nearest.

    Args:
        metric: distances in this host for this guest.
        fractional: (n, 3) fractional positions of the body origin.
        quaternions: (n, 4) unit quaternions (w, x, y, z).
        radius_angstrom: no further centre once every insertion is this close to one.
        most: largest number of clusters.

    Returns:
        (n,) cluster numbers from zero.
    """
    places = metric.placements(fractional, quaternions)
    owner = np.zeros(len(places), dtype=np.int64)
    apart = np.full(len(places), np.inf)
    for cluster in range(min(most, len(places))):
        centre = int(np.argmax(apart))
        if apart[centre] <= radius_angstrom:
            break
        distance = metric.to_images(places, metric.images(places[centre : centre + 1]))
        closer = distance < apart
        owner[closer], apart[closer] = cluster, distance[closer]
    return owner
