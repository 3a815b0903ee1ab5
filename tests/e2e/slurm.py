"""Campaigns on a real Slurm of one node: the check, a cancelled job, jobs that end in time.

    python tests/e2e/slurm.py [--part check|campaign|wall-time]

Brings Slurm up (see ``slurm_node.py`` for what it needs), prints what `squeue` says on the way and
what came out, and takes everything down. The exit status is 0 where all of it held.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from slurm_node import missing, slurm_node

ROOT = Path(__file__).resolve().parents[2]
WIDOMILL = [sys.executable, "-c", "from flows.cli import main; main()"]
CLUSTER = """\
kind: slurm
queue: main
cores: 1
memory: 3GB
walltime: "{walltime}"
workers: 2
interface: lo
prologue: ["export PYTHONPATH={root}"]
options: {{scheduler_options: {{host: 127.0.0.1}}, log_directory: {folder}/jobs}}
"""
CAMPAIGN = """\
name: on-slurm
hosts: [CALF-20, CAXVII]
guests: [CO2]
temperatures_k: [298.15]
classical: {{target_error: 0.02, insertions: 500000}}
references:
  - {{level: "forcefield:DREIDING", hosts: [CALF-20], target_error: 0.002, max_labels: 200,
     insertions: 200000, max_rounds: 2}}
cluster: {cluster}
"""
PARTS = ("check", "campaign", "wall-time")
GIVE_UP_SECONDS = 1500.0
ITEM_SECONDS = 4.0
ITEMS = 60


def main() -> int:
    """Run the parts asked for and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=PARTS, action="append", help="default: all")
    wanted = parser.parse_args().part or PARTS
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    if why := missing():
        print(f"no Slurm here: {why}")
        return 2
    with tempfile.TemporaryDirectory(prefix="wm-slurm-") as base:
        folder = Path(base)
        began = time.monotonic()
        with slurm_node(folder / "slurm", cpus=2) as found:
            environment = {**found, "PYTHONPATH": str(ROOT)}
            show(f"Slurm is up after {time.monotonic() - began:.1f} s", ["sinfo"], environment)
            if "check" in wanted:
                check(folder, environment)
            if "campaign" in wanted:
                campaign(folder, environment)
            if "wall-time" in wanted:
                wall_time(folder, environment)
    print("\nAll of it held.")
    return 0


def check(folder: Path, environment: Mapping[str, str]) -> None:
    """`widomill cluster check` says what the job is and what a worker answers."""
    cluster = cluster_file(folder, "00:10:00")
    said = show(
        "widomill cluster check", [*WIDOMILL, "cluster", "check", str(cluster)], environment, folder
    )
    assert "#SBATCH -t 00:10:00" in said
    assert "1 of 1 pools answer" in said
    assert "it reads what is written in" in said


