"""What a campaign file may say of screening with a label budget."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Objective(_Part):
    guest: str | None = Field(
        default=None, min_length=1, description="guest; default: the first of the campaign"
    )
    weight: float = Field(default=1.0, gt=0.0, le=1e6, description="weight among the objectives")


class HenryObjective(_Objective):
    """The Henry coefficient itself, the larger the better."""

    kind: Literal["henry"] = "henry"


class SelectivityObjective(_Objective):
    """Henry selectivity over another guest, the larger the better."""

    kind: Literal["selectivity"]
    over: str = Field(min_length=1, description="the other guest")


class HeatObjective(_Objective):
    """Isosteric heat of adsorption, the nearer to a range the better."""

    kind: Literal["qst"]
    low_kj_per_mol: float = Field(ge=-1000.0, le=10_000.0, description="lower end, kJ/mol")
    high_kj_per_mol: float = Field(ge=-1000.0, le=10_000.0, description="upper end, kJ/mol")

    @model_validator(mode="after")
    def _order(self) -> HeatObjective:
        if self.high_kj_per_mol < self.low_kj_per_mol:
            raise ValueError("high_kj_per_mol is below low_kj_per_mol")
        return self


class CapacityObjective(_Objective):
    """Working capacity in the Henry regime, the larger the better."""

    kind: Literal["working_capacity"]
    adsorption_pa: float = Field(gt=0.0, le=1e10, description="pressure of adsorption, Pa")
    desorption_pa: float = Field(gt=0.0, le=1e10, description="pressure of desorption, Pa")
    desorption_temperature_k: float | None = Field(
        default=None, ge=1.0, le=5000.0, description="default: that of adsorption"
    )

    @model_validator(mode="after")
    def _swing(self) -> CapacityObjective:
        if self.desorption_temperature_k is None and self.desorption_pa >= self.adsorption_pa:
            raise ValueError("desorption_pa must be below adsorption_pa at one temperature")
        return self


Objective = Annotated[
    HenryObjective | SelectivityObjective | HeatObjective | CapacityObjective,
    Field(discriminator="kind"),
]


class ScreenPart(_Part):
    """A screen: which hosts are the best, and how many labels may be spent to find out."""

    objectives: tuple[Objective, ...] = Field(
        default=(HenryObjective(),),
        min_length=1,
        max_length=20,
        description="what hosts are ranked by; several are fused by their ranks",
    )
    top_k: int = Field(default=10, ge=1, le=10_000, description="hosts wanted")
    budget_labels: int = Field(default=1000, ge=1, le=10**7, description="labels in all")
    stop_share: float = Field(
        default=0.95,
        gt=0.0,
        le=1.0,
        description="stop when this share of the top k is expected to be found",
    )
    level: str | None = Field(
        default=None, min_length=1, description="reference; default: the first of references"
    )
    hosts: Literal["all"] | tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default="all", description="hosts considered, of those the reference is meant for"
    )
    temperature_k: float | None = Field(
        default=None, ge=1.0, le=5000.0, description="temperature, K; default: the campaign's first"
    )
    first_labels: int = Field(
        default=8, ge=4, le=10_000, description="labels of a host's first lot; later ones grow"
    )
    lots_at_once: int = Field(
        default=4, ge=1, le=1000, description="hosts labelled at the same time, decided together"
    )
    half_life_lots: float | None = Field(
        default=500.0,
        ge=1.0,
        le=1e6,
        description="lots after which an estimate counts half for the choice of lots; null: never",
    )


def check_screen(
    screen: ScreenPart,
    guests: Sequence[str],
    temperatures_k: Sequence[float],
    levels: Sequence[str],
) -> None:
    """Check that a screen fits the campaign around it.

    Args:
        screen: what is asked for.
        guests: of the campaign, names or paths.
        temperatures_k: of the campaign.
        levels: its references.

    Raises:
        ValueError: it does not, and why.
    """
    if not levels:
        raise ValueError("screen: there is no reference to spend labels at; add one to references")
    if screen.level is not None and screen.level not in levels:
        raise ValueError(f"screen: level {screen.level} is not among the references")
    if screen.temperature_k is not None and screen.temperature_k not in temperatures_k:
        raise ValueError(f"screen: {screen.temperature_k:g} K is not among temperatures_k")
    known = {*guests, *(Path(g).stem for g in guests)}
    for objective in screen.objectives:
        named = [objective.guest, getattr(objective, "over", None)]
        for guest in named:
            if guest is not None and guest not in known:
                raise ValueError(f"screen: {guest} is not among the guests")
        if isinstance(objective, SelectivityObjective) and objective.over == (
            objective.guest or guests[0]
        ):
            raise ValueError(f"screen: selectivity of {objective.over} over itself")
