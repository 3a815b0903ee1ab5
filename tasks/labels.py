"""Reference labels: a chunk of insertions through the reference level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data.label_store import LabelStore
from data.records import content_hash
from data.schemas import LABELS, PLACEMENT_COLUMNS
from data.store import read_columns, read_rows, write_rows
from tasks.context import load_context, reference_level
from tasks.insertions import placement
from tasks.paths import labels_path, routed_path

if TYPE_CHECKING:
    from chem.references.contract import LabelResult
    from chem.references.likeness import Likeness


HUNG = "it did not come back in its time; its process was ended"
CRASHED = "asked alone, it ended every process that ran it: a crash, or too little memory"


@dataclass(frozen=True)
class LabelItem:
    """Rows of a round's routed file to label as one chunk, and why some will not come back."""

    run_dir: str
    round_number: int
    chunk: int
    rows: tuple[int, ...]
    given_up: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class LabelRecord:
    """A labelled chunk: how many, how many failed, the first reason, and the time it took."""

    path: str
    labels: int
    failures: int
    reason: str
    seconds: float


def label_chunk(item: LabelItem) -> LabelRecord:
    """Label a chunk of routed insertions and write them; labels known already are not paid."""
    path = labels_path(item.run_dir, item.round_number, item.chunk)
    if not path.exists():
        chosen = _routed(item, item.rows)
        reasons = dict(item.given_up)
        given_up = {k: reasons[row] for k, row in enumerate(item.rows) if row in reasons}
        rows = labelled(item.run_dir, item.round_number, chosen, given_up)
        write_rows(path, rows, LABELS)
    return label_record(path)


def try_label(item: LabelItem) -> None:
    """Label rows for the user's store alone: to find out, row by row, which comes back."""
    labelled(item.run_dir, item.round_number, _routed(item, item.rows))


def _routed(item: LabelItem, rows: Sequence[int]) -> dict[str, np.ndarray]:
    """Return some rows of a round's routed file."""
    routed = read_columns(routed_path(item.run_dir, item.round_number))
    return {name: values[np.array(rows, dtype=int)] for name, values in routed.items()}


def labelled(
    run_dir: str,
    round_number: int,
    chosen: dict[str, np.ndarray],
    given_up: Mapping[int, str] | None = None,
) -> list[dict[str, Any]]:
    """Return the labels of insertions, from the user's store where they are known.

    Args:
        run_dir: run folder.
        round_number: round that wants them.
        chosen: placement columns, label_key and baseline of the insertions.
        given_up: why its call does not come back, by number, of those that do not.

    Returns:
        Records of the ``labels`` schema, in order.
    """
    store = label_store(run_dir)
    keys = chosen["label_key"].tolist()
    known = _sound(store.find(keys)) if store else {}
    lost = given_up or {}
    for part in _parts(run_dir, [k for k, key in enumerate(keys) if key not in known], lost):
        asked = {name: values[part] for name, values in chosen.items()}
        paid = label_rows(run_dir, round_number, asked, _ask(run_dir, asked, lost.get(part[0])))
        if store:
            store.add(paid)
        known |= {row["label_key"]: row for row in paid}
    baseline = chosen["baseline_kj_per_mol"]
    own = [{"round": round_number, "baseline_kj_per_mol": float(b)} for b in baseline]
    return [known[key] | mine for key, mine in zip(keys, own, strict=True)]


