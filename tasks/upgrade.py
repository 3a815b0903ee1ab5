"""A finished run one reference level up: draw from its labels, label the draw, estimate.

A folder below the run's own, ``upgrades/NAME``, holds all of it; the run is only read.
"""

from __future__ import annotations

import atexit
import threading
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chem.estimator import Labelled, beta_mol_per_kj, henry_prefactor, responding
from chem.hosts import host_density_kg_per_m3
from chem.two_step import LabelledRound, Upgraded, upgrade
from data.constants import GAS_CONSTANT_KJ_PER_MOL_K, LABEL_SECONDS
from data.errors import RunFolderError
from data.records import content_hash
from data.schemas import LABELS, PLACEMENT_COLUMNS, UPGRADED
from data.store import read_columns, read_rows, write_rows, write_table
from data.streams import stream
from tasks.check import CheckRecord, check_level
from tasks.context import baseline_model, load_context
from tasks.estimate import labelled_of, reference_of_routed
from tasks.insertions import placement
from tasks.labels import LabelRecord, label_key, label_record, label_rows

if TYPE_CHECKING:
    from chem.references.contract import Reference

DECIDING_SHARE = 0.25
FEWEST_DECIDING = 0.15
EXPECTED_SPREAD_KJ_PER_MOL = 3.0


@dataclass(frozen=True)
class UpgradeItem:
    """A run to upgrade.

    Attributes:
        run_dir: the finished run.
        folder: where the upgrade's files go.
        reference: the higher level.
        labels: the most labels at that level.
        explore_share: part of them that follows a tempered density.
        seed: random seed.
        accept_offset: use a reference that fails its self-check.
        trust_model_file: the user vouches for a model file of unknown SHA-256.
        label_seconds: longest wall time of a call at the higher level, s.
    """

    run_dir: str
    folder: str
    reference: str
    labels: int
    explore_share: float
    seed: int
    accept_offset: bool = False
    trust_model_file: bool = False
    label_seconds: float = LABEL_SECONDS


@dataclass(frozen=True)
class UpgradeChunk:
    """Rows of the draw to label as one chunk."""

    item: UpgradeItem
    chunk: int
    rows: tuple[int, ...]


def low_rounds(run_dir: str, temperature_index: int) -> list[LabelledRound]:
    """Return the rounds of a finished run, nothing labelled at a higher level yet.

    Everything it takes of the run's files is taken here. A round's own mean energy is not
    among them: the run's stands for it.

    Raises:
        RunFolderError: the run has no rounds, or is not finished.
    """
    context = load_context(run_dir)
    temperature = context.temperatures_k[temperature_index]
    results = read_rows(Path(run_dir) / "results.parquet")
    rounds = [
        row
        for row in read_rows(Path(run_dir) / "rounds.parquet")
        if abs(row["temperature_k"] - temperature) < 1e-6
    ]
    if not rounds:
        raise RunFolderError(
            f"{run_dir} has no labelled rounds: a run at the classical level has no labels to "
            "go on from. Give a run that was made with a --reference."
        )
    prefactor = henry_prefactor(host_density_kg_per_m3(context.system.host), temperature)
    energy = GAS_CONSTANT_KJ_PER_MOL_K * temperature - results[temperature_index]["qst_kj_per_mol"]
    found = []
    for row in rounds:
        back, routed = low_labels(run_dir, row["round"])
        count = len(routed["insertion"])
        found.append(
            LabelledRound(
                number=row["round"],
                share=row["combination_weight"],
                table=row["table"],
                insertions=row["insertions"],
                mean=row["round_henry"] / prefactor,
                energy_kj_per_mol=energy,
                table_variance=(row["table_error"] / prefactor) ** 2,
                effective_samples=row["effective_samples"],
                weight=back.weight,
                surrogate_kj_per_mol=back.surrogate_kj_per_mol,
                low_kj_per_mol=back.reference_kj_per_mol,
                probability=back.probability,
                second_probability=np.full(count, np.nan),
                high_kj_per_mol=np.full(count, np.nan),
            )
        )
    return found


