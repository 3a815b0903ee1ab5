"""EQeq: charges that minimise an atomic expansion plus screened, damped Coulomb energy [1].

    E(Q) = sum_i (chi_i Q_i + J_i Q_i^2 / 2) + (lambda K / 4) sum_ij Q_i Q_j (S_ij + O_ij),
    sum_i Q_i = 0

with chi and J of `chem.charges.elements`, the periodic sums S + O of `chem.charges.lattice_sums`
(orbital parameter a = sqrt(J_i J_j) / K), K = 14.4 eV angstrom and lambda = 1.2, an effective
permittivity of 2 / lambda = 1.67. One linear solve; nothing is iterated.

Unlike the authors' program, which sums a fixed number of cells, the Ewald sums here are converged,
so equivalent atoms get equal charges and the answer does not depend on the cell setting.

References:
    [1] Wilmer, Kim, Snurr, J. Phys. Chem. Lett. 3 (2012) 2506; the damping as in the authors'
        program.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from chem.cells import compact_lattice
from chem.charges.elements import METAL_CENTRES, parameters_of
from data.errors import StructureError
from data.records import Host


@dataclass(frozen=True)
class EqeqSettings:
    """Parameters of EQeq; the defaults are those of the paper.

    Attributes:
        coulomb_scaling: lambda.
        coulomb_ev_angstrom: K.
        hydrogen_affinity_ev: effective electron affinity of hydrogen.
        centres: charge centre by element; absent elements are expanded about 0.
    """

    coulomb_scaling: float = 1.2
    coulomb_ev_angstrom: float = 14.4
    hydrogen_affinity_ev: float = -2.0
    centres: Mapping[str, int] = field(default_factory=lambda: METAL_CENTRES)


def eqeq_charges(host: Host, settings: EqeqSettings | None = None) -> np.ndarray:
    """Return the (n,) EQeq charges of a host in e; they add up to zero within rounding.

    Raises:
        MissingParametersError: an element without ionisation energies, named.
        StructureError: the energy has no minimum, because soft atoms are too close.
    """
    from chem.charges.lattice_sums import pair_sums

    settings = settings or EqeqSettings()
    table = parameters_of(host.elements, settings.centres, settings.hydrogen_affinity_ev)
    chi, hardness = np.array([table[element] for element in host.elements]).T
    lattice = compact_lattice(host.lattice_angstrom)
    fractional = host.positions_angstrom @ np.linalg.inv(lattice)
    sums = pair_sums(fractional, lattice, hardness / settings.coulomb_ev_angstrom)
    matrix = 0.5 * settings.coulomb_scaling * settings.coulomb_ev_angstrom * sums
    matrix[np.diag_indices(len(matrix))] += hardness
    return _minimum(chi, matrix, host)


def _minimum(chi: np.ndarray, matrix: np.ndarray, host: Host) -> np.ndarray:
    """Return the neutral charges that minimise ``chi.Q + Q.matrix.Q / 2``.

    A constant added to every element of the matrix changes no neutral energy, and makes it
    positive definite exactly if the energy has a minimum.
    """
    from scipy.linalg import LinAlgError, cho_factor, cho_solve

    shifted = matrix + 10.0 * np.abs(np.diag(matrix)).max()
    try:
        factor = cho_factor(shifted, lower=True)
    except LinAlgError:
        raise StructureError(_no_minimum(shifted, host)) from None
    response = cho_solve(factor, np.stack([chi, np.ones(len(chi))], axis=1))
    charges = -response[:, 0] + response[:, 1] * response[:, 0].sum() / response[:, 1].sum()
    return charges - charges.mean()


def _no_minimum(shifted: np.ndarray, host: Host) -> str:
    """Return the message for a runaway, naming the atoms that run away most."""
    mode = np.abs(np.linalg.eigh(shifted)[1][:, 0])
    one, two = np.argsort(-mode, kind="stable")[:2]
    step = host.fractional[one] - host.fractional[two]
    apart = np.linalg.norm((step - np.round(step)) @ host.lattice_angstrom)
    return (
        f"EQeq finds no charges for {host.name}: those of atoms {host.labels[one]} (number "
        f"{one + 1}) and {host.labels[two]} (number {two + 1}), {apart:.2f} angstrom apart, would "
        "grow without bound. Atoms on top of each other, left by disorder or a wrong symmetry, "
        "are the usual cause; correct the structure, or use --charges eeq, a file of charges, or "
        "--charges none."
    )
