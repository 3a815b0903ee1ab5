"""Insertions with energies at two force fields: a finite population whose truth is known.

Replicates of a run draw from it, with the production proposals, in place of the host itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from chem.energies import ClassicalModel, ClassicalSettings
from chem.estimator import beta_mol_per_kj, boltzmann_factor
from chem.force_fields import load_force_field
from chem.grids import GridModel, build_grid_model
from chem.guests import load_guest
from chem.hosts import load_host
from chem.mixing import mix_pairs
from chem.orientations import OrientationBins, orientation_bins
from chem.proposal import CAUTIOUS, Known, Proposal, learn_proposal, voxel_shape
from chem.rotations import random_quaternions

SCANNED = 400_000


@dataclass(frozen=True)
class Case:
    """A system with a reference that differs from its baseline, UFF.

    Attributes:
        host: bundled host.
        guest: bundled guest.
        epsilon: factors on the reference's well depths, by host element.
        sigma: factors on the reference's diameters, by host element.
        temperature_k: temperature, K.
    """

    host: str
    guest: str
    epsilon: dict[str, float]
    sigma: dict[str, float]
    temperature_k: float = 298.15

    @property
    def name(self) -> str:
        """Guest and host, as shown to people."""
        return f"{self.guest} / {self.host}"


@dataclass(frozen=True)
class Population:
    """Insertions that stand for all there are.

    Attributes:
        case: the system.
        lattice_angstrom: (3, 3) cell vectors as rows.
        bins: bins of orientation of the guest.
        fractional: (M, 3) positions.
        quaternions: (M, 4) orientations.
        measure: (M,) uniform probability each insertion stands for, sum one.
        baseline_kj_per_mol: (M,) energies; +inf in the hard core.
        reference_kj_per_mol: (M,) energies at the reference; +inf in the same hard core.
    """

    case: Case
    lattice_angstrom: np.ndarray
    bins: OrientationBins
    fractional: np.ndarray
    quaternions: np.ndarray
    measure: np.ndarray
    baseline_kj_per_mol: np.ndarray
    reference_kj_per_mol: np.ndarray

    @property
    def truth(self) -> float:
        """The mean Boltzmann factor of the reference."""
        beta = beta_mol_per_kj(self.case.temperature_k)
        return float((self.measure * boltzmann_factor(beta, self.reference_kj_per_mol)).sum())

    def density(self, proposal: Proposal) -> np.ndarray:
        """Return (M,) probabilities with which a proposal picks each insertion, sum one."""
        picked = self.measure / proposal.weights(self.fractional, self.quaternions)
        return np.asarray(picked / picked.sum())


def models(case: Case) -> tuple[GridModel, GridModel]:
    """Return the baseline and the reference of a case."""
    host, guest = load_host(case.host), load_guest(case.guest)
    pairs = mix_pairs(host, guest, load_force_field("UFF"))
    epsilon = np.array([case.epsilon.get(e, 1.0) for e in host.elements])
    sigma = np.array([case.sigma.get(e, 1.0) for e in host.elements])
    other = replace(
        pairs,
        epsilon_kj_per_mol=pairs.epsilon_kj_per_mol * epsilon,
        sigma_angstrom=pairs.sigma_angstrom * sigma,
        force_field="scaled UFF",
    )
    settings = ClassicalSettings(12.0, "shifted")
    reference = ClassicalModel(host, guest, other, settings)
    core = reference.core_radii_angstrom
    baseline = ClassicalModel(host, guest, pairs, settings, extra_core_radii_angstrom=core)
    temperatures = (case.temperature_k,)
    return (
        build_grid_model(baseline, temperatures_k=temperatures),
        build_grid_model(reference, temperatures_k=temperatures),
    )


def populate(case: Case, count: int, seed: int = 0) -> Population:
    """Draw a population in which both levels are well resolved.

    Half the insertions come from the best proposal of each level; each is weighted by the
    density of the mixture of both.

    Args:
        case: the system.
        count: insertions M.
        seed: random seed.
    """
    rng = np.random.default_rng(seed)
    levels = models(case)
    bins = orientation_bins(levels[0].guest)
    lattice = levels[0].host.lattice_angstrom
    shape = voxel_shape(lattice, SCANNED, bins)
    scan = (rng.random((SCANNED, 3)), random_quaternions(rng, SCANNED))
    proposals = []
    for model in levels:
        known = Known(*scan, np.ones(SCANNED), model.energies(*scan)[0])
        for _ in range(2):
            proposal = learn_proposal(shape, bins, known, (case.temperature_k,), CAUTIOUS)
            fresh = proposal.sample(rng, SCANNED)
            known = Known(*fresh, model.energies(*fresh[:2])[0])
        proposals.append(proposal)
    drawn = [p.sample(rng, count // 2)[:2] for p in proposals]
    places = (np.concatenate([d[0] for d in drawn]), np.concatenate([d[1] for d in drawn]))
    mixture = np.mean([1.0 / p.weights(*places) for p in proposals], axis=0)
    energies = [model.energies(*places)[0] for model in levels]
    inside = np.isinf(energies[0]) | np.isinf(energies[1])
    return Population(
        case,
        lattice,
        bins,
        *places,
        (1.0 / mixture) / float((1.0 / mixture).sum()),
        np.where(inside, np.inf, energies[0]),
        np.where(inside, np.inf, energies[1]),
    )


def axes(quaternions: np.ndarray) -> np.ndarray:
    """Return (n, 3) where the body's z axis points.

    Args:
        quaternions: (n, 4) unit quaternions (w, x, y, z).
    """
    w, x, y, z = quaternions.T
    return np.stack([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)], axis=1)
