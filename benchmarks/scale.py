"""What a campaign costs beside its physics: 64 workers kept busy, 5,000 hosts carried through.

    python benchmarks/scale.py        # about 10 minutes of two cores

Two parts, both with the real pools, drivers and files of a campaign.

1. Reference calls are replaced by a fixed sleep. Many reference loops at once, each a thread with
   an executor of its own, go through rounds on 64 Dask workers: one short stage that all labels
   wait for, then the labels. The speed-up is the sum of all sleeps over the wall time. The workers
   are 64 `distributed.Worker` of one thread in this process, which sleep as well as others: 64
   processes fit 24 GB (0.1 GB each), but start for minutes on two cores (`--processes`).
2. Hosts are read from a table, planned, and done by the campaign engine with everything it does
   for a unit (states, costs, live.json, results, table, report), the unit itself replaced by a
   copy of a finished one. Each size runs in a process of its own, whose peak memory is printed.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.machine import as_lines, describe
from common.sleepers import PATTERN, Sleep, copied_unit, sleep

RESULTS = Path(__file__).parent / "results" / "scale.md"
WORKERS = 64
DRIVERS = 24
ROUNDS = 2
LABELS = 16
FIRST_STAGE_SECONDS = 0.2
SLEEPS_SECONDS = (10.0, 5.0, 2.0)
HOSTS = (500, 1000, 5000)
GUEST, HOST = "CO2", "SOD"
MEGABYTE = 1024.0
"""Linux gives peak memory in kB."""


def main() -> int:
    """Do both parts, print and store the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=WORKERS)
    parser.add_argument("--processes", action="store_true", help="each worker a process")
    parser.add_argument("--sleeps", type=float, nargs="*", default=SLEEPS_SECONDS, help="s")
    parser.add_argument("--hosts", type=int, nargs="*", default=HOSTS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        one = carry_through if arguments.hosts[0] else make_pattern
        print(json.dumps(one(arguments.one, arguments.hosts[0])))
        return 0
    machine = describe()
    print("\n".join(as_lines(machine)) + "\n", flush=True)
    parts = []
    if arguments.sleeps:
        found = speed_ups(arguments.processes, arguments.workers, arguments.sleeps)
        parts.append(speed_table(found, arguments.processes))
        print(parts[-1] + "\n", flush=True)
    if arguments.hosts:
        parts.append(hosts_table(through_all(arguments.hosts)))
        print(parts[-1], flush=True)
    heading = "\n".join(f"- {line}" for line in as_lines(machine))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    text = "\n\n".join(["# Scale", heading, *parts])
    arguments.out.write_text(f"{text}\n", encoding="utf-8")
    return 0


@dataclass(frozen=True)
class SpeedUp:
    """How well a number of workers was used."""

    workers: int
    drivers: int
    label_s: float
    items: int
    serial_s: float
    wall_s: float
    own_cpu_s: float

    @property
    def speed_up(self) -> float:
        """Sum of all sleeps over the wall time."""
        return self.serial_s / self.wall_s


def speed_ups(processes: bool, workers: int, sleeps_s: Sequence[float]) -> list[SpeedUp]:
    """Start the workers once and go through the rounds with each length of a reference call."""
    from distributed import LocalCluster

    from flows.pools import open_pools
    from flows.server_settings import quiet_environment

    quiet_environment()
    began = time.monotonic()
    with LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=processes,
        protocol="tcp",
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        memory_limit=None,
        silence_logs=logging.CRITICAL,
    ) as cluster:
        where = {"kind": "scheduler", "address": cluster.scheduler_address}
        with open_pools(where, workers) as pools:
            while pools.workers < workers or pools.status()[0].places < workers:
                time.sleep(0.2)
            print(f"{workers} workers after {time.monotonic() - began:.0f} s", flush=True)
            return [speed_up(pools, workers, seconds) for seconds in sleeps_s]


def speed_up(pools: Any, workers: int, label_s: float) -> SpeedUp:
    """Let all drivers go through their rounds."""
    cpu_s, began = time.process_time(), time.monotonic()
    with ThreadPoolExecutor(DRIVERS) as threads:
        done = list(threads.map(lambda number: drive(pools, number, label_s), range(DRIVERS)))
    wall_s = time.monotonic() - began
    if done != [ROUNDS * LABELS] * DRIVERS:
        raise RuntimeError(f"labels were lost: {done}")
    serial_s = DRIVERS * ROUNDS * (FIRST_STAGE_SECONDS + LABELS * label_s)
    items = DRIVERS * ROUNDS * (1 + LABELS)
    own_cpu_s = time.process_time() - cpu_s
    return SpeedUp(workers, DRIVERS, label_s, items, serial_s, wall_s, own_cpu_s)


def drive(pools: Any, number: int, label_s: float) -> int:
    """Go through the rounds of one reference loop; return the labels."""
    from flows.pool_executor import PoolExecutor

    executor = PoolExecutor(pools, limits_s={"labels": 600.0})
    paid = 0
    for round_number in range(ROUNDS):
        title = f"host {number} round {round_number + 1}"
        first = Sleep(0, FIRST_STAGE_SECONDS)
        executor.call(sleep, first, kind="train", run_name=f"{title} training")
        items = [Sleep(k, label_s) for k in range(LABELS)]
        names = [f"{title} labels {k + 1}/{LABELS}" for k in range(LABELS)]
        paid += len(executor.map(sleep, items, kind="labels", run_names=names))
    return paid


