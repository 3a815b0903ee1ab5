"""Cluster files: where tasks run, as checked settings. Examples are in ``flows/clusters``.

A cluster file says where tasks run and nothing about the science; the numbers are the same on
each. It holds one cluster, or two, ``{general: {...}, references: {...}}``, of which the second
takes the reference calls. Every field is documented below.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from chem.yaml_files import read_yaml_mapping
from data.errors import SettingsError

_OPTIONS_ELSEWHERE = {
    "asynchronous": "it is set for you",
    "processes": "each job is one worker",
    "n_workers": "use the field `workers`",
    "job_script_prologue": "use the field `prologue`",
    **{
        name: f"use the field `{name}`"
        for name in ("cores", "memory", "walltime", "queue", "account", "interface")
    },
}
_POOL_NAMES = ("general", "references")
Count = Annotated[int, Field(ge=1, le=10_000)]
Amount = Annotated[float, Field(gt=0)]


class _Cluster(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    resources: dict[str, Amount] = Field(
        default_factory=dict,
        description="what each worker has, such as {GPU: 1}; reference calls ask for it",
    )


class LocalCluster(_Cluster):
    """Dask processes on this machine, ended with the run; the default."""

    kind: Literal["local"]
    workers: Count | None = Field(default=None, description="processes; default: --workers")
    threads_per_worker: Count = Field(default=1, description="numeric threads within each process")
    memory_limit: str | None = Field(
        default=None,
        description="memory at which Dask restarts a worker, such as 8GiB; default: never",
    )
    dashboard: str | None = Field(
        default=None,
        description="address of the Dask dashboard, such as 127.0.0.1:8787; default: any free port",
    )


class Threads(_Cluster):
    """Threads of this process; for short runs and debugging."""

    kind: Literal["threads"]
    workers: Count | None = Field(default=None, description="threads; default: --workers")


class ExistingScheduler(_Cluster):
    """A Dask scheduler that is running already, with workers that have widomill installed."""

    kind: Literal["scheduler"]
    address: str = Field(
        description="address of the scheduler, such as tcp://login1:8786",
        pattern=r"^(tcp|tls|ucx|ws|wss)://[^\s:/]+:\d+$",
    )


class Adapt(BaseModel):
    """Bounds between which the number of batch jobs follows the work."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    minimum: int = Field(default=0, ge=0, le=10_000, description="fewest workers")
    maximum: Count = Field(description="most workers")


