"""The worked DFT example, run as written with its own stand-in for the electronic structure."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def run_example(*arguments: str) -> subprocess.CompletedProcess[str]:
    root = str(EXAMPLES.parent)
    path = os.pathsep.join(p for p in (root, os.environ.get("PYTHONPATH", "")) if p)
    return subprocess.run(
        [sys.executable, "gpaw_reference.py", "CALF-20", *arguments],
        cwd=EXAMPLES,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )


def test_labels_are_timed_and_runs_are_priced_with_the_stand_in():
    done = run_example("--calculator", "make_stand_in", "--labels", "1", "--workers", "8")
    assert done.returncode == 0, done.stderr
    energies = [float(e) for e in re.findall(r"([-\d.]+) kJ/mol in", done.stdout)]
    assert len(energies) == 1
    assert -90.0 < energies[0] < -20.0  # D3 twice, and still a CO2 where it likes to be
    assert "40 labels" in done.stdout
    assert "--reference ase:gpaw_reference:make_stand_in" in done.stdout
    assert "kind: slurm" in done.stdout


def test_the_price_list_is_a_cluster_file_that_can_be_read(tmp_path):
    from flows.cluster_file import read_cluster

    done = run_example("--calculator", "make_stand_in", "--labels", "1", "--cores", "4")
    lines = done.stdout.splitlines()
    start = lines.index("cluster.yaml, for Slurm:") + 1
    text = "\n".join(line[2:] for line in lines[start : start + 5])
    path = tmp_path / "cluster.yaml"
    path.write_text(text + "\n")
    assert read_cluster(path).cores == 4


@pytest.mark.skipif(importlib.util.find_spec("gpaw") is not None, reason="GPAW is installed")
def test_where_gpaw_is_missing_it_says_what_to_install():
    done = run_example("--labels", "1")
    assert done.returncode == 2
    assert "pip install gpaw" in done.stderr
    assert "Traceback" not in done.stderr
