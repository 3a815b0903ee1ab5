"""Reads RASPA3's ``force_field.json`` and molecule JSON files as they are.

Keys that do not bear on a rigid guest in a rigid host (printing, critical constants, sources)
are passed over; potentials other than Lennard-Jones are refused by name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chem.site_types import ForceField, Mixing, SiteType, Truncation, sorted_pair
from data.errors import ForceFieldError, GuestError, InputError

Finite = Annotated[float, Field(allow_inf_nan=False)]
Model = TypeVar("Model", bound=BaseModel)

MIXING_RULES: dict[str, Mixing] = {
    "lorentz-berthelot": "lorentz-berthelot",
    "jorgensen": "geometric",
    "geometric": "geometric",
}
TRUNCATIONS: dict[str, Truncation] = {"truncated": "truncated", "shifted": "shifted"}
NO_INTERACTION = {"none", "zero", "zero-potential"}


class _Entry(BaseModel):
    """Base of RASPA records: unknown keys are comments."""

    model_config = ConfigDict(extra="ignore")


class PseudoAtom(_Entry):
    """One entry of PseudoAtoms."""

    name: str = Field(min_length=1, description="type name")
    framework: bool = Field(default=False, description="whether the type belongs to the host")
    element: str = Field(default="", description="element symbol, empty for a site that is none")
    mass: Finite | None = Field(default=None, ge=0.0, description="mass, g/mol")
    charge: Finite | None = Field(default=None, description="partial charge, e")


class SelfInteraction(_Entry):
    """One entry of SelfInteractions."""

    name: str = Field(min_length=1, description="type name")
    type: str = Field(default="lennard-jones", description="kind of potential")
    parameters: list[Finite] = Field(default=[], description="[epsilon/k_B in K, sigma in A]")


class BinaryInteraction(_Entry):
    """One entry of BinaryInteractions."""

    names: tuple[str, str] = Field(description="the two type names")
    type: str = Field(default="lennard-jones", description="kind of potential")
    parameters: list[Finite] = Field(default=[], description="[epsilon/k_B in K, sigma in A]")


class ForceFieldFile(_Entry):
    """The whole force_field.json; keys in lower case."""

    pseudoatoms: list[PseudoAtom] = Field(default=[], description="types, charges and masses")
    selfinteractions: list[SelfInteraction] = Field(default=[], description="potentials")
    binaryinteractions: list[BinaryInteraction] = Field(default=[], description="overrides")
    mixingrule: str = Field(default="Lorentz-Berthelot", description="rule for unlike types")
    truncationmethod: str | None = Field(default=None, description="truncated or shifted")
    tailcorrections: bool | None = Field(default=None, description="analytic tail")


Vector = tuple[Finite, Finite, Finite]


class NamedPosition(_Entry):
    """A pseudo-atom of a molecule written as an object."""

    name: str = Field(min_length=1, description="type name")
    position: Vector = Field(description="position, angstrom")


class MoleculeFile(_Entry):
    """A molecule JSON; keys in lower case."""

    pseudoatoms: list[tuple[str, Vector] | NamedPosition] = Field(
        min_length=1, description="[type, [x, y, z] in angstrom] of every site"
    )
    type: str = Field(default="rigid", description="rigid or flexible")


def explain(error: ValidationError) -> str:
    """Return the first three complaints of a pydantic error in one line, places first."""
    parts = []
    for item in error.errors()[:3]:
        place = ".".join(str(step) for step in item["loc"]) or "top level"
        parts.append(f"{place}: {item['msg'].lower()} (found {item['input']!r:.60})")
    more = f" (and {error.error_count() - 3} more)" if error.error_count() > 3 else ""
    return "; ".join(parts) + more


def read_json_object(path: Path, raised: type[InputError]) -> dict[str, Any]:
    """Return a JSON file's top-level object with lower-case keys."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise raised(f"{path} cannot be read: {error.strerror}. Check its permissions.") from error
    except UnicodeDecodeError as error:
        raise raised(f"{path} is not a text file. Give a JSON file.") from error
    except json.JSONDecodeError as error:
        raise raised(
            f"{path}, line {error.lineno}, column {error.colno}: not valid JSON ({error.msg}). "
            "Correct the file; JSON has no comments and no trailing commas."
        ) from error
    if not isinstance(content, dict):
        raise raised(f"{path} holds a {type(content).__name__}, expected one JSON object {{...}}.")
    return {str(key).lower(): value for key, value in content.items()}


def checked(
    model: type[Model], content: Mapping[str, Any], path: object, raised: type[InputError]
) -> Model:
    """Return the validated model, or raise our own error with file and place."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise raised(f"{path}: {explain(error)}. Correct this entry.") from error


def lennard_jones(kind: str, parameters: list[float], where: str) -> tuple[float, float]:
    """Return (epsilon over k_B, sigma) of one potential entry.

    Raises:
        ForceFieldError: another potential, too few numbers, or a negative one.
    """
    if kind.strip().lower() in NO_INTERACTION:
        return 0.0, 1.0
    if kind.strip().lower() != "lennard-jones":
        raise ForceFieldError(
            f"{where}: the potential {kind!r} is not supported, only lennard-jones and none are."
        )
    if len(parameters) < 2:
        raise ForceFieldError(
            f"{where}: lennard-jones needs two parameters [epsilon/k_B in K, sigma in angstrom], "
            f"found {parameters}."
        )
    epsilon, sigma = parameters[:2]
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
            f"{where}: the truncation method {text!r} is unknown. Use truncated or shifted."
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
    potentials = {
        entry.name: lennard_jones(
            entry.type, entry.parameters, f"{path}, SelfInteractions {entry.name!r}"
        )
        for entry in parsed.selfinteractions
    }
    atoms = {atom.name: atom for atom in parsed.pseudoatoms}
    types = {
        name: _site_type(name, atoms.get(name), potentials.get(name))
        for name in dict.fromkeys([*atoms, *potentials])
    }
    pairs = {}
    for entry in parsed.binaryinteractions:
        where = f"{path}, BinaryInteractions {list(entry.names)}"
        pairs[sorted_pair(*entry.names)] = lennard_jones(entry.type, entry.parameters, where)
    return ForceField(
        name=path.stem,
        types=types,
        pairs=pairs,
        mixing=mixing_rule(parsed.mixingrule, str(path)),
        truncation=truncation_method(parsed.truncationmethod, str(path)),
        tail_correction=parsed.tailcorrections,
        source=str(path),
    )


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


def read_molecule(path: Path) -> list[tuple[str, tuple[float, float, float]]]:
    """Read the sites of a rigid molecule from a RASPA3 molecule JSON.

    Returns:
        (type name, position in angstrom) of every site, in the file's order.

    Raises:
        GuestError: not JSON, malformed, or a flexible molecule.
    """
    parsed = checked(MoleculeFile, read_json_object(path, GuestError), path, GuestError)
    if parsed.type.strip().lower() != "rigid":
        raise GuestError(
            f"{path}: the molecule's Type is {parsed.type!r}; only rigid guests are supported. "
            "Give fixed positions and Type rigid."
        )
    return [
        (site.name, site.position) if isinstance(site, NamedPosition) else site
        for site in parsed.pseudoatoms
    ]
