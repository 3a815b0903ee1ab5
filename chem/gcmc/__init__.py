"""Grand-canonical Monte Carlo of one rigid guest in a rigid host: adsorption isotherms."""

from chem.gcmc.guest_mixing import GuestPairTable, mix_guests
from chem.gcmc.isotherm import run_isotherm
from chem.gcmc.loading import LoadingPoint, excess_mol_per_kg, working_capacity
from chem.gcmc.settings import GcmcSettings

__all__ = [
    "GcmcSettings",
    "GuestPairTable",
    "LoadingPoint",
    "excess_mol_per_kg",
    "mix_guests",
    "run_isotherm",
    "working_capacity",
]
