"""The deployment that learns from campaigns: a model where there are new labels, else nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from data.errors import SettingsError
from flows.campaign.folder import CampaignFolder
from flows.retrain import RetrainSettings, label_folders, latest

pytestmark = [pytest.mark.server, pytest.mark.slow]


def settings(folder: Path, **changed: object) -> RetrainSettings:
    values = {
        "name": "from-campaigns",
        "reference": "forcefield:DREIDING",
        "guest": "CH4",
        "campaigns": (str(folder),),
        "members": 1,
    }
    return RetrainSettings.model_validate({**values, **changed})


def test_a_model_is_made_once_and_again_only_for_new_labels(
    prefect_api: str, finished: CampaignFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.retrain import retrain

    monkeypatch.setenv("WIDOMILL_MODELS", str(tmp_path / "models"))
    first = retrain(settings(finished.path), return_state=True)
    assert first.is_completed(), first.message
    assert first.message.startswith("from-campaigns-1: 1 hosts, ")
    card = latest("from-campaigns")
    assert card is not None
    assert (card.name, card.hosts[0].name) == ("from-campaigns-1", "CALF-20")
    again = retrain(settings(finished.path), return_state=True)
    assert again.is_completed()
    assert again.message.startswith("Nothing to do: from-campaigns-1 knows these 1 hosts")
    assert latest("from-campaigns") == card


def test_runs_of_the_reference_and_guest_are_found(finished: CampaignFolder) -> None:
    (folder,) = label_folders(settings(finished.path))
    assert folder.name.startswith("CALF-20_CH4_forcefield-DREIDING")
    with pytest.raises(SettingsError, match="no finished runs at mace-dac with CH4"):
        label_folders(settings(finished.path, reference="mace-dac"))


def test_settings_are_checked() -> None:
    with pytest.raises(ValidationError):
        RetrainSettings.model_validate({"name": "../elsewhere"})
    with pytest.raises(ValidationError):
        RetrainSettings.model_validate({"name": "fine", "nonsense": 1})
