"""How many insertions a second the surrogate scores, against the reference on the same CPU.

    python benchmarks/surrogate.py                          # CO2 in CALF-20, mace-dac, 250 labels
    python benchmarks/surrogate.py --host MFI --reference forcefield:DREIDING --labels 100
    python benchmarks/surrogate.py --run runs/x             # the last surrogate of a run

An ensemble of encoders is pretrained and a surrogate fitted to fresh labels. Then the same
insertions are scored from the host atoms and from tabulated fields, by one process and by
several, each on one thread, and on a GPU when torch sees one. Insertions that lie so high that
the baseline is kept cost next to nothing; they count in the last row only. The reference's
speed is that of labelling: energies only, one thread. Of a run the last surrogate is timed as it
is, with what a model of other hosts adds to it, on insertions of its last table that are corrected.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from common.machine import as_lines, describe
from common.rates import timed, together

PILOT = 200_000
PRETRAINING = 6000
HELD_OUT = 100
SLOW_INSERTIONS = 4000
PACKAGES = ("torch", "mace-torch", "dftd3", "tblite")


@dataclass(frozen=True)
class Problem:
    """What is scored, and with what it was fitted.

    Insertions are (fractional, quaternions, baseline energies): all without overlap, and those
    of them that get a learned correction. ``held_out`` adds reference energies of labels that
    were not fitted.
    """

    host: str
    guest: str
    reference: str
    members: int
    labels: int
    temperature_k: float
    free: tuple[np.ndarray, ...]
    corrected: tuple[np.ndarray, ...]
    held_out: tuple[np.ndarray, ...]


def main() -> int:
    """Measure, print and store."""
    arguments = _arguments()
    import torch

    torch.set_num_threads(1)
    machine = describe() | {name: _version(name) for name in PACKAGES}
    if torch.cuda.is_available():
        machine["gpu"] = torch.cuda.get_device_name()
    print("\n".join(as_lines(machine)) + "\n", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        if arguments.run:
            found = measure_run(arguments, Path(folder))
            text = report_run(found)
        else:
            found = measure(arguments, Path(folder))
            text = report(found)
    print(text)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        content = {"machine": machine, **found}
        with arguments.out.with_suffix(".json").open("w", encoding="utf-8") as stream:
            stream.write(json.dumps(content, indent=1) + "\n")
        lines = [*(f"- {key}: {value}" for key, value in machine.items()), "", text]
        arguments.out.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--host", default="CALF-20")
    parser.add_argument("--guest", default="CO2")
    parser.add_argument("--force-field", default="UFF")
    parser.add_argument("--reference", default="mace-dac")
    parser.add_argument("--temperature-k", type=float, default=298.15)
    parser.add_argument("--labels", type=int, default=250)
    parser.add_argument("--members", type=int, default=4, help="encoders in the ensemble")
    parser.add_argument("--insertions", type=int, default=65_536, help="scored per process")
    parser.add_argument("--gpu-insertions", type=int, default=4_194_304)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--run", type=Path, help="folder of a finished run to time instead")
    parser.add_argument("--out", type=Path, help="stem of the stored files, none by default")
    return parser.parse_args()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return all figures as plain values."""
    import torch

    from ml.fields import store_fields
    from ml.surrogate import Surrogate

    problem, surrogate, figures = fitted(arguments)
    start = time.perf_counter()
    describer = surrogate.describer
    table = None if describer is None else store_fields(describer, folder)
    figures["build_fields_s"] = time.perf_counter() - start
    saved, free = folder / "surrogate.pt", folder / "free.npz"
    surrogate.save(saved, fields_file=table)
    fast = Surrogate.load(saved, device="cpu")
    figures |= agreement(problem, surrogate, fast)
    places = problem.corrected
    np.savez(folder / "corrected.npz", *places)
    np.savez(free, *problem.free)
    rates = [timed("one process, from the host atoms", surrogate, places, SLOW_INSERTIONS)]
    rates.append(timed("one process", fast, places, arguments.insertions))
    if arguments.processes > 1:
        kept = folder / "corrected.npz"
        rates.append(together(saved, kept, arguments.processes, arguments.insertions))
    if torch.cuda.is_available():
        on_gpu = Surrogate.load(saved, device="cuda")
        rates.append(timed("one GPU", on_gpu, places, arguments.gpu_insertions))
    rates.append(together(saved, free, arguments.processes, arguments.insertions))
    names = ("host", "guest", "reference", "members", "labels", "temperature_k")
    settings = {name: getattr(problem, name) for name in names}
    return settings | figures | {"rates": [asdict(rate) for rate in rates]}


