"""Models that carry over between hosts: their sources, and their use in a run."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data.errors import ModelError
from data.schemas import LABELS
from data.store import write_rows
from data.streams import stream
from tasks.context import insertion_model, load_context, reference_level
from tasks.insertions import placement_columns
from tasks.labels import label_rows
from tasks.paths import labels_path, prior_path, source_model_path
from tasks.training import graph_inputs, label_set

if TYPE_CHECKING:
    from ml.graphs import HostArrays
    from ml.transfer import Source

UNIFORM_INSERTIONS = 20_000
LESSON_INSERTIONS = 2_500
CHUNK = 6
TEMPERING = 3.0
QUICK_STEPS = 150


@dataclass(frozen=True)
class AdoptItem:
    """A model of the registry that a run is to start from."""

    run_dir: str
    model: str


@dataclass(frozen=True)
class SourceItem:
    """A host to label for a model: its folder, prepared like a run's, and how many labels."""

    run_dir: str
    labels: int


def described_host(run_dir: str) -> HostArrays:
    """Return a host with what a pretrained potential says of its atoms' surroundings.

    A classical reference depends on types and charges that no such potential knows.
    """
    from chem.references.atom_features import atom_features

    context = load_context(run_dir)
    host, _ = graph_inputs(context)
    if not context.atomistic:
        return host
    return replace(host, features=atom_features(context.system.host))


def level_key(run_dir: str) -> str:
    """Return what identifies the reference level of a run, whatever its host.

    A force field is identified by its own key in each host, so by its name here.
    """
    from data.records import content_hash

    context = load_context(run_dir)
    if context.reference_system is not None:
        path = Path(context.reference.partition(":")[2])
        return content_hash("force field", path.read_bytes() if path.is_file() else str(path))
    return reference_level(run_dir).level_key


def adopt_model(item: AdoptItem) -> str:
    """Check a model against a run and keep a copy of what it says of the run's host.

    Raises:
        ModelError: the model is unknown, damaged, or for another reference or guest.
    """
    from ml.fields import store_fields
    from ml.registry import WEIGHTS, checked_folder
    from ml.source_model import SourceModels

    path = prior_path(item.run_dir)
    if path.exists():
        return str(path)
    context = load_context(item.run_dir)
    card, folder = checked_folder(item.model)
    _, guest = graph_inputs(context)
    card.check(context.reference, level_key(item.run_dir), guest.sites)
    path.parent.mkdir(parents=True, exist_ok=True)
    copy = source_model_path(item.run_dir)
    shutil.copy(folder / WEIGHTS, copy)
    known = SourceModels.load(copy).of(guest).for_host(described_host(item.run_dir), guest)
    table = store_fields(known.describer, path.parent) if known.describer else None
    known.save(path, fields_file=table)
    return str(path)


