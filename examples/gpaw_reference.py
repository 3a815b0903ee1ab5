"""PBE with D3(BJ) by GPAW as the reference level, and what it will cost.

    python gpaw_reference.py CALF-20 --guest CO2 --labels 2 --workers 16

computes labels where CO2 likes to be in CALF-20, says how long each took and prints the commands
of a run with what they will cost. Needs GPAW (https://gpaw.readthedocs.io) with its PAW data, and
dftd3, which widomill installs:

    pip install gpaw          # needs libxc, a BLAS and, to be fast, FFTW, ScaLAPACK and MPI
    gpaw install-data .

In widomill the level is `--reference ase:gpaw_reference:make_calculator`, given in the folder of
this file. `--calculator make_stand_in` tries the same path where GPAW is not installed: GFN1-xTB
takes the place of PBE. Its numbers mean nothing, but what fails with it fails with GPAW too.

GPAW: Mortensen et al., J. Chem. Phys. 160 (2024) 092503. PBE: Perdew, Burke, Ernzerhof, Phys. Rev.
Lett. 77 (1996) 3865. D3(BJ): Grimme, Ehrlich, Goerigk, J. Comput. Chem. 32 (2011) 1456.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

PLANE_WAVES_EV = 500.0
# In eV a valence electron: some 2 meV (0.2 kJ/mol) for the 200 to 250 electrons of a small cell.
ENERGY_TOLERANCE_EV = 1e-5
SMEARING_EV = 0.05
MOST_STEPS = 200
LOWEST_OF = 20_000
RUN_LABELS = {"a run of its own, to about 5 %": 150, "on top of a finished mace-dac run": 40}
SLURM = """\
kind: slurm
queue: YOUR_PARTITION
cores: {cores}
memory: 16GB
walltime: "24:00:00"
"""


def make_calculator() -> Any:
    """Return PBE in plane waves at the Gamma point, with D3(BJ): two of them are made and kept."""
    try:
        from gpaw import GPAW, PW
    except ImportError as error:
        raise ImportError(
            "GPAW is not installed here: pip install gpaw, then gpaw install-data DIRECTORY. "
            "--calculator make_stand_in tries the same path without it."
        ) from error
    electronic = GPAW(
        mode=PW(PLANE_WAVES_EV),
        xc="PBE",
        kpts={"size": (1, 1, 1), "gamma": True},
        occupations={"name": "fermi-dirac", "width": SMEARING_EV},
        convergence={"energy": ENERGY_TOLERANCE_EV},
        maxiter=MOST_STEPS,
        txt=None,
    )
    return with_dispersion(electronic)


def make_stand_in() -> Any:
    """Return GFN1-xTB in the place of PBE: quick, and no more than a try of the path."""
    from tblite.ase import TBLite

    return with_dispersion(TBLite(method="GFN1-xTB", verbosity=0))


def with_dispersion(electronic: Any) -> Any:
    """Return an electronic-structure calculator with D3(BJ) for PBE added to it."""
    from ase.calculators.mixing import SumCalculator
    from dftd3.ase import DFTD3

    return SumCalculator([electronic, DFTD3(method="PBE", damping="d3bj")])


def main() -> int:
    """Time some labels and print what runs will cost."""
    arguments = _arguments()
    from data.errors import WidomillError

    try:
        seconds, energies, note = time_labels(arguments)
    except WidomillError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    print(f"{arguments.guest} in {arguments.host}: {note}")
    for energy, spent in zip(energies, seconds, strict=True):
        print(f"  {energy:8.2f} kJ/mol in {spent / 60:.2f} min")
    print("\n".join(cost(arguments, statistics.median(seconds) / 60)))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("host", help="CIF path or the name of a bundled host")
    parser.add_argument("--guest", default="CO2")
    parser.add_argument("--calculator", default="make_calculator", help="a function of this file")
    parser.add_argument("--labels", type=int, default=2, help="labels to time")
    parser.add_argument("--workers", type=int, default=16, help="workers a run will have")
    parser.add_argument("--cores", type=int, default=1, help="cores of a worker")
    return parser.parse_args()


def time_labels(arguments: argparse.Namespace) -> tuple[list[float], list[float], str]:
    """Return seconds and energies (kJ/mol) of labels, and which cell they were computed in.

    The labels are the lowest of some insertions by the baseline. The first one, which also pays
    for the bare host, is not among the times where there are others.
    """
    import numpy as np

    from chem.energies import ClassicalModel, ClassicalSettings
    from chem.force_fields import load_force_field, mix_pairs
    from chem.guests import load_guest
    from chem.hosts import load_host
    from chem.references.registry import make_reference
    from chem.rotations import random_quaternions
    from data.errors import ReferenceLevelError

    host, guest = load_host(arguments.host), load_guest(arguments.guest)
    pairs = mix_pairs(host, guest, load_force_field("UFF"))
    model = ClassicalModel(host, guest, pairs, ClassicalSettings())
    rng = np.random.default_rng(0)
    fractional, quaternions = rng.random((LOWEST_OF, 3)), random_quaternions(rng, LOWEST_OF)
    lowest = np.argsort(model.energies(fractional, quaternions)[0])[: arguments.labels + 1]
    target = f"ase:gpaw_reference:{arguments.calculator}"
    reference = make_reference(target, host, guest)
    results = reference.interaction_energies(fractional[lowest], quaternions[lowest])
    failed = [result.reason for result in results if result.status == "failed"]
    if failed:
        raise ReferenceLevelError(f"{target} gave no energy: {failed[0]}")
    kept = results[1:] if len(results) > 1 else results
    return (
        [result.seconds for result in kept],
        [result.energy_kj_per_mol for result in kept],
        reference.cell_note,
    )


def cost(arguments: argparse.Namespace, minutes: float) -> list[str]:
    """Return what runs will cost, and how to start them.

    Args:
        arguments: host, guest, workers and cores.
        minutes: of one label.
    """
    level = f"ase:gpaw_reference:{arguments.calculator}"
    lines = [f"{minutes:.2f} minutes a label, {arguments.workers} workers:"]
    for what, labels in RUN_LABELS.items():
        hours = labels * minutes / 60
        lines.append(
            f"  {what}: {labels} labels, {hours * arguments.cores:.1f} core hours, "
            f"{hours / arguments.workers:.2f} hours at best"
        )
    name = f"{Path(arguments.host).stem}-{arguments.guest}"
    where = f"--workers {arguments.workers} --cluster cluster.yaml"
    return [
        *lines,
        "cluster.yaml, for Slurm:",
        *(f"  {line}" for line in SLURM.format(cores=arguments.cores).splitlines()),
        "a run of its own:",
        f"  widomill henry {arguments.host} --guest {arguments.guest} --reference {level} \\",
        f"    --max-labels 150 {where} --out runs/{name}",
        "on top of a finished mace-dac run:",
        f"  widomill upgrade runs/{name}-mace-dac --reference {level} \\",
        f"    --max-labels 40 {where}",
    ]


if __name__ == "__main__":
    sys.exit(main())
