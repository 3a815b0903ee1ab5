"""Hosts to screen: for each a finite population of insertions with energies at two levels.

The population is drawn half from the best proposal of each level, as in common/population.py, and
stands for the host: its plain sums are the truth of a replay, and a replay's labels are drawn from
it. One file a host, so that an interrupted run goes on.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from chem.charges import assign_charges
from chem.energies import ClassicalModel, ClassicalSettings
from chem.estimator import beta_mol_per_kj, boltzmann_factor, henry_prefactor, kish
from chem.force_fields import load_force_field
from chem.guests import load_guest
from chem.hosts import host_density_kg_per_m3, load_host
from chem.mixing import mix_pairs
from chem.orientations import OrientationBins, orientation_bins
from chem.proposal import CAUTIOUS, Known, Proposal, learn_proposal, voxel_shape
from chem.rotations import random_quaternions
from data.errors import WidomillError
from data.records import Host

SCANNED = 30_000
REFINED = 20_000
ROWS = 12_000
FEWEST_TERMS = 30.0
"""Hosts whose sum over the population rests on fewer terms are left out: no truth to speak of."""
LEAST_FREE = 1e-4
MOST_LINES_OVER_ATOMS = 60
FAMILY = 6


@dataclass(frozen=True)
class Levels:
    """What is computed for every host.

    Attributes:
        guest: bundled guest.
        baseline: force field of the classical level.
        reference: force field of the reference.
        charges: how hosts get charges at the reference; "none" leaves them out at both levels.
        baseline_charges: how at the classical level.
        temperature_k: temperature, K.
    """

    guest: str = "CO2"
    baseline: str = "UFF"
    reference: str = "GenericMOFs"
    charges: str = "eqeq"
    baseline_charges: str = "eqeq"
    temperature_k: float = 298.15


@dataclass(frozen=True)
class HostTable:
    """One host as a finite population of insertions, non-overlapping ones only.

    Attributes:
        name: of the host.
        atoms: in its cell.
        measure: (n,) uniform probability that each insertion stands for; the rest overlaps.
        baseline_kj_per_mol: (n,) energies at the classical level.
        dispersion_kj_per_mol: (n,) their Lennard-Jones part.
        reference_kj_per_mol: (n,) energies at the reference.
        prefactor: K_H over the mean Boltzmann factor, mol/(kg Pa).
        temperature_k: temperature, K.
    """

    name: str
    atoms: int
    measure: np.ndarray
    baseline_kj_per_mol: np.ndarray
    dispersion_kj_per_mol: np.ndarray
    reference_kj_per_mol: np.ndarray
    prefactor: float
    temperature_k: float

    def thinned(self, every: int) -> HostTable:
        """Return the table of every so manieth insertion: as good a host, and cheaper."""
        arrays = {key: getattr(self, key)[::every] for key in ARRAYS}
        arrays["measure"] = arrays["measure"] * (self.measure.sum() / arrays["measure"].sum())
        return replace(self, **arrays)

    def ln_henry(self, level: str) -> float:
        """Return ln K_H of "baseline" or "reference": a plain sum over the population."""
        return float(np.log(self.prefactor * self.terms(level).sum()))

    def terms(self, level: str) -> np.ndarray:
        """Return (n,) terms of the mean Boltzmann factor of a level."""
        beta = beta_mol_per_kj(self.temperature_k)
        return np.asarray(
            self.measure * boltzmann_factor(beta, getattr(self, f"{level}_kj_per_mol"))
        )


def small_hosts(archive: Path, most_atoms: int, every: int, skip: int) -> Iterator[tuple[str, str]]:
    """Yield (name, CIF text) of hosts of few atoms, one of each family of entries.

    Args:
        archive: tar of CIF files.
        most_atoms: atoms in the cell.
        every: take one of so many families.
        skip: families left out at the start.
    """
    from core_mof import make_iter

    families: dict[str, int] = {}
    for name, text in make_iter(archive):
        family = name[:FAMILY]
        if text.count("\n") > most_atoms + MOST_LINES_OVER_ATOMS or family in families:
            continue
        families[family] = len(families)
        if families[family] % every == skip:
            yield name, text


def tables(
    archive: Path, cache: Path, levels: Levels, hosts: int, most_atoms: int, every: int, skip: int
) -> list[HostTable]:
    """Return the first hosts that have a table, made where the cache lacks them.

    Reasons of hosts left out are in ``left_out.json`` of the cache.
    """
    cache.mkdir(parents=True, exist_ok=True)
    note = cache / "left_out.json"
    left_out: dict[str, str] = json.loads(note.read_text()) if note.exists() else {}
    found: list[HostTable] = []
    for name, text in small_hosts(archive, most_atoms, every, skip):
        if len(found) == hosts:
            break
        path = cache / f"{name}.npz"
        if name in left_out:
            continue
        if not path.exists():
            reason = _make(name, text, levels, most_atoms, path)
            if reason:
                left_out[name] = reason
                note.write_text(json.dumps(left_out, indent=1), encoding="utf-8")
                continue
            print(f"{len(found) + 1} {name}", flush=True)
        found.append(read_table(path))
    return found


def read_table(path: Path) -> HostTable:
    """Read a table."""
    with np.load(path) as content:
        arrays = [content[key].astype(float) for key in ARRAYS]
        return HostTable(
            path.stem,
            int(content["atoms"]),
            *arrays,
            float(content["prefactor"]),
            float(content["temperature_k"]),
        )


ARRAYS = ("measure", "baseline_kj_per_mol", "dispersion_kj_per_mol", "reference_kj_per_mol")


def _make(name: str, text: str, levels: Levels, most_atoms: int, path: Path) -> str:
    """Make and write a table; return why it cannot be had, or nothing."""
    try:
        host = _read(text)
        if len(host.elements) > most_atoms:
            return f"{len(host.elements)} atoms"
        table = make_table(name, host, levels)
    except WidomillError as error:
        return f"{type(error).__name__}: {error}"
    if table is None:
        return "no room for the guest"
    fewest = min(kish(table.terms("baseline")), kish(table.terms("reference")))
    if fewest < FEWEST_TERMS:
        return f"its sum rests on {fewest:.0f} insertions"
    arrays = {key: getattr(table, key).astype(np.float32) for key in ARRAYS}
    scalars = {key: getattr(table, key) for key in ("atoms", "prefactor", "temperature_k")}
    temporary = path.with_suffix(".part.npz")
    np.savez_compressed(temporary, **arrays, **scalars)
    temporary.replace(path)
    return ""


def _read(text: str) -> Host:
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("host.cif").write_text(text, encoding="utf-8")
        return load_host("host.cif")


def _model(host: Host, levels: Levels, force_field: str, charges: str) -> ClassicalModel:
    guest, neutral = load_guest(levels.guest), "none" in (charges, levels.charges)
    charged = host if neutral else assign_charges(host, charges)
    kept = "none" if neutral else "cif"
    pairs = mix_pairs(charged, guest, load_force_field(force_field), charges=kept)
    return ClassicalModel(charged, guest, pairs, ClassicalSettings(12.0))


def make_table(name: str, host: Host, levels: Levels) -> HostTable | None:
    """Draw the population of a host; None where nothing fits in."""
    kinds = (levels.baseline, levels.baseline_charges), (levels.reference, levels.charges)
    models = [_model(host, levels, force_field, charges) for force_field, charges in kinds]
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    bins = orientation_bins(models[0].guest)
    scan = (rng.random((SCANNED, 3)), random_quaternions(rng, SCANNED))
    proposals = []
    for model in models:
        energy = model.energies(*scan)[0]
        if np.isfinite(energy).mean() < LEAST_FREE:
            return None
        proposals.append(_refined(model, bins, Known(*scan, np.ones(SCANNED), energy), levels, rng))
    drawn = [p.sample(rng, ROWS // 2)[:2] for p in proposals]
    places = (np.concatenate([d[0] for d in drawn]), np.concatenate([d[1] for d in drawn]))
    mixture = np.mean([1.0 / p.weights(*places) for p in proposals], axis=0)
    energies = [model.energies(*places)[0] for model in models]
    dispersion = _model(host, levels, levels.baseline, "none").energies(*places)[0]
    free = np.isfinite(energies[0]) & np.isfinite(energies[1])
    return HostTable(
        name,
        len(host.elements),
        ((1.0 / mixture) / float((1.0 / mixture).sum()))[free],
        energies[0][free],
        dispersion[free],
        energies[1][free],
        henry_prefactor(host_density_kg_per_m3(host), levels.temperature_k),
        levels.temperature_k,
    )


def _refined(
    model: ClassicalModel,
    bins: OrientationBins,
    known: Known,
    levels: Levels,
    rng: np.random.Generator,
) -> Proposal:
    """Return the proposal of a level, learned from a scan and once more from its own draw."""
    shape = voxel_shape(model.host.lattice_angstrom, SCANNED, bins)
    temperatures = (levels.temperature_k,)
    proposal = learn_proposal(shape, bins, known, temperatures, CAUTIOUS)
    fresh = proposal.sample(rng, REFINED)
    return learn_proposal(
        shape, bins, Known(*fresh, model.energies(*fresh[:2])[0]), temperatures, CAUTIOUS
    )
