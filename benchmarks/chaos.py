"""Kill a campaign at random moments, let it go on, and hold its answers against an undisturbed one.

    python benchmarks/chaos.py --kills 100
    python benchmarks/chaos.py --kills 20 --reference mace-dac

A small campaign (two hosts, classical and a reference of 30 labels) runs on two worker processes,
every fourth time with a Prefect server of its own. At random moments SIGKILL goes to a worker, to
the process that drives it all and holds the scheduler, to the server, or to all of them. What is
gone is resumed with `widomill campaign resume`. In the end every number of every unit has to be
that of the undisturbed campaign, bit for bit. The default reference is an ASE calculator that
writes down every call, so that calls paid twice are counted and not guessed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pyarrow.parquet as pq
from common.machine import as_lines, describe

VICTIMS = ("worker", "driver", "server", "all")
COUNTED = '''
"""A Lennard-Jones reference that writes down what it is asked."""

import hashlib
import os

from ase.calculators.lj import LennardJones


class Counted(LennardJones):
    """Appends one line for each calculation with host and guest."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        digest = hashlib.sha256(atoms.positions.tobytes()).hexdigest()
        handle = os.open(os.environ["CHAOS_CALLS"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.write(handle, f"{len(atoms)} {digest}\\n".encode())
        os.close(handle)
        super().calculate(atoms, properties, system_changes)


def make():
    return Counted(epsilon=0.01, sigma=3.2, rc=8.0, smooth=True)
'''
CHUNK = 6
"""Labels of one item: what a worker may have in flight."""
WORKERS = 2


@dataclass
class Tally:
    """What was counted over all campaigns."""

    kills: Counter[str] = field(default_factory=Counter)
    campaigns: int = 0
    resumes: int = 0
    different: list[str] = field(default_factory=list)
    labels: int = 0
    lost: int = 0
    paid_twice: int = 0
    most_in_flight: int = 0
    silent_ends: list[str] = field(default_factory=list)


def campaign_file(folder: Path, reference: str) -> Path:
    """Write the campaign."""
    (folder / "counted.py").write_text(COUNTED)
    host, guest = ("CALF-20", "CO2") if reference == "mace-dac" else ("SOD", "Ar")
    content = {
        "name": "chaos",
        "hosts": ["SOD", "CALF-20"],
        "guests": [guest],
        "classical": {"insertions": 50_000, "target_error": 0.05, "charges": "eeq"},
        "references": [
            {
                "level": reference,
                "hosts": [host],
                "insertions": 20_000,
                "max_labels": 30,
                "max_rounds": 2,
                "accept_offset": True,
            }
        ],
        "cluster": {"kind": "local", "workers": WORKERS},
    }
    path = folder / "chaos.yaml"
    path.write_text(json.dumps(content))
    return path


def start(arguments: list[str], folder: Path, calls: Path) -> subprocess.Popen[bytes]:
    """Start `widomill campaign ...` in a session of its own."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]),
        "CHAOS_CALLS": str(calls),
        "WIDOMILL_LABELS": "off",
    }
    command = [sys.executable, "-c", "from flows.cli import main; main()", "campaign"]
    with (folder / "log.txt").open("ab") as log:
        return subprocess.Popen(
            [*command, *arguments],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def kill(driver: subprocess.Popen[bytes], victim: str, rng: random.Random) -> str:
    """Send SIGKILL to a victim; return what was hit, or nothing."""
    with contextlib.suppress(psutil.NoSuchProcess):
        family = psutil.Process(driver.pid).children(recursive=True)
        words = {p.pid: " ".join(p.cmdline()) for p in family}
        workers = [p for p in family if "spawn_main" in words[p.pid]]
        servers = [p for p in family if "flows.server" in words[p.pid]]
        chosen = {
            "worker": [rng.choice(workers)] if workers else [],
            "server": servers,
            "driver": [psutil.Process(driver.pid)],
            "all": [psutil.Process(driver.pid), *family],
        }[victim]
        for process in chosen:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        return victim if chosen else ""
    return ""


def label_keys(out: Path) -> dict[str, float]:
    """Return the labels on disk: key and energy."""
    found = {}
    for path in out.glob("runs/*/labels/*.parquet"):
        with contextlib.suppress(OSError):
            rows = pq.read_table(path, columns=["label_key", "energy_kj_per_mol"]).to_pylist()
            found |= {row["label_key"]: row["energy_kj_per_mol"] for row in rows}
    return found


def disturbed(
    folder: Path, file: Path, seconds: float, kills: int, tally: Tally, rng: random.Random
) -> Path:
    """Run one campaign with kills in it until it has ended."""
    out, calls = folder / f"out-{tally.campaigns}", folder / f"calls-{tally.campaigns}"
    orchestrated = tally.campaigns % 4 == 0
    flags = [] if orchestrated else ["--no-orchestration"]
    tally.campaigns += 1
    driver = start(["run", str(file), "--out", str(out), *flags], folder, calls)
    seen: dict[str, float] = {}
    in_flight = 0
    while True:
        if kills and driver.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                driver.wait(rng.uniform(0.0, seconds))
            choices = [v for v in VICTIMS if orchestrated or v != "server"]
            hit = kill(driver, rng.choice(choices), rng) if driver.poll() is None else ""
            if hit:
                kills -= 1
                tally.kills[hit] += 1
                in_flight += CHUNK * WORKERS
                seen |= label_keys(out)
        status = driver.wait() if not kills or driver.poll() is not None else driver.poll()
        if status == 0:
            break
        if status is not None:
            if status > 0:
                tally.silent_ends.append(f"{out.name}: exit status {status}")
            tally.resumes += 1
            again = (
                ["resume", str(out)]
                if (out / "campaign.json").exists()
                else ["run", str(file), "--out", str(out)]
            )
            driver = start([*again, *flags], folder, calls)
    now = label_keys(out)
    tally.labels += len(now)
    tally.lost += sum(now.get(key) != energy for key, energy in seen.items())
    if calls.exists():
        counted = Counter(calls.read_text().splitlines())
        sizes = Counter(int(line.split()[0]) for line in counted)
        largest = max(sizes) if sizes else 0
        repeated = sum(n - 1 for line, n in counted.items() if int(line.split()[0]) == largest)
        tally.paid_twice += repeated
    tally.most_in_flight += in_flight
    return out


def differences(out: Path, whole: Path) -> list[str]:
    """Return the units whose results are not those of the undisturbed campaign, to the bit."""
    found = []
    for path in sorted(whole.glob("runs/*/results.parquet")):
        other = out / path.relative_to(whole)
        if not other.is_file():
            found.append(f"{out.name}: {path.parent.name}: no results")
        elif other.read_bytes() != path.read_bytes():
            ours, theirs = pq.read_table(other).to_pandas(), pq.read_table(path).to_pandas()
            names = [name for name in theirs if not theirs[name].equals(ours.get(name))]
            found.append(f"{out.name}: {path.parent.name}: {', '.join(names) or 'the file'}")
    return found


def main() -> None:
    """Run campaigns until the kills are spent, and print the tally."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--each", type=int, default=4, help="kills in one campaign, at most")
    parser.add_argument("--reference", default="ase:counted:make")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/chaos"))
    given = parser.parse_args()
    rng, tally = random.Random(given.seed), Tally()
    folder = given.out.absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    file = campaign_file(folder, given.reference)
    whole, began = folder / "whole", time.monotonic()
    arguments = ["run", str(file), "--out", str(whole), "--no-orchestration"]
    if start(arguments, folder, folder / "calls-whole").wait() != 0:
        raise SystemExit(f"the undisturbed campaign failed; see {folder / 'log.txt'}")
    seconds = time.monotonic() - began
    while (left := given.kills - tally.kills.total()) > 0:
        out = disturbed(folder, file, seconds, min(left, given.each), tally, rng)
        found = differences(out, whole)
        tally.different += found
        if not found:
            shutil.rmtree(out)
        print(
            f"{tally.kills.total()} kills, {tally.campaigns} campaigns, "
            f"{len(tally.different)} units differ {tally.different[-1:]}",
            file=sys.stderr,
            flush=True,
        )
    print("\n".join([*as_lines(describe()), "", *lines(tally, seconds)]))
    if tally.different or tally.lost:
        raise SystemExit(1)


def lines(tally: Tally, seconds: float) -> list[str]:
    """Return the tally in words."""
    hits = ", ".join(f"{name} {n}" for name, n in sorted(tally.kills.items()))
    return [
        f"undisturbed: {seconds:.0f} s",
        f"kills: {tally.kills.total()} ({hits}) in {tally.campaigns} campaigns, "
        f"{tally.resumes} resumed",
        f"units that differ from the undisturbed campaign in any bit: {len(tally.different)}",
        *tally.different,
        f"labels: {tally.labels}, lost: {tally.lost}, calls paid twice: {tally.paid_twice} (in "
        f"flight at the kills: at most {tally.most_in_flight})",
        *(
            ["ends with an error instead of a kill:", *tally.silent_ends]
            if tally.silent_ends
            else []
        ),
    ]


if __name__ == "__main__":
    main()
