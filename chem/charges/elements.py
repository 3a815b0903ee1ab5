"""Electronegativity and hardness of an element from its ionisation energies.

Wilmer, Kim and Snurr [1] expand an atom's energy about a charge centre c, an integer charge,

    E(Q) = E(c) + chi (Q - c) + J/2 (Q - c)^2,   chi = (I_{c+1} + I_c) / 2,   J = I_{c+1} - I_c

with the n-th ionisation energy I_n and the electron affinity I_0. Metals are expanded about their
oxidation state, everything else about neutrality. Written about Q = 0 the linear term is
chi - c J. Hydrogen keeps its I_1 but takes I_0 = -2 eV, an effective value of [1].

Ionisation energies and electron affinities are those of pymatgen's table of the elements: NIST's
[2], as the tests check against the older compilation [3] that [1] used.

References:
    [1] Wilmer, Kim, Snurr, J. Phys. Chem. Lett. 3 (2012) 2506.
    [2] Kramida, Ralchenko, Reader, NIST ASD Team, NIST Atomic Spectra Database.
    [3] Moore, NSRDS-NBS 34 (1970); Andersen, Haugen, Hotop, J. Phys. Chem. Ref. Data 28 (1999)
        1511.
    [4] Ongari, Boyd, Kadioglu, Mace, Keskin, Smit, J. Chem. Theory Comput. 15 (2019) 382.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from data.errors import MissingParametersError

HYDROGEN_IONISATION_EV = 13.598
"""As rounded in [1]."""

_BY_CENTRE = {
    1: "Li Na K Rb Cs Ag Au Tl",
    2: "Be Mg Ca Sr Ba Mn Fe Co Ni Cu Zn Cd Hg Sn Pb Ru Rh Pd Pt Eu Ra",
    3: "Al Ga In Sc Y La Ce Pr Nd Pm Sm Gd Tb Dy Ho Er Tm Yb Lu Ac Cr Sb Bi Ir Os",
    4: "Ti V Zr Hf Nb Ta Mo W Tc Re Th Pa U Np Pu Si Ge",
}
METAL_CENTRES: Mapping[str, int] = MappingProxyType(
    {symbol: centre for centre, symbols in _BY_CENTRE.items() for symbol in symbols.split()}
)
"""Charge centre of each metal: those of [1] (Mg, Co, Ni, Cu, Zn, Pd 2; V 4) and of the authors'
program (Zr 4), for the others a common oxidation state, after [4]. Absent elements have 0."""


def element_parameters(
    symbol: str, centre: int, hydrogen_affinity_ev: float
) -> tuple[float, float]:
    """Return electronegativity about Q = 0 (eV per e) and hardness (eV per e squared).

    Args:
        symbol: element.
        centre: the charge to expand about, 0 or more.
        hydrogen_affinity_ev: I_0 of hydrogen.

    Raises:
        MissingParametersError: an ionisation energy or the electron affinity is unknown.
    """
    if symbol == "H" and centre == 0:
        lower, upper = hydrogen_affinity_ev, HYDROGEN_IONISATION_EV
    else:
        lower, upper = _energy_ev(symbol, centre), _energy_ev(symbol, centre + 1)
    hardness = upper - lower
    return 0.5 * (upper + lower) - centre * hardness, hardness


def parameters_of(
    symbols: Iterable[str], centres: Mapping[str, int], hydrogen_affinity_ev: float
) -> dict[str, tuple[float, float]]:
    """Return `element_parameters` of every element, or raise naming all that have none."""
    found, missing = {}, []
    for symbol in sorted(set(symbols)):
        try:
            found[symbol] = element_parameters(symbol, centres.get(symbol, 0), hydrogen_affinity_ev)
        except MissingParametersError as error:
            missing.append(str(error))
    if missing:
        raise MissingParametersError(
            f"EQeq has no parameters for {'; '.join(missing)}. Use --charges eeq, a file of "
            "charges, or --charges none."
        )
    return found


def _energy_ev(symbol: str, order: int) -> float:
    """Return I_n, or the electron affinity for n = 0."""
    from pymatgen.core.periodic_table import Element

    value = None
    if Element.is_valid_symbol(symbol):
        data = Element(symbol).data
        energies = data.get("Ionization energies") or []
        if order == 0:
            value = data.get("Electron affinity")
        elif order <= len(energies):
            value = energies[order - 1]
    if value is None:
        what = "no electron affinity" if order == 0 else f"no ionisation energy {order}"
        raise MissingParametersError(f"{symbol} ({what} is tabulated)")
    return float(value)
