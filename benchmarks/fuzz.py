"""Dirty and mutated inputs by the thousand: no traceback, no hang, no silent number.

    python benchmarks/fuzz.py                       # the corpus of tests/dirty and 3,000 mutations
    python benchmarks/fuzz.py --mutations 200 --kinds cif guest --keep found/

Every input is read in a process of its own pool, under a time and a memory limit. An outcome is
good when it is an error of our own that names the file, or a record that is sound
(tests/dirty/judge.py says what that means); a case of the corpus with only one right outcome must
have that one. The mutations are random changes of valid files, by a seed; Parquet files have one
bit turned over. Prints the table by kind and every finding; exits with 1 where there is any.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
import os
import resource
import sys
import tempfile
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from common.machine import as_lines, describe

DIRTY = Path(__file__).resolve().parent.parent / "tests" / "dirty"
sys.path.insert(0, str(DIRTY))
sys.path.insert(0, str(DIRTY.parent.parent))
MEGABYTE = 1 << 20
SHOWN = 40


@dataclass(frozen=True)
class Input:
    """One file to read, and how to make it again."""

    kind: str
    name: str
    path: str
    must: str | None
    large: bool


@dataclass(frozen=True)
class Result:
    """What became of one input."""

    kind: str
    name: str
    good: bool
    result: str
    text: str
    seconds: float
    memory_mb: float


def main() -> int:
    """Run the corpus and the mutations, print and store the table."""
    arguments = _arguments()
    machine = describe()
    print("\n".join(as_lines(machine)) + "\n", flush=True)
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as folder:
        worker = Worker(arguments.seconds, arguments.memory_mb)
        for one in _inputs(Path(folder), arguments):
            results.append(worker.read(one))
            if not results[-1].good and arguments.keep:
                _keep(Path(one.path), results[-1], arguments.keep)
            _remove(Path(one.path).parent)
            if len(results) % 500 == 0:
                print(
                    f"{len(results)} inputs, {sum(not r.good for r in results)} findings",
                    flush=True,
                )
        worker.close()
    table = _table(results)
    print("\n" + table)
    bad = [one for one in results if not one.good]
    for one in bad[:SHOWN]:
        print(f"{one.kind} | {one.name} | {one.result} | {one.text[:300]}")
    if arguments.out:
        text = "\n".join([*(f"- {line}" for line in as_lines(machine)), "", table])
        arguments.out.with_suffix(".md").write_text(f"# Dirty and mutated inputs\n\n{text}")
        content = {"machine": machine, "findings": [asdict(one) for one in bad]}
        arguments.out.write_text(json.dumps(content, indent=1) + "\n")
    return 1 if bad else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--mutations", type=int, default=3000, help="of all kinds together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="*", help="only these kinds of files")
    parser.add_argument("--seconds", type=float, default=60.0, help="limit for one input, CPU")
    parser.add_argument("--memory-mb", type=int, default=3000, help="limit for one input")
    parser.add_argument("--no-corpus", action="store_true", help="mutations only")
    parser.add_argument("--keep", type=Path, help="folder for inputs with a finding")
    parser.add_argument("--out", type=Path, help="JSON file of findings; the table beside it")
    return parser.parse_args()


def _inputs(folder: Path, arguments: argparse.Namespace) -> Iterator[Input]:
    """Write and yield the inputs one by one."""
    import make
    import mutate
    import tables
    import valid

    def wanted(kind: str) -> bool:
        return not arguments.kinds or kind in arguments.kinds

    if not arguments.no_corpus:
        for case in make.cases():
            if wanted(case.kind):
                place = folder / "corpus"
                place.mkdir(exist_ok=True)
                path = case.write(place)
                yield Input(case.kind, case.name, str(path), case.must, case.large)
    for number in range(arguments.mutations // 5 if wanted("parquet") else 0):
        place = folder / "flipped"
        place.mkdir(exist_ok=True)
        path = place / "dirty.parquet"
        path.write_bytes(tables.flipped(tables.sound_parquet(), 1000 + number))
        yield Input("parquet", f"bit {number} turned over", str(path), None, False)
    sources = [one for one in valid.sources() if wanted(one[0])]
    for number in range(arguments.mutations if sources else 0):
        kind, suffix, text = sources[number % len(sources)]
        place = folder / "mutated"
        place.mkdir(exist_ok=True)
        path = place / f"dirty{suffix}"
        path.write_bytes(mutate.mutated(text, arguments.seed * 1_000_000 + number))
        yield Input(kind, f"mutation {number} {suffix}", str(path), None, False)


class Worker:
    """A process that reads inputs one after the other; it is replaced when it hangs or dies."""

    def __init__(self, seconds: float, memory_mb: int) -> None:
        self.seconds, self.memory_mb = seconds, memory_mb
        self._process: mp.process.BaseProcess | None = None
        self._pipe: Connection | None = None

    def read(self, one: Input) -> Result:
        """Read one input under the limits."""
        if self._process is None or not self._process.is_alive():
            self._start()
        begin = _cpu_seconds(self._process.pid)
        self._pipe.send((one.kind, one.path))
        answer = None
        if self._answers(begin):
            try:
                answer = self._pipe.recv()
            except EOFError:
                answer = (False, "died", f"exit code {self._process.exitcode}", 0.0)
        took = _cpu_seconds(self._process.pid) - begin
        if answer is None:
            answer = (False, "hang", f"more than {self.seconds:g} s", 0.0)
            self._process.kill()
        good, result, text, memory = answer
        if good and one.must and result != one.must:
            good, text = False, f"{one.must} was expected: {text}"
        if one.large or not good:
            self.close()  # what a large input leaves behind is not the next one's
        return Result(one.kind, one.name, good, result, text, took, memory)

    def _answers(self, begin: float) -> bool:
        """Wait for the answer, up to the limit in processor time or ten times it in all."""
        last = time.monotonic() + 10.0 * self.seconds
        while time.monotonic() < last and _cpu_seconds(self._process.pid) - begin < self.seconds:
            if self._pipe.poll(0.5):
                return True
        return False

    def _start(self) -> None:
        context = mp.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, self.memory_mb), daemon=True)
        self._process.start()
        other.close()
        if not self._pipe.poll(120.0):
            raise SystemExit("The reading process does not start.")
        self._pipe.recv()

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None


def _serve(pipe: Connection, memory_mb: int) -> None:
    """Read what is asked for; runs in the worker process."""
    warnings.simplefilter("ignore")
    import judge

    judge.warm_up()
    used = _address_space_mb()
    limit = int((used + memory_mb) * MEGABYTE)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    pipe.send("ready")
    while True:
        kind, path = pipe.recv()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        outcome = judge.judge(kind, Path(path))
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        text = outcome.text[:2000]
        pipe.send((outcome.good, outcome.result, text, max(after - before, 0) / 1024))


def _cpu_seconds(pid: int) -> float:
    """Return the processor time of a process so far; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _address_space_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmSize:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _table(results: list[Result]) -> str:
    """Return the outcomes by kind as Markdown."""
    lines = [
        "| kind | inputs | clear errors | sound records | findings | most CPU, s | memory, MB |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    by_kind: dict[str, list[Result]] = defaultdict(list)
    for one in results:
        by_kind[one.kind].append(one)
    by_kind["all"] = results
    for kind, group in by_kind.items():
        counts = Counter(one.result if one.good else "finding" for one in group)
        lines.append(
            f"| {kind} | {len(group)} | {counts['error']} | {counts['record']} | "
            f"{counts['finding']} | {max((o.seconds for o in group), default=0):.1f} | "
            f"{max((o.memory_mb for o in group), default=0):.0f} |"
        )
    return "\n".join(lines) + "\n"


def _keep(path: Path, result: Result, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if path.is_file() and path.stat().st_size < MEGABYTE:
        name = "".join(c if c.isalnum() else "-" for c in f"{result.kind}-{result.name}")
        (folder / f"{name[:80]}{path.suffix}").write_bytes(path.read_bytes())


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
