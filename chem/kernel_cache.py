"""Where compiled kernels are kept: a folder that belongs to this very state of the sources.

Numba ties a stored kernel to its own source file alone, so after a change in a function that is
inlined from another file the old physics would keep running. The folder is named by the content
of all sources of the package instead. It lies beside them; where that is not writable, or
the user chose a folder (NUMBA_CACHE_DIR), numba's own choice holds.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from data.records import content_hash

VARIABLE = "NUMBA_CACHE_DIR"
PREFIX = "kernels-"
KEPT_STATES = 4


def source_state(package: Path) -> str:
    """Return a hash of names and contents of all Python files of a package."""
    paths = sorted(package.rglob("*.py"))
    return content_hash(*((str(p.relative_to(package)), p.read_bytes()) for p in paths))


def use_own_folder(package: Path) -> Path | None:
    """Point numba at the folder of this state of the sources; the oldest states are removed.

    Returns:
        The folder, or None where numba's own choice holds.
    """
    if VARIABLE in os.environ:
        return None
    home = package / "__pycache__"
    folder = home / f"{PREFIX}{source_state(package)}"
    try:
        if not folder.is_dir():
            folder.mkdir(parents=True)
            states = sorted(home.glob(f"{PREFIX}*"), key=lambda p: p.stat().st_mtime)
            for old in states[:-KEPT_STATES]:
                shutil.rmtree(old, ignore_errors=True)
    except OSError:
        return None
    os.environ[VARIABLE] = str(folder)
    return folder