class BatchQueue(_Cluster):
    """Workers as jobs of a batch system, submitted from this machine through dask-jobqueue."""

    kind: Literal["slurm", "pbs", "lsf"]
    cores: Count = Field(default=1, description="cores of one job")
    memory: str = Field(description="memory of one job, such as 4GB")
    walltime: str = Field(description='time limit of one job, in quotes, such as "01:00:00"')
    workers: Count | None = Field(default=None, description="jobs; default: --workers")
    adapt: Adapt | None = Field(default=None, description="let the number of jobs follow the work")
    queue: str | None = Field(default=None, description="partition or queue")
    account: str | None = Field(default=None, description="account or project to charge")
    interface: str | None = Field(default=None, description="network interface, such as ib0")
    threads_per_worker: Count | None = Field(
        default=None, description="numeric threads of each worker; default: cores"
    )
    prologue: tuple[str, ...] = Field(
        default=(), description="shell lines before the worker starts (module load, activate)"
    )
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="further arguments of the dask-jobqueue class, as they are",
    )

    @field_validator("options")
    @classmethod
    def _not_ours(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name, instead in _OPTIONS_ELSEWHERE.items():
            if name in value:
                raise ValueError(f"{name} does not go here; {instead}")
        return value

    def wall_seconds(self) -> float | None:
        """Return the time limit of a job in s; ``None`` where it is no time we can read."""
        return wall_seconds(self.kind, self.walltime)


AnyCluster = LocalCluster | Threads | ExistingScheduler | BatchQueue
ClusterSettings = Annotated[AnyCluster, Field(discriminator="kind")]
_ADAPTER: TypeAdapter[AnyCluster] = TypeAdapter(ClusterSettings)


class PoolsSettings(BaseModel):
    """Where a campaign runs: one cluster, or a second one for the reference calls."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    general: ClusterSettings
    references: ClusterSettings | None = None


def read_cluster(path: Path) -> AnyCluster:
    """Read and check a cluster file that holds one cluster.

    Raises:
        SettingsError: the file is missing, is no YAML mapping, or a field of it is wrong.
    """
    content = _mapping(path)
    if content.keys() & set(_POOL_NAMES):
        raise SettingsError(
            f"The cluster file {path} holds two clusters (general, references), which is for "
            "campaigns; one run takes one cluster. Put one of the two into a file of its own."
        )
    return _checked(content, f"The cluster file {path}")


def read_pools(cluster: Path | Mapping[str, Any] | None) -> PoolsSettings:
    """Read and check where a campaign runs.

    Args:
        cluster: path of a cluster file, or what would stand in one; ``None`` is this machine.

    Raises:
        SettingsError: as ``read_cluster``.
    """
    if cluster is None:
        return PoolsSettings(general=LocalCluster(kind="local"))
    content = _mapping(cluster) if isinstance(cluster, Path) else dict(cluster)
    where = f"The cluster file {cluster}" if isinstance(cluster, Path) else "cluster"
    if not content.keys() & set(_POOL_NAMES):
        return PoolsSettings(general=_checked(content, where))
    if extra := sorted(map(str, content.keys() - set(_POOL_NAMES))):
        raise SettingsError(
            f"{where}: {extra[0]}: beside `general` and `references` there is no other field; "
            "it belongs into one of the two."
        )
    if not isinstance(content.get("general"), Mapping):
        raise SettingsError(f"{where}: general: this field is required and has to be a mapping.")
    references = content.get("references")
    if references is not None and not isinstance(references, Mapping):
        raise SettingsError(f"{where}: references: has to be a mapping, found {references!r}.")
    return PoolsSettings(
        general=_checked(content["general"], f"{where}: general"),
        references=None if references is None else _checked(references, f"{where}: references"),
    )


def wall_seconds(kind: str, text: str) -> float | None:
    """Return a batch system's time limit in s; ``None`` where it cannot be read.

    Slurm reads D-HH:MM:SS, D-HH, HH:MM:SS, MM:SS and MM; PBS HH:MM:SS, MM:SS and SS; LSF
    HH:MM:SS, HH:MM and MM.
    """
    found = re.fullmatch(r"(?:(\d+)-)?(\d+(?::\d+){0,2})", text.strip())
    if found is None:
        return None
    days, numbers = found[1], [float(part) for part in found[2].split(":")]
    if days is not None:
        hours_first = [*numbers, 0.0, 0.0][:3]
        return 86400 * float(days) + _seconds(hours_first)
    if len(numbers) == 3:
        return _seconds(numbers)
    if len(numbers) == 2:
        return _seconds([*numbers, 0.0] if kind == "lsf" else [0.0, *numbers])
    return numbers[0] * (1.0 if kind == "pbs" else 60.0)


def _seconds(parts: list[float]) -> float:
    return 3600 * parts[0] + 60 * parts[1] + parts[2]


def _mapping(path: Path) -> dict[str, Any]:
    return read_yaml_mapping(path, f"The cluster file {path}", SettingsError)


def _checked(content: Mapping[str, Any], where: str) -> AnyCluster:
    try:
        return _ADAPTER.validate_python(content)
    except ValidationError as error:
        raise SettingsError(f"{where}: {_first_problem(error)}") from error


def _first_problem(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:]) or "kind"
    found = first.get("input")
    kinds = "kind is one of local, threads, scheduler, slurm, pbs, lsf"
    if first["type"] in ("union_tag_not_found", "union_tag_invalid"):
        return f"kind: {first['msg']}; {kinds}."
    if first["type"] == "missing":
        return f"{where}: this field is required and missing."
    if first["type"] == "extra_forbidden":
        return f"{where}: there is no such field here; the examples in flows/clusters show them."
    hint = "; put it in quotes" if first["type"] == "string_type" else ""
    return f"{where}: {first['msg']}, found {found!r}{hint}."
