"""The net charge of a cell: rounding is spread evenly and said, anything more is refused."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.errors import NetChargeError

NET_CHARGE_PER_ATOM_E = 1e-3
"""A net charge up to this much per atom is rounding, and is spread evenly over the atoms."""
EXACTLY_NEUTRAL_E = 1e-8
NOTEWORTHY_CHARGE_E = 1e-4


@dataclass(frozen=True)
class NeutralCharges:
    """Charges of one cell that add up to zero.

    Attributes:
        values_e: (n,) charges in e.
        net_found_e: their sum before anything was removed, e.
        removed_per_atom_e: what was subtracted from every atom, e.
    """

    values_e: np.ndarray
    net_found_e: float
    removed_per_atom_e: float

    @property
    def note(self) -> str | None:
        """What a result should say about the amount removed; None when it is negligible."""
        if abs(self.net_found_e) <= NOTEWORTHY_CHARGE_E or not self.removed_per_atom_e:
            return None
        return (
            f"net charge of {self.net_found_e:+.2e} e per cell spread evenly over "
            f"{len(self.values_e)} atoms"
        )


def neutralise(values_e: np.ndarray, origin: str) -> NeutralCharges:
    """Remove a rounding remainder evenly; refuse a real net charge.

    Args:
        values_e: (n,) charges of every atom of one cell, e.
        origin: where they come from, for the message.

    Raises:
        NetChargeError: the sum is more than ``NET_CHARGE_PER_ATOM_E`` per atom.
    """
    net = float(values_e.sum())
    if abs(net) <= EXACTLY_NEUTRAL_E:
        return NeutralCharges(values_e, net, 0.0)
    limit = NET_CHARGE_PER_ATOM_E * len(values_e)
    if abs(net) > limit:
        raise NetChargeError(
            f"{origin}: the partial charges of the cell add up to {net:+.4f} e over "
            f"{len(values_e)} atoms; up to {limit:.3g} e would pass as rounding. Correct the "
            "charges, or use --charges eqeq or eeq (estimates) or --charges none."
        )
    removed = net / len(values_e)
    return NeutralCharges(values_e - removed, net, removed)
