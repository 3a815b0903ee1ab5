import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "benchmarks"


def test_no_benchmark_hides_a_module_that_others_import():
    """A script's folder comes first on its path: numba, for one, looks for a `coverage`."""
    done = subprocess.run(
        [sys.executable, "-c", "import numba, scipy, pandas, matplotlib, ase"],
        cwd=FOLDER,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
