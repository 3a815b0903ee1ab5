"""The host, guest and settings of every comparison with RASPA3."""

from __future__ import annotations

from dataclasses import dataclass

from chem.energies import ClassicalSettings
from chem.force_fields import load_force_field
from chem.guests import load_guest
from chem.hosts import load_host
from chem.mixing import mix_pairs
from chem.system import System
from common.raspa import repeats_for
from data.records import Host


@dataclass(frozen=True)
class Case:
    """One Henry coefficient that both engines compute.

    Attributes:
        host: bundled host.
        guest: bundled guest.
        force_field: bundled force field of the host atoms, mixed by Lorentz-Berthelot.
        temperature_k: temperature, K.
        lj: "truncated" or "shifted" at 12 angstrom; no tail correction.
        goal: the ratio of CPU seconds that the project asks for.
    """

    host: str
    guest: str
    force_field: str
    temperature_k: float
    lj: str
    goal: float

    @property
    def name(self) -> str:
        """Guest and host, as shown to people."""
        return f"{self.guest.partition(':')[0]} / {self.host}"

    @property
    def settings(self) -> ClassicalSettings:
        """Cutoff 12 angstrom, Ewald to 1e-6, as RASPA3 has it by default."""
        return ClassicalSettings(12.0, self.lj)

    def system(self, *, primitive: bool = True) -> System:
        """Return the system, in the host's primitive cell or in the cell of its file."""
        host = load_host(self.host, primitive=primitive)
        guest = load_guest(self.guest)
        pairs = mix_pairs(host, guest, load_force_field(self.force_field))
        return System(host, guest, pairs, self.settings)

    def system_for_raspa(self) -> System:
        """Return the system in whichever of the two cells costs RASPA fewer atoms."""

        def atoms(host: Host) -> int:
            a, b, c = repeats_for(host, self.settings.cutoff_angstrom)
            return a * b * c * len(host.elements)

        both = [self.system(primitive=True), self.system(primitive=False)]
        return min(both, key=lambda system: atoms(system.host))


CASES = (
    Case("IRMOF-1", "CO2:Garcia-Sanchez", "IRMOF-1-Dubbeldam", 298.0, "shifted", 30.0),
    Case("IRMOF-1", "N2:Martin-Calvo", "IRMOF-1-Dubbeldam", 298.0, "shifted", 30.0),
    Case("MFI_SI", "CO2:Garcia-Sanchez", "TraPPE-zeo", 300.0, "shifted", 30.0),
    Case("Mg-MOF-74", "CO2", "UFF", 298.15, "truncated", 300.0),
    Case("Mg-MOF-74", "N2", "UFF", 298.15, "truncated", 30.0),
    Case("CALF-20", "N2", "UFF", 298.15, "truncated", 30.0),
    Case("Cu-BTC", "CO2", "UFF", 298.15, "truncated", 300.0),
)
