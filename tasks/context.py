"""What every task of a run needs, loaded once per thread from the run folder."""

from __future__ import annotations

import atexit
import json
import threading
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from chem.widom import WidomSettings
from data.constants import LABEL_SECONDS
from data.errors import RunFolderError
from data.records import content_hash
from data.store import write_text

if TYPE_CHECKING:
    from chem.energies import ClassicalModel
    from chem.energy_model import EnergyModel
    from chem.grids import GridCache
    from chem.references.contract import Reference
    from chem.system import System
    from ml.surrogate import Surrogate

CONTEXT_FILE = "context.json"


@dataclass(frozen=True)
class RunContext:
    """The numbers a run is made of.

    Attributes:
        system: host, guest and baseline.
        reference: reference specification, "classical" where there is none.
        reference_system: the second force field's system where that is the reference.
        trust_model_file: whether the user vouches for a model file of unknown SHA-256.
        temperatures_k: temperatures served by the tables.
        seed: the run's seed.
        atomistic: whether the reference sees the real atoms of the guest.
        label_forces: whether labels carry guest force and torque.
        shuffle_labels: train the surrogate on shuffled labels (a test of unbiasedness).
        widom: how the classical level is worked out.
        model: name of the registry's model the run starts from, empty for none.
        model_hash: its content hash.
        model_note: what to say of a model that does not fit the run, empty for nothing.
        label_seconds: longest wall time of a reference call, s.
    """

    system: System
    reference: str
    reference_system: System | None
    trust_model_file: bool
    temperatures_k: tuple[float, ...]
    seed: int
    atomistic: bool
    label_forces: bool = False
    shuffle_labels: bool = False
    widom: WidomSettings = field(default_factory=WidomSettings)
    model: str = ""
    model_hash: str = ""
    model_note: str = ""
    label_seconds: float = LABEL_SECONDS

    @property
    def hash(self) -> str:
        """Content hash of the systems that decide the energies, and of a model used."""
        other = self.reference_system
        model = (self.model_hash,) if self.model_hash else ()
        return content_hash(self.system.hash, other.hash if other else "", *model)


def save_context(run_dir: Path, context: RunContext) -> None:
    """Write the context of a run; floats keep every bit."""
    from chem.system import to_json

    content = {
        "system": to_json(context.system),
        "reference": context.reference,
        "reference_system": to_json(other) if (other := context.reference_system) else None,
        "trust_model_file": context.trust_model_file,
        "temperatures_k": list(context.temperatures_k),
        "seed": context.seed,
        "atomistic": context.atomistic,
        "label_forces": context.label_forces,
        "shuffle_labels": context.shuffle_labels,
        "widom": asdict(context.widom),
        "model": context.model,
        "model_hash": context.model_hash,
        "model_note": context.model_note,
        "label_seconds": context.label_seconds,
    }
    write_text(run_dir / CONTEXT_FILE, json.dumps(content))


def load_context(run_dir: str) -> RunContext:
    """Return the context of a run, cached per file version and thread."""
    path = Path(run_dir) / CONTEXT_FILE
    return _context(str(path), _version(path))


def _version(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError as error:
        raise RunFolderError(f"{path} is missing: {path.parent} is not a run folder.") from error


@lru_cache(maxsize=4)
def _context(path: str, version: int) -> RunContext:
    from chem.system import system_from_json

    content = json.loads(Path(path).read_text(encoding="utf-8"))
    content["system"] = system_from_json(content["system"])
    if content["reference_system"] is not None:
        content["reference_system"] = system_from_json(content["reference_system"])
    content["temperatures_k"] = tuple(content["temperatures_k"])
    content["widom"] = WidomSettings(**content["widom"])
    return RunContext(**content)


def baseline_model(run_dir: str) -> ClassicalModel:
    """Return the run's baseline, one object per thread."""
    path = Path(run_dir) / CONTEXT_FILE
    return _baseline(str(path), _version(path), threading.get_ident())


@lru_cache(maxsize=8)
def _baseline(path: str, version: int, thread: int) -> ClassicalModel:
    return _context(path, version).system.model()


def insertion_model(run_dir: str) -> EnergyModel:
    """Return the energies of insertions, from grids where the run uses them; shared by threads."""
    path = Path(run_dir) / CONTEXT_FILE
    with _BUILDING:
        return _insertion_model(str(path), _version(path))


_BUILDING = threading.Lock()


@lru_cache(maxsize=4)
def _insertion_model(path: str, version: int) -> EnergyModel:
    from chem.widom import choose_model

    context = _context(path, version)
    settings = context.widom
    model, _, _ = choose_model(
        context.system.model(), context.temperatures_k, settings, user_cache()
    )
    return model


def user_cache() -> GridCache:
    """Return the user's cache of energy grids."""
    from chem.grids import GridCache

    return GridCache()


def reference_level(run_dir: str) -> Reference:
    """Return the run's reference, one object per thread."""
    path = Path(run_dir) / CONTEXT_FILE
    return _reference(str(path), _version(path), threading.get_ident())


@lru_cache(maxsize=4)
def _reference(path: str, version: int, thread: int) -> Reference:
    from chem.references.classical import ClassicalReference
    from chem.references.isolated import Binding, isolated
    from chem.references.registry import make_reference

    context = _context(path, version)
    if context.reference_system is not None:
        return ClassicalReference(context.reference, context.reference_system.model())
    host, guest = context.system.host, context.system.guest
    reference = make_reference(
        context.reference,
        host,
        guest,
        classical=_baseline(path, version, thread),
        trust_model_file=context.trust_model_file,
    )
    return isolated(reference, Binding(context.reference, host, guest), context.label_seconds)


# dftd3 and tblite objects must go while their library still stands, or they complain at exit.
atexit.register(_reference.cache_clear)


def surrogate(path: Path) -> Surrogate:
    """Return a saved surrogate, one object per thread."""
    return _surrogate(str(path), _version(path), threading.get_ident())


@lru_cache(maxsize=8)
def _surrogate(path: str, version: int, thread: int) -> Surrogate:
    import torch

    from ml.surrogate import Surrogate

    torch.set_num_threads(1)
    return Surrogate.load(Path(path))
