"""What a campaign file may say, as validated models; every field is described, with its unit."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from data.constants import LABEL_SECONDS
from flows.campaign.screen.settings import ScreenPart, check_screen
from flows.settings import (
    ReferenceOptions,
    SamplingOptions,
    SystemOptions,
    check_temperatures,
)

Name = Annotated[
    str,
    Field(
        min_length=1,
        max_length=80,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="letters, digits, dots, dashes and underscores",
    ),
]
Text = Annotated[str, Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class HostList(_Part):
    """Hosts from a table: one row per host, with the path of its CIF and its id."""

    list: Text = Field(description="CSV or Parquet file; paths in it are relative to it")
    path_column: Text = Field(default="path", description="column with the CIF paths")
    id_column: Text = Field(default="id", description="column with the ids; must be unique")


class ClassicalPart(SamplingOptions, SystemOptions):
    """The classical level: every host and guest gets it, and it is every reference's baseline."""

    keep_insertions: bool = Field(
        default=False, description="write the insertions of classical units (10 MB each)"
    )


class ReferencePart(ReferenceOptions, SamplingOptions):
    """A reference level, and the hosts and guests that are worth its price."""

    level: Text = Field(
        description="mace-dac | mace:PATH | xtb[:METHOD] | forcefield:NAME | ase:MODULE:CALLABLE"
    )
    hosts: Literal["all"] | tuple[Text, ...] = Field(
        default="all", description="all, or ids of hosts; * and ? stand for any letters"
    )
    guests: tuple[Text, ...] | None = Field(
        default=None, min_length=1, description="guests; default: all of the campaign"
    )

    @field_validator("level")
    @classmethod
    def _level(cls, value: str) -> str:
        if value == "classical":
            raise ValueError("every host gets the classical level; name another one here")
        return value


class Limits(_Part):
    """When to give a unit up, so that one host does not hold up the rest."""

    unit_hours: float = Field(
        default=48.0, gt=0.0, le=10_000.0, description="wall time of one host, guest and level"
    )
    label_seconds: float = Field(
        default=LABEL_SECONDS, gt=0.0, le=1e7, description="wall time of one reference call"
    )
    attempts: int = Field(
        default=2, ge=1, le=20, description="attempts at a unit whose worker died or hung"
    )


class CampaignSettings(_Part):
    """A campaign: hosts x guests x temperatures, at the classical level and at references."""

    name: Name = Field(description="name of the campaign, used in the Prefect UI")
    out: str = Field(
        default="", description="folder of the campaign; default: campaigns/NAME beside the file"
    )
    seed: int = Field(default=0, ge=0, le=2**63 - 1, description="random seed")
    hosts: tuple[Text | HostList, ...] = Field(
        min_length=1,
        description="bundled names, CIF files, globs, folders, tables or collections",
    )
    guests: tuple[Text, ...] = Field(min_length=1, description="bundled guests or molecule files")
    temperatures_k: tuple[float, ...] = Field(
        default=(298.15,), description="temperatures in K; one insertion table serves all"
    )
    classical: ClassicalPart = Field(
        default_factory=ClassicalPart, description="the classical level"
    )
    references: tuple[ReferencePart, ...] = Field(
        default=(), description="reference levels and the hosts that get them"
    )
    screen: ScreenPart | None = Field(
        default=None, description="spend a label budget where it can change a ranking"
    )
    limits: Limits = Field(default_factory=Limits, description="when to give up")
    workers: int = Field(
        default=2, ge=1, le=10_000, description="worker processes, where cluster does not say"
    )
    cluster: str | dict[str, Any] | None = Field(
        default=None, description="cluster file, or its content; default: this machine"
    )

    @field_validator("temperatures_k")
    @classmethod
    def _temperatures(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        return check_temperatures(value)

    @field_validator("guests")
    @classmethod
    def _guests(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError("a guest is given twice")
        return value

    @model_validator(mode="after")
    def _known_guests(self) -> CampaignSettings:
        for part in self.references:
            unknown = sorted(set(part.guests or ()) - set(self.guests))
            if unknown:
                raise ValueError(
                    f"reference {part.level}: {', '.join(unknown)} is not among the guests"
                )
        if self.screen is not None:
            levels = [part.level for part in self.references]
            check_screen(self.screen, self.guests, self.temperatures_k, levels)
        return self
