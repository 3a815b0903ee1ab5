"""The contract of the classical level: what every model of host-guest energies offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np

    from chem.energies import ClassicalSettings
    from data.records import Guest, Host, PairTable


class EnergyModel(Protocol):
    """Anything that gives insertions their energies: direct sums or grids.

    Attributes:
        host, guest, pairs, settings: what it was built from.
        hash: content hash of all that decides the energies.
    """

    host: Host
    guest: Guest
    pairs: PairTable
    settings: ClassicalSettings
    hash: str

    def energies(
        self, fractional: np.ndarray, quaternions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the energies of insertions.

        Args:
            fractional: (B, 3) fractional positions of the body origin.
            quaternions: (B, 4) unit quaternions (w, x, y, z).

        Returns:
            (B,) energies in kJ/mol, +inf where overlapping, and (B,) overlap flags.
        """
        ...
