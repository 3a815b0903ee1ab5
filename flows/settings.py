"""What a run is asked to do: one validated model, shared by command line and deployments."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from data.constants import LABEL_SECONDS
from data.errors import SettingsError
from data.records import content_hash

REFERENCE_TARGET = 0.05
CLASSICAL_TARGET = 0.01
MOST_KEPT = 2_000_000
HOW_IT_RUNS = ("workers", "threads", "cluster", "label_seconds")
"""Settings that decide no number, as long as nothing comes of it."""


def check_temperatures(value: tuple[float, ...]) -> tuple[float, ...]:
    """Return temperatures in K as given, or raise ValueError where one cannot be meant."""
    if not value:
        raise ValueError("at least one temperature is needed")
    for temperature in value:
        if not 1.0 <= temperature <= 5000.0:
            raise ValueError(f"{temperature} K is outside 1 to 5000 K")
    if len(set(value)) != len(value):
        raise ValueError("a temperature is given twice")
    return value


class SystemOptions(BaseModel):
    """How classical energies are worked out: force field, charges, cutoff, pores."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    force_field: str = Field(default="UFF", description="force field, name or path")
    charges: str = Field(
        default="cif",
        min_length=1,
        description="host charges: cif, eqeq, eeq, none, or a file of charges",
    )
    cutoff_angstrom: float | None = Field(
        default=None,
        ge=2.0,
        le=50.0,
        description="cutoff, angstrom; default: the force field's choice, else 12",
    )
    lj: Literal["truncated", "shifted", "force-shifted"] | None = Field(
        default=None, description="Lennard-Jones at the cutoff; default: force field's, truncated"
    )
    tail_correction: bool | None = Field(
        default=None, description="analytic tail; default: the force field's choice, else none"
    )
    feynman_hibbs: bool = Field(
        default=False, description="quantum-corrected Lennard-Jones of a light guest"
    )
    energies: Literal["auto", "direct", "grid"] = Field(
        default="auto", description="classical energies: direct sums or energy grids"
    )
    block_pockets: bool = Field(default=True, description="leave out pores out of reach")
    pocket_threshold_kt: float = Field(
        default=15.0, gt=0.0, le=1000.0, description="barrier that closes a pore, kT at 298.15 K"
    )
    block_file: str | None = Field(
        default=None, description="RASPA block file to use in place of the search for pockets"
    )


