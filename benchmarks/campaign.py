"""Whole campaigns on this machine: what they cost, how busy the workers are, what failures do.

    python benchmarks/campaign.py            60 hosts, CO2 and N2, three temperatures, classical;
                                             MACE-DAC-1 + D3 on five small cells
    python benchmarks/campaign.py --failures 60 units of which five cannot have an answer

Hosts: the bundled ones, and the smallest of CoRE MOF 2019 (needs the extra `core-mof`). Wall time,
CPU time and shares are of the whole command: workers, driver, Prefect server.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
from common.machine import as_lines, describe

HOSTS = 60
LOOK_S = 0.5
REFERENCE_HOSTS = ("CALF-20", "CALF20-b", "Mg-MOF-74", "KAXQIL", "SBMOF-1")
HANGING = "import time\n\n\ndef make():\n    time.sleep(3600)\n"
FAILING = """
from ase.calculators.lj import LennardJones


class Failing(LennardJones):
    def calculate(self, *_, **__):
        raise RuntimeError("SCF not converged after 500 steps")


def make():
    return Failing()
"""


def collected(number: int, folder: Path) -> list[str]:
    """Return the paths of the smallest structures of CoRE MOF 2019, by size of the file."""
    from chem.collections import expand_collection

    found = sorted((p.stat().st_size, p.name, p) for _, p in expand_collection("core-mof:2019-asr"))
    return [str(path) for _, _, path in found[:number]]


def bundled() -> list[str]:
    """Return the names of the bundled hosts."""
    from chem.hosts import bundled_hosts

    return list(bundled_hosts())


def classical_and_reference(folder: Path) -> Path:
    """Write the campaign of the first kind."""
    names = bundled()
    content = {
        "name": "sixty-hosts",
        "out": str(folder / "campaign"),
        "hosts": names + collected(HOSTS - len(names), folder),
        "guests": ["CO2", "N2"],
        "temperatures_k": [273.15, 298.15, 323.15],
        "classical": {"charges": "eeq", "target_error": 0.05, "insertions": 200_000},
        "references": [
            {
                "level": "mace-dac",
                "hosts": list(REFERENCE_HOSTS),
                "guests": ["CO2"],
                "insertions": 200_000,
                "max_labels": 100,
                "target_error": 0.1,
            }
        ],
        "cluster": {"kind": "local", "workers": 2},
    }
    return written(folder, content)


def with_failures(folder: Path) -> Path:
    """Write a campaign of 60 units: 55 sound hosts, three broken, two references that fail."""
    names = bundled()
    sound = names + collected(55 - len(names), folder)
    broken = []
    text = Path("data/hosts/SOD.cif").read_text(encoding="utf-8")
    for name, content in (
        ("truncated", text[: len(text) // 3]),
        ("no-cell", text.replace("_cell_length_a", "_cell_length_q")),
        ("no-element", text.replace(" Si ", " Xx ").replace("Si1", "Xx1")),
    ):
        path = folder / f"{name}.cif"
        path.write_text(content, encoding="utf-8")
        broken.append(str(path))
    (folder / "never_comes_back.py").write_text(HANGING)
    (folder / "never_converges.py").write_text(FAILING)
    content = {
        "name": "failures",
        "out": str(folder / "campaign"),
        "hosts": sound + broken,
        "guests": ["CO2"],
        "classical": {"charges": "eeq", "target_error": 0.1, "insertions": 50_000},
        "references": [
            {"level": f"ase:{name}:make", "hosts": ["SOD"], "max_labels": 20}
            for name in ("never_comes_back", "never_converges")
        ],
        "limits": {"label_seconds": 5},
        "cluster": {"kind": "local", "workers": 2},
    }
    return written(folder, content)


def written(folder: Path, content: dict) -> Path:
    """Write a campaign file; JSON is YAML."""
    path = folder / "campaign.yaml"
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return path


def main() -> None:
    """Run one of the campaigns and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--failures", action="store_true", help="the campaign with failures")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmark-campaign"))
    given = parser.parse_args()
    folder = given.out.absolute() / ("failures" if given.failures else "sixty-hosts")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    file = with_failures(folder) if given.failures else classical_and_reference(folder)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]),
        "WIDOMILL_LABELS": "off",
    }
    began = time.monotonic()
    command = [sys.executable, "-c", "from flows.cli import main; main()", "campaign", "run"]
    answer = folder / "answer.json"
    with answer.open("wb") as standard_output:
        campaign = subprocess.Popen(
            [*command, str(file), "--json"], env=environment, stdout=standard_output
        )
        spent = watched(campaign)
    if campaign.returncode:
        raise SystemExit(f"the campaign ended with status {campaign.returncode}")
    wall_s = time.monotonic() - began
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    summary = json.loads(answer.read_text())
    print("\n".join(report(summary, wall_s, used.ru_utime + used.ru_stime, spent)))


def watched(campaign: subprocess.Popen) -> dict[str, float]:
    """Wait for a campaign and return the CPU seconds of its processes by what they are.

    The driver holds Dask's scheduler; workers count from the start of their processes.
    """
    spent: dict[tuple[str, int], float] = {}
    while campaign.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            driver = psutil.Process(campaign.pid)
            for process in [driver, *driver.children(recursive=True)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    words = " ".join(process.cmdline())
                    role = "server" if "flows.server" in words else "workers"
                    times = process.cpu_times()
                    key = ("driver" if process == driver else role, process.pid)
                    spent[key] = times.user + times.system
        time.sleep(LOOK_S)
    roles = ("driver", "server", "workers")
    return {role: sum(s for (own, _), s in spent.items() if own == role) for role in roles}


def report(summary: dict, wall_s: float, cpu_s: float, spent: dict[str, float]) -> list[str]:
    """Return the lines of the result."""
    # What the last look missed of the driver is its own: it ends last.
    driver_s = cpu_s - spent["server"] - spent["workers"]
    orchestration = 100 * (driver_s + spent["server"]) / cpu_s
    folder = Path(summary["folder"])
    failures = [json.loads(p.read_text()) for p in sorted((folder / "failures").glob("*.json"))]
    lines = as_lines(describe())
    lines += [
        "",
        f"units with an answer: {summary['finished']}, with a reason: {summary['failed']}, "
        f"to go: {summary['waiting']}",
        f"wall time: {wall_s:.0f} s, of which the campaign itself {summary['wall_s']:.0f} s",
        f"CPU time: {cpu_s:.0f} s, of which workers {spent['workers']:.0f} s "
        f"({summary['cpu_s']:.0f} s on units), the driver with Dask's scheduler, results and "
        f"report {driver_s:.0f} s, the Prefect server {spent['server']:.0f} s",
        f"both cores busy: {100 * summary['busy_share']:.1f} % while work existed (workers alone), "
        f"{100 * cpu_s / wall_s / 2:.1f} % from start to exit (everything)",
        f"orchestration (driver and Prefect server): {orchestration:.1f} % of the CPU time",
    ]
    lines += [f"{f['host_id']} {f['level']}: {f['error']}: {f['reason'][:110]}" for f in failures]
    return lines


if __name__ == "__main__":
    main()
