"""How public tools average insertions, reproduced on cases whose exact answer is known.

    python benchmarks/peers.py                    # about 10 minutes of one core
    python benchmarks/peers.py --insertions 400000 --cases "CO2 in CALF-20"

What is reproduced is how positions and orientations are drawn and what is counted, with a
classical energy that is the same for all, so that the exact answer is known. As the sources were
read (2026-11-20):

- DAC-SIM 0.0.3, https://github.com/hspark1212/DAC-SIM (`widom_insertion.py`, `molecule.py`), and
  MLIP Arena, https://github.com/atomind-ai/mlip-arena (`tasks/mof/flow.py`, commit 1389f2e), which
  says it is adapted from it: centres on a grid of 0.15 angstrom; rotation about an axis of three
  uniform numbers by a uniform angle; a centre within 1.5 angstrom of an atom is not computed and
  keeps the energy zero it was initialised with; energies under -1.25 eV are thrown out; two
  folds of 5,000 insertions, whose standard deviation is the error.
- Widom of CuspAI, https://github.com/cusp-ai-oss/widom (derived from DAC-SIM): the same rotations
  and the same energy limit; atoms within 1.0 angstrom have weight zero, as they should.
- FLAMES, https://github.com/lipelopesoliveira/flames (`widom.py`, commit 0060c1f): an insertion
  is drawn anew until no atom is nearer than 0.6 of the van der Waals radii, the energy is under
  kT and within 1.555 eV; the average is over what is kept. Issue 107 there speaks of it and
  announces a change.
- MLIP-MC, https://github.com/jackevansadl/MLIP-MC (`widom.py`, commit 5c08a1b): the average is over
  insertions without overlap of radii less 0.35 angstrom each, the others are not counted; beta
  times it is printed as a "simplified proportional representation" of the Henry constant.
- Threshold routing: the reference where a model's stated uncertainty, or the energy, passes a
  threshold, and the model elsewhere, as on-the-fly learning does in FLARE,
  https://github.com/mir-group/flare, and VASP, https://vasp.at/wiki/ML_CDOUB. Those serve dynamics;
  here the rule is put to a Henry coefficient. Radii are those of `ase.data.vdw_radii`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common.choices import (
    CENTRE_ANGSTROM,
    DEEPEST_EV,
    KJ_PER_MOL_PER_EV,
    LARGEST_EV,
    RADII_FACTOR,
    RADII_LESS_ANGSTROM,
    Atoms,
    Ratio,
    clashes,
    grid_positions,
    octant_quaternions,
    ratio,
)
from common.machine import as_lines, describe
from common.routed import Routed, routed_cases

RESULTS = Path(__file__).parent / "results" / "peers"
TEMPERATURE_K = 298.15
BATCH = 50_000
REACH_ANGSTROM = 3.6
FOLD = 5_000
CASES = ("CO2 in CALF-20", "CO2 in Mg-MOF-74", "N2 in CALF-20")
CHOICES = {
    "octant": ("rotation axes of one octant", "DAC-SIM, MLIP Arena, Widom (CuspAI)"),
    "centre": ("centres near an atom count as energy zero", "DAC-SIM, MLIP Arena"),
    "deepest": ("energies under -1.25 eV thrown out", "DAC-SIM, MLIP Arena, Widom (CuspAI)"),
    "grid": ("all three, on a 0.15 angstrom grid", "DAC-SIM, MLIP Arena as they stand"),
    "accessible": ("average over insertions without overlap", "MLIP-MC"),
    "redrawn": ("drawn anew until the energy is under kT", "FLAMES (commit 0060c1f)"),
}


@dataclass(frozen=True)
class Found:
    """One case.

    Attributes:
        name: guest and host.
        exact: <exp(-U/RT)> of the adaptive average, with its relative error.
        plain: plain Widom insertion over it.
        ratios: each choice over plain Widom insertion, on the same insertions.
        held: share of runs of two folds whose stated error holds the plain answer.
        typical: median relative error of such a run.
    """

    name: str
    exact: Ratio
    plain: Ratio
    ratios: dict[str, Ratio]
    held: float
    typical: float


def main() -> int:
    """Work out the cases, print and store tables and picture."""
    arguments = _arguments()
    machine = describe()
    print("\n".join(as_lines(machine)) + "\n", flush=True)
    found = [examine(name, arguments.insertions) for name in arguments.cases]
    routed = [] if arguments.no_routing else routed_cases(arguments.runs)
    text = "\n\n".join([table(found), *(routing_table(r) for r in routed)])
    print(text)
    arguments.out.mkdir(parents=True, exist_ok=True)
    heading = "\n".join(f"- {line}" for line in as_lines(machine))
    (arguments.out / "peers.md").write_text(f"{heading}\n\n{text}\n", encoding="utf-8")
    stored = {"machine": machine, "cases": [_plain(f) for f in found]}
    stored["routing"] = [vars(r) for r in routed]
    (arguments.out / "peers.json").write_text(json.dumps(stored, indent=1) + "\n", "utf-8")
    draw(found, routed, arguments.out / "peers.png")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", default=list(CASES))
    parser.add_argument("--insertions", type=int, default=4_000_000)
    parser.add_argument("--no-routing", action="store_true", help="leave out threshold routing")
    parser.add_argument("--runs", type=Path, default=Path("runs/peers"), help="run folders")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of tables and picture")
    return parser.parse_args()


def _plain(found: Found) -> dict[str, Any]:
    return vars(found) | {
        "exact": vars(found.exact),
        "plain": vars(found.plain),
        "ratios": {name: vars(value) for name, value in found.ratios.items()},
    }


def examine(name: str, insertions: int) -> Found:
    """Return how the choices fare in a case, named "GUEST in HOST".

    The host keeps the cell of its file, because orientations are drawn in its frame.
    """
    from chem.energies import ClassicalSettings
    from chem.estimator import beta_mol_per_kj, henry_prefactor
    from chem.force_fields import load_force_field
    from chem.guests import load_guest
    from chem.hosts import host_density_kg_per_m3, load_host
    from chem.mixing import mix_pairs
    from chem.system import System
    from chem.widom import WidomSettings, choose_model, run_widom

    guest_name, _, host_name = name.partition(" in ")
    host, guest = load_host(host_name, primitive=False), load_guest(guest_name)
    system = System(
        host, guest, mix_pairs(host, guest, load_force_field("UFF")), ClassicalSettings()
    )
    settings = WidomSettings(insertions=8_000_000, target_error=0.002, block_pockets=False)
    answer = run_widom(system, (TEMPERATURE_K,), settings)
    scale = henry_prefactor(host_density_kg_per_m3(host), TEMPERATURE_K)
    mean = float(answer.henry_mol_per_kg_pa[0]) / scale
    exact = Ratio(mean, mean * float(answer.relative_standard_error[0]))
    model, _, _ = choose_model(system.model(), (TEMPERATURE_K,), settings)
    sums, factors = _batches(model, beta_mol_per_kj(TEMPERATURE_K), max(4, insertions // BATCH))
    every = np.full(len(sums["plain"]), float(BATCH))
    base = ratio(sums["plain"], every)
    relative = np.hypot(base.standard_error / base.value, float(answer.relative_standard_error[0]))
    plain = Ratio(base.value / mean, base.value / mean * float(relative))
    ratios = {}
    for choice in CHOICES:
        counted = sums.get(f"{choice} counted", every)
        known = ~np.isnan(counted) & ~np.isnan(sums[choice])
        ratios[choice] = ratio((sums[choice] / counted)[known] * BATCH, sums["plain"][known])
    held, typical = _folds(factors, base.value)
    print(f"{name}: done", flush=True)
    return Found(name, exact, plain, ratios, held, typical)


def _batches(model: Any, beta: float, count: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return sums of each choice in each batch, and the Boltzmann factors of plain insertion.

    Overlap by radii is looked up in one batch of four: it is slow, and its share well known.
    """
    from chem.rotations import random_quaternions, rotate_sites

    host, guest = model.host, model.guest
    atoms = Atoms(host, REACH_ANGSTROM)
    names = ["plain", *CHOICES, "accessible counted", "redrawn counted"]
    sums = {name: np.full(count, np.nan) for name in names}
    factors = np.zeros((count, BATCH))
    elements, body = guest.atom_elements, guest.atom_positions_angstrom
    for k in range(count):
        rng = np.random.default_rng([2026, k])
        fractional = rng.random((BATCH, 3))
        uniform, octant = random_quaternions(rng, BATCH), octant_quaternions(rng, BATCH)
        energy = model.energies(fractional, uniform)[0]
        factor = factors[k] = np.exp(-beta * energy)
        deep = energy < DEEPEST_EV * KJ_PER_MOL_PER_EV
        near = _near_centre(atoms, fractional @ host.lattice_angstrom)
        sums["plain"][k] = factor.sum()
        sums["octant"][k] = np.exp(-beta * model.energies(fractional, octant)[0]).sum()
        sums["centre"][k] = np.where(near, 1.0, factor).sum()
        sums["deepest"][k] = factor[~deep].sum()
        placed = grid_positions(rng, BATCH, host.lattice_angstrom)
        energy_there = model.energies(placed, octant)[0]
        there = np.exp(-beta * energy_there)
        there[energy_there < DEEPEST_EV * KJ_PER_MOL_PER_EV] = 0.0
        near = _near_centre(atoms, placed @ host.lattice_angstrom)
        sums["grid"][k] = np.where(near, 1.0, there).sum()
        if k % 4 == 0:
            sites = rotate_sites(uniform, body) + (fractional @ host.lattice_angstrom)[:, None]
            free = ~clashes(atoms, sites, elements, 1.0, RADII_LESS_ANGSTROM)
            kept = ~clashes(atoms, sites, elements, RADII_FACTOR, 0.0)
            kept &= (energy < 1.0 / beta) & (np.abs(energy) < LARGEST_EV * KJ_PER_MOL_PER_EV)
            for name, counted in (("accessible", free), ("redrawn", kept)):
                sums[name][k] = factor[counted].sum()
                sums[f"{name} counted"][k] = counted.sum()
    return sums, factors


