"""Files and campaigns that mean harm do nothing: each leaves no trace of having run."""

from __future__ import annotations

import io
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from chem.proposal import Proposal
from chem.references.registry import validate_reference_spec
from data.errors import CampaignFileError, InputError, ModelError, ReferenceLevelError
from flows.campaign.hosts import safe_id
from flows.campaign.read import read_campaign
from ml.fields import Fields
from ml.source_model import SourceModels
from ml.surrogate import Surrogate


class Harm:
    """Unpickling it would make a folder."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.trace),)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return tmp_path / "harmed"


def harmful_weights(folder: Path, trace: Path) -> Path:
    path = folder / "weights.pt"
    torch.save({"specification": Harm(trace)}, path)
    return path


@pytest.mark.parametrize("load", [Surrogate.load, Fields.load, SourceModels.load])
def test_weights_that_would_run_code_are_refused(tmp_path: Path, trace: Path, load) -> None:
    path = harmful_weights(tmp_path, trace)
    with pytest.raises(ModelError, match=r"weights\.pt"):
        load(path)
    assert not trace.exists()
    torch.load(path, weights_only=False)  # what a careless reader would have done
    assert trace.exists()


def test_a_proposal_with_pickled_objects_is_refused(tmp_path: Path, trace: Path) -> None:
    path = tmp_path / "proposal.npz"
    np.savez(path, density=np.array([Harm(trace)], dtype=object))
    with pytest.raises(InputError):
        Proposal.load(path)
    assert not trace.exists()


def test_a_mace_file_of_unknown_hash_is_not_opened(tmp_path: Path, trace: Path) -> None:
    path = tmp_path / "own.model"
    path.write_bytes(pickle.dumps(Harm(trace)))
    with pytest.raises(ReferenceLevelError, match="trust"):
        validate_reference_spec(f"mace:{path}")
    assert not trace.exists()


def test_yaml_tags_do_not_run(tmp_path: Path, trace: Path) -> None:
    path = tmp_path / "campaign.yaml"
    path.write_text(
        f"name: x\nhosts: [SOD]\nguests: [Ar]\nseed: !!python/object/apply:os.mkdir ['{trace}']\n"
    )
    with pytest.raises(CampaignFileError, match="line 4"):
        read_campaign(path)
    assert not trace.exists()


def test_a_table_of_hosts_cannot_name_code(tmp_path: Path, trace: Path) -> None:
    """A reference comes from the campaign file alone; a table only gives ids and paths."""
    (tmp_path / "evil.py").write_text(f"import os\nos.mkdir({str(trace)!r})\n")
    (tmp_path / "hosts.csv").write_text("id,path,level,reference\nSOD,SOD,ase:evil:x,ase:evil:x\n")
    path = tmp_path / "campaign.yaml"
    path.write_text("name: x\nhosts: [{list: hosts.csv}]\nguests: [Ar]\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        read_campaign(path)
    assert not trace.exists()


@pytest.mark.parametrize("text", ["../../x", "/etc/passwd", "a/../../b", "..", "C:\\x", "a\x00b"])
def test_ids_are_plain_file_names(text: str) -> None:
    try:
        name = safe_id(text)
    except InputError:
        return
    assert Path(name).name == name
    assert name not in (".", "..")
    assert "\x00" not in name


def test_a_parquet_file_of_hosts_is_data_only(tmp_path: Path, trace: Path) -> None:
    stream = io.BytesIO()
    pickle.dump(Harm(trace), stream)
    (tmp_path / "hosts.parquet").write_bytes(stream.getvalue())
    path = tmp_path / "campaign.yaml"
    path.write_text("name: x\nhosts: [{list: hosts.parquet}]\nguests: [Ar]\n")
    with pytest.raises(CampaignFileError, match=r"hosts\.parquet"):
        read_campaign(path)
    assert not trace.exists()
