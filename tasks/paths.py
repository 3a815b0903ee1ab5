"""Names of the files in a run folder."""

from __future__ import annotations

from pathlib import Path

PILOT_TABLE = 0


def proposal_path(run_dir: str | Path, table: int) -> Path:
    """Proposal of a table."""
    return Path(run_dir) / "tables" / f"table-{table:02d}" / "proposal.npz"


def outlook_path(run_dir: str | Path, round_number: int) -> Path:
    """What a round and its table promise."""
    return Path(run_dir) / "tables" / f"table-{round_number:02d}" / "outlook.json"


def table_path(run_dir: str | Path, table: int, batch: int) -> Path:
    """One batch of a table of insertions."""
    return Path(run_dir) / "tables" / f"table-{table:02d}" / f"batch-{batch:05d}.parquet"


def insertions_path(run_dir: str | Path, table: int, batch: int) -> Path:
    """One batch of the insertions of a finished run."""
    return Path(run_dir) / "insertions" / f"table-{table:02d}-batch-{batch:05d}.parquet"


def scores_path(run_dir: str | Path, round_number: int, batch: int) -> Path:
    """Surrogate scores of one batch in one round."""
    folder = Path(run_dir) / "scores" / f"round-{round_number:02d}"
    return folder / f"batch-{batch:05d}.parquet"


def taught_path(run_dir: str | Path, round_number: int, table: int, batch: int) -> Path:
    """Scores of a batch of an earlier table by the surrogate of a round."""
    folder = Path(run_dir) / "scores" / f"round-{round_number:02d}"
    return folder / f"taught-{table:02d}-{batch:05d}.parquet"


def routed_path(run_dir: str | Path, round_number: int) -> Path:
    """Insertions drawn for the reference in one round."""
    return Path(run_dir) / "routed" / f"round-{round_number:02d}.parquet"


def routing_record_path(run_dir: str | Path, round_number: int) -> Path:
    """What the routing of one round predicted."""
    return Path(run_dir) / "routed" / f"round-{round_number:02d}.json"


def labels_path(run_dir: str | Path, round_number: int, chunk: int) -> Path:
    """One chunk of labels; round 0 holds relaxed binding sites."""
    return Path(run_dir) / "labels" / f"round-{round_number:02d}-chunk-{chunk:04d}.parquet"


def encoder_path(run_dir: str | Path) -> Path:
    """Pretrained encoders of the surrogate."""
    return Path(run_dir) / "models" / "encoders.pt"


def surrogate_path(run_dir: str | Path, round_number: int) -> Path:
    """Surrogate that scores one round."""
    return Path(run_dir) / "models" / f"round-{round_number:02d}.pt"


def source_model_path(run_dir: str | Path) -> Path:
    """Return the run's copy of the model of other hosts that it starts from."""
    return Path(run_dir) / "models" / "source-model.pt"


def prior_path(run_dir: str | Path) -> Path:
    """What a model of other hosts says of this one."""
    return Path(run_dir) / "models" / "prior.pt"


def validation_path(run_dir: str | Path, round_number: int) -> Path:
    """How a round's surrogate did on labels held out by geometry."""
    return Path(run_dir) / "models" / f"round-{round_number:02d}-validation.json"


def probability_path(run_dir: str | Path, round_number: int, batch: int) -> Path:
    """Routing probabilities of one batch in one round."""
    folder = Path(run_dir) / "scores" / f"round-{round_number:02d}"
    return folder / f"probability-{batch:05d}.parquet"


def remembered_path(run_dir: str | Path) -> Path:
    """Lowest and typical insertions of a classical run."""
    return Path(run_dir) / "remembered.parquet"


def guest_pairs_path(run_dir: str | Path) -> Path:
    """Guest-guest parameters of an isotherm."""
    return Path(run_dir) / "guest_pairs.json"


def point_path(run_dir: str | Path, temperature_k: float, pressure_pa: float) -> Path:
    """One point of an isotherm."""
    return Path(run_dir) / "points" / f"{temperature_k!r}K-{pressure_pa!r}Pa.json"