def _near_centre(atoms: Atoms, positions: np.ndarray) -> np.ndarray:
    nearest = np.min(np.stack(list(atoms.nearest(positions).values())), axis=0)
    return nearest <= CENTRE_ANGSTROM


def _folds(factors: np.ndarray, mean: float) -> tuple[float, float]:
    """Return how often the deviation of two folds holds the mean, and the typical error."""
    folds = factors.reshape(-1, 2, FOLD).mean(axis=2)
    answers, stated = folds.mean(axis=1), folds.std(axis=1)
    off = np.abs(answers - mean)
    return float((off <= stated).mean()), float(np.median(off) / mean)


def _percent(value: Ratio) -> str:
    off, error = 100 * (value.value - 1.0), 100 * value.standard_error
    digits = int(max(0, 1 - np.floor(np.log10(error)))) if error > 0 else 2
    return f"{off:+.{min(digits, 2)}f} +- {error:.{min(digits, 2)}f} %"


def table(found: list[Found]) -> str:
    """Return the bias of each choice in each case as Markdown."""
    lines = [
        "Error of K_H that a choice brings, against plain Widom insertion on the same insertions "
        "(UFF + TraPPE, 298.15 K).",
        "",
        "| choice | found in | " + " | ".join(f.name for f in found) + " |",
        "|" + " --- |" * (2 + len(found)),
    ]
    lines.append(
        "| exact: mean Boltzmann factor | | "
        + " | ".join(f"{f.exact.value:.4g} +- {f.exact.standard_error:.1g}" for f in found)
        + " |"
    )
    lines.append("| plain Widom | RASPA, this project | " + _cells(found, lambda f: f.plain))
    for choice, (what, where) in CHOICES.items():
        cells = _cells(found, lambda f, name=choice: f.ratios[name])
        lines.append(f"| {what} | {where} | {cells}")
    lines += [
        "",
        "Two folds of 5,000 plain insertions, error stated as their standard deviation (DAC-SIM's "
        "defaults): "
        + "; ".join(
            f"{f.name}: typical error {100 * f.typical:.2g} %, the stated one holds the answer in "
            f"{100 * f.held:.0f} % of runs"
            for f in found
        )
        + ".",
    ]
    return "\n".join(lines)


