"""From settings to a run folder that tasks can work in: inputs read, checked and recorded."""

from __future__ import annotations

import json
import platform
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from chem.widom import WidomSettings
from data.errors import RunFolderError, SettingsError
from data.shortage import shortage_of
from data.store import plain, write_json, write_text
from flows.settings import HenrySettings, IsothermSettings, SystemSettings
from tasks.context import CONTEXT_FILE, RunContext, load_context, save_context
from tasks.paths import guest_pairs_path
from tasks.pores import write_given_spheres

if TYPE_CHECKING:
    from chem.energies import ClassicalSettings
    from chem.force_fields import ForceField
    from chem.pores.spheres import BlockSpheres
    from chem.system import System
    from data.records import Host
    from ml.registry import Card

CUTOFF_ANGSTROM = 12.0
VERSIONED = (
    "widomill",
    "numpy",
    "scipy",
    "numba",
    "torch",
    "ase",
    "pymatgen",
    "spglib",
    "mace-torch",
    "dac-sim",
    "dftd3",
    "tblite",
    "prefect",
    "prefect-dask",
    "dask",
    "distributed",
    "pyarrow",
)


def prepare(settings: HenrySettings, *, shuffle_labels: bool = False) -> RunContext:
    """Read the inputs of a run, check them and write its folder's records.

    Args:
        settings: what to do.
        shuffle_labels: train the surrogate on shuffled labels, to show that the answer
            stays unbiased.

    Returns:
        The context every task loads.

    Raises:
        InputError: something given cannot be used.
    """
    from chem.guests import require_atoms
    from chem.references.registry import validate_reference_spec

    spec = validate_reference_spec(settings.reference, trust_model_file=settings.trust_model_file)
    atomistic = spec.kind not in ("classical", "forcefield")
    other = None
    if spec.kind == "forcefield":
        other = build_system(settings, spec.argument)
    system = build_system(settings, settings.force_field, atomistic=atomistic, other=other)
    if atomistic:
        require_atoms(system.guest)
    model = _model(settings)
    context = RunContext(
        system=system,
        reference=settings.reference,
        reference_system=other,
        trust_model_file=settings.trust_model_file,
        temperatures_k=settings.temperatures_k,
        seed=settings.seed,
        atomistic=atomistic,
        label_forces=spec.kind != "classical",
        shuffle_labels=shuffle_labels,
        widom=widom_settings(settings),
        model=settings.model or "",
        label_seconds=settings.label_seconds,
        model_hash=model.hash if model else "",
        model_note=_model_note(model, settings, system) if model else "",
    )
    _write_inputs(settings, context)
    return context


def _model(settings: HenrySettings) -> Card | None:
    """Return the card of the model a run starts from; None for none."""
    if settings.model is None:
        return None
    if settings.reference == "classical":
        raise SettingsError(
            "--model has no use with --reference classical: nothing is learned there. Leave it out."
        )
    from ml.registry import read_card

    return read_card(settings.model)


def _model_note(card: Card, settings: HenrySettings, system: System) -> str:
    return card.baseline_note(system.pairs.force_field, charges_name(settings.charges))


def charges_name(charges: str) -> str:
    """Return a choice of host charges by its name, whatever file they are read from."""
    return "a file" if Path(charges).is_file() else charges


def prepare_isotherm(settings: IsothermSettings) -> RunContext:
    """Read the inputs of an isotherm, check them and write its folder's records.

    Raises:
        InputError: something given cannot be used.
    """
    from chem.force_fields import load_force_field
    from chem.gcmc.guest_mixing import mix_guests
    from chem.system import to_json

    system = build_system(settings, settings.force_field)
    context = RunContext(
        system=system,
        reference="classical",
        reference_system=None,
        trust_model_file=False,
        temperatures_k=settings.temperatures_k,
        seed=settings.seed,
        atomistic=False,
        widom=widom_settings(settings),
    )
    _write_inputs(settings, context)
    pairs = mix_guests(system.guest, load_force_field(settings.force_field))
    write_text(guest_pairs_path(settings.run_dir), json.dumps(to_json(pairs)))
    return context


def _write_inputs(settings: SystemSettings, context: RunContext) -> None:
    """Write the run folder, with the spheres of a block file where one was given."""
    spheres = given_spheres(settings, context.system.host)
    write_run_folder(settings, context)
    if spheres is not None:
        write_given_spheres(str(settings.run_dir), spheres)


def build_system(
    settings: SystemSettings,
    force_field_name: str,
    *,
    atomistic: bool = False,
    other: System | None = None,
) -> System:
    """Read host, guest and force field, and mix them.

    Args:
        settings: what to do.
        force_field_name: bundled name or path.
        atomistic: the reference sees real atoms; the hard core is bounded by their radii.
        other: the reference's own system; the hard core is bounded by its core.
    """
    from chem.force_fields import load_force_field, mix_pairs
    from chem.guests import load_guest
    from chem.hosts import load_host
    from chem.system import System, core_energy_k, covalent_core_angstrom

    force_field = load_force_field(force_field_name)
    guest = load_guest(settings.guest, force_field)
    host = load_host(settings.host, charges=settings.charges)
    pairs = mix_pairs(
        host, guest, force_field, charges="none" if settings.charges == "none" else "cif"
    )
    core_k = core_energy_k(settings.temperatures_k)
    limit = covalent_core_angstrom(host, guest) if atomistic else None
    if other is not None:
        limit = other.model().core_radii_angstrom
    classical = classical_settings(settings, force_field)
    return System(host, guest, pairs, classical, core_k, limit)


