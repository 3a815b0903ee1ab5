"""Mixes guest sites with host atoms: Lennard-Jones pairs and the charges to use.

References:
    [1] Lorentz, Ann. Phys. 248 (1881) 127; Berthelot, C. R. Acad. Sci. 126 (1898) 1703.
    [2] Jorgensen, Maxwell, Tirado-Rives, J. Am. Chem. Soc. 118 (1996) 11225.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from chem.site_types import ForceField, Mixing, SiteType, sorted_pair
from data.constants import GAS_CONSTANT_KJ_PER_MOL_K
from data.errors import MissingChargesError, MissingParametersError, NetChargeError
from data.records import Guest, Host, PairTable

GUEST_NEUTRAL_E = 1e-6
HOST_ROUNDING_PER_ATOM_E = 1e-3


def combine(
    one: tuple[float, float], two: tuple[float, float], rule: Mixing
) -> tuple[float, float]:
    """Return the mixed (epsilon, sigma) of two site types [1, 2].

    Lorentz-Berthelot: ``eps = sqrt(eps1 eps2)``, ``sigma = (sigma1 + sigma2) / 2``; geometric:
    both as geometric means.
    """
    epsilon = float(np.sqrt(one[0] * two[0]))
    if rule == "geometric":
        return epsilon, float(np.sqrt(one[1] * two[1]))
    return epsilon, 0.5 * (one[1] + two[1])


def mix_pairs(
    host: Host, guest: Guest, ff: ForceField, *, charges: Literal["cif", "none"] = "cif"
) -> PairTable:
    """Return pair parameters and charges of one guest in one host.

    A host atom takes the type named like its label, else its element. A guest site keeps its
    own parameters unless the force field has a guest type of its name. Host charges come from
    the structure, else from the force field.

    Args:
        host: the framework.
        guest: the molecule.
        ff: the force field.
        charges: ``none`` switches all charges off; ``cif`` requires them when the guest has any.

    Returns:
        Pair table in kJ/mol, angstrom and e.

    Raises:
        MissingParametersError: a host atom or guest site has no parameters.
        MissingChargesError: the guest is charged and the host has no charges.
        NetChargeError: guest or host charges do not add up to zero.
    """
    host_types = _host_types(host, ff)
    guest_lj = guest_lennard_jones(guest, ff)
    epsilon, sigma = _pair_tables(host_types, guest, guest_lj, ff)
    guest_charges = np.zeros(len(guest.site_types))
    host_charges = np.zeros(len(host.elements))
    sources = [f"force field {ff.name}: {ff.source}", f"guest {guest.name}: {guest.source}"]
    if charges == "none":
        sources.append("charges: none, as asked")
    elif ff.without_charges:
        sources.append(f"charges: none, as force field {ff.name} says")
    else:
        guest_charges = _guest_charges(guest, ff)
        if guest_charges.any():
            host_charges = _host_charges(host, host_types, guest, ff, sources)
    explicit = _explicit_pairs(host_types, guest, ff)
    if explicit:
        sources.append(f"pairs given by {ff.name} in place of mixing: " + ", ".join(explicit))
    silent = sorted({t.name for t in host_types if t.epsilon_k is None})
    if silent:
        sources.append(
            f"host types declared without interaction in {ff.name}, no Lennard-Jones: "
            + ", ".join(silent)
        )
    return PairTable(
        epsilon_kj_per_mol=epsilon * GAS_CONSTANT_KJ_PER_MOL_K,
        sigma_angstrom=sigma,
        guest_charges_e=guest_charges,
        host_charges_e=host_charges,
        force_field=ff.name,
        sources=tuple(sources),
    )


def _host_types(host: Host, ff: ForceField) -> list[SiteType]:
    """Return the type of every host atom, or raise naming all that are missing."""
    kinds = list(zip(host.labels, host.elements, strict=True))
    found = {kind: ff.host_type(*kind) for kind in dict.fromkeys(kinds)}
    missing = [kind for kind, site in found.items() if site is None]
    if missing:
        shown = ", ".join(f"{label} (element {element})" for label, element in missing[:8])
        more = f" and {len(missing) - 8} more" if len(missing) > 8 else ""
        raise MissingParametersError(
            f"Force field {ff.name} has no type for host atoms {shown}{more} of {host.name}. "
            f"Its types: {_few(ff)}. A host atom is looked up by its CIF label, then by its "
            "element; choose another force field or add these types."
        )
    chosen = {kind: site for kind, site in found.items() if site is not None}
    return [chosen[kind] for kind in kinds]


def _few(ff: ForceField) -> str:
    """Return the names of a force field's types, shortened."""
    names = list(ff.types)
    return ", ".join(names[:30]) + (f" and {len(names) - 30} more" if len(names) > 30 else "")