def _cells(found: list[Found], pick: Callable[[Found], Ratio]) -> str:
    return " | ".join(_percent(pick(f)) for f in found) + " |"


def routing_table(routed: Routed) -> str:
    """Return threshold routing in one case as Markdown."""
    lines = [
        f"{routed.name}: baseline UFF, reference {routed.reference}, exact answer "
        f"{routed.exact:.4g} mol/(kg Pa) within {100 * routed.exact_error:.1g} %.",
        "",
        "| rule | labels in a million uniform insertions | error of K_H |",
        "| --- | --- | --- |",
    ]
    for rule, labels, off, error in routed.rows:
        lines.append(f"| {rule} | {labels:,.0f} | {_percent(Ratio(1.0 + off, error))} |")
    lines += [
        "",
        "Of the rules: bias alone; a million uniform insertions have a sampling error besides. Of "
        "widomill: all of its error, at its own number of labels.",
    ]
    return "\n".join(lines)


def draw(found: list[Found], routed: list[Routed], path: Path) -> None:
    """Draw the errors of the choices, and of threshold routing against its labels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.0, 4.6), layout="constrained")
    axis, other = figure.subplots(1, 2, width_ratios=(1.35, 1.0))
    height = 0.8 / max(1, len(found))
    for k, f in enumerate(found):
        places = np.arange(len(CHOICES)) - 0.4 + height * (k + 0.5)
        values = [100 * (f.ratios[name].value - 1.0) for name in CHOICES]
        errors = [100 * f.ratios[name].standard_error for name in CHOICES]
        axis.barh(places, values, height, xerr=errors, color=f"C{k}", label=f.name)
    axis.set_yticks(range(len(CHOICES)), [what for what, _ in CHOICES.values()], fontsize=8)
    axis.invert_yaxis()
    axis.axvline(0.0, color="0.3", lw=0.8)
    axis.set_xscale("symlog", linthresh=10.0)
    axis.set_xlabel("error of K_H, % (linear within 10 %)")
    axis.legend(frameon=False, fontsize=8)
    axis.grid(alpha=0.25, axis="x")
    for k, r in enumerate(routed):
        for marker, kind in (("s", "baseline under"), ("^", "spread over"), ("*", "widomill")):
            rows = [row for row in r.rows if row[0].startswith(kind)]
            axis_values = [row[1] for row in rows], [100 * row[2] for row in rows]
            errors = [100 * row[3] for row in rows]
            name = f"{r.name}: {kind}" + ("" if kind == "widomill" else " a limit")
            other.errorbar(
                *axis_values, yerr=errors, fmt=f"C{k}{marker}", ms=6, capsize=2, label=name
            )
    other.axhline(0.0, color="0.3", lw=0.8)
    other.set(xscale="log", xlabel="reference calls", ylabel="error of K_H, %")
    other.grid(alpha=0.25)
    if routed:
        other.legend(frameon=False, fontsize=7)
    figure.savefig(path, dpi=140)


if __name__ == "__main__":
    sys.exit(main())
