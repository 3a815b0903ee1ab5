"""The Prefect flow ``retrain``: a model of the registry, made anew when there are new labels."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from prefect import flow
from prefect.runtime import flow_run
from prefect.states import Completed
from pydantic import BaseModel, ConfigDict, Field

from data.errors import SettingsError
from flows.campaign.folder import CampaignFolder

if TYPE_CHECKING:
    from ml.registry import Card


ENERGY = "energy_kj_per_mol"


class RetrainSettings(BaseModel):
    """What a model is to learn from."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,70}$",
        description="name of the model; each training adds a number to it: NAME-1, NAME-2 ...",
    )
    reference: str = Field(default="mace-dac", description="reference level of the labels")
    guest: str = Field(default="CO2", description="guest of the labels")
    campaigns: tuple[str, ...] = Field(default=(), description="folders of campaigns")
    runs: tuple[str, ...] = Field(default=(), description="folders of single runs")
    members: int | None = Field(
        default=None, ge=1, le=16, description="networks; chosen by their kind when omitted"
    )
    seed: int = Field(default=0, ge=0, le=2**63 - 1, description="random seed")
    fewest_new_labels: int = Field(
        default=1, ge=1, le=10**6, description="labels more than the last model had, to train again"
    )


def _run_name() -> str:
    settings = flow_run.parameters["settings"]
    return f"retrain {settings['name'] if isinstance(settings, dict) else settings.name}"


@flow(
    name="retrain",
    flow_run_name=_run_name,
    description="A model of other hosts, trained on the labels of finished runs and campaigns",
    persist_result=False,
    validate_parameters=True,
)
def retrain(settings: RetrainSettings) -> Any:
    """Train a model where there is something new to learn.

    Args:
        settings: what from, and what it is called.

    Returns:
        Completed; the message says what the model has learned from, or that nothing was new.
    """
    import flows.models as models
    from flows.artifacts import RunArtifacts, artifact_key
    from flows.show_models import model_lines
    from ml.registry import model_path

    folders = label_folders(settings)
    known = latest(settings.name)
    labels = sum(_labels(folder) for folder in folders)
    if known is not None and not is_new(known, labels, len(folders), settings.fewest_new_labels):
        return Completed(
            message=f"Nothing to do: {known.name} knows these {len(folders)} hosts and {labels} "
            "labels already."
        )
    name = f"{settings.name}-{_number(known) + 1}"
    card = models.train(name, folders, seed=settings.seed, members=settings.members, say=_no_words)
    text = "```\n" + "\n".join(model_lines(card, model_path(name))) + "\n```\n"
    RunArtifacts().markdown(artifact_key("model", settings.name), text, f"The model {name}")
    return Completed(message=f"{name}: {len(card.hosts)} hosts, {card.labels} labels")


def label_folders(settings: RetrainSettings) -> list[Path]:
    """Return the run folders with labels of the reference and guest, one for each host.

    Raises:
        SettingsError: there are none.
    """
    found: dict[str, Path] = {}
    for campaign in settings.campaigns:
        folder = CampaignFolder(Path(campaign)).require()
        for unit in folder.units():
            wanted = unit.level == settings.reference and unit.guest == settings.guest
            if wanted and folder.state(unit) == "finished":
                found[unit.host_id] = folder.runs / unit.id
    folders = [*found.values(), *(Path(run).expanduser().absolute() for run in settings.runs)]
    if not folders:
        raise SettingsError(
            f"There are no finished runs at {settings.reference} with {settings.guest} in "
            f"{', '.join(settings.campaigns) or 'no campaign'}. Name campaigns or runs that have."
        )
    return folders


def latest(name: str) -> Card | None:
    """Return the card of the last model of a name, or None."""
    from ml.registry import list_models

    of_name = [c for c in list_models() if re.fullmatch(rf"{re.escape(name)}-\d+", c.name)]
    return max(of_name, key=_number, default=None)


def is_new(known: Card, labels: int, hosts: int, fewest: int) -> bool:
    """Return whether there is more to learn than a model has seen.

    Args:
        known: the model.
        labels: labels there are now.
        hosts: hosts there are now.
        fewest: labels that are worth a training.
    """
    from ml.registry import LABELS, model_path

    with np.load(model_path(known.name) / LABELS) as kept:
        sizes = [len(kept[key]) for key in kept.files if re.fullmatch(r"\d+_" + ENERGY, key)]
    return hosts != len(sizes) or labels - sum(sizes) >= fewest


def _labels(folder: Path) -> int:
    from tasks.context import load_context
    from tasks.models import labelled_rounds
    from tasks.training import label_set

    forces = load_context(str(folder)).label_forces
    return len(label_set(str(folder), labelled_rounds(str(folder)), forces).energy_kj_per_mol)


def _number(card: Card | None) -> int:
    return 0 if card is None else int(card.name.rpartition("-")[2])


def _no_words(text: str) -> None:
    """Take what the training says; the page shows the card."""