class SystemSettings(SystemOptions):
    """What host, guest and force field a run is about, and where it runs."""

    host: str = Field(min_length=1, description="CIF path or the name of a bundled host")
    guest: str = Field(
        min_length=1, description="bundled guest, or the path of a RASPA3 molecule JSON"
    )
    temperatures_k: tuple[float, ...] = Field(
        default=(298.15,), description="temperatures in K; one insertion table serves all"
    )
    workers: int = Field(default=2, ge=1, le=1024, description="worker processes")
    threads: int = Field(default=2, ge=1, le=1024, description="threads of the classical level")
    cluster: str | None = Field(default=None, description="YAML file that says where to run")
    seed: int = Field(default=0, ge=0, le=2**63 - 1, description="random seed")
    out: str = Field(default="", description="run folder; default: a name under runs/")

    @field_validator("temperatures_k")
    @classmethod
    def _temperatures(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        return check_temperatures(value)

    @property
    def numbers(self) -> dict[str, Any]:
        """The settings that decide the numbers: all but where and how it runs."""
        found = self.model_dump(mode="json", exclude={"out", *HOW_IT_RUNS})
        for added_later in ("first_labels", "min_labels"):
            if found.get(added_later, 0) is None:
                del found[added_later]  # run folders of earlier versions keep their names
        return found

    @property
    def hash(self) -> str:
        """Content hash of what decides the numbers."""
        return content_hash(sorted(self.numbers.items()))

    @property
    def kind(self) -> str:
        """The word in a run folder's name that says what was run."""
        return "run"

    @property
    def run_dir(self) -> Path:
        """The run folder, absolute."""
        if self.out:
            return Path(self.out).expanduser().absolute()
        name = f"{Path(self.host).stem}_{Path(self.guest).stem}_{self.kind}_{self.hash[:8]}"
        return (Path("runs") / name.replace(":", "-").replace(" ", "-")).absolute()


class SamplingOptions(BaseModel):
    """How many insertions are placed, and when that is enough."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    insertions: int = Field(
        default=1_000_000, ge=100, le=10**9, description="insertions to place, at most"
    )
    sampling: Literal["adaptive", "uniform"] = Field(
        default="adaptive", description="proposal of the insertions"
    )
    target_error: float | None = Field(
        default=None,
        gt=0.0,
        lt=1.0,
        description="relative standard error to stop at; default 0.05, classical level 0.01",
    )


class ReferenceOptions(BaseModel):
    """What a reference may be asked, and what the surrogate starts from."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    max_labels: int = Field(default=300, ge=1, le=10**6, description="most reference calls")
    max_rounds: int = Field(default=10, ge=1, le=100, description="most rounds")
    first_labels: int | None = Field(
        default=None,
        ge=4,
        le=10_000,
        description="labels of the first round; default: 24, of a small budget a sixth",
    )
    min_labels: int | None = Field(
        default=None,
        ge=1,
        le=10**6,
        description="fewest labels to stop on the target with; default: 100, with a model 40",
    )
    model: str | None = Field(
        default=None, min_length=1, description="model of other hosts to start from, by its name"
    )
    accept_offset: bool = Field(
        default=False, description="use a reference that failed its self-check, and say so"
    )
    trust_model_file: bool = Field(
        default=False, description="load a model file of unknown SHA-256 (it can run code)"
    )


class HenrySettings(ReferenceOptions, SamplingOptions, SystemSettings):
    """Settings of one Henry-coefficient run: one host, one guest, several temperatures."""

    reference: str = Field(default="mace-dac", description="reference level of theory")
    keep_insertions: bool | None = Field(
        default=None,
        description="write a classical run's insertions; default: up to 2,000,000 of them",
    )
    label_seconds: float = Field(
        default=LABEL_SECONDS,
        gt=0.0,
        le=1e7,
        description="wall time of one reference call through ASE or xTB; past it, it has failed",
    )

    @property
    def kind(self) -> str:
        """The reference, as part of a folder's name."""
        return self.reference.split("/")[-1].replace(":", "-")

    @property
    def wanted_error(self) -> float:
        """The relative standard error to stop at: as given, else the level's own."""
        if self.target_error is not None:
            return self.target_error
        return CLASSICAL_TARGET if self.reference == "classical" else REFERENCE_TARGET

    @property
    def keeps_insertions(self) -> bool:
        """Whether a classical run writes its insertions."""
        if self.keep_insertions is not None:
            return self.keep_insertions
        return self.insertions <= MOST_KEPT


class IsothermSettings(SystemSettings):
    """Settings of an isotherm: one host, one guest, pressures at each temperature."""

    pressures_pa: tuple[float, ...] = Field(min_length=1, description="pressures of the gas, Pa")
    initialisation_cycles: int = Field(
        default=2_000, ge=0, le=10**9, description="cycles before the average"
    )
    production_cycles: int = Field(
        default=10_000, ge=20, le=10**9, description="cycles that are averaged"
    )
    ideal_gas: bool = Field(
        default=False, description="fugacity equals pressure; default: Peng-Robinson"
    )
    own_images: bool = Field(
        default=False, description="guests see their own periodic images, as in RASPA"
    )

    @field_validator("pressures_pa")
    @classmethod
    def _pressures(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        for pressure in value:
            if not 0.0 < pressure <= 1e10:
                raise ValueError(f"{pressure} Pa is not above 0 and at most 1e10 Pa")
        if len(set(value)) != len(value):
            raise ValueError("a pressure is given twice")
        return value

    @property
    def kind(self) -> str:
        """An isotherm."""
        return "isotherm"


AnySettings = TypeVar("AnySettings", bound=BaseModel)
SystemKind = TypeVar("SystemKind", bound=SystemSettings)


def make_settings(**values: Any) -> HenrySettings:
    """Validate settings of a Henry-coefficient run, see :func:`make`."""
    return make(HenrySettings, "henry", values)


def make(kind: type[AnySettings], command: str, values: dict[str, Any]) -> AnySettings:
    """Validate settings, with a plain message for the first thing that is wrong.

    Args:
        kind: the settings wanted.
        command: the command they belong to.
        values: what was given.

    Raises:
        SettingsError: a value is out of bounds or unknown.
    """
    for name in ("host", "guest", "force_field", "charges", "block_file"):
        given = Path(str(values.get(name, "")))
        if values.get(name) and given.is_file():
            values[name] = str(given.absolute())
    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors()[0]
        option = "--" + str(first["loc"][0] if first["loc"] else "settings").replace("_", "-")
        option = option.replace("temperatures-k", "temperature-k")
        option = option.replace("pressures-pa", "pressure-pa")
        reason = str(first["msg"]).removeprefix("Value error, ")
        raise SettingsError(
            f"{option} {first.get('input')!r} cannot be used: {reason}. "
            f"See `widomill {command} --help` for the bounds."
        ) from error
