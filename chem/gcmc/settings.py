"""What a grand-canonical run may be told, with its bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass

from chem.gcmc.gas_phase import CriticalConstants
from data.errors import SettingsError

STARTS = ("empty", "previous")
LEAST_BLOCKS = 5


@dataclass(frozen=True)
class GcmcSettings:
    """How a grand-canonical chain runs. A cycle is max(20, N) moves.

    Attributes:
        initialisation_cycles: cycles before sampling; step sizes adapt in these alone.
        production_cycles: cycles that are averaged.
        blocks: blocks of the error estimate, at least 5.
        swap, translation, rotation, reinsertion: relative probabilities of the moves; half of
            the swaps insert, half delete.
        start: "empty" runs every pressure from the empty host, side by side; "previous" one
            after the other, each from where the one before it ended.
        fugacity_coefficient: f / p for all pressures; None takes Peng-Robinson.
        critical: constants for Peng-Robinson; None looks them up by the guest's formula.
        repeats: cells of the host along its three vectors; None takes the fewest that are two
            cutoffs wide.
        ewald_precision: of the guest-guest sum, see `chem.ewald`; 1e-5 is good to 5e-4 kJ/mol
            a guest for dense CO2.
        own_images: let a guest interact with its own periodic images, as RASPA does. Without,
            the limit of low pressure is the Henry coefficient exactly, in any box.
        pilot_insertions: host energies from which the density of insertions is learned; 0
            inserts uniformly. The acceptance corrects for it exactly.
    """

    initialisation_cycles: int = 2_000
    production_cycles: int = 10_000
    blocks: int = 20
    swap: float = 2.0
    translation: float = 0.5
    rotation: float = 0.5
    reinsertion: float = 0.5
    start: str = "empty"
    fugacity_coefficient: float | None = None
    critical: CriticalConstants | None = None
    repeats: tuple[int, int, int] | None = None
    ewald_precision: float = 1e-5
    own_images: bool = False
    pilot_insertions: int = 100_000

    def __post_init__(self) -> None:
        """Check the bounds.

        Raises:
            SettingsError: a value is out of its bounds.
        """
        self._check_lengths()
        weights = (self.swap, self.translation, self.rotation, self.reinsertion)
        if not all(math.isfinite(w) and w >= 0.0 for w in weights) or self.swap <= 0.0:
            raise SettingsError(
                "move probabilities must be finite and not negative, that of swaps positive; got "
                f"swap, translation, rotation, reinsertion = {weights}"
            )
        if self.start not in STARTS:
            raise SettingsError(f"start must be one of {', '.join(STARTS)}, got {self.start!r}")
        phi = self.fugacity_coefficient
        if phi is not None and not (math.isfinite(phi) and phi > 0.0):
            raise SettingsError(f"the fugacity coefficient must be positive, got {phi}")
        if self.repeats is not None and min(self.repeats) < 1:
            raise SettingsError(f"repeats must be at least 1, got {self.repeats}")
        if not 1e-8 <= self.ewald_precision <= 1e-3:
            raise SettingsError(
                f"ewald_precision must lie between 1e-8 and 1e-3, got {self.ewald_precision}"
            )

    def _check_lengths(self) -> None:
        if self.initialisation_cycles < 0 or self.pilot_insertions < 0:
            raise SettingsError(
                "initialisation cycles and pilot insertions must not be negative, got "
                f"{self.initialisation_cycles} and {self.pilot_insertions}"
            )
        if self.blocks < LEAST_BLOCKS:
            raise SettingsError(f"an error needs at least {LEAST_BLOCKS} blocks, got {self.blocks}")
        if self.production_cycles < 2 * self.blocks:
            raise SettingsError(
                f"{self.blocks} blocks need at least {2 * self.blocks} production cycles, got "
                f"{self.production_cycles}"
            )