def _sound(rows: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return stored labels without those of an older version that would fail today."""
    from chem.references.contract import why_implausible

    return {key: row for key, row in rows.items() if not why_implausible(row["energy_kj_per_mol"])}


def _parts(run_dir: str, missing: Sequence[int], lost: Mapping[int, str]) -> list[list[int]]:
    """Return what to ask in one go: one label where it takes long, so that each is kept at once."""
    alone = [[k] for k in missing if k in lost]
    rest = [k for k in missing if k not in lost]
    if reference_level(run_dir).slow:
        return alone + [[k] for k in rest]
    return [*alone, rest] if rest else alone


def _ask(run_dir: str, asked: dict[str, np.ndarray], given_up: str | None) -> Sequence[LabelResult]:
    from chem.references.contract import failed_label, plausible

    if given_up is not None:
        return [failed_label(given_up, 0.0)]
    fractional, quaternions = placement(asked)
    forces = load_context(run_dir).label_forces
    reference = reference_level(run_dir)
    return plausible(reference.interaction_energies(fractional, quaternions, forces=forces))


def label_store(run_dir: str) -> LabelStore | None:
    """Return the user's store of a run's labels; None where labels cost less than reading."""
    context = load_context(run_dir)
    if not context.atomistic:
        return None
    hashes = context.system.host.hash, context.system.guest.hash
    return LabelStore(reference_level(run_dir).key, *hashes)


def label_record(path: Path) -> LabelRecord:
    """Summarise a stored chunk of labels."""
    rows = read_rows(path)
    failed = [r for r in rows if r["status"] == "failed"]
    return LabelRecord(
        str(path),
        len(rows),
        len(failed),
        failed[0]["reason"] if failed else "",
        float(sum(r["seconds"] for r in rows)),
    )


def label_rows(
    run_dir: str,
    round_number: int,
    chosen: dict[str, np.ndarray],
    results: Sequence[LabelResult],
) -> list[dict[str, Any]]:
    """Return label records of the ``labels`` schema.

    Args:
        run_dir: run folder.
        round_number: round that paid for them.
        chosen: placement columns, label_key and baseline of the insertions.
        results: one reference result each.
    """
    system = load_context(run_dir).system
    common = {
        "reference_key": reference_level(run_dir).key,
        "host_hash": system.host.hash,
        "guest_hash": system.guest.hash,
        "round": round_number,
    }
    rows = []
    for k, result in enumerate(results):
        row: dict[str, Any] = dict(common)
        row |= {name: float(chosen[name][k]) for name in PLACEMENT_COLUMNS}
        row["label_key"] = str(chosen["label_key"][k])
        row["baseline_kj_per_mol"] = float(chosen["baseline_kj_per_mol"][k])
        row["energy_kj_per_mol"] = result.energy_kj_per_mol
        for name, vector in (
            ("force", result.force_kj_per_mol_angstrom),
            ("torque", result.torque_kj_per_mol),
        ):
            for axis, letter in enumerate("xyz"):
                row[f"{name}_{letter}"] = None if vector is None else float(vector[axis])
        row |= {"status": result.status, "reason": result.reason, "seconds": result.seconds}
        rows.append(row)
    return rows


def read_labels(run_dir: str, rounds: Sequence[int]) -> dict[str, np.ndarray]:
    """Return the labels paid in given rounds as columns, in a fixed order."""
    parts = []
    for number in rounds:
        for path in sorted((Path(run_dir) / "labels").glob(f"round-{number:02d}-chunk-*.parquet")):
            parts.append(read_columns(path))
    if not parts:
        return {field.name: np.zeros(0) for field in LABELS}
    return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}


def labels_likeness(run_dir: str, rounds: Sequence[int]) -> Likeness:
    """Hold the labels of given rounds beside the baseline."""
    from chem.references.likeness import likeness

    found = read_labels(run_dir, rounds)
    energy, baseline = (
        found[name].astype(float) for name in ("energy_kj_per_mol", "baseline_kj_per_mol")
    )
    return likeness(energy, baseline, min(load_context(run_dir).temperatures_k))


def misplaced_labels(path: Path) -> int:
    """Return how many labels of a chunk do not carry the key of their own placement."""
    rows = read_columns(path)
    places = np.stack([rows[name] for name in PLACEMENT_COLUMNS], axis=1)
    keys = zip(rows["reference_key"], rows["host_hash"], rows["guest_hash"], strict=True)
    return sum(
        key not in ("", label_key(reference, content_hash(host, guest), place))
        for key, (reference, host, guest), place in zip(
            rows["label_key"], keys, places, strict=True
        )
    )


def label_key(reference_key: str, system_hash: str, placement: np.ndarray) -> str:
    """Return the content address of a label.

    Args:
        reference_key: hash of the reference level.
        system_hash: hash of host and guest.
        placement: (7,) fractional position and quaternion.
    """
    return content_hash(reference_key, system_hash, np.asarray(placement, dtype=np.float64))
