"""Force fields: bundled, RASPA3's ``force_field.json``, or a YAML file of our own form.

The YAML form (all keys but ``name`` and ``types`` are optional)::

    name: mine
    source: citation
    mixing_rule: Lorentz-Berthelot        # or Jorgensen
    types:                                # host types: CIF labels or elements
      Zn1: [0.42, 2.7]                    # [epsilon over k_B in K, sigma in angstrom]
    elements: {Zn1: Zn}                   # element of a type not named like one
    charges: {Zn1: 1.275}                 # e, used where the structure has none
    guest_types:                          # override a guest's own parameters by site type
      O_co2: [79.0, 3.05]
    guest_charges: {O_co2: -0.35}         # e, likewise
    pairs:                                # override the mixing rule
      - {types: [O_co2, Zn1], epsilon_k: 50.0, sigma_angstrom: 3.0}
    truncation: truncated                 # or shifted, or force-shifted
    tail_correction: false
    cutoff_angstrom: 12.0
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from chem.bounds import (
    LARGEST_EPSILON_K,
    LARGEST_SIGMA_ANGSTROM,
    ChargeE,
    CutoffAngstrom,
    Finite,
)
from chem.json_files import checked
from chem.mixing import mix_pairs
from chem.raspa import (
    lennard_jones,
    mixing_rule,
    read_force_field,
    truncation_method,
)
from chem.site_types import ForceField, SiteType, sorted_pair
from chem.yaml_files import read_yaml_mapping
from data.bundled import bundled_files, match_name, unknown_name
from data.errors import ForceFieldError

__all__ = ["ForceField", "SiteType", "bundled_force_fields", "load_force_field", "mix_pairs"]

Parameters = tuple[Finite, Finite]


class PairModel(BaseModel):
    """One override of the mixing rule."""

    model_config = ConfigDict(extra="forbid")
    types: tuple[str, str] = Field(description="the two type names")
    epsilon_k: Finite = Field(ge=0.0, le=LARGEST_EPSILON_K, description="well depth over k_B, K")
    sigma_angstrom: Finite = Field(
        gt=0.0, le=LARGEST_SIGMA_ANGSTROM, description="diameter, angstrom"
    )


class ForceFieldModel(BaseModel):
    """A force-field file in YAML."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, description="name shown to people")
    source: str = Field(default="", description="citation")
    mixing_rule: str = Field(default="Lorentz-Berthelot", description="rule for unlike types")
    types: dict[str, Parameters] = Field(
        min_length=1, description="host types: [epsilon over k_B in K, sigma in angstrom]"
    )
    elements: dict[str, str] = Field(default={}, description="element of a host type")
    charges: dict[str, ChargeE] = Field(default={}, description="charge of a host type, e")
    guest_types: dict[str, Parameters] = Field(default={}, description="likewise for guest sites")
    guest_charges: dict[str, ChargeE] = Field(default={}, description="charge of a guest site, e")
    pairs: list[PairModel] = Field(default=[], description="overrides of the mixing rule")
    truncation: str | None = Field(default=None, description="truncated, shifted or force-shifted")
    tail_correction: bool | None = Field(default=None, description="analytic tail")
    cutoff_angstrom: CutoffAngstrom | None = Field(default=None, description="cutoff, angstrom")


def bundled_force_fields() -> tuple[str, ...]:
    """Return the names of the bundled force fields."""
    return tuple(bundled_files("force_fields", ".yaml"))


def load_force_field(name_or_path: str) -> ForceField:
    """Load a bundled force field, a RASPA3 force_field.json, or our YAML.

    Args:
        name_or_path: bundled name (letter case ignored) or path of a file.

    Returns:
        The force field. Types of a RASPA3 file hold for host and guest alike; a YAML file says
        so by ``guest_types``.

    Raises:
        ForceFieldError: unknown name, or a malformed or unsupported file.
    """
    bundled = bundled_files("force_fields", ".yaml")
    known = match_name(name_or_path, bundled)
    if known is not None:
        return _from_yaml(bundled[known].read_text(encoding="utf-8"), f"force field {known}")
    path = Path(name_or_path).expanduser()
    if not path.is_file():
        if path.is_dir():
            raise ForceFieldError(f"{path} is a directory. Give the force-field file inside it.")
        if path.suffix.lower() in {".json", ".yaml", ".yml"} or len(path.parts) > 1:
            raise ForceFieldError(
                f"There is no file {path} (looked in {Path.cwd()}). Check the path."
            )
        instead = "the path of a RASPA3 force_field.json or of our YAML"
        raise ForceFieldError(unknown_name("force field", name_or_path, bundled, instead))
    if path.suffix.lower() == ".json":
        return read_force_field(path)
    return _from_yaml(path, str(path))


def _from_yaml(source: str | Path, where: str) -> ForceField:
    """Return the record of a YAML force field."""
    content = read_yaml_mapping(source, where, ForceFieldError)
    model = checked(ForceFieldModel, content, where, ForceFieldError)
    _refuse_strangers(model, where)
    types = {}
    for name, (epsilon, sigma) in model.types.items():
        values = lennard_jones("lennard-jones", [epsilon, sigma], f"{where}, type {name!r}")
        element = model.elements.get(name, name)
        types[name] = SiteType(name, *values, element=element, charge_e=model.charges.get(name))
    for name in dict.fromkeys([*model.guest_types, *model.guest_charges]):
        types[name] = _guest_type(model, name, where)
    pairs: dict[tuple[str, str], tuple[float, float]] = {}
    for pair in model.pairs:
        key, value = sorted_pair(*pair.types), (pair.epsilon_k, pair.sigma_angstrom)
        if pairs.setdefault(key, value) != value:
            raise ForceFieldError(f"{where}: the pair {' with '.join(key)} is given twice.")
    return ForceField(
        name=model.name,
        types=types,
        pairs=pairs,
        mixing=mixing_rule(model.mixing_rule, where),
        truncation=truncation_method(model.truncation, where),
        tail_correction=model.tail_correction,
        cutoff_angstrom=model.cutoff_angstrom,
        source=model.source.strip() or where,
    )


def _guest_type(model: ForceFieldModel, name: str, where: str) -> SiteType:
    """Return the type of a guest site; charge or parameters alone are enough."""
    listed = model.guest_types.get(name)
    values: tuple[float | None, float | None] = (None, None)
    if listed is not None:
        values = lennard_jones("lennard-jones", list(listed), f"{where}, guest type {name!r}")
    charge = model.guest_charges.get(name)
    return SiteType(name, *values, charge_e=charge, for_host=False, for_guest=True)


def _refuse_strangers(model: ForceFieldModel, where: str) -> None:
    """Raise for charges of types that do not exist and for names claimed twice."""
    strangers = [name for name in (*model.charges, *model.elements) if name not in model.types]
    if strangers:
        raise ForceFieldError(
            f"{where}: charges or elements are given for {', '.join(strangers)}, which types does "
            "not list. Add them to types or correct the names."
        )
    lost = [p.types for p in model.pairs if not set(p.types) & set(model.types)]
    if lost:
        raise ForceFieldError(
            f"{where}: the pair {' with '.join(lost[0])} has no host type, so that it would never "
            "be used. Add one of them to types or correct the names."
        )
    both = sorted(set(model.types) & {*model.guest_types, *model.guest_charges})
    if both:
        raise ForceFieldError(
            f"{where}: {', '.join(both)} is listed as host and as guest type. Rename one of them."
        )
