"""What a pretrained potential makes of every host atom's surroundings, as numbers.

A machine-learned potential that knows most of the periodic table describes an atom by what it is
and what surrounds it, metals and their oxidation, rings and carboxylates included. Its invariant
node features of the bare host are taken as that description: like atoms in different hosts get
like numbers, whatever the reference is that a surrogate learns. The potential is MACE-DAC-1, whose
parent was trained on crystals of 89 elements (Batatia et al., arXiv:2401.00096).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from chem.references.mace_graph import periodic_edges
from chem.references.mace_model import (
    MACE_DAC_SHA256,
    Graph,
    MaceModel,
    check_model_file,
    mace_dac_path,
)
from data.errors import ReferenceLevelError
from data.records import Host

SOURCE = f"MACE-DAC-1 {MACE_DAC_SHA256[:12]}"


def atom_features(host: Host) -> np.ndarray | None:
    """Describe the surroundings of every host atom.

    Args:
        host: the host.

    Returns:
        (n, d) invariant node features of all layers, float32; None where the potential is not
        installed or does not know an element of the host.
    """
    try:
        model = _model()
        species = model.species(host.elements)
    except ReferenceLevelError:
        return None
    inverse = np.linalg.inv(host.lattice_angstrom)
    home = host.positions_angstrom @ inverse
    positions = (home - np.floor(home)) @ host.lattice_angstrom
    edges = periodic_edges(positions, host.lattice_angstrom, model.cutoff_angstrom)
    return model.invariant_features(Graph(species, positions, edges))


@lru_cache(maxsize=1)
def _model() -> MaceModel:
    path = mace_dac_path()
    check_model_file(path)
    return MaceModel(path, device="cpu", fast=False)
