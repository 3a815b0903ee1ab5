"""What watches a campaign: the Prefect UI, or nobody."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    from flows.campaign.folder import CampaignFolder, Failure
    from flows.campaign.units import Unit
    from flows.executors import Executor

Result = TypeVar("Result")
Gate = Literal["go", "pause", "stop"]


class CampaignView(Protocol):
    """Shows a campaign while it runs, and carries the wishes of who watches it.

    Methods are called from several threads. None may raise for reasons of its own: a view that
    cannot show something warns and lets the numbers go on.
    """

    def task(self, function: Callable[[], Result], *, name: str, tags: Sequence[str]) -> Result:
        """Run ``function`` in this thread, shown as one step of the run around it."""
        ...

    def subflow(self, function: Callable[[], Result], *, name: str, tags: Sequence[str]) -> Result:
        """Run ``function`` in this thread, shown as a run with steps and a page of its own."""
        ...

    def page(self, executor: Executor) -> Executor:
        """Return an executor like the one given that also shows what a unit has to show."""
        ...

    def opened(self, folder: CampaignFolder, units: Sequence[Unit]) -> None:
        """A campaign begins."""
        ...

    def round_finished(self, unit: Unit, executor: Executor) -> None:
        """A round of a reference unit is done; its rounds.parquet is written.

        Args:
            unit: it belongs to.
            executor: what :meth:`page` returned for this unit.
        """
        ...

    def unit_finished(
        self, unit: Unit, results: Sequence[Mapping[str, Any]], executor: Executor
    ) -> None:
        """A unit has its answer; called inside its task or subflow."""
        ...

    def unit_failed(self, unit: Unit, failure: Failure) -> None:
        """A unit was given up."""
        ...

    def moved(self, live: Mapping[str, Any]) -> None:
        """Something moved; ``live`` is what live.json holds. Called every few seconds."""
        ...

    def closed(self, folder: CampaignFolder) -> None:
        """The campaign has ended, all files are written."""
        ...

    def gate(self) -> Gate:
        """Return whether work may begin now, has to wait, or has to end."""
        ...


class PlainView:
    """Shows nothing and never stops."""

    def task(self, function: Callable[[], Result], *, name: str, tags: Sequence[str]) -> Result:
        """Run ``function``."""
        return function()

    def subflow(self, function: Callable[[], Result], *, name: str, tags: Sequence[str]) -> Result:
        """Run ``function``."""
        return function()

    def page(self, executor: Executor) -> Executor:
        """Return the executor as it is."""
        return executor

    def opened(self, folder: CampaignFolder, units: Sequence[Unit]) -> None:
        """Do nothing."""

    def round_finished(self, unit: Unit, executor: Executor) -> None:
        """Do nothing."""

    def unit_finished(
        self, unit: Unit, results: Sequence[Mapping[str, Any]], executor: Executor
    ) -> None:
        """Do nothing."""

    def unit_failed(self, unit: Unit, failure: Failure) -> None:
        """Do nothing."""

    def moved(self, live: Mapping[str, Any]) -> None:
        """Do nothing."""

    def closed(self, folder: CampaignFolder) -> None:
        """Do nothing."""

    def gate(self) -> Gate:
        """Go on."""
        return "go"
