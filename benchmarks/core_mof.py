"""One guest in a thousand MOFs in a row, in one process: seconds, memory, failures.

    python benchmarks/core_mof.py                      # CO2, EQeq charges, two threads
    python benchmarks/core_mof.py --guest CH4 --charges none --hosts 100

The structures are those of CoRE MOF 2019 (Chung et al., J. Chem. Eng. Data 64 (2019) 5985; data
CC BY 4.0), in the order of the archive that the package CoRE-MOF carries:
``pip install --no-deps CoRE-MOF==2019.1`` (45 MB; its dependencies, pandas and pymatgen, are
widomill's own). ``--archive`` takes the file from elsewhere, or any other tar of CIF files.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib.util
import sys
import tarfile
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from common import survey
from common.answers import Answer, henry
from common.machine import as_lines, describe
from common.survey import Record

PACKAGE = "CoRE_MOF"
HOW_TO_INSTALL = (
    "No structures: install them with `pip install --no-deps CoRE-MOF==2019.1`, or give a tar "
    "archive of CIF files with --archive."
)
NORMAL_95 = 1.96
MEMORY_EVERY = 100


@dataclass(frozen=True)
class Options:
    """What is computed for every host."""

    guest: str
    force_field: str
    charges: str
    temperature_k: float
    target_error: float
    insertions: int
    energies: str
    threads: int


def main() -> int:
    """Run through the hosts, print the figures and store them."""
    arguments = _arguments()
    archive = arguments.archive or packaged_archive(arguments.dataset)
    if archive is None:
        print(HOW_TO_INSTALL, file=sys.stderr)
        return 1
    options = Options(
        arguments.guest,
        arguments.force_field,
        arguments.charges,
        arguments.temperature_k,
        arguments.interval / NORMAL_95,
        arguments.insertions,
        arguments.energies,
        arguments.threads,
    )
    machine = describe()
    print("\n".join(as_lines(machine)) + "\n", flush=True)
    records: list[Record] = []
    for name, text in islice(make_iter(archive), arguments.skip, arguments.skip + arguments.hosts):
        records.append(one_host(name, text, options))
        if len(records) % MEMORY_EVERY == 0:
            print(survey.progress(records), flush=True)
            survey.store(records, machine, arguments.out)
    print("\n" + survey.summary(records))
    survey.store(records, machine, arguments.out)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--archive", type=Path, help="tar archive of CIF files")
    parser.add_argument("--dataset", default="2019-ASR", help="of the package CoRE-MOF")
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--skip", type=int, default=0, help="hosts to leave out at the start")
    parser.add_argument("--guest", default="CO2")
    parser.add_argument("--force-field", default="GenericMOFs")
    parser.add_argument("--charges", default="eqeq", help="eqeq, eeq, cif or none")
    parser.add_argument("--temperature-k", type=float, default=298.15)
    parser.add_argument("--interval", type=float, default=0.02, help="relative half width, 95 %%")
    parser.add_argument("--insertions", type=int, default=20_000_000, help="the most")
    parser.add_argument("--energies", choices=["auto", "grid", "direct"], default="auto")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, help="stem of the stored files, none by default")
    return parser.parse_args()


def packaged_archive(dataset: str) -> Path | None:
    """Return the archive inside the installed package, which is not imported for it."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        return None
    path = Path(found.submodule_search_locations[0]) / "data" / f"{dataset}.tar.xz"
    return path if path.is_file() else None


def make_iter(archive: Path) -> Iterator[tuple[str, str]]:
    """Yield (name, CIF text) of every structure, reading the archive once, in its order."""
    with tarfile.open(archive, "r|*") as tar:
        for member in tar:
            path = Path(member.name)
            if path.suffix == ".cif" and not path.name.startswith(".") and member.isfile():
                stream = tar.extractfile(member)
                if stream is not None:
                    yield path.stem, stream.read().decode("utf-8", errors="replace")


def one_host(name: str, text: str, options: Options) -> Record:
    """Compute one host; whatever goes wrong is its record."""
    from data.errors import WidomillError

    wall, cpu = time.perf_counter(), time.process_time()
    record = Record(name)
    try:
        _compute(text, record, options)
    except WidomillError as error:
        record.status, record.reason = type(error).__name__, str(error)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        record.status = f"BUG {type(error).__name__}"
        record.reason = f"{Path(place.filename).name}, line {place.lineno}: {error}"
    record.wall_s, record.cpu_s = time.perf_counter() - wall, time.process_time() - cpu
    gc.collect()
    record.memory_mb = survey.resident_mb()
    return record


def _compute(text: str, record: Record, options: Options) -> None:
    from chem.charges import assign_charges
    from chem.energies import ClassicalSettings
    from chem.force_fields import load_force_field
    from chem.guests import load_guest
    from chem.hosts import load_host
    from chem.mixing import mix_pairs
    from chem.system import System

    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        path = Path(f"{record.name}.cif")
        path.write_text(text, encoding="utf-8")
        host = load_host(str(path))
    record.atoms, record.volume_angstrom3 = len(host.elements), host.volume_angstrom3
    record.load_s = time.perf_counter() - start
    start = time.perf_counter()
    if options.charges != "cif":
        host = assign_charges(host, options.charges)
    record.charges_s = time.perf_counter() - start
    guest = load_guest(options.guest)
    kept = "none" if options.charges == "none" else "cif"
    pairs = mix_pairs(host, guest, load_force_field(options.force_field), charges=kept)
    answer = henry(
        System(host, guest, pairs, ClassicalSettings(12.0)),
        options.temperature_k,
        options.target_error,
        energies=options.energies,
        insertions=options.insertions,
        threads=options.threads,
    )
    record.henry_mol_per_kg_pa = answer.henry_mol_per_kg_pa
    record.relative_error = answer.relative_error
    record.insertions = answer.insertions
    record.status = _outcome(answer)


def _outcome(answer: Answer) -> str:
    if answer.reached:
        return "ok"
    return "target not reached" if answer.henry_mol_per_kg_pa > 0.0 else "no room"


if __name__ == "__main__":
    sys.exit(main())