def low_labels(run_dir: str, round_number: int) -> tuple[Labelled, dict[str, np.ndarray]]:
    """Return the labels of a round that came back, and their rows of its routed file."""
    routed, low = reference_of_routed(run_dir, round_number)
    known = np.isfinite(low)
    return responding(labelled_of(routed, low)), {k: v[known] for k, v in routed.items()}


def deciding_rounds(rounds: list[LabelledRound]) -> int:
    """Return how many first rounds decide the energy shift and no more than that.

    The fewest that hold a share of the run's labels; early rounds weigh little in its answer.
    """
    counts = np.cumsum([len(r.weight) for r in rounds])
    enough = int(np.searchsorted(counts, FEWEST_DECIDING * counts[-1])) + 1
    return min(enough, len(rounds) - 1)


def upgrade_reference(item: UpgradeItem) -> Reference:
    """Return the higher level bound to the run's host and guest, one object per thread."""
    return _reference(
        item.run_dir,
        item.reference,
        item.trust_model_file,
        item.label_seconds,
        threading.get_ident(),
    )


@lru_cache(maxsize=4)
def _reference(
    run_dir: str, reference: str, trusted: bool, limit_s: float, thread: int
) -> Reference:
    from chem.references.isolated import Binding, isolated
    from chem.references.registry import make_reference

    system = load_context(run_dir).system
    bound = make_reference(
        reference,
        system.host,
        system.guest,
        classical=baseline_model(run_dir),
        trust_model_file=trusted,
    )
    return isolated(bound, Binding(reference, system.host, system.guest), limit_s)


atexit.register(_reference.cache_clear)


def check_upgrade(item: UpgradeItem) -> CheckRecord:
    """Hold the higher level against its contract; see :mod:`chem.references.selfcheck`."""
    system = load_context(item.run_dir).system
    return check_level(upgrade_reference(item), system, item.accept_offset)


def draw_path(folder: str) -> Path:
    """Insertions drawn for the higher level."""
    return Path(folder) / "routed.parquet"


def chunk_path(folder: str, chunk: int) -> Path:
    """One chunk of labels at the higher level."""
    return Path(folder) / "labels" / f"chunk-{chunk:04d}.parquet"


def draw_upgrade(item: UpgradeItem) -> int:
    """Draw the insertions to label at the higher level and return how many they are.

    The deciding rounds have a budget of their own, so that no later round has a say in them.
    """
    path = draw_path(item.folder)
    if path.exists():
        return len(read_columns(path, ["round"])["round"])
    rounds = low_rounds(item.run_dir, 0)
    deciding = deciding_rounds(rounds)
    first = int(np.ceil(DECIDING_SHARE * item.labels)) if deciding else 0
    parts = []
    for some, most in ((rounds[:deciding], first), (rounds[deciding:], item.labels - first)):
        if some:
            parts += _draw(item, some, most)
    columns = {name: np.concatenate([p[name] for p in parts]) for name in UPGRADED.names}
    write_table(path, columns, UPGRADED)
    return len(columns["round"])


def _draw(item: UpgradeItem, some: list[LabelledRound], most: int) -> list[dict[str, Any]]:
    """Draw from some rounds together, in proportion to what a label is expected to change."""
    from ml.routing import Believed, draw, route

    context = load_context(item.run_dir)
    weight = np.concatenate([r.share / r.insertions * r.weight / r.probability for r in some])
    low = np.concatenate([r.known_kj_per_mol for r in some])
    spread = np.full(len(low), EXPECTED_SPREAD_KJ_PER_MOL)
    wanted = float(min(most, len(low)))
    believed = Believed(weight, low, spread, low)
    routing = route(context.temperatures_k, believed, wanted, item.explore_share)
    host, guest = context.system.host, context.system.guest
    rng = stream(item.seed, host.hash, guest.hash, "upgrade", item.reference, some[0].number)
    chosen, probability = draw(rng, routing.probability, most)
    parts, start = [], 0
    for r in some:
        inside = chosen[(chosen >= start) & (chosen < start + len(r.weight))]
        parts.append(_columns(item, r, inside - start, probability[inside]))
        start += len(r.weight)
    return parts


