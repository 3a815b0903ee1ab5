"""The Henry selectivity of two finished runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import RunFolderError, SettingsError

if TYPE_CHECKING:
    from rich.console import Console


def selectivities(one: Path, two: Path) -> list[dict[str, Any]]:
    """Return the selectivity at every temperature both runs have.

    Args:
        one: run folder of the first guest.
        two: run folder of the second guest, same host and level.

    Raises:
        RunFolderError: a folder holds no finished run.
        SettingsError: host or level differ, or no temperature is shared.
    """
    from chem.selectivity import SAME_TEMPERATURE_K, selectivity_of_results

    first, second = _results(one), _results(two)
    found = []
    for left in first:
        for right in second:
            if abs(left["temperature_k"] - right["temperature_k"]) < SAME_TEMPERATURE_K:
                ratio = selectivity_of_results(left, right)
                found.append(
                    {
                        "host": left["host"],
                        "guests": [left["guest"], right["guest"]],
                        "temperature_k": left["temperature_k"],
                        "selectivity": ratio.value,
                        "selectivity_ci95": list(ratio.interval),
                        "relative_standard_error": ratio.relative_standard_error,
                        "trustworthy": ratio.trustworthy,
                    }
                )
    if not found:
        raise SettingsError(
            f"{one} and {two} share no temperature. Run both guests at the same --temperature-k."
        )
    return found


def _results(folder: Path) -> list[dict[str, Any]]:
    from flows.run import finished_results

    results = finished_results(folder)
    if not results:
        raise RunFolderError(
            f"{folder} has no result.json: no run was finished there. Give the folder that "
            "`widomill henry` wrote (its --out)."
        )
    return results


def print_selectivities(found: list[dict[str, Any]], console: Console | None = None) -> None:
    """Print one line per temperature."""
    from rich.console import Console

    out = console or Console(highlight=False, soft_wrap=True)
    for ratio in found:
        low, high = ratio["selectivity_ci95"]
        out.print(
            f"{ratio['guests'][0]}/{ratio['guests'][1]} in {ratio['host']} at "
            f"{ratio['temperature_k']:g} K: {ratio['selectivity']:.4g}   95 % {low:.4g} to "
            f"{high:.4g}   relative standard error {100 * ratio['relative_standard_error']:.2g} %"
        )
        if not ratio["trustworthy"]:
            out.print("  one of the two is too uncertain for this interval to be trusted")
