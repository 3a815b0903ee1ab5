"""How a round's surrogate does on labels held out by geometry: worked out, written, read."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from data.store import write_json
from tasks.context import load_context
from tasks.paths import validation_path

if TYPE_CHECKING:
    from ml.surrogate import Surrogate
    from ml.training import LabelSet
    from ml.validation import Validation

MOST_CLUSTERS = 60


def write_validation(
    run_dir: str, round_number: int, surrogate: Surrogate, labels: LabelSet
) -> None:
    """Hold labels out by clusters of position and orientation and write the errors."""
    from chem.binding_sites import approximate_symmetry
    from chem.sites.clusters import geometry_clusters
    from chem.sites.placements import Metric
    from ml.validation import validate

    context = load_context(run_dir)
    found = None
    # Shuffled labels belong to other insertions: there is nothing to hold out.
    if surrogate.head is not None and not context.shuffle_labels:
        system = context.system
        symmetry = approximate_symmetry(system.host, system.pairs)
        metric = Metric(system.host.lattice_angstrom, system.guest, symmetry)
        clusters = geometry_clusters(
            metric, labels.fractional, labels.quaternions, most=MOST_CLUSTERS
        )
        found = validate(surrogate, labels, clusters, min(context.temperatures_k))
    write_json(validation_path(run_dir, round_number), asdict(found) if found else {})


def read_validation(run_dir: str, round_number: int) -> Validation | None:
    """Return what was written for a round; None where labels were too few or none is there."""
    from ml.validation import Validation

    path = validation_path(run_dir, round_number)
    stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return Validation(**stored) if stored else None
