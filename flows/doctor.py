"""``widomill doctor``: what is installed and works here, and what to do about what does not.

It looks packages up and reads files; nothing is computed and no model is loaded.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from data.errors import WidomillError

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {"ok": "green", "missing": "red", "note": "yellow"}
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
_ANSWER_SECONDS = 3.0


@dataclass(frozen=True)
class Check:
    """One line of the report.

    Attributes:
        name: what was looked at.
        status: "ok", "missing" (something will not work) or "note" (worth knowing).
        found: what is there.
        advice: what to do; empty when all is well.
    """

    name: str
    status: Literal["ok", "missing", "note"]
    found: str
    advice: str = ""


def collect() -> dict[str, list[Check]]:
    """Return all checks by section. Nothing that is missing makes it fail."""
    sections: dict[str, Callable[[], list[Check]]] = {
        "Machine": _machine,
        "Packages": _packages,
        "References": _references,
        "Prefect and Dask": _orchestration,
        "Folders": _folders,
    }
    return {title: _guarded(title, section) for title, section in sections.items()}


def render(checks: dict[str, list[Check]], console: Console) -> None:
    """Print the checks, one line each, and how many things are missing."""
    from rich.table import Table
    from rich.text import Text

    for title, section in checks.items():
        table = Table(title=title, title_justify="left", title_style="bold", box=None)
        for column in ("", "", ""):
            table.add_column(column, overflow="fold")
        for check in section:
            found = Text(check.found)
            if check.advice:
                found.append(f"\n{check.advice}", style="italic")
            table.add_row(Text(check.status, _STYLES[check.status]), Text(check.name), found)
        console.print(table)
    missing = sum(check.status == "missing" for section in checks.values() for check in section)
    console.print("Everything needed is there." if missing == 0 else f"{missing} missing.")


def _guarded(title: str, section: Callable[[], list[Check]]) -> list[Check]:
    try:
        return section()
    except Exception as error:  # a broken installation is what this command is for
        return [Check(title, "missing", f"{type(error).__name__}: {error}", "make install")]


def _machine() -> list[Check]:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = ", ".join(f"{name}={os.environ.get(name, 'unset')}" for name in _THREADS)
    return [
        Check("Python", "ok", f"{platform.python_version()} at {sys.executable}"),
        Check("System", "ok", platform.platform()),
        Check("CPUs", "ok", f"{usable} usable of {os.cpu_count()}"),
        Check("Numeric threads here", "ok", f"{threads} (workers: 1 each)"),
        _torch_device(),
    ]


def _torch_device() -> Check:
    try:
        version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return Check("torch device", "missing", "torch is not installed", "make install")
    if version.endswith("+cpu"):
        return Check("torch device", "ok", f"cpu (torch {version} is built without CUDA)")
    import torch  # seconds, and worth it only where there may be a GPU

    if not torch.cuda.is_available():
        return Check("torch device", "ok", f"cpu (torch {version}, no usable GPU)")
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return Check("torch device", "ok", f"cuda: {', '.join(names)} (torch {version})")


def _packages() -> list[Check]:
    from packaging.requirements import Requirement

    try:
        lines = importlib.metadata.requires("widomill") or []
    except importlib.metadata.PackageNotFoundError:
        return [Check("widomill", "missing", "not installed in this Python", "make install")]
    wanted = [Requirement(line) for line in lines]
    needed = [item for item in wanted if item.marker is None or item.marker.evaluate()]
    own = Check("widomill", "ok", importlib.metadata.version("widomill"))
    return [own, *(_package(item.name, item) for item in needed)]


def _package(name: str, requirement: object) -> Check:
    from packaging.requirements import Requirement

    wanted = requirement.specifier if isinstance(requirement, Requirement) else None
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Check(name, "missing", "not installed", f"pip install '{requirement}'")
    if wanted is not None and not wanted.contains(version, prereleases=True):
        return Check(name, "missing", f"{version}, needs {wanted}", f"pip install '{requirement}'")
    return Check(name, "ok", version)


def _references() -> list[Check]:
    return [
        Check("classical, forcefield:", "ok", "built in"),
        _reference("mace-dac", _mace_dac),
        _reference("mace:PATH", _mace),
        _reference("xtb", _xtb),
        _reference("ase:MODULE:CALLABLE", _ase),
    ]


def _reference(name: str, look: Callable[[], Check]) -> Check:
    try:
        return look()
    except WidomillError as error:
        return Check(name, "missing", str(error), "or choose another --reference")


def _mace_dac() -> Check:
    from chem.references.mace_model import mace_dac_path
    from chem.references.registry import validate_reference_spec

    validate_reference_spec("mace-dac")
    path = mace_dac_path()
    size = path.stat().st_size / 1e6
    return Check("mace-dac", "ok", f"{path} ({size:.0f} MB, SHA-256 as expected), D3 by dftd3")


def _mace() -> Check:
    if importlib.util.find_spec("mace") is None:
        return Check("mace:PATH", "missing", "mace-torch is not installed", "make install")
    return Check("mace:PATH", "ok", "with --trust-model-file for a file of your own")


def _xtb() -> Check:
    from chem.references.registry import validate_reference_spec

    validate_reference_spec("xtb")
    version = importlib.metadata.version("tblite")
    offset = "its periodic energies carry an offset, which the self-check measures and refuses"
    return Check("xtb", "note", f"tblite {version}; {offset}", "see --accept-offset")


def _ase() -> Check:
    if importlib.util.find_spec("ase") is None:
        return Check("ase:MODULE:CALLABLE", "missing", "ase is not installed", "make install")
    version = importlib.metadata.version("ase")
    return Check("ase:MODULE:CALLABLE", "ok", f"ase {version}, any calculator of yours")


def _orchestration() -> list[Check]:
    from dask import config
    from prefect.settings import get_current_settings

    settings = get_current_settings()
    files = [str(file) for path in config.paths for file in sorted(Path(path).glob("*.yaml"))]
    silent = settings.server.analytics_enabled is False and os.environ.get("DO_NOT_TRACK") == "1"
    return [
        _prefect_api(settings.api.url),
        Check("Prefect home", "ok", str(settings.home)),
        Check(
            "Prefect telemetry",
            "ok" if silent else "note",
            "off" if silent else "on",
            "" if silent else "export PREFECT_SERVER_ANALYTICS_ENABLED=false DO_NOT_TRACK=1",
        ),
        Check("Dask configuration", "ok", ", ".join(files) or "defaults"),
        _batch_system(),
    ]


def _prefect_api(url: str | None) -> Check:
    if url is None:
        return Check("Prefect server", "ok", "none set: each run starts its own")
    from flows.server import answers

    if answers(f"{url}/health", _ANSWER_SECONDS):
        return Check("Prefect server", "ok", f"{url}, which runs report to")
    if os.environ.get("PREFECT_API_URL"):
        return Check(
            "Prefect server",
            "missing",
            f"{url} (PREFECT_API_URL) does not answer",
            "prefect server start, or unset PREFECT_API_URL",
        )
    return Check("Prefect server", "note", f"{url} does not answer: each run starts its own")


def _batch_system() -> Check:
    from shutil import which

    commands = {"sbatch": "slurm", "qsub": "pbs", "bsub": "lsf"}
    found = [kind for command, kind in commands.items() if which(command)]
    return Check("Batch systems", "ok", f"kind: {' or '.join(found)}" if found else "none here")


def _folders() -> list[Check]:
    from tasks.check import cache_dir

    kernels = importlib.util.find_spec("chem.kernels")
    compiled = Path(os.environ.get("NUMBA_CACHE_DIR") or "")
    if not os.environ.get("NUMBA_CACHE_DIR") and kernels is not None and kernels.origin:
        compiled = Path(kernels.origin).parent / "__pycache__"
    slow = "kernels are compiled again in each process; set NUMBA_CACHE_DIR to a folder of yours"
    return [
        _writable("Cache", cache_dir(), "set WIDOMILL_CACHE to a folder that can be written"),
        _writable("Compiled kernels", compiled, slow),
        _writable("Runs", Path.cwd(), "give --out"),
        _writable("Temporary files", Path(tempfile.gettempdir()), "set TMPDIR"),
    ]


def _writable(name: str, folder: Path, advice: str) -> Check:
    """Try to write where ``folder`` is or would be made; leaves nothing behind."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        return Check(name, "missing", f"{folder} cannot be written: {error.strerror}", advice)
    return Check(name, "ok", str(folder))