def measure_run(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return how fast the last surrogate of a run scores, as plain values."""
    from data.store import read_columns, read_rows
    from ml.surrogate import Surrogate
    from tasks.context import load_context
    from tasks.insertions import placement
    from tasks.paths import insertions_path, surrogate_path

    context = load_context(str(arguments.run))
    last = read_rows(arguments.run / "rounds.parquet")[-1]
    path = surrogate_path(arguments.run, last["round"])
    surrogate = Surrogate.load(path, device="cpu")
    columns = read_columns(insertions_path(arguments.run, last["table"], 0))
    baseline = columns["baseline_kj_per_mol"]
    kept = ~columns["overlap"] & (baseline < surrogate.limits.skip_above_kj_per_mol)
    places = tuple(part[kept] for part in (*placement(columns), baseline))
    stored = folder / "corrected.npz"
    np.savez(stored, *places)
    rates = [timed("one process", surrogate, places, arguments.insertions)]
    if arguments.processes > 1:
        rates.append(together(path, stored, arguments.processes, arguments.insertions))
    return {
        "host": context.system.host.name,
        "guest": context.system.guest.name,
        "reference": context.reference,
        "members": len(surrogate.encoders),
        "labels": last["labels_total"] - last["labels_round"],
        "networks_of_other_hosts": len(surrogate.prior.encoders) if surrogate.prior else 0,
        "features": 0 if surrogate.head is None else len(surrogate.head.weights),
        "rates": [asdict(rate) for rate in rates],
    }


def report_run(found: dict[str, Any]) -> str:
    """Return the figures of a run as Markdown."""
    lines = [
        f"{found['guest']} in {found['host']}, {found['reference']}: last surrogate of a run, "
        f"ensemble of {found['members']}, {found['labels']} labels, {found['features']} features, "
        f"{found['networks_of_other_hosts']} networks of other hosts.",
        "",
        "| way | insertions | per second | per CPU second |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {rate['way']} | {rate['insertions']:,} | {rate['per_second']:,.0f} | "
        f"{rate['per_cpu_second']:,.0f} |"
        for rate in found["rates"]
    ]
    return "\n".join(lines)


def fitted(arguments: argparse.Namespace) -> tuple[Problem, Any, dict[str, Any]]:
    """Draw insertions, pretrain, label and fit."""
    from ase.data import atomic_numbers

    from chem.energies import ClassicalModel, ClassicalSettings
    from chem.force_fields import load_force_field
    from chem.guests import load_guest
    from chem.hosts import load_host
    from chem.mixing import mix_pairs
    from chem.references.registry import make_reference
    from chem.rotations import random_quaternions
    from ml.fitting import fit_surrogate
    from ml.graphs import GuestSites, HostArrays
    from ml.training import LabelSet, pretrain_encoders

    host, guest = load_host(arguments.host), load_guest(arguments.guest)
    pairs = mix_pairs(host, guest, load_force_field(arguments.force_field))
    model = ClassicalModel(host, guest, pairs, ClassicalSettings())
    rng = np.random.default_rng(arguments.seed)
    fractional, quaternions = rng.random((PILOT, 3)), random_quaternions(rng, PILOT)
    energy, overlap = model.energies(fractional, quaternions)
    reference = make_reference(arguments.reference, host, guest, classical=model)
    numbers = np.array([atomic_numbers[element] for element in host.elements])
    arrays = HostArrays(host.lattice_angstrom, host.positions_angstrom, numbers)
    sites = GuestSites(guest.site_types, guest.positions_angstrom)
    if reference.atomistic:
        sites = GuestSites(guest.atom_elements, guest.atom_positions_angstrom)
    low = np.sort(np.argsort(energy, kind="stable")[:PRETRAINING])
    encoders = pretrain_encoders(
        arrays, sites, fractional[low], quaternions[low], energy[low],
        members=arguments.members, seed=arguments.seed,
    )  # fmt: skip
    drawn = _draw(rng, energy, arguments)
    wall, cpu = time.perf_counter(), time.process_time()
    results = reference.interaction_energies(fractional[drawn], quaternions[drawn], forces=False)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    known = LabelSet(
        fractional[drawn], quaternions[drawn], energy[drawn],
        np.array([result.energy_kj_per_mol for result in results]),
    )  # fmt: skip
    cut = arguments.labels
    surrogate = fit_surrogate(
        encoders, arrays, sites, LabelSet(*(part[:cut] for part in _columns(known))),
        temperature_k=arguments.temperature_k, seed=arguments.seed,
    )  # fmt: skip
    free, kept = ~overlap, energy < surrogate.limits.skip_above_kj_per_mol
    problem = Problem(
        arguments.host, arguments.guest, arguments.reference, arguments.members, cut,
        arguments.temperature_k, *(
            (fractional[rows], quaternions[rows], energy[rows]) for rows in (free, kept)
        ), tuple(part[cut:] for part in _columns(known)),
    )  # fmt: skip
    figures = {
        "corrected_share": float(kept.sum() / free.sum()),
        "reference_energies": len(drawn),
        "reference_per_second": len(drawn) / wall,
        "reference_per_cpu_second": len(drawn) / cpu,
    }
    return problem, surrogate, figures


def _columns(known: Any) -> list[np.ndarray]:
    names = ("fractional", "quaternions", "baseline_kj_per_mol", "energy_kj_per_mol")
    return [getattr(known, name) for name in names]


def _draw(
    rng: np.random.Generator, energy: np.ndarray, arguments: argparse.Namespace
) -> np.ndarray:
    """Pick what is labelled: half at the temperature, half at three times it."""
    from data.constants import GAS_CONSTANT_KJ_PER_MOL_K

    thermal = GAS_CONSTANT_KJ_PER_MOL_K * arguments.temperature_k
    above = energy - energy.min()
    parts = [np.exp(-above / (thermal * tempering)) for tempering in (1.0, 3.0)]
    probability = sum(part / part.sum() for part in parts)
    count = arguments.labels + HELD_OUT
    return rng.choice(len(energy), count, replace=False, p=probability / probability.sum())


def _held_out(surrogate: Any, problem: Problem) -> dict[str, float]:
    """Return the error and the calibration on labels that were not fitted."""
    fractional, quaternions, baseline, energy = problem.held_out
    mean, spread = surrogate.predict(fractional, quaternions, baseline)
    error = (mean - energy)[np.isfinite(energy)]
    z = error / spread[np.isfinite(energy)]
    return {
        "labels": len(error),
        "median_error_kj_per_mol": float(np.median(np.abs(error))),
        "rms_error_kj_per_mol": float(np.sqrt((error**2).mean())),
        "rms_z": float(np.sqrt((z**2).mean())),
    }


def agreement(problem: Problem, slow: Any, fast: Any) -> dict[str, Any]:
    """Compare predictions from tabulated fields with those from the host atoms."""
    places = tuple(part[:SLOW_INSERTIONS] for part in problem.corrected)
    (mean, spread), (other, wide) = slow.predict(*places), fast.predict(*places)
    return {
        "grid": list(fast.fields.shape) if fast.fields else None,
        "fields": fast.fields.coefficients.shape[1] if fast.fields else 0,
        "features": list(slow.head.root.shape),
        "rms_difference_kj_per_mol": float(np.sqrt(((mean - other) ** 2).mean())),
        "largest_difference_kj_per_mol": float(np.abs(mean - other).max()),
        "largest_sd_difference": float(np.abs(wide / spread - 1.0).max()),
        "held_out": {"host atoms": _held_out(slow, problem), "fields": _held_out(fast, problem)},
    }


def report(found: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    slow = found["reference_per_cpu_second"]
    lines = [
        f"{found['guest']} in {found['host']}, reference {found['reference']}, ensemble of "
        f"{found['members']}, {found['labels']} labels, {found['features'][0]} inducing points "
        f"({found['features'][1]} directions of the variance), {found['fields']} fields on "
        f"{found['grid']} points, tabulated in {found['build_fields_s']:.1f} s.",
        "",
        "| way | insertions | per second | per CPU second | reference energies it replaces |",
        "|---|---|---|---|---|",
        f"| {found['reference']}, one process | {found['reference_energies']} | "
        f"{found['reference_per_second']:.3g} | {slow:.3g} | 1 |",
    ]
    for rate in found["rates"]:
        cost = rate["per_second"] if "GPU" in rate["way"] else rate["per_cpu_second"]
        lines.append(
            f"| {rate['way']} | {rate['insertions']:,} | {rate['per_second']:,.0f} | "
            f"{rate['per_cpu_second']:,.0f} | {cost / slow:,.0f} |"
        )
    lines += [
        "",
        f"A learned correction goes to {100 * found['corrected_share']:.0f} % of the insertions "
        "drawn uniformly without overlap. From fields instead of host atoms: mean differs by "
        f"{found['rms_difference_kj_per_mol']:.3f} kJ/mol rms, at most "
        f"{found['largest_difference_kj_per_mol']:.3f}; standard deviation by at most "
        f"{100 * found['largest_sd_difference']:.1f} %.",
        "",
        "| labels not fitted, from | labels | median error (kJ/mol) | rms error | rms z |",
        "|---|---|---|---|---|",
    ]
    for way, held in found["held_out"].items():
        lines.append(
            f"| {way} | {held['labels']} | {held['median_error_kj_per_mol']:.3f} | "
            f"{held['rms_error_kj_per_mol']:.3f} | {held['rms_z']:.3f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