def _columns(
    item: UpgradeItem, low: LabelledRound, rows: np.ndarray, probability: np.ndarray
) -> dict[str, Any]:
    _, routed = low_labels(item.run_dir, low.number)
    system = load_context(item.run_dir).system
    own = content_hash(system.host.hash, system.guest.hash)
    key = upgrade_reference(item).key
    places = np.stack([routed[name][rows] for name in PLACEMENT_COLUMNS], axis=1)
    return {name: routed[name][rows] for name in ("insertion", *PLACEMENT_COLUMNS)} | {
        "round": np.full(len(rows), low.number),
        "baseline_kj_per_mol": routed["baseline_kj_per_mol"][rows],
        "low_kj_per_mol": low.known_kj_per_mol[rows],
        "second_probability": probability,
        "label_key": np.array([label_key(key, own, place) for place in places], dtype=object),
    }


def label_upgrade(chunk: UpgradeChunk) -> LabelRecord:
    """Label a chunk of the draw at the higher level and write it."""
    item = chunk.item
    path = chunk_path(item.folder, chunk.chunk)
    if not path.exists():
        from chem.references.contract import plausible

        drawn = read_columns(draw_path(item.folder))
        rows = np.array(chunk.rows, dtype=int)
        chosen = {name: values[rows] for name, values in drawn.items()}
        reference = upgrade_reference(item)
        results = plausible(reference.interaction_energies(*placement(chosen)))
        records = label_rows(item.run_dir, 0, chosen, results)
        for record, number in zip(records, chosen["round"], strict=True):
            record |= {"reference_key": reference.key, "round": int(number)}
        write_rows(path, records, LABELS)
    return label_record(path)


def high_rounds(item: UpgradeItem, temperature_index: int) -> list[LabelledRound]:
    """Return the run's rounds with what was labelled at the higher level."""
    drawn = read_columns(draw_path(item.folder))
    energy: dict[str, float] = {}
    for path in sorted((Path(item.folder) / "labels").glob("chunk-*.parquet")):
        part = read_columns(path, ["label_key", "energy_kj_per_mol"])
        energy |= dict(zip(part["label_key"], part["energy_kj_per_mol"], strict=True))
    found = []
    for low in low_rounds(item.run_dir, temperature_index):
        _, routed = low_labels(item.run_dir, low.number)
        place = {number: row for row, number in enumerate(routed["insertion"].tolist())}
        own = np.flatnonzero(drawn["round"] == low.number)
        rows = np.array([place[n] for n in drawn["insertion"][own].tolist()], dtype=int)
        high, probability = low.high_kj_per_mol.copy(), low.second_probability.copy()
        high[rows] = [energy.get(key, np.nan) for key in drawn["label_key"][own]]
        probability[rows] = drawn["second_probability"][own]
        failed = np.zeros(len(high), dtype=bool)
        failed[rows] = ~np.isfinite(high[rows])
        found.append(
            replace(low, high_kj_per_mol=high, second_probability=probability, high_failed=failed)
        )
    return found


def estimate_upgrade(item: UpgradeItem) -> list[Upgraded]:
    """Return the answer at the higher level, one per temperature."""
    context = load_context(item.run_dir)
    results = read_rows(Path(item.run_dir) / "results.parquet")
    answers = []
    for k, temperature in enumerate(context.temperatures_k):
        rounds = high_rounds(item, k)
        error = float(results[k]["qst_standard_error"])
        answers.append(
            upgrade(beta_mol_per_kj(temperature), rounds, deciding_rounds(rounds), error)
        )
    return answers
