"""From the text of ``--reference`` to a bound reference."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from chem.energies import ClassicalModel, ClassicalSettings
from chem.references.ase_calculator import AseReference, ase_level, load_factory
from chem.references.cells import label_cell
from chem.references.classical import ClassicalReference, bind_force_field
from chem.references.contract import Reference
from chem.references.mace import MaceLevel, MaceReference
from chem.references.mace_model import (
    MACE_DAC_GUESTS,
    MACE_DAC_SHA256,
    MaceModel,
    check_model_file,
    mace_dac_path,
)
from chem.references.xtb import check_method, xtb_level
from data.errors import ReferenceLevelError, SettingsError
from data.records import Guest, Host

LEVELS = (
    "classical",
    "forcefield:NAME_OR_PATH",
    "mace-dac",
    "mace:PATH",
    "xtb",
    "xtb:GFN1-xTB",
    "xtb:GFN2-xTB",
    "ase:MODULE:CALLABLE",
)
DEFAULT_XTB_METHOD = "GFN1-xTB"
_DISPERSION_SUFFIX = "+d3"
_BARE = ("classical", "mace-dac", "xtb")
_WITH_ARGUMENT = ("forcefield", "mace", "xtb", "ase")


@dataclass(frozen=True)
class ReferenceSpec:
    """A reference level as written, taken apart.

    Attributes:
        text: as written.
        kind: "classical", "forcefield", "mace-dac", "mace", "xtb" or "ase".
        argument: what follows the first colon: a name, a path, a method or MODULE:CALLABLE.
        dispersion: whether D3(BJ, PBE) is added to a MACE model.
    """

    text: str
    kind: str
    argument: str = ""
    dispersion: bool = False


def parse_reference_spec(text: str) -> ReferenceSpec:
    """Take a reference level apart without looking at files or packages.

    Raises:
        ReferenceLevelError: an unknown level, or one without its argument.
    """
    kind, colon, argument = text.strip().partition(":")
    known = _WITH_ARGUMENT if colon else _BARE
    if kind not in known or (colon and not argument):
        raise ReferenceLevelError(
            f"Unknown reference level {text!r}; choose one of: {', '.join(LEVELS)}."
        )
    if kind == "mace-dac":
        return ReferenceSpec(text, kind, "", dispersion=True)
    if kind == "xtb":
        return ReferenceSpec(text, kind, argument or DEFAULT_XTB_METHOD)
    if kind == "mace" and argument.endswith(_DISPERSION_SUFFIX):
        return ReferenceSpec(text, kind, argument.removesuffix(_DISPERSION_SUFFIX), True)
    return ReferenceSpec(text, kind, argument)


def validate_reference_spec(text: str, *, trust_model_file: bool = False) -> ReferenceSpec:
    """Refuse a level that cannot work before anything is computed.

    Packages are looked up, files hashed and an ``ase:`` module imported; no model is loaded.

    Args:
        text: the level as written.
        trust_model_file: whether the user vouches for a model file of unknown hash.

    Raises:
        ReferenceLevelError: unknown level, package not installed, file missing or not trusted,
            module or callable not found.
        ForceFieldError: the named force field cannot be read.
    """
    spec = parse_reference_spec(text)
    if spec.kind == "forcefield":
        from chem.force_fields import load_force_field

        load_force_field(spec.argument)
    elif spec.kind in ("mace", "mace-dac"):
        _need("mace", "mace-torch", spec.text)
        if spec.dispersion:
            _need("dftd3", "dftd3", spec.text)
        check_model_file(_model_path(spec), trust_model_file=trust_model_file)
    elif spec.kind == "xtb":
        check_method(spec.argument)
    elif spec.kind == "ase":
        load_factory(spec.argument)
    return spec


def make_reference(
    text: str,
    host: Host,
    guest: Guest,
    *,
    classical: ClassicalModel | None = None,
    settings: ClassicalSettings | None = None,
    threads: int = 1,
    device: str = "auto",
    dtype: str = "float32",
    trust_model_file: bool = False,
    replication: tuple[int, int, int] | None = None,
) -> Reference:
    """Bind a reference level to a host and a guest.

    Args:
        text: the level as written, one of ``LEVELS``.
        host: the framework.
        guest: the molecule.
        classical: the baseline, which is the reference for "classical".
        settings: cutoff, truncation and Ewald precision of a "forcefield:" reference; the
            baseline's own where it is given and these are not.
        threads: torch threads of a MACE model; tblite and dftd3 follow OMP_NUM_THREADS.
        device: "auto", "cpu" or "cuda", for a MACE model.
        dtype: "float32" or "float64", for a MACE model.
        trust_model_file: whether the user vouches for a model file of unknown hash.
        replication: label cell to use instead of the one chosen for this host.

    Raises:
        ReferenceLevelError: see ``validate_reference_spec``.
        SettingsError: "classical" without a baseline, or a guest without atoms.
    """
    spec = validate_reference_spec(text, trust_model_file=trust_model_file)
    if spec.kind == "classical":
        if classical is None:
            raise SettingsError("reference classical needs the baseline model itself")
        return ClassicalReference("classical", classical)
    if spec.kind == "forcefield":
        from chem.force_fields import load_force_field

        chosen = settings or (classical.settings if classical else ClassicalSettings())
        return bind_force_field(text, host, guest, load_force_field(spec.argument), chosen)
    if not guest.atom_elements:
        raise SettingsError(f"guest {guest.name} has no atoms, which reference {text} needs")
    cell = label_cell(host, guest, replication)
    if spec.kind == "xtb":
        return AseReference(xtb_level(text, spec.argument), cell, guest)
    if spec.kind == "ase":
        return AseReference(ase_level(spec.argument), cell, guest)
    path = _model_path(spec)
    sha256 = check_model_file(path, trust_model_file=trust_model_file)
    fitted = MACE_DAC_GUESTS if sha256 == MACE_DAC_SHA256 else ()
    level = MaceLevel(text, sha256, spec.dispersion, dtype, threads, fitted)
    return MaceReference(level, MaceModel(path, device=device, dtype=dtype), cell, guest)


def _model_path(spec: ReferenceSpec) -> Path:
    return mace_dac_path() if spec.kind == "mace-dac" else Path(spec.argument).expanduser()


def _need(module: str, package: str, level: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise ReferenceLevelError(
            f"Reference {level} needs the {package} package, which is not installed. "
            f"Install it with: pip install {package}"
        )
