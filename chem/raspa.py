"""Reads RASPA3's ``force_field.json`` as it is.

Keys that do not bear on a rigid guest in a rigid host (printing, critical constants, sources,
Ewald and grid parameters) are passed over; potentials other than Lennard-Jones and truncation
pair by pair are refused by name. As in RASPA3, letter case of keys is ignored, a file without
TruncationMethod truncates, and the pairs of BinaryInteractions win over the mixing rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from chem.bounds import LARGEST_EPSILON_K, LARGEST_SIGMA_ANGSTROM, ChargeE, CutoffAngstrom
from chem.json_files import Finite, RaspaEntry, checked, read_json_object
from chem.site_types import ForceField, Mixing, SiteType, Truncation, sorted_pair
from data.errors import ForceFieldError

CutOff = Literal["auto"] | CutoffAngstrom | None
Names = tuple[str, str]

MIXING_RULES: dict[str, Mixing] = {
    "lorentz-berthelot": "lorentz-berthelot",
    "jorgensen": "geometric",
    "geometric": "geometric",
}
TRUNCATIONS: dict[str, Truncation] = {
    "truncated": "truncated",
    "shifted": "shifted",
    "force-shifted": "force-shifted",
}
NO_INTERACTION = {"none", "zero", "zero-potential"}
LENNARD_JONES = {"lennard-jones", "lennardjones"}
FORCE_SHIFTED = {"lennard-jones-shifted-force", "lennardjonesshiftedforce"}
FEYNMAN_HIBBS = {"feynman-hibbs-lennard-jones", "feynmannhibbs"}


class PseudoAtom(RaspaEntry):
    """One entry of PseudoAtoms."""

    name: str = Field(min_length=1, description="type name")
    framework: bool = Field(default=False, description="whether the type belongs to the host")
    element: str = Field(default="", description="element symbol, empty for a site that is none")
    mass: Finite | None = Field(default=None, ge=0.0, description="mass, g/mol")
    charge: ChargeE | None = Field(default=None, description="partial charge, e")


class SelfInteraction(RaspaEntry):
    """One entry of SelfInteractions."""

    name: str = Field(min_length=1, description="type name")
    type: str = Field(default="lennard-jones", description="kind of potential")
    parameters: list[Finite] = Field(default=[], description="[epsilon/k_B in K, sigma in A]")


class BinaryInteraction(RaspaEntry):
    """One entry of BinaryInteractions."""

    names: Names = Field(description="the two type names")
    type: str = Field(default="lennard-jones", description="kind of potential")
    parameters: list[Finite] = Field(default=[], description="[epsilon/k_B in K, sigma in A]")


class ForceFieldFile(RaspaEntry):
    """The whole force_field.json; keys in lower case."""

    pseudoatoms: list[PseudoAtom] = Field(default=[], description="types, charges and masses")
    selfinteractions: list[SelfInteraction] = Field(default=[], description="potentials")
    binaryinteractions: list[BinaryInteraction] = Field(default=[], description="overrides")
    mixingrule: str = Field(default="Lorentz-Berthelot", description="rule for unlike types")
    truncationmethod: str | None = Field(default=None, description="truncated or shifted")
    tailcorrections: bool | None = Field(default=None, description="analytic tail")
    cutoffframeworkvdw: CutOff = Field(default=None, description="host-guest cutoff, angstrom")
    cutoffvdw: CutOff = Field(default=None, description="every Lennard-Jones cutoff, angstrom")
    cutoff: CutOff = Field(default=None, description="every cutoff, angstrom")
    chargemethod: str = Field(default="Ewald", description="Ewald or None")
    shiftedpotentialpairs: list[Names] = Field(default=[], description="pairs to shift")
    truncatedpotentialpairs: list[Names] = Field(default=[], description="pairs to truncate")
    tailcorrectionpairs: list[Names] = Field(default=[], description="pairs with a tail")
    notailcorrectionpairs: list[Names] = Field(default=[], description="pairs without a tail")

    @property
    def cutoff_angstrom(self) -> float | None:
        """The cutoff between host and guest, None when absent or automatic."""
        for given in (self.cutoffframeworkvdw, self.cutoffvdw, self.cutoff):
            if given is not None:
                return None if isinstance(given, str) else given
        return None


def lennard_jones(kind: str, parameters: list[float], where: str) -> tuple[float, float]:
    """Return (epsilon over k_B, sigma) of one potential entry.

    Raises:
        ForceFieldError: another potential, too few numbers, or a negative one.
    """
    potential = kind.strip().lower()
    if potential in NO_INTERACTION:
        return 0.0, 1.0
    if potential not in LENNARD_JONES | FORCE_SHIFTED:
        hint = ""
        if potential in FEYNMAN_HIBBS:
            hint = " For the quantum correction write lennard-jones and use --feynman-hibbs."
        raise ForceFieldError(
            f"{where}: the potential {kind!r} is not supported, only lennard-jones and none "
            f"are.{hint}"
        )
    if len(parameters) < 2:
        raise ForceFieldError(
            f"{where}: lennard-jones needs two parameters [epsilon/k_B in K, sigma in angstrom], "
            f"found {parameters}."
        )
    epsilon, sigma = parameters[:2]
    if epsilon > LARGEST_EPSILON_K or sigma > LARGEST_SIGMA_ANGSTROM:
        raise ForceFieldError(
            f"{where}: epsilon {epsilon:g} K and sigma {sigma:g} angstrom are beyond "
            f"{LARGEST_EPSILON_K:g} K and {LARGEST_SIGMA_ANGSTROM:g} angstrom. Check the units."
        )
    if epsilon < 0.0 or sigma < 0.0 or (epsilon > 0.0 and sigma == 0.0):
        raise ForceFieldError(
            f"{where}: epsilon {epsilon:g} K and sigma {sigma:g} angstrom are not physical; "
            "both must be positive (epsilon zero switches the site off)."
        )
    return epsilon, sigma


def mixing_rule(text: str, where: str) -> Mixing:
    """Return our name of a mixing rule."""
    rule = MIXING_RULES.get(text.strip().lower())
    if rule is None:
        raise ForceFieldError(
            f"{where}: the mixing rule {text!r} is not supported. Use Lorentz-Berthelot or "
            "Jorgensen (geometric mean of both)."
        )
    return rule


def truncation_method(text: str | None, where: str) -> Truncation | None:
    """Return our name of a truncation method."""
    if text is None:
        return None
    method = TRUNCATIONS.get(text.strip().lower())
    if method is None:
        raise ForceFieldError(
            f"{where}: the truncation method {text!r} is unknown. Use truncated or shifted, "
            "or force-shifted."
        )
    return method


def read_force_field(path: Path) -> ForceField:
    """Read a RASPA3 force_field.json.

    Args:
        path: the file.

    Returns:
        Its types (for host and guest sites alike), overrides and conventions. A pseudo-atom
        without a self-interaction has ``epsilon_k`` None.

    Raises:
        ForceFieldError: not JSON, malformed, or a potential or rule that is not supported.
    """
    parsed = checked(ForceFieldFile, read_json_object(path, ForceFieldError), path, ForceFieldError)
    if not parsed.pseudoatoms and not parsed.selfinteractions:
        raise ForceFieldError(
            f"{path} has neither PseudoAtoms nor SelfInteractions: it is not a RASPA3 "
            "force_field.json. Give one, or a YAML file of our own form."
        )
    truncation = _truncation(parsed, path)
    _refuse_single_pairs(parsed, truncation, path)
    potentials: dict[str, tuple[float, float]] = {}
    for entry in parsed.selfinteractions:
        where = f"{path}, SelfInteractions {entry.name[:60]!r}"
        values = lennard_jones(entry.type, entry.parameters, where)
        if potentials.setdefault(entry.name, values) != values:
            raise ForceFieldError(f"{where} is there twice, with other parameters. Remove one.")
    atoms: dict[str, PseudoAtom] = {}
    for atom in parsed.pseudoatoms:
        if atoms.setdefault(atom.name, atom) != atom:
            raise ForceFieldError(
                f"{path}, PseudoAtoms {atom.name[:60]!r} is there twice, and not the same. "
                "Remove one."
            )
    types = {
        name: _site_type(name, atoms.get(name), potentials.get(name))
        for name in dict.fromkeys([*atoms, *potentials])
    }
    return ForceField(
        name=path.stem,
        types=types,
        pairs=_pairs(parsed, types, path),
        mixing=mixing_rule(parsed.mixingrule, str(path)),
        truncation=truncation,
        tail_correction=parsed.tailcorrections,
        cutoff_angstrom=parsed.cutoff_angstrom,
        without_charges=parsed.chargemethod.strip().lower() == "none",
        source=str(path),
    )


def _truncation(parsed: ForceFieldFile, path: Path) -> Truncation | None:
    """Return how the file cuts its potentials, from the method or the kind of potential."""
    method = truncation_method(parsed.truncationmethod, str(path))
    written = [entry.type for entry in parsed.selfinteractions]
    written += [entry.type for entry in parsed.binaryinteractions]
    kinds = {kind.strip().lower() for kind in written} - NO_INTERACTION
    if not kinds & FORCE_SHIFTED:
        return method
    if kinds <= FORCE_SHIFTED:
        return "force-shifted"
    raise ForceFieldError(
        f"{path} mixes lennard-jones-shifted-force with other potentials ("
        f"{', '.join(sorted(kinds - FORCE_SHIFTED))}); one truncation for all pairs is supported. "
        "Write lennard-jones everywhere and choose --lj force-shifted."
    )


def _refuse_single_pairs(parsed: ForceFieldFile, truncation: Truncation | None, path: Path) -> None:
    """Raise where single pairs are cut or corrected otherwise than the rest."""
    shifted, tail = truncation == "shifted", bool(parsed.tailcorrections)
    for key, pairs, same in (
        ("ShiftedPotentialPairs", parsed.shiftedpotentialpairs, shifted),
        ("TruncatedPotentialPairs", parsed.truncatedpotentialpairs, not shifted),
        ("TailCorrectionPairs", parsed.tailcorrectionpairs, tail),
        ("NoTailCorrectionPairs", parsed.notailcorrectionpairs, not tail),
    ):
        if pairs and not same:
            raise ForceFieldError(
                f"{path}: {key} treats {' with '.join(pairs[0])} otherwise than the rest of the "
                "file; one truncation and one tail for all pairs are supported. Remove the key."
            )


def _pairs(
    parsed: ForceFieldFile, types: Mapping[str, SiteType], path: Path
) -> dict[tuple[str, str], tuple[float, float]]:
    """Return the explicit pairs by sorted names; both types must exist."""
    pairs: dict[tuple[str, str], tuple[float, float]] = {}
    for entry in parsed.binaryinteractions:
        where = f"{path}, BinaryInteractions {list(entry.names)}"
        values = lennard_jones(entry.type, entry.parameters, where)
        unknown = [name for name in entry.names if name not in types]
        if unknown:
            raise ForceFieldError(
                f"{where}: there is no type {unknown[0]!r}. Add it to PseudoAtoms or correct it."
            )
        if pairs.setdefault(sorted_pair(*entry.names), values) != values:
            raise ForceFieldError(f"{where} is there twice, with other parameters. Remove one.")
    return pairs


def _site_type(
    name: str, atom: PseudoAtom | None, potential: tuple[float, float] | None
) -> SiteType:
    """Join a pseudo-atom with its self-interaction."""
    epsilon, sigma = potential if potential else (None, None)
    if atom is None:
        return SiteType(name, epsilon, sigma, for_guest=True)
    return SiteType(
        name,
        epsilon,
        sigma,
        element=atom.element.strip().capitalize() or None,
        charge_e=atom.charge,
        mass_g_per_mol=atom.mass,
        for_host=atom.framework,
        for_guest=True,
    )
