"""Energy grids: insertions per second, building time and bias, beside direct sums.

    python benchmarks/grids.py                       # all cases, some 10 s each
    python benchmarks/grids.py --case Cu-BTC --points 100000

One thread; CPU seconds of this process, the best of a few repeats. Rates are from warm grids:
insertions drawn evenly ("uniform", most of them overlaps in tight hosts), and drawn from the
adaptive proposal of the classical level in the order it gives them ("proposal", mostly free).
The bias is the relative error of the mean Boltzmann factor, from insertions drawn by it and
summed directly: sampling noise cancels.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from common.cases import CASES, Case
from common.machine import as_lines, describe
from common.processes import stay_on_one_core

from chem.energies import ClassicalModel
from chem.grids import GridModel, build_grid_model
from chem.orientations import OrientationBins
from chem.proposal import EXACT, Known, Proposal, learn_proposal, voxel_shape
from chem.rotations import random_quaternions
from data.constants import GAS_CONSTANT_KJ_PER_MOL_K

INSERTIONS = 1_000_000
DIRECT = 30_000
REPEATS = 3
Insertions = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Row:
    """One case; rates in insertions per CPU second."""

    name: str
    dims: tuple[int, int, int]
    build_s: float
    check_bias: float
    uniform: float
    free: float
    proposal: float
    proposal_free: float
    direct: float
    bias: float
    bias_error: float
    rms: float

    def __str__(self) -> str:
        dims = "x".join(map(str, self.dims))
        return (
            f"| {self.name} | {dims} | {self.build_s:.2f} | {self.uniform / 1e6:.1f} "
            f"({self.free:.0%}) | {self.proposal / 1e6:.1f} ({self.proposal_free:.0%}) "
            f"| {self.direct / 1e6:.3f} | {self.uniform / self.direct:.0f} "
            f"| {self.bias:+.1e} +/- {self.bias_error:.0e} | {self.rms:.4f} |"
        )


HEADER = """\
| case | grid | build, CPU s | uniform, 1e6/s (free) | proposal, 1e6/s (free) \
| direct uniform, 1e6/s | ratio | bias of K_H | rms, kJ/mol |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |"""


def main() -> int:
    """Run the cases and print the table."""
    arguments = _arguments()
    stay_on_one_core()
    print("\n".join(as_lines(describe())), end="\n\n")
    print(HEADER, flush=True)
    for case in CASES:
        if arguments.case.lower() in case.name.lower():
            print(_measure(case, arguments.points), flush=True)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--case", default="", help="part of a case's name, such as MFI_SI")
    parser.add_argument("--points", type=int, default=20_000, help="direct sums for the bias")
    return parser.parse_args()


def _cpu_s(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Least CPU seconds of a few repeats."""
    seconds = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        seconds.append(time.process_time() - began)
    return min(seconds)


def _measure(case: Case, points: int) -> Row:
    """Build, time and check one case."""
    direct = case.system().model()
    temperatures = (case.temperature_k,)
    grid = build_grid_model(direct, temperatures_k=temperatures)  # compiled from here on
    build_s = _cpu_s(lambda: build_grid_model(direct, temperatures_k=temperatures))
    rng = np.random.default_rng(1)
    uniform = rng.random((INSERTIONS, 3)), random_quaternions(rng, INSERTIONS)
    energy = np.empty(INSERTIONS)
    uniform_s = _cpu_s(lambda: grid.energies_in(*uniform, energy))
    few = uniform[0][:DIRECT], uniform[1][:DIRECT]
    direct.energies(*few)
    direct_s = _cpu_s(lambda: direct.energies(*few), 1)
    proposal = _proposal(direct, uniform, energy, case.temperature_k)
    fractional, quaternions, weights = proposal.sample_stratified(rng, INSERTIONS)
    drawn = np.empty(INSERTIONS)
    proposal_s = _cpu_s(lambda: grid.energies_in(fractional, quaternions, drawn))
    bias, error, rms = _bias(grid, (fractional, quaternions), weights, drawn, points, case)
    if grid.check is None:
        raise RuntimeError("the grid model comes without its check")
    return Row(
        name=case.name,
        dims=grid.check.dims,
        build_s=build_s,
        check_bias=grid.check.worst_bias,
        uniform=INSERTIONS / uniform_s,
        free=float(np.isfinite(energy).mean()),
        proposal=INSERTIONS / proposal_s,
        proposal_free=float(np.isfinite(drawn).mean()),
        direct=DIRECT / direct_s,
        bias=bias,
        bias_error=error,
        rms=rms,
    )


def _proposal(
    direct: ClassicalModel, uniform: Insertions, energy: np.ndarray, temperature_k: float
) -> Proposal:
    """Learn the adaptive proposal from evenly drawn insertions."""
    bins = OrientationBins()
    voxels = voxel_shape(direct.host.lattice_angstrom, len(energy), bins)
    known = Known(*uniform, np.ones(len(energy)), energy)
    return learn_proposal(voxels, bins, known, (temperature_k,), EXACT)


def _bias(
    grid: GridModel,
    insertions: Insertions,
    weights: np.ndarray,
    energy: np.ndarray,
    points: int,
    case: Case,
) -> tuple[float, float, float]:
    """Bias of the mean Boltzmann factor, its standard error, and the rms energy difference."""
    beta = 1.0 / (GAS_CONSTANT_KJ_PER_MOL_K * case.temperature_k)
    mass = weights * np.exp(-beta * energy)
    chosen = np.random.default_rng(2).choice(len(mass), points, p=mass / mass.sum())
    exact, _ = grid.direct.energies(insertions[0][chosen], insertions[1][chosen])
    difference = energy[chosen] - exact
    ratio = np.exp(beta * difference)  # direct over grid, where the grid put its weight
    error = float(ratio.std() / np.sqrt(points))
    return float(1.0 / ratio.mean() - 1.0), error, float(np.sqrt(np.mean(difference**2)))


if __name__ == "__main__":
    raise SystemExit(main())