def classical_settings(settings: SystemSettings, force_field: ForceField) -> ClassicalSettings:
    """Return cutoff, truncation and tail: the option given, else the force field's choice."""
    from chem.energies import ClassicalSettings

    tail = settings.tail_correction
    if tail is None:
        tail = bool(force_field.tail_correction)
    lj = settings.lj or force_field.truncation or "truncated"
    if lj != "truncated" and tail:
        raise SettingsError(
            f"--lj {lj} and --tail-correction contradict each other: a potential shifted to "
            "zero at the cutoff has no tail to add. Use --lj truncated with --tail-correction, "
            "or --no-tail-correction."
        )
    return ClassicalSettings(
        cutoff_angstrom=settings.cutoff_angstrom or force_field.cutoff_angstrom or CUTOFF_ANGSTROM,
        lj=lj,
        tail_correction=tail,
        feynman_hibbs_k=_feynman_hibbs_k(settings),
    )


def _feynman_hibbs_k(settings: SystemSettings) -> float | None:
    if not settings.feynman_hibbs:
        return None
    if len(settings.temperatures_k) > 1:
        raise SettingsError(
            "--feynman-hibbs makes the energies depend on the temperature, so that one table of "
            "insertions cannot serve several: give one --temperature-k a run."
        )
    return settings.temperatures_k[0]


def given_spheres(settings: SystemSettings, host: Host) -> BlockSpheres | None:
    """Return the spheres of the block file given, in the cell of the run.

    A block file refers to the cell of the structure as it was given.
    """
    if settings.block_file is None:
        return None
    if not settings.block_pockets:
        raise SettingsError("--block-file and --keep-pockets contradict each other; give one.")
    from chem.hosts import load_host
    from chem.pores.block_file import read_block_file

    whole = load_host(settings.host, charges="none", primitive=False)
    spheres = read_block_file(Path(settings.block_file), whole.lattice_angstrom)
    return spheres.in_cell(host.lattice_angstrom)


def widom_settings(settings: SystemSettings) -> WidomSettings:
    """Return how the classical level is worked out: to one per cent where nothing else is asked."""
    common = WidomSettings(
        energies=settings.energies,
        threads=settings.threads,
        seed=settings.seed,
        block_pockets=settings.block_pockets,
        pocket_threshold_kt=settings.pocket_threshold_kt,
    )
    if not isinstance(settings, HenrySettings):
        return common
    return replace(
        common,
        insertions=settings.insertions,
        target_error=settings.wanted_error,
        sampling=settings.sampling,
    )


def write_run_folder(settings: SystemSettings, context: RunContext) -> None:
    """Write settings, provenance, host and context; refuse a folder of other settings."""
    from chem.hosts import write_cif

    folder = settings.run_dir
    refuse_other_settings(settings, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        short = shortage_of(error)
        if short is not None:
            raise short from error
        raise RunFolderError(
            f"--out {folder} cannot be written: {error.strerror}. Choose another folder."
        ) from error
    host = context.system.host
    write_json(folder / "settings.json", settings.model_dump(mode="json") | {"hash": settings.hash})
    write_json(folder / "provenance.json", provenance(context))
    write_cif(host, folder / "host.cif")
    if (folder / CONTEXT_FILE).exists():
        stored = load_context(str(folder))
        if stored.hash != context.hash:
            raise RunFolderError(
                f"{folder} holds a run whose host, guest or force-field files have changed since. "
                "Choose another --out, or remove the folder."
            )
        if stored.label_seconds == context.label_seconds:
            return
    save_context(folder, context)


def refuse_other_settings(settings: SystemSettings, folder: Path) -> None:
    """Raise when a folder already belongs to a run with other settings."""
    path = folder / "settings.json"
    if folder.exists() and not folder.is_dir():
        raise RunFolderError(f"--out {folder} is a file; give a folder that may be created.")
    if not path.exists():
        return
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunFolderError(f"Cannot read {path}: {error}. Choose another --out.") from error
    numbers = plain(settings.numbers)
    different = sorted(k for k in numbers if stored.get(k) != numbers[k])
    if different:
        raise RunFolderError(
            f"{folder} holds a run with other settings ({', '.join(different)}). Choose another "
            "--out, or remove the folder."
        )


def provenance(context: RunContext) -> dict[str, object]:
    """Return what the numbers depend on: inputs, hashes, sources, versions, machine."""
    from chem.hosts import host_density_kg_per_m3

    system = context.system
    return {
        "host": {
            "name": system.host.name,
            "hash": system.host.hash,
            "atoms": len(system.host.elements),
            "volume_angstrom3": system.host.volume_angstrom3,
            "density_kg_per_m3": host_density_kg_per_m3(system.host),
            "source": system.host.source,
            "notes": list(system.host.notes),
        },
        "guest": {
            "name": system.guest.name,
            "hash": system.guest.hash,
            "source": system.guest.source,
        },
        "force_field": {"name": system.pairs.force_field, "sources": list(system.pairs.sources)},
        "system_hash": system.hash,
        "reference": context.reference,
        "model": {"name": context.model, "hash": context.model_hash} if context.model else None,
        "versions": {name: installed(name) for name in VERSIONED},
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
    }


def installed(package: str) -> str:
    """Return the version of a package, or "not installed"."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
