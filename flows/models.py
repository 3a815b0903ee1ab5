"""Models that carry over between hosts: trained, evaluated, listed and shown."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chem.references.atom_features import SOURCE as ATOM_FEATURES
from data.errors import ModelError, SettingsError
from flows.prepare import VERSIONED, charges_name, installed, prepare
from flows.settings import make_settings
from tasks.context import load_context
from tasks.models import SourceItem, label_source, level_key, source_of
from tasks.training import graph_inputs

if TYPE_CHECKING:
    from ml.registry import Card, ModelGuest, SourceHost
    from ml.source_model import SourceModel
    from ml.source_scores import HeldOut
    from ml.transfer import Lot, Source
    from tasks.context import RunContext

Say = Callable[[str], None]
OWN_LABELS = (1, 2, 3, 5, 10, 20, 40, 80)
TEST_SHARE = 0.4
FEWEST_TEST = 5


def label_hosts(
    hosts: Sequence[str], folder: Path, labels: int, say: Say, **options: Any
) -> list[Path]:
    """Label hosts for a model, each in a folder of its own below ``folder``.

    Args:
        hosts: CIF paths or bundled names.
        folder: where the folders go; labels already there are kept.
        labels: reference calls for each host.
        say: told how far it is.
        options: settings of a run: guest, reference, charges, seed and so on.

    Returns:
        The folders.
    """
    folders = []
    for host in hosts:
        out = folder / Path(host).stem
        settings = make_settings(host=host, max_labels=labels, out=str(out), **options)
        context = prepare(settings)
        label_source(SourceItem(str(settings.run_dir), labels))
        say(f"{context.system.host.name}: {labels} labels in {settings.run_dir}")
        folders.append(settings.run_dir)
    return folders


def train(
    name: str, folders: Sequence[Path], *, seed: int, members: int | None = None, say: Say
) -> Card:
    """Train a model on the labels of folders and put it into the registry.

    Args:
        name: what it is to be called.
        folders: finished runs, or what ``label_hosts`` returned.
        seed: seed of the training.
        members: networks of its ensemble; chosen by their kind when omitted.
        say: told how far it is.

    Raises:
        ModelError: the folders do not belong together, or the name is taken.
    """
    from ml.registry import LABELS, WEIGHTS, check_name, new_folder, publish
    from ml.transfer import Lot, train_source_models

    check_name(name)
    contexts = [load_context(str(folder)) for folder in folders]
    _refuse_mixture(folders, contexts)
    order = _by_guest(contexts)
    sources = {k: source_of(str(folders[k])) for rows in order for k in rows}
    say(f"training on {sum(len(s.labels.energy_kj_per_mol) for s in sources.values())} labels")
    lots = [
        Lot(graph_inputs(contexts[rows[0]])[1], tuple(sources[k] for k in rows)) for rows in order
    ]
    temperature = min(contexts[0].temperatures_k)
    trained, held_out = train_source_models(
        lots, temperature_k=temperature, seed=seed, members=members
    )
    folder = new_folder(name)
    trained.save(folder / WEIGHTS)
    _save_labels(folder / LABELS, lots)
    models = trained.models
    settings: dict[str, Any] = {
        "seed": seed,
        "members": len(models[0].encoders),
        "first_round": ", ".join(dict.fromkeys(_first_voice(model) for model in models)),
    }
    if models[0].pairs_are_departures:
        settings["atom_features"] = ATOM_FEATURES
    else:
        settings["kernel_lengths"] = [list(model.head.kernel.lengths) for model in models]
    if (charges := _charges(folders)) is not None:
        settings["charges"] = charges
    known = [contexts[k] for rows in order for k in rows]
    figures = [figure for part in held_out for figure in part]
    key = level_key(str(folders[0]))
    return publish(_card(name, key, known, figures, settings), folder)


def _charges(folders: Sequence[Path]) -> str | None:
    """Return the choice of host charges that all folders share, or None."""
    found = set()
    for folder in folders:
        try:
            settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
            found.add(charges_name(settings["charges"]))
        except (OSError, ValueError, KeyError):
            return None
    return found.pop() if len(found) == 1 else None


def _by_guest(contexts: Sequence[RunContext]) -> list[list[int]]:
    """Return the places of the folders of each guest."""
    hashes = [context.system.guest.hash for context in contexts]
    return [
        [k for k, other in enumerate(hashes) if other == guest] for guest in dict.fromkeys(hashes)
    ]


def _first_voice(model: SourceModel) -> str:
    if model.pairs_are_departures:
        return "committee"
    return "pair potentials" if model.pairs_first else "descriptors"


def _refuse_mixture(folders: Sequence[Path], contexts: Sequence[RunContext]) -> None:
    if not folders:
        raise SettingsError("Give run folders, or --hosts to label, for a model to learn from.")
    for folder, context in zip(folders, contexts, strict=True):
        if context.reference == "classical":
            raise ModelError(f"{folder} is a classical run: it has no reference labels to learn.")
    seen = {
        "references": _levels(folders, contexts),
        "force fields": [c.system.pairs.force_field for c in contexts],
    }
    for what, values in seen.items():
        for folder, value in zip(folders, values, strict=True):
            if value != values[0]:
                raise ModelError(
                    f"{folder} and {folders[0]} have different {what} ({value}, {values[0]}): "
                    "one model serves one reference and force field. Leave one out."
                )
    guests: dict[tuple[str, ...], RunContext] = {}
    pairs: set[tuple[str, str]] = set()
    for folder, context in zip(folders, contexts, strict=True):
        host, guest = context.system.host, context.system.guest
        if (host.hash, guest.hash) in pairs:
            raise ModelError(
                f"{guest.name} in {host.name} is given twice, the second time by {folder}. Leave "
                "one folder out."
            )
        pairs.add((host.hash, guest.hash))
        other = guests.setdefault(graph_inputs(context)[1].sites, context).system.guest
        if other.hash != guest.hash:
            raise ModelError(
                f"{folder}: {guest.name} and {other.name} have the same sites but are not the "
                "same guest, so a run could not tell which it is. Leave one out."
            )


def _levels(folders: Sequence[Path], contexts: Sequence[RunContext]) -> list[str]:
    """Return the level keys of folders; those of one reference are looked up once."""
    known: dict[str, str] = {}
    for folder, context in zip(folders, contexts, strict=True):
        if context.reference not in known:
            known[context.reference] = level_key(str(folder))
    return [known[context.reference] for context in contexts]


def _card(
    name: str,
    reference_key: str,
    contexts: Sequence[RunContext],
    held_out: Sequence[HeldOut],
    settings: dict[str, Any],
) -> Card:
    from ml.registry import Card

    first = contexts[0]
    guests = dict.fromkeys(_model_guest(context) for context in contexts)
    return Card(
        name=name,
        hash="",
        reference=first.reference,
        reference_key=reference_key,
        guests=tuple(guests),
        force_field=first.system.pairs.force_field,
        temperature_k=min(first.temperatures_k),
        hosts=tuple(_source_host(c, h) for c, h in zip(contexts, held_out, strict=True)),
        settings=settings,
        versions={package: installed(package) for package in VERSIONED},
        created=datetime.now(UTC).strftime("%Y-%m-%d"),
    )


def _model_guest(context: RunContext) -> ModelGuest:
    from ml.registry import ModelGuest

    guest = context.system.guest
    return ModelGuest(guest.name, guest.hash, graph_inputs(context)[1].sites)


def _source_host(context: RunContext, held_out: HeldOut) -> SourceHost:
    from ml.registry import SourceHost

    host, error = context.system.host, held_out.error_kj_per_mol
    return SourceHost(
        host.name,
        context.system.guest.name,
        host.hash,
        tuple(sorted(set(host.elements))),
        held_out.labels,
        held_out.raw_kj_per_mol,
        None if math.isnan(error) else error,
    )


def _save_labels(path: Path, lots: Sequence[Lot]) -> None:
    """Keep what the model learned from, host by host, so that it can be made again."""
    from data.store import write_atomically

    arrays: dict[str, np.ndarray] = {}
    every = [(lot.guest, source) for lot in lots for source in lot.sources]
    for number, (guest, source) in enumerate(every):
        body = {f"guest_{key}": value for key, value in asdict(guest).items()}
        content = asdict(source.lesson.host) | asdict(source.labels) | body
        known = {k: v for k, v in content.items() if v is not None}
        arrays |= {f"{number:03d}_{key}": np.asarray(value) for key, value in known.items()}

    def write(temporary: Path) -> None:
        with open(temporary, "wb") as handle:
            np.savez_compressed(handle, **arrays)  # type: ignore[arg-type]

    write_atomically(path, write)


def evaluate(name: str, folder: Path, *, seed: int = 0) -> dict[str, Any]:
    """Measure a model on the labels of a run: alone, and with n labels of that host.

    A fixed share of the labels is held out. Errors are rms weighted with the root of the
    Boltzmann factor. The evaluation is added to the model's card, if it is the user's.

    Args:
        name: the model.
        folder: a run folder with labels.
        seed: seed of what is held out.

    Returns:
        Host, hash, date, errors of baseline and model, and per number of own labels the
        errors of surrogates fitted without and with the model.

    Raises:
        ModelError: the model is unknown or of another reference or guest, or labels are few.
    """
    from ml.registry import WEIGHTS, checked_folder, is_bundled, write_card
    from ml.source_model import SourceModels

    card, path = checked_folder(name)
    context = load_context(str(folder))
    guest = graph_inputs(context)[1]
    card.check(context.reference, level_key(str(folder)), guest.sites)
    source = source_of(str(folder))
    model = SourceModels.load(path / WEIGHTS).of(guest)
    found = _figures(model, source, context, seed) | {
        "guest": context.system.guest.name,
        "host": context.system.host.name,
        "host_hash": context.system.host.hash,
        "seen_in_training": context.system.host.hash in {h.hash for h in card.hosts},
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }
    if not is_bundled(path):
        what = ("guest", "host_hash")
        kept = tuple(e for e in card.evaluations if any(e[key] != found[key] for key in what))
        write_card(type(card)(**{**card.__dict__, "evaluations": (*kept, found)}), path)
    return found


def _figures(model: SourceModel, source: Source, context: RunContext, seed: int) -> dict[str, Any]:
    from data.constants import GAS_CONSTANT_KJ_PER_MOL_K
    from ml.calibration import boltzmann_relevance
    from ml.fitting import fit_surrogate
    from ml.observing import relevant_rows
    from ml.training import pretrain_encoders

    temperature = min(context.temperatures_k)
    thermal = GAS_CONSTANT_KJ_PER_MOL_K * temperature
    labels = source.labels.rows(relevant_rows(source.labels, thermal))
    count = len(labels.energy_kj_per_mol)
    order = np.random.default_rng(seed).permutation(count)
    test = labels.rows(order[: int(TEST_SHARE * count)])
    rest = order[int(TEST_SHARE * count) :]
    if len(test.energy_kj_per_mol) < FEWEST_TEST:
        raise ModelError(f"{count} usable labels are too few to hold some out; label more.")
    weight = boltzmann_relevance(test.energy_kj_per_mol, thermal)

    def error(mean: np.ndarray) -> float:
        return float(np.sqrt(np.average((mean - test.energy_kj_per_mol) ** 2, weights=weight)))

    def of(surrogate: Any) -> float:
        place = test.fractional, test.quaternions, test.baseline_kj_per_mol
        return error(surrogate.predict(*place, exact=True)[0])

    _, guest = graph_inputs(context)
    lesson = source.lesson
    host = lesson.host
    known = model.for_host(host, guest)
    place = lesson.fractional, lesson.quaternions, lesson.baseline_kj_per_mol
    encoders, by_class = (
        pretrain_encoders(host, guest, *place, members=2, seed=seed, steps=300, by_class=classes)
        for classes in (False, True)
    )
    rows = []
    for own in (n for n in OWN_LABELS if n <= len(rest)):
        part = labels.rows(rest[:own])
        without = fit_surrogate(encoders, host, guest, part, temperature_k=temperature, seed=seed)
        informed = fit_surrogate(
            by_class,
            host,
            guest,
            part,
            temperature_k=temperature,
            seed=seed,
            prior=known,
            pairs=model.pairs,
            departures=model.pairs_are_departures,
        )
        rows.append({"own_labels": own, "without": of(without), "with": of(informed)})
    return {
        "test_labels": len(test.energy_kj_per_mol),
        "baseline_rms_kj_per_mol": error(test.baseline_kj_per_mol),
        "model_rms_kj_per_mol": of(known),
        "own_labels": rows,
    }