def label_source(item: SourceItem) -> str:
    """Label insertions of a host for a model, in chunks that are written once.

    Insertions are drawn from uniform ones: the first half by their baseline energies, the second
    by those of a surrogate fitted to the first, since a baseline may not know where the reference
    binds. Of each, half are drawn with the Boltzmann weight, half with that at three times the
    temperature.
    """
    fractional, quaternions, baseline = _uniform(item.run_dir, "source")
    places = fractional, quaternions, baseline
    free = np.flatnonzero(np.isfinite(baseline))
    if len(free) == 0:
        system = load_context(item.run_dir).system
        raise ModelError(
            f"{system.host.name} has no room for {system.guest.name}: none of "
            f"{UNIFORM_INSERTIONS:,} insertions is free of overlap. Leave this host out."
        )
    first = _draw(item.run_dir, 1, baseline, free, (item.labels + 1) // 2)
    _label(item.run_dir, 1, places, first)
    rest = np.setdiff1d(free, first)
    wanted = min(item.labels - len(first), len(rest))
    if not all(labels_path(item.run_dir, 2, k).exists() for k in range(-(-wanted // CHUNK))):
        energy = _predicted(item.run_dir, places)
        second = _draw(item.run_dir, 2, energy, rest, wanted)
        _label(item.run_dir, 2, places, second)
    return item.run_dir


def _label(
    run_dir: str,
    round_number: int,
    places: tuple[np.ndarray, np.ndarray, np.ndarray],
    chosen: np.ndarray,
) -> None:
    """Label chosen insertions, but for chunks that are there already."""
    from chem.references.contract import plausible

    for number, start in enumerate(range(0, len(chosen), CHUNK)):
        path = labels_path(run_dir, round_number, number)
        if path.exists():
            continue
        fractional, quaternions, baseline = (
            values[chosen[start : start + CHUNK]] for values in places
        )
        level = reference_level(run_dir)
        results = plausible(level.interaction_energies(fractional, quaternions, forces=True))
        columns = placement_columns(fractional, quaternions) | {
            "label_key": np.array(["" for _ in baseline]),
            "baseline_kj_per_mol": baseline,
        }
        write_rows(path, label_rows(run_dir, round_number, columns, results), LABELS)


def _predicted(run_dir: str, places: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
    """Return energies of insertions by a quick surrogate of the labels of round one."""
    from ml.fitting import fit_surrogate
    from ml.training import pretrain_encoders

    context = load_context(run_dir)
    host, guest = graph_inputs(context)
    lowest = np.argsort(places[2], kind="stable")[:LESSON_INSERTIONS]
    encoders = pretrain_encoders(
        host,
        guest,
        *(values[lowest] for values in places),
        members=1,
        seed=context.seed,
        steps=QUICK_STEPS,
    )
    surrogate = fit_surrogate(
        encoders,
        host,
        guest,
        label_set(run_dir, (1,), context.label_forces),
        temperature_k=min(context.temperatures_k),
        seed=context.seed,
    )
    return surrogate.predict(*places, exact=True)[0]


def _uniform(run_dir: str, purpose: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return uniform insertions of a host and their baseline energies."""
    from chem.batches import evaluate
    from chem.proposal import uniform_proposal
    from tasks.pores import load_blocking

    context = load_context(run_dir)
    host, guest = context.system.host, context.system.guest
    rng = stream(context.seed, host.hash, guest.hash, purpose)
    placed = uniform_proposal().sample(rng, UNIFORM_INSERTIONS)
    known = evaluate(insertion_model(run_dir), placed, load_blocking(run_dir)).known
    return known.fractional, known.quaternions, known.energy_kj_per_mol


def _draw(
    run_dir: str, round_number: int, energy: np.ndarray, free: np.ndarray, labels: int
) -> np.ndarray:
    """Return which of the free insertions are labelled, given energies of all, kJ/mol."""
    from data.constants import GAS_CONSTANT_KJ_PER_MOL_K

    context = load_context(run_dir)
    thermal = GAS_CONSTANT_KJ_PER_MOL_K * min(context.temperatures_k)
    above = (energy[free] - energy[free].min()) / thermal
    cold, warm = np.exp(-above), np.exp(-above / TEMPERING)
    share = 0.5 * cold / cold.sum() + 0.5 * warm / warm.sum()
    host, guest = context.system.host, context.system.guest
    purpose = "source labels" if round_number == 1 else f"source labels {round_number}"
    rng = stream(context.seed, host.hash, guest.hash, purpose)
    count = min(labels, int((share > 0).sum()))
    return np.sort(rng.choice(free, count, replace=False, p=share))


def source_of(run_dir: str) -> Source:
    """Return a host's free baseline energies and the labels its folder holds.

    Raises:
        ModelError: the folder holds no usable label.
    """
    from ml.many_hosts import Lesson
    from ml.transfer import Source

    context = load_context(run_dir)
    labels = label_set(run_dir, labelled_rounds(run_dir), context.label_forces)
    if len(labels.energy_kj_per_mol) == 0:
        raise ModelError(
            f"{run_dir} holds no usable reference label, so a model has nothing to learn from "
            "it. Give the folder of a `widomill henry` run with a reference."
        )
    fractional, quaternions, baseline = _uniform(run_dir, "lesson")
    rows = np.argsort(baseline, kind="stable")[:LESSON_INSERTIONS]
    lesson = Lesson(described_host(run_dir), fractional[rows], quaternions[rows], baseline[rows])
    return Source(lesson, labels)


def labelled_rounds(run_dir: str) -> list[int]:
    """Return the rounds whose labels a folder holds, relaxed binding sites aside."""
    paths = (Path(run_dir) / "labels").glob("round-*-chunk-*.parquet")
    return sorted({int(p.name.split("-")[1]) for p in paths} - {0})
