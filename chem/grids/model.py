"""The grid model: the energies of a classical model by look-up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chem.energies import ClassicalModel, ClassicalSettings
from chem.geometry import rows_times_matrix
from chem.grids.arrays import GridArrays
from chem.rotations import rotate_sites
from data.records import Guest, Host, PairTable, content_hash

if TYPE_CHECKING:
    from chem.grids.check import GridCheck


class GridModel:
    """Energies of a rigid guest in a rigid host from energy grids.

    Overlaps are exactly those of the classical model; energies agree with it to the figures of
    the check. Instances are read-only and safe to share by threads.

    Attributes:
        host, guest, pairs, settings: those of the classical model.
        direct: the classical model.
        arrays: what compiled code needs, see `chem.grids.lookup`.
        tail_energy_kj_per_mol: the constant tail correction included in every energy.
        spacing_angstrom: largest distance of grid points along a cell vector.
        check: comparison with direct sums, or None before it was made.
        hash: content hash.
    """

    def __init__(
        self,
        direct: ClassicalModel,
        arrays: GridArrays,
        spacing_angstrom: float,
        check: GridCheck | None = None,
    ) -> None:
        self.direct, self.arrays, self.check = direct, arrays, check
        self.host: Host = direct.host
        self.guest: Guest = direct.guest
        self.pairs: PairTable = direct.pairs
        self.settings: ClassicalSettings = direct.settings
        self.tail_energy_kj_per_mol = direct.tail_energy_kj_per_mol
        self.spacing_angstrom = spacing_angstrom
        self.hash = content_hash("grid", direct.hash, arrays.dims)

    def energies(
        self, fractional: np.ndarray, quaternions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Look up the interaction energies of a batch of insertions.

        Args:
            fractional: (B, 3) fractional position of the guest's body origin.
            quaternions: (B, 4) unit quaternions (w, x, y, z).

        Returns:
            (B,) energies in kJ/mol, +inf where overlapping, and (B,) overlap flags.
        """
        energy = np.empty(len(fractional))
        self.energies_in(fractional, quaternions, energy)
        return energy, np.isposinf(energy)

    def energies_in(self, fractional: np.ndarray, quaternions: np.ndarray, out: np.ndarray) -> None:
        """As `energies`, into an array of the caller's, +inf where overlapping."""
        from chem.grids.lookup import batch_energies

        batch_energies(
            np.ascontiguousarray(fractional, dtype=np.float64),
            np.ascontiguousarray(quaternions, dtype=np.float64),
            self.arrays,
            self.tail_energy_kj_per_mol,
            out,
        )

    def energies_and_forces(
        self, fractional: np.ndarray, quaternions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Look up energies and the force on every guest site, the gradient of the same spline.

        Args:
            fractional: (B, 3) fractional position of the guest's body origin.
            quaternions: (B, 4) unit quaternions (w, x, y, z).

        Returns:
            (B,) energies in kJ/mol, (B,) overlap flags, and (B, m, 3) site forces in
            kJ/mol/angstrom, zero where overlapping.
        """
        from chem.grids.forces import site_forces

        energy, overlap = self.energies(fractional, quaternions)
        arms = rotate_sites(quaternions, self.arrays.body)
        sites = np.asarray(fractional)[:, None] + rows_times_matrix(arms, self.arrays.inverse)
        forces = np.empty(sites.shape)
        site_forces(sites, self.arrays, energy, forces)
        return energy, overlap, forces

    def checked(self, check: GridCheck) -> GridModel:
        """Return the same model with its check."""
        return GridModel(self.direct, self.arrays, self.spacing_angstrom, check)
