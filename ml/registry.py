"""Models that carry over between hosts: kept in a folder of the user, with their provenance.

A model is a folder ``NAME`` with ``card.json``, which says what it was made of, ``model.pt``,
which predicts, and ``labels.npz``, the reference labels it learned from. The hash on the card
is that of the other two files, and is checked whenever the model is read. Models that come with
the package lie in its own folder, without the labels, and are never written to.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import uuid
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from data.errors import ModelError
from data.store import write_json

FORMAT = "widomill-model-2"
CARD, WEIGHTS, LABELS = "card.json", "model.pt", "labels.npz"
VARIABLE = "WIDOMILL_MODELS"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


@dataclass(frozen=True)
class SourceHost:
    """A host a model learned from, with one guest.

    Attributes:
        name: of the host.
        guest: name of the guest.
        hash: content hash of cell, atoms and charges.
        elements: symbols in it.
        labels: usable reference labels in it.
        raw_rms_kj_per_mol: Boltzmann-relevant rms of reference minus baseline.
        held_out_rms_kj_per_mol: the same of reference minus prediction, by a model that had
            seen this host's labels in no way; None where it was not worked out.
    """

    name: str
    guest: str
    hash: str
    elements: tuple[str, ...]
    labels: int
    raw_rms_kj_per_mol: float
    held_out_rms_kj_per_mol: float | None = None


@dataclass(frozen=True)
class ModelGuest:
    """A guest a model knows.

    Attributes:
        name: of the guest.
        hash: content hash of it.
        sites: types of all its sites as the surrogate sees them, sorted.
    """

    name: str
    hash: str
    sites: tuple[str, ...]

    def __str__(self) -> str:
        """Return name and sites."""
        return f"{self.name} with sites {' '.join(self.sites)}"


@dataclass(frozen=True)
class Card:
    """What a model is and where it comes from.

    Attributes:
        name: the name it is called by.
        hash: content hash of its weights and labels.
        reference: reference level, as a user writes it.
        reference_key: content hash of that level.
        guests: the guests it knows.
        force_field: name of the baseline's force field.
        temperature_k: temperature that said which labels matter.
        hosts: the hosts it learned from.
        settings: seed and sizes of the training.
        versions: of the packages that made it.
        created: date, UTC.
        evaluations: figures on the labels of other runs, each with its host and date.
    """

    name: str
    hash: str
    reference: str
    reference_key: str
    guests: tuple[ModelGuest, ...]
    force_field: str
    temperature_k: float
    hosts: tuple[SourceHost, ...]
    settings: dict[str, Any]
    versions: dict[str, str]
    created: str
    evaluations: tuple[dict[str, Any], ...] = field(default=())

    @property
    def labels(self) -> int:
        """Reference labels behind the model."""
        return sum(host.labels for host in self.hosts)

    @property
    def guest_names(self) -> str:
        """Names of the guests, to be printed."""
        return ", ".join(guest.name for guest in self.guests)

    def check(self, reference: str, reference_key: str, sites: tuple[str, ...]) -> None:
        """Refuse a run of another reference or guest.

        Args:
            reference: reference of the run, as written.
            reference_key: content hash of that level.
            sites: types of all sites of the run's guest, sorted.

        Raises:
            ModelError: the model was made for something else.
        """
        if reference_key != self.reference_key:
            raise ModelError(
                f"Model {self.name} knows the reference {self.reference} (key "
                f"{self.reference_key}); this run asks for {reference} (key {reference_key}). "
                "Use the same reference and package versions, train a model for this one with "
                "`widomill models train`, or leave out --model."
            )
        if sites not in [guest.sites for guest in self.guests]:
            raise ModelError(
                f"Model {self.name} was trained for {', '.join(map(str, self.guests))}; this run's "
                f"guest has sites {' '.join(sites)}. A model serves the guests it was trained for: "
                "train one with this guest by `widomill models train`, or leave out --model."
            )

    def baseline_note(self, force_field: str, charges: str) -> str:
        """Return what to say of a run whose baseline is not the one corrected; empty if it is.

        Args:
            force_field: name of the run's.
            charges: the run's choice of host charges.
        """
        known = {"force field": self.force_field, "charges": self.settings.get("charges")}
        own = {"force field": force_field, "charges": charges}
        other = [f"{what} {known[what]}" for what in known if known[what] not in (None, own[what])]
        if not other:
            return ""
        return (
            f"model {self.name} corrects a baseline with {' and '.join(other)}, which is not this "
            "run's: the answer stays unbiased, but the model may cost labels instead of saving them"
        )


def models_folder() -> Path:
    """Return WIDOMILL_MODELS, else widomill/models in the XDG data folder."""
    own = os.environ.get(VARIABLE)
    if own:
        return Path(own).expanduser()
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "widomill" / "models"


def bundled_folder() -> Path:
    """Return where the models lie that come with the package."""
    return Path(str(resources.files("data"))) / "models"


def list_models() -> list[Card]:
    """Return the cards of all models, by name; folders that are none are passed over."""
    return [read_card(name) for name in _names()]


def _names() -> list[str]:
    paths = (path for root in _roots() for path in root.glob(f"*/{CARD}"))
    return sorted({path.parent.name for path in paths if NAME.fullmatch(path.parent.name)})


def _roots() -> tuple[Path, Path]:
    return models_folder(), bundled_folder()


def model_path(name: str) -> Path:
    """Return the folder of a model.

    Raises:
        ModelError: there is none of that name.
    """
    for root in _roots():
        if NAME.fullmatch(name) and (root / name / CARD).is_file():
            return root / name
    raise ModelError(
        f"There is no model {name!r} in {models_folder()}; known are: {', '.join(_names())}. "
        "Make one with `widomill models train`."
    )


def is_bundled(path: Path) -> bool:
    """Whether the folder of a model is one that comes with the package."""
    return path.parent == bundled_folder()


def read_card(name: str) -> Card:
    """Return what a model is, without loading it.

    Raises:
        ModelError: it is unknown or its card is damaged.
    """
    path = model_path(name) / CARD
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = content.pop("format")
        if found != FORMAT:
            raise ModelError(
                f"{path}: expected a model of format {FORMAT}, found {found}. Train it again."
            )
        hosts = tuple(
            SourceHost(**{**h, "elements": tuple(h["elements"])}) for h in content.pop("hosts")
        )
        guests = tuple(
            ModelGuest(**{**g, "sites": tuple(g["sites"])}) for g in content.pop("guests")
        )
        rest = {**content, "evaluations": tuple(content.get("evaluations", ()))}
        return Card(hosts=hosts, guests=guests, **rest)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{path} is damaged ({error}). Remove the folder and train again."
        ) from error


def checked_folder(name: str) -> tuple[Card, Path]:
    """Return card and folder of a model whose files are what the card says.

    Raises:
        ModelError: the model is unknown, or a file is missing or damaged.
    """
    card, path = read_card(name), model_path(name)
    found = files_hash(path)
    if found != card.hash:
        raise ModelError(
            f"Model {name} in {path} is damaged: its files have hash {found}, its card says "
            f"{card.hash}. Remove the folder and train it again, or copy it anew."
        )
    return card, path


def files_hash(folder: Path) -> str:
    """Return the content hash of the weights and labels in a folder; bundled: of the weights.

    Raises:
        ModelError: one of them cannot be read.
    """
    digest = hashlib.sha256()
    for name in (WEIGHTS,) if is_bundled(folder) else (WEIGHTS, LABELS):
        try:
            digest.update((folder / name).read_bytes())
        except OSError as error:
            raise ModelError(
                f"{folder / name} cannot be read ({error.strerror}): the model is incomplete. "
                "Remove the folder and train it again."
            ) from error
    return digest.hexdigest()[:16]


def check_name(name: str) -> None:
    """Refuse a name that cannot be a folder's, or that is taken.

    Raises:
        ModelError: it cannot be used.
    """
    if not NAME.fullmatch(name):
        raise ModelError(
            f"{name!r} cannot name a model: use up to 80 letters, digits, dots, dashes and "
            "underscores, a letter or digit first."
        )
    if (models_folder() / name).exists():
        raise ModelError(
            f"There is a model {name} in {models_folder()} already. Choose another name, or "
            "remove its folder."
        )
    if (bundled_folder() / name).exists():
        raise ModelError(f"A model {name} comes with widomill. Choose another name.")


def new_folder(name: str) -> Path:
    """Return a fresh folder beside the models in which a new one is put together."""
    check_name(name)
    path = models_folder() / f".{name}.{uuid.uuid4().hex[:8]}.tmp"
    path.mkdir(parents=True)
    return path


def publish(card: Card, folder: Path) -> Card:
    """Write the card into a folder put together, and give it the model's name.

    Args:
        card: the card; its hash is set here.
        folder: what ``new_folder`` returned, with weights and labels in it.

    Returns:
        The card as written.
    """
    final = Card(**{**card.__dict__, "hash": files_hash(folder)})
    try:
        write_card(final, folder)
        check_name(card.name)
        os.replace(folder, models_folder() / card.name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return final


def write_card(card: Card, folder: Path) -> None:
    """Write a card, atomically."""
    write_json(folder / CARD, {"format": FORMAT, **asdict(card)})
