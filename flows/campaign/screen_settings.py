"""What a campaign file may say of screening with a label budget."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ScreenPart(BaseModel):
    """A screen: which hosts are the best, and how many labels may be spent to find out."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    top_k: int = Field(default=10, ge=1, le=10_000, description="hosts wanted")
    budget_labels: int = Field(default=1000, ge=1, le=10**7, description="labels in all")