def guest_lennard_jones(guest: Guest, ff: ForceField) -> list[tuple[float, float]]:
    """Return (epsilon over k_B, sigma) of every guest site."""
    own = zip(guest.site_types, guest.epsilon_k, guest.sigma_angstrom, strict=True)
    found, missing = [], []
    for name, epsilon, sigma in own:
        site = ff.guest_type(name)
        if site is not None and site.epsilon_k is not None and site.sigma_angstrom is not None:
            found.append((site.epsilon_k, site.sigma_angstrom))
        elif np.isfinite(epsilon) and np.isfinite(sigma):
            found.append((float(epsilon), float(sigma)))
        elif site is not None:
            found.append((0.0, 1.0))
        else:
            missing.append(name)
    if missing:
        raise MissingParametersError(
            f"Guest {guest.name} brings no parameters for its site types "
            f"{', '.join(dict.fromkeys(missing))}, and force field {ff.name} has none for guests. "
            f"Its types: {_few(ff)}. Give a force_field.json that lists them, or a bundled guest."
        )
    return found


def _pair_tables(
    host_types: list[SiteType],
    guest: Guest,
    guest_lj: list[tuple[float, float]],
    ff: ForceField,
) -> tuple[np.ndarray, np.ndarray]:
    """Return (m, n) epsilon over k_B and sigma, overrides applied."""
    names = list(dict.fromkeys(t.name for t in host_types))
    by_name = {t.name: t for t in host_types}
    column = np.array([names.index(t.name) for t in host_types])
    table = np.zeros((2, len(guest_lj), len(names)))
    for row, (site_name, own) in enumerate(zip(guest.site_types, guest_lj, strict=True)):
        for col, name in enumerate(names):
            host_type = by_name[name]
            host_lj = (host_type.epsilon_k or 0.0, host_type.sigma_angstrom or 1.0)
            override = ff.pairs.get(sorted_pair(site_name, name))
            table[:, row, col] = override or combine(own, host_lj, ff.mixing)
    return table[0][:, column], table[1][:, column]


def _explicit_pairs(host_types: list[SiteType], guest: Guest, ff: ForceField) -> list[str]:
    """Return the pairs that an override decides, as text."""
    hosts = sorted({t.name for t in host_types})
    return [
        f"{site}-{name}"
        for site in dict.fromkeys(guest.site_types)
        for name in hosts
        if sorted_pair(site, name) in ff.pairs
    ]


def _guest_charges(guest: Guest, ff: ForceField) -> np.ndarray:
    """Return the charges of the guest sites; they must add up to zero."""
    charges, origins = np.array(guest.charges_e, dtype=float), []
    for index, name in enumerate(guest.site_types):
        site = ff.guest_type(name)
        if site is not None and site.charge_e is not None:
            charges[index] = site.charge_e
            origins.append(name)
    unknown = [n for n, q in zip(guest.site_types, charges, strict=True) if np.isnan(q)]
    if unknown:
        raise MissingChargesError(
            f"Guest {guest.name} has no charges for {', '.join(dict.fromkeys(unknown))}: neither "
            f"its file nor force field {ff.name} gives them. List these types in PseudoAtoms, "
            "or use --charges none."
        )
    net = float(charges.sum())
    if abs(net) > GUEST_NEUTRAL_E * len(charges):
        taken = f" ({', '.join(dict.fromkeys(origins))} from {ff.name})" if origins else ""
        raise NetChargeError(
            f"The charges of guest {guest.name} add up to {net:+.4g} e{taken}, expected zero. "
            "Correct the charges, or use --charges none."
        )
    return charges


def _host_charges(
    host: Host, types: list[SiteType], guest: Guest, ff: ForceField, sources: list[str]
) -> np.ndarray:
    """Return host charges from the structure, else from the force field."""
    if host.charges_e is not None:
        sources.append("host charges: from the structure")
        return np.array(host.charges_e, dtype=float)
    lacking = sorted({t.name for t in types if t.charge_e is None})
    if lacking:
        raise MissingChargesError(
            f"Guest {guest.name} is charged, but host {host.name} has no partial charges and "
            f"force field {ff.name} has none for {', '.join(lacking[:8])}. Give a CIF with a "
            "column _atom_site_charge or --charges FILE, let --charges eqeq or eeq estimate them, "
            "or use --charges none to leave charges out."
        )
    charges = np.array([t.charge_e for t in types], dtype=float)
    net = float(charges.sum())
    if abs(net) > HOST_ROUNDING_PER_ATOM_E * len(charges):
        raise NetChargeError(
            f"The charges force field {ff.name} gives host {host.name} add up to {net:+.4f} e per "
            "cell, expected zero. Correct them, give a CIF with charges, or use --charges none."
        )
    sources.append(f"host charges: from force field {ff.name}")
    return charges - net / len(charges)
