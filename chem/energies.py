"""The classical interaction energy of one rigid guest with one rigid periodic host."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

import numpy as np

from chem import ewald
from chem.geometry import (
    NeighbourList,
    build_neighbour_list,
    choose_bins,
    rows_times_matrix,
    wrap_fractional,
)
from chem.pair_potential import (
    TRUNCATIONS,
    core_radii_angstrom,
    cutoff_terms,
    quantum_angstrom2,
)
from chem.rotations import rotate_sites
from chem.tails import tail_energy_kj_per_mol
from data.constants import COULOMB_KJ_ANGSTROM_PER_MOL_E2
from data.errors import NetChargeError, SettingsError
from data.records import Guest, Host, PairTable, content_hash

if TYPE_CHECKING:
    from chem.kernels import Charges, Cores, Pairs

__all__ = ["ClassicalModel", "ClassicalSettings", "core_radii_angstrom"]

_CHUNK = 16_384
_NEUTRAL_TOLERANCE_E = 1e-3


@dataclass(frozen=True)
class ClassicalSettings:
    """How the classical energy is cut off and summed.

    Attributes:
        cutoff_angstrom: cutoff of Lennard-Jones and of the real part of Ewald.
        lj: "truncated" cuts the pair energy at the cutoff, "shifted" also subtracts its
            value there, "force-shifted" its value and its slope (see `chem.pair_potential`).
        tail_correction: add the analytic tail; only with "truncated".
        ewald_precision: relative precision, see `chem.ewald`; between 1e-8 and 1e-3.
        feynman_hibbs_k: temperature of the Feynman-Hibbs effective potential, kelvin; the
            energies then hold for this temperature alone. None for a classical guest.
    """

    cutoff_angstrom: float = 12.0
    lj: str = "truncated"
    tail_correction: bool = False
    ewald_precision: float = 1e-6
    feynman_hibbs_k: float | None = None

    def __post_init__(self) -> None:
        """Check the bounds.

        Raises:
            SettingsError: a value is out of its bounds or contradicts another one.
        """
        if not (math.isfinite(self.cutoff_angstrom) and self.cutoff_angstrom > 0.0):
            raise SettingsError(
                f"the cutoff must be a positive length in angstrom, got {self.cutoff_angstrom}"
            )
        if self.lj not in TRUNCATIONS:
            raise SettingsError(f"lj must be one of {', '.join(TRUNCATIONS)}, got {self.lj!r}")
        if self.tail_correction and self.lj != "truncated":
            raise SettingsError(
                "a tail correction belongs to the truncated potential; a shifted one has none. "
                "Use lj truncated, or leave the tail correction out"
            )
        if not 1e-8 <= self.ewald_precision <= 1e-3:
            raise SettingsError(
                f"ewald_precision must lie between 1e-8 and 1e-3, got {self.ewald_precision}"
            )
        kelvin = self.feynman_hibbs_k
        if kelvin is not None and not (math.isfinite(kelvin) and kelvin > 0.0):
            raise SettingsError(
                f"feynman_hibbs_k must be a positive temperature in K or None, got {kelvin}"
            )


class ClassicalModel:
    """Lennard-Jones plus Ewald energy of a rigid guest in a rigid periodic host.

    The guest's own periodic images are left out: the energy is that of one guest with the
    infinite host. A site closer to a host atom than their core radius is an overlap, with
    energy +inf. Instances are read-only after construction and safe to share by threads.

    Attributes:
        host, guest, pairs, settings: what it was built from.
        core_radii_angstrom: (m, n) core radius of guest site by host atom, angstrom.
        quantum_angstrom2: Q of the Feynman-Hibbs potential, zero for a classical guest.
        tail_energy_kj_per_mol: the constant tail correction included in every energy.
        hash: content hash of all of it.
    """

    def __init__(
        self,
        host: Host,
        guest: Guest,
        pairs: PairTable,
        settings: ClassicalSettings | None = None,
        core_energy_k: float = 1e5,
        extra_core_radii_angstrom: np.ndarray | None = None,
    ) -> None:
        """Prepare neighbour lists and structure factors.

        Args:
            host: the framework, n atoms.
            guest: the molecule, m sites.
            pairs: mixed parameters of the two.
            settings: cutoff, truncation, tail and Ewald precision.
            core_energy_k: pair energy over k_B that marks the hard core, kelvin.
            extra_core_radii_angstrom: (m, n) upper limits of the core radii, angstrom.

        Raises:
            SettingsError: shapes do not fit, or the core energy is not positive.
            NetChargeError: host or guest charges do not add up to zero.
        """
        self.host, self.guest, self.pairs = host, guest, pairs
        self.settings = settings or ClassicalSettings()
        if not core_energy_k > 0.0:
            raise SettingsError(f"core_energy_k must be positive, got {core_energy_k}")
        self._check_pairs()
        self.core_radii_angstrom = core_radii_angstrom(
            pairs.epsilon_kj_per_mol, pairs.sigma_angstrom, core_energy_k
        )
        if extra_core_radii_angstrom is not None:
            if np.shape(extra_core_radii_angstrom) != self.core_radii_angstrom.shape:
                raise SettingsError(
                    f"the extra core radii are {np.shape(extra_core_radii_angstrom)}, expected "
                    f"{self.core_radii_angstrom.shape} (guest sites by host atoms)"
                )
            self.core_radii_angstrom = np.minimum(
                self.core_radii_angstrom, extra_core_radii_angstrom
            )
        self.quantum_angstrom2 = self._quantum()
        self.tail_energy_kj_per_mol = self._tail()
        self.hash = content_hash(
            host.hash,
            guest.hash,
            pairs.hash,
            astuple(self.settings),
            self.quantum_angstrom2,
            self.core_radii_angstrom,
        )
        self._lattice = np.array(host.lattice_angstrom, dtype=np.float64, order="C")
        self._inverse = np.ascontiguousarray(np.linalg.inv(self._lattice))
        self._body = np.array(guest.positions_angstrom, dtype=np.float64).reshape(-1, 3)
        self._prepare()

    @property
    def kernel_inputs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, Cores, Pairs, Charges]:
        """Lattice, bins, inverse lattice, cores, pairs and charges, for other compiled code."""
        return (self._lattice, self._bins, *self._arguments)

    def energies(
        self, fractional: np.ndarray, quaternions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Compute the interaction energies of a batch of insertions.

        Args:
            fractional: (B, 3) fractional position of the guest's body origin.
            quaternions: (B, 4) unit quaternions (w, x, y, z).

        Returns:
            (B,) energies in kJ/mol, +inf where overlapping, and (B,) overlap flags.
        """
        energy = self._run(fractional, quaternions, None)
        return energy, np.isposinf(energy)

    def energies_and_forces(
        self, fractional: np.ndarray, quaternions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Compute energies and the force on every guest site.

        Args:
            fractional: (B, 3) fractional position of the guest's body origin.
            quaternions: (B, 4) unit quaternions (w, x, y, z).

        Returns:
            (B,) energies in kJ/mol, (B,) overlap flags, and (B, m, 3) site forces in
            kJ/mol/angstrom, zero where overlapping.
        """
        forces = np.empty((len(fractional), len(self._body), 3))
        energy = self._run(fractional, quaternions, forces)
        return energy, np.isposinf(energy), forces

    def _run(
        self, fractional: np.ndarray, quaternions: np.ndarray, forces: np.ndarray | None
    ) -> np.ndarray:
        from chem.kernels import interaction_energies

        fractional = np.asarray(fractional, dtype=np.float64)
        quaternions = np.asarray(quaternions, dtype=np.float64)
        energy = np.empty(len(fractional))
        for start in range(0, len(fractional), _CHUNK):
            part = slice(start, start + _CHUNK)
            origins = rows_times_matrix(wrap_fractional(fractional[part]), self._lattice)
            sites = origins[:, None] + rotate_sites(quaternions[part], self._body)
            wrapped = wrap_fractional(rows_times_matrix(sites, self._inverse))
            cells = np.minimum((wrapped * self._bins).astype(np.int64), self._bins - 1)
            index = (cells[..., 0] * self._bins[1] + cells[..., 1]) * self._bins[2] + cells[..., 2]
            out = None if forces is None else forces[part]
            points = rows_times_matrix(wrapped, self._lattice)
            interaction_energies(points, wrapped, index, *self._arguments, energy[part], out)
        return energy + self.tail_energy_kj_per_mol

    def _check_pairs(self) -> None:
        shape = (len(self.guest.site_types), len(self.host.elements))
        if self.pairs.epsilon_kj_per_mol.shape != shape:
            raise SettingsError(
                f"the pair table is {self.pairs.epsilon_kj_per_mol.shape}, but guest "
                f"{self.guest.name} and host {self.host.name} need {shape}"
            )
        if not self.pairs.has_charges:
            return
        for name, charges in (
            (f"host {self.host.name}", self.pairs.host_charges_e),
            (f"guest {self.guest.name}", self.pairs.guest_charges_e),
        ):
            if abs(float(charges.sum())) > _NEUTRAL_TOLERANCE_E:
                raise NetChargeError(
                    f"{name} has a net charge of {charges.sum():+.4f} e; Ewald summation needs "
                    "neutral host and guest. Correct the charges, or use none"
                )

    def _quantum(self) -> float:
        kelvin = self.settings.feynman_hibbs_k
        if kelvin is None:
            return 0.0
        return quantum_angstrom2(self.guest.molar_mass_g_per_mol, kelvin)

    def _tail(self) -> float:
        if not self.settings.tail_correction:
            return 0.0
        return tail_energy_kj_per_mol(
            self.pairs.epsilon_kj_per_mol,
            self.pairs.sigma_angstrom,
            self.settings.cutoff_angstrom,
            self.host.volume_angstrom3,
            self.quantum_angstrom2,
        )

    def _prepare(self) -> None:
        """Lay out everything the kernel reads: neighbour lists, pair terms, charges."""
        from chem.kernels import Cores, Pairs

        cutoff = self.settings.cutoff_angstrom
        types, epsilon, sigma, core = self._atom_types()
        self._bins = choose_bins(self._lattice, cutoff, len(types))
        reach = np.where((epsilon > 0.0).any(axis=0) | self.pairs.has_charges, cutoff, 0.0)
        near = self._neighbours(types, reach)
        close = self._neighbours(types, core.max(axis=0, initial=0.0))
        shift, slope = cutoff_terms(
            epsilon, sigma, cutoff, self.settings.lj, self.quantum_angstrom2
        )
        pairs = Pairs(
            four_epsilon=4.0 * epsilon,
            sigma2=sigma * sigma,
            shift=shift,
            slope=slope,
            quantum=self.quantum_angstrom2,
            cutoff2=cutoff * cutoff,
            starts=near.starts,
            positions=near.positions_angstrom,
        )
        cores = Cores(core, close.starts, close.positions_angstrom)
        self._arguments = (self._inverse, cores, pairs, self._charges(near.atoms))

    def _atom_types(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Group host atoms with equal parameters.

        Returns:
            (n,) type of each atom, and (m, types) epsilon, sigma and core radius.
        """
        columns = np.concatenate(
            [self.pairs.epsilon_kj_per_mol, self.pairs.sigma_angstrom, self.core_radii_angstrom]
        )
        unique, types = np.unique(columns, axis=1, return_inverse=True)
        epsilon, sigma, core = (np.array(part, order="C") for part in np.split(unique, 3))
        return types.reshape(-1), epsilon, sigma, core

    def _neighbours(self, types: np.ndarray, reach_angstrom: np.ndarray) -> NeighbourList:
        """Neighbour lists of the host atoms, each type with its own reach."""
        fractional = np.asarray(self.host.fractional, dtype=np.float64)
        return build_neighbour_list(fractional, self._lattice, types, reach_angstrom, self._bins)

    def _charges(self, atoms: np.ndarray) -> Charges:
        """Coulomb part for the neighbour-list entries of these host atoms."""
        from chem.kernels import Charges

        # Own copies: a read-only array would compile a second kernel.
        switch = float(self.pairs.has_charges)
        guest = np.array(self.pairs.guest_charges_e, dtype=np.float64) * switch
        host = np.array(self.pairs.host_charges_e, dtype=np.float64) * switch
        table = ewald.build_table(
            np.asarray(self.host.fractional, dtype=np.float64),
            self._lattice,
            host,
            self.settings.cutoff_angstrom,
            self.settings.ewald_precision,
        )
        return Charges(
            guest=guest,
            host=COULOMB_KJ_ANGSTROM_PER_MOL_E2 * host[atoms],
            screening=table.screening,
            limits=table.limits,
            rows=table.rows,
            row_lengths=table.row_lengths,
            coefficients=table.coefficients,
        )