def speed_table(found: list[SpeedUp], processes: bool) -> str:
    """Return the first table."""
    what = "processes" if processes else "in the process of the drivers and the scheduler"
    lines = [
        f"## Reference calls of a fixed length on {found[0].workers} Dask workers ({what})",
        "",
        f"{found[0].drivers} reference loops at once, {ROUNDS} rounds each: a stage of "
        f"{FIRST_STAGE_SECONDS} s, then {LABELS} calls.",
        "",
        "| call, s | items | sum of sleeps, s | wall, s | speed-up | CPU of this process, s |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {row.label_s:g} | {row.items} | {row.serial_s:.0f} | {row.wall_s:.1f} | "
        f"{row.speed_up:.1f} | {row.own_cpu_s:.1f} |"
        for row in found
    ]
    return "\n".join(lines)


def through_all(sizes: Sequence[int]) -> list[dict[str, float]]:
    """Carry each number of hosts through in a process of its own, with a cache of its own."""
    with tempfile.TemporaryDirectory(prefix="widomill-scale-") as base:
        pattern = Path(base) / "pattern"
        own_process(Path(base) / "first", pattern, 0)
        return [own_process(Path(base) / str(number), pattern, number) for number in sizes]


def own_process(base: Path, pattern: Path, hosts: int) -> dict[str, float]:
    """Do one size, or make the pattern where it is zero."""
    environment = {
        **os.environ,
        "WIDOMILL_CACHE": str(base / "cache"),
        PATTERN: str(pattern),
        "OMP_NUM_THREADS": "1",
    }
    base.mkdir()
    command = [sys.executable, __file__, "--one", str(base), "--hosts", str(hosts)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def carry_through(base: Path, hosts: int) -> dict[str, float]:
    """Plan hosts, let the engine carry them through, and say what it took."""
    from flows.campaign import drive as driving
    from flows.campaign.job import run_campaign
    from flows.campaign.read import read_campaign
    from flows.campaign.units import units_of
    from flows.console import Reporter
    from flows.pools import open_pools
    from flows.server_settings import quiet_environment

    quiet_environment()
    file = write_campaign(base, hosts)
    driving.run_classical_unit = copied_unit  # type: ignore[assignment]
    empty_mb, began = peak_mb(), time.monotonic()
    campaign = read_campaign(file)
    units = len(units_of(campaign))
    planned_s = time.monotonic() - began
    with open_pools({"kind": "local", "workers": 2}, 2) as pools:
        began = time.monotonic()
        summary = run_campaign(campaign, pools=pools, reporter=Reporter())
        wall_s = time.monotonic() - began
    again = time.monotonic()
    run_campaign(campaign)
    again_s = time.monotonic() - again
    if not summary.finished == units == hosts:
        raise RuntimeError(f"{summary.finished} of {hosts} units are finished")
    return {
        "hosts": hosts,
        "planned_s": planned_s,
        "wall_s": wall_s,
        "engine_s": summary.wall_s,
        "again_s": again_s,
        "empty_mb": empty_mb,
        "peak_mb": peak_mb(),
    }


def make_pattern(base: Path, hosts: int) -> dict[str, float]:
    """Do one classical unit for real."""
    from flows.console import SilentReporter
    from flows.executors import PlainExecutor
    from flows.run import run
    from flows.settings import HenrySettings

    settings = HenrySettings(
        host=HOST,
        guest=GUEST,
        reference="classical",
        temperatures_k=(273.15, 298.15, 323.15),
        insertions=20_000,
        target_error=0.5,
        keep_insertions=False,
        out=os.environ[PATTERN],
    )
    run(settings, PlainExecutor(), SilentReporter())
    return {}


def write_campaign(base: Path, hosts: int) -> Path:
    """Write structures, their table and the campaign file."""
    from data.bundled import bundled_files

    text = bundled_files("hosts", ".cif")[HOST].read_text(encoding="utf-8")
    structures = base / "structures"
    structures.mkdir()
    rows = ["id,path"]
    for number in range(hosts):
        name = f"{HOST}-{number:05d}"
        (structures / f"{name}.cif").write_text(text, encoding="utf-8")
        rows.append(f"{name},structures/{name}.cif")
    (base / "hosts.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    file = base / "campaign.yaml"
    file.write_text(
        f"name: scale\nhosts: [{{list: hosts.csv}}]\nguests: [{GUEST}]\n"
        "temperatures_k: [273.15, 298.15, 323.15]\n",
        encoding="utf-8",
    )
    return file


def peak_mb() -> float:
    """Return the peak resident memory of this process, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE


def hosts_table(found: list[dict[str, float]]) -> str:
    """Return the second table."""
    lines = [
        "## Hosts carried through by the campaign engine, units replaced by copies of files",
        "",
        "| hosts | read and planned, s | engine, s | table and report, s | once more, nothing to "
        "do, s | peak memory, MB | before the plan, MB | ms a host |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in found:
        closing = row["wall_s"] - row["engine_s"]
        each_ms = 1000 * (row["wall_s"] + row["planned_s"]) / row["hosts"]
        lines.append(
            f"| {row['hosts']:.0f} | {row['planned_s']:.1f} | {row['engine_s']:.1f} | "
            f"{closing:.1f} | {row['again_s']:.1f} | {row['peak_mb']:.0f} | "
            f"{row['empty_mb']:.0f} | {each_ms:.0f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
