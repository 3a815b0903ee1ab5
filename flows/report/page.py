"""The page itself: pictures and words put into the template."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from data.constants import PA_PER_BAR
from data.store import plain
from flows.report import cell, figures, levels, reliability, site, style, words
from flows.report.classical_run import pieces
from flows.report.load import (
    Insertions,
    Run,
    Unseen,
    read_failures,
    read_insertions,
    read_unseen,
)
from flows.report.structure import contacts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    Drawing = Callable[[], Figure | None]

TEMPLATE = "report.html.j2"
FILTERS: tuple[Callable[..., object], ...] = (
    words.interval,
    words.significant,
    words.with_error,
    words.percent,
    words.count,
    words.duration,
    words.ratio,
    words.formula,
)


def render(run: Run) -> str:
    """Return the HTML page of a run."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("flows", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for function in FILTERS:
        environment.filters[function.__name__] = function
    return environment.get_template(TEMPLATE).render(content(run))


def content(run: Run) -> dict[str, Any]:
    """Return everything the template shows."""
    insertions, unseen = read_insertions(run), read_unseen(run)
    first = run.results[0]
    system = run.context.system
    classical = pieces(run)
    return {
        "first": first,
        "results": run.results,
        "classical": first["rounds"] == 0,
        "data": plain({"results": run.results}),
        "warnings": list(dict.fromkeys(w for r in run.results for w in r["warnings"])),
        "budget": [budget(r) for r in (run.results[:1] if first["rounds"] == 0 else run.results)],
        "rounds": run.rounds,
        "failures": read_failures(run),
        "coverage": levels.coverage(unseen),
        "errors": levels.weighted_error(unseen, first["temperature_k"]),
        "unseen": len(unseen.round),
        "trust": reliability.section(run, unseen),
        "pictures": pictures(run, insertions, unseen, classical),
        "pieces": classical,
        "contacts": [] if run.binding is None else contacts(system.host, system.guest, run.binding),
        "binding": run.binding,
        "settings": run.settings,
        "provenance": run.provenance,
        "atoms": len(system.host.elements),
        "volume": system.host.volume_angstrom3,
        "pa_per_bar": PA_PER_BAR,
        **cell_parameters(system.host.lattice_angstrom),
    }


def cell_parameters(lattice_angstrom: np.ndarray) -> dict[str, str]:
    """Return the lengths (angstrom) and angles (degrees) of a cell as text."""
    length = np.linalg.norm(lattice_angstrom, axis=1)
    unit = lattice_angstrom / length[:, None]
    cosine = [unit[1] @ unit[2], unit[2] @ unit[0], unit[0] @ unit[1]]
    angle = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    return {
        "lengths": ", ".join(f"{x:.2f}" for x in length),
        "angles": ", ".join(f"{x:.1f}" for x in angle),
    }


def budget(result: dict[str, Any]) -> dict[str, Any]:
    """Return the shares of the variance that insertions and labels bring in, per cent."""
    table, design = result["table_relative_error"], result["design_relative_error"]
    if not words.known(table) or not words.known(design) or table**2 + design**2 <= 0:
        return {"result": result, "table_share": None, "design_share": None}
    share = 100.0 * table**2 / (table**2 + design**2)
    return {"result": result, "table_share": share, "design_share": 100.0 - share}


def pictures(
    run: Run, insertions: Insertions, unseen: Unseen, drawn: dict[str, Markup]
) -> dict[str, Any]:
    """Return the pictures as SVG by name; None where there is nothing to draw.

    Args:
        run: what was read from its folder.
        insertions: its insertions.
        unseen: its labels as they were predicted.
        drawn: pieces of the page with pictures of their own, which take the place of some here.
    """
    first, host = run.results[0]["temperature_k"], run.context.system.host
    guest, binding = run.context.system.guest, run.binding
    found: dict[str, Any] = {"convergence": []}
    for k, result in enumerate(run.results):
        rows = [r for r in run.rounds if r["temperature_k"] == result["temperature_k"]]
        if rows:
            picture = figures.convergence(rows, run.settings.get("target_error"))
            svg = style.to_svg(picture, f"convergence{k}", "Henry coefficient against labels")
            found["convergence"].append((result["temperature_k"], Markup(svg)))
    drawings: dict[str, tuple[str, Drawing]] = {
        "parity": ("Predicted against reference energy", lambda: levels.parity(unseen, first)),
        "calibration": (
            "Errors over predicted standard deviations",
            lambda: levels.calibration(unseen, first),
        ),
        "energies": (
            "Distribution of energies",
            lambda: levels.energies(insertions, unseen, first),
        ),
        "density": (
            "Guest density in the cell along a b and c",
            lambda: cell.density_views(host, insertions, first),
        ),
    }
    if len(run.results) > 1 and not drawn["thermal"]:
        drawings["temperatures"] = (
            "Henry coefficient against temperature",
            lambda: figures.against_temperature(run.results),
        )
    if binding is not None and not drawn["sites"]:
        drawings["site"] = (
            "Guest at its binding site",
            lambda: site.site_picture(host, guest, binding),
        )
    for name, (description, draw) in drawings.items():
        figure = draw()
        found[name] = figure and Markup(style.to_svg(figure, name, description))
    return found