def campaign(folder: Path, environment: Mapping[str, str]) -> None:
    """A campaign loses a job in the middle, gets another, and has every answer."""
    cluster = cluster_file(folder, "00:10:00")
    file = folder / "campaign.yaml"
    file.write_text(CAMPAIGN.format(cluster=cluster))
    title(f"widomill campaign run {file.name}")
    print(file.read_text())
    out = folder / "campaigns" / "on-slurm"
    with (folder / "campaign.log").open("w") as log:
        running = subprocess.Popen(
            [*WIDOMILL, "campaign", "run", str(file), "--no-orchestration"],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        wait_for(lambda: reference_runs(out), running, "the reference unit to start")
        jobs = show("squeue, in the middle", squeue("running"), environment).split()
        victim = next(word for word in jobs if word.isdigit())
        show(f"scancel {victim}", ["scancel", victim], environment)
        wait_for(lambda: count_running(environment) == 1, running, "the job to go")
        show("squeue, after scancel", squeue("all"), environment)
        wait_for(lambda: count_running(environment) == 2, running, "another job to come")
        show("squeue, a while later", squeue("all"), environment)
        running.wait(GIVE_UP_SECONDS)
    finally:
        running.kill()
        title("what it said")
        print((folder / "campaign.log").read_text())
    assert running.returncode == 0, running.returncode
    show("widomill campaign status", [*WIDOMILL, "campaign", "status", str(out)], environment)
    results = [
        json.loads(path.read_text())["results"][0]
        for path in sorted((out / "runs").glob("*/result.json"))
    ]
    for row in results:
        value, error = row["henry_mol_per_kg_pa"], row["henry_relative_standard_error"]
        print(f"{row['host']:9} {row['guest']} {row['reference']:20} {value:.4g} +- {error:.2%}")
    assert len(results) == 3
    wait_for(lambda: count_running(environment) == 0, None, "the jobs to end with the campaign")
    show("squeue, at the end", squeue("all"), environment)


def wall_time(folder: Path, environment: Mapping[str, str]) -> None:
    """Jobs leave before their limit, others come, and every item is answered once."""
    os.environ.update(environment)
    sys.path.insert(0, str(ROOT))
    sys.path.insert(0, str(ROOT / "tests" / "flows"))
    from pool_functions import Mark, draw

    from flows.pool_executor import PoolExecutor
    from flows.pools import open_pools
    from flows.server_settings import quiet_environment

    quiet_environment()
    cluster = cluster_file(folder, "00:02:00", path=str(ROOT / "tests" / "flows"))
    marks = folder / "marks"
    marks.mkdir()
    items = [Mark(number, str(marks), ITEM_SECONDS) for number in range(ITEMS)]
    title(f"{ITEMS} items of {ITEM_SECONDS:g} s on 2 jobs of 2 minutes each")
    began = time.monotonic()
    with open_pools(cluster, 2) as pools:
        records = PoolExecutor(pools).map(
            draw, items, kind="labels", run_names=[f"item {k}" for k in range(ITEMS)]
        )
        seconds = time.monotonic() - began
    jobs = show("squeue, all jobs", squeue("all"), environment)
    attempts = len(list(marks.iterdir()))
    print(
        f"{len(records)} answers after {seconds:.0f} s; {attempts} attempts, so "
        f"{attempts - ITEMS} items were begun again elsewhere"
    )
    assert records == [draw(Mark(item.number, item.folder)) for item in items]
    assert "TIMEOUT" not in jobs, "a job ran into its limit"
    assert attempts - ITEMS <= 8


def cluster_file(folder: Path, walltime: str, path: str = "") -> Path:
    """Write the cluster file of a part."""
    file = folder / "cluster.yaml"
    root = f"{ROOT}:{path}" if path else str(ROOT)
    file.write_text(CLUSTER.format(walltime=walltime, root=root, folder=folder))
    return file


def reference_runs(out: Path) -> bool:
    """Say whether the campaign works on its reference unit."""
    try:
        running: list[dict[str, Any]] = json.loads((out / "live.json").read_text())["running"]
    except (OSError, ValueError, KeyError):
        return False
    return any("DREIDING" in str(unit) and "labels" in str(unit) for unit in running)


def squeue(states: str) -> list[str]:
    """Return the command that lists jobs."""
    return ["squeue", "--states", states, "--sort", "i", "-o", "%.7i %.10j %.12T %.9M %.9l %N"]


def count_running(environment: Mapping[str, str]) -> int:
    """Return how many jobs run."""
    done = subprocess.run(
        ["squeue", "-h", "--states", "running,pending,completing"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return len(done.stdout.splitlines())


def show(
    what: str, command: list[str], environment: Mapping[str, str], folder: Path | None = None
) -> str:
    """Print a title and what a command says; return it."""
    title(what)
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    print(done.stdout, done.stderr, sep="", end="", flush=True)
    assert done.returncode == 0, f"{command} ended with {done.returncode}"
    return done.stdout


def title(text: str) -> None:
    """Print a title."""
    print(f"\n== {text} ==", flush=True)


def wait_for(true: Any, running: subprocess.Popen[bytes] | None, what: str) -> None:
    """Wait until something is so, as long as the campaign runs."""
    until = time.monotonic() + GIVE_UP_SECONDS
    while not true():
        ended = running is not None and running.poll() is not None
        if ended or time.monotonic() > until:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main())
