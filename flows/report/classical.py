"""Pieces of a page on a classical run: temperatures, sites, pores, grids, units.

Each piece takes records or plain mappings and returns safe HTML in the classes of report.css,
or an empty string where there is nothing to say. A mapping may lack any key: what is not
known is not shown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from chem.binding_sites import BindingSite
from chem.henry_units import HenryContext, every_unit
from chem.selectivity import Selectivity
from chem.van_t_hoff import FEWEST_EFFECTIVE, HenryCurve, VanTHoff
from data.records import Guest, Host
from flows.report import words
from flows.report.site import site_picture
from flows.report.style import to_svg
from flows.report.thermal import against_temperature

PICTURES = 2
NOTHING = Markup("")
CAPTION = (
    "Left: the answer over the effective insertions behind it. Right: its logarithm against the "
    "inverse temperature, and the distance from the straight line within the 95 % interval (band). "
    "Hollow points have too few effective insertions and are not fitted."
)
Format = Callable[[Any], object]


def _angstrom(value: Any) -> str:
    return f"{value:.2f} Å"


def _signed(value: Any) -> str:
    return words.percent(value).replace("-", words.MINUS)


def _per_kt(value: Any) -> str:
    return f"{value:g} kT"


def _kelvin(value: Any) -> str:
    return f"{value:g} K"


def _energy(value: Any) -> Markup:
    return words.significant(value, 2) + " kJ/mol"


PORES: tuple[tuple[str, str, Format], ...] = (
    ("void_fraction", "void fraction (helium)", lambda v: f"{v:.3f}"),
    ("included_sphere_angstrom", "largest included sphere, diameter", _angstrom),
    ("free_sphere_angstrom", "largest free sphere, diameter", _angstrom),
    ("channels", "channels", words.count),
    ("pockets", "pockets out of reach", words.count),
    ("threshold_kt", "a pore is closed by a barrier of", _per_kt),
    ("pocket_temperature_k", "barriers at", _kelvin),
    ("excluded_share", "their share of the unblocked answer", words.percent),
    ("blocked", "pockets are", lambda v: "left out of the answer" if v else "part of the answer"),
    ("block_file", "as block file", str),
)
"""Facts of the pores by key, in the order shown: words for the reader, and how to print."""

GRIDS: tuple[tuple[str, str, Format], ...] = (
    ("spacing_angstrom", "spacing of the grid, at most", _angstrom),
    ("points", "insertions compared with direct sums", words.count),
    ("henry_bias", "bias of the Henry coefficient", _signed),
    ("henry_bias_error", "standard error of the bias", words.percent),
    ("target", "allowed", words.percent),
    ("mean_error_kj_per_mol", "mean energy error, Boltzmann-weighted", _energy),
    ("rms_error_kj_per_mol", "root mean square error, Boltzmann-weighted", _energy),
    ("largest_error_kj_per_mol", "largest error", _energy),
    ("megabytes", "size", lambda v: f"{v:,.0f} MB"),
    ("seconds", "time to build", words.duration),
    ("from_cache", "read from the cache", lambda v: "yes" if v else "no"),
)
"""Facts of the energy grids by key, in the order shown."""


def temperatures(
    curve: HenryCurve,
    intervals_mol_per_kg_pa: np.ndarray,
    fit: VanTHoff | None,
    fewest_effective: float = FEWEST_EFFECTIVE,
) -> Markup:
    """Return K_H over temperature: table, van 't Hoff plot and what the fit says.

    Args:
        curve: coefficients at k temperatures.
        intervals_mol_per_kg_pa: (k, 2) their 95 % intervals.
        fit: of :func:`chem.van_t_hoff.fit_van_t_hoff`.
        fewest_effective: what the fit was asked for.
    """
    figure = against_temperature(curve, intervals_mol_per_kg_pa, fit, fewest_effective)
    svg = to_svg(figure, "vanthoff", "Henry coefficient against temperature and its inverse")
    rows = [
        (
            f"{curve.temperatures_k[k]:g}",
            Markup('<data value="{}">{}</data>').format(
                float(curve.henry_mol_per_kg_pa[k]),
                words.significant(float(curve.henry_mol_per_kg_pa[k]), 4),
            ),
            words.interval([float(end) for end in intervals_mol_per_kg_pa[k]], 4),
            words.percent(float(curve.relative_standard_error[k])),
            words.with_error(float(curve.qst_kj_per_mol[k]), float(curve.qst_standard_error[k])),
            words.count(float(curve.effective_samples[k])),
        )
        for k in range(len(curve.temperatures_k))
    ]
    head = ["T / K", Markup("K<sub>H</sub> / mol/(kg Pa)"), "95 % interval", "rel. error"]
    head += [Markup("Q<sub>st</sub> / kJ/mol"), "effective insertions"]
    return Markup("{}<figure>{}<figcaption>{}</figcaption></figure>{}").format(
        _table(head, rows), Markup(svg), CAPTION, _fit(fit)
    )


def _fit(fit: VanTHoff | None) -> Markup:
    if fit is None:
        return Markup(
            '<p class="note">Fewer than two temperatures have enough effective insertions: no '
            "line is drawn.</p>"
        )
    heat, change = fit.heat_kj_per_mol, fit.heat_capacity_j_per_mol_k
    rows = [
        ("heat of adsorption from the slope", f"{_estimate(heat)} kJ/mol"),
        (
            Markup("prefactor K<sub>0</sub>"),
            words.significant(fit.prefactor_mol_per_kg_pa) + " mol/(kg Pa)",
        ),
        ("farthest point off the line", words.percent(fit.worst_residual)),
    ]
    if words.known(change.mean):
        at = f"heat of adsorption at {fit.reference_k:.1f} K, from the curve"
        rows.append((at, f"{_estimate(fit.heat_at_reference_kj_per_mol)} kJ/mol"))
        rows.append(("heat capacity change", f"{_estimate(change)} J/(mol K)"))
    left_out = int((~fit.used).sum())
    note = (
        "One table of insertions serves all temperatures, so their answers move together. "
        + ("The plot is curved beyond its error. " if fit.curved else "")
        + (f"Temperatures left out of the fit: {left_out}." if left_out else "")
    )
    return Markup('{}<p class="note">{}</p>').format(_facts(rows), note.strip())


def binding_sites(
    host: Host, guest: Guest, sites: Sequence[BindingSite], temperature_k: float
) -> Markup:
    """Return the table of binding sites with pictures of the first ones."""
    if not sites:
        return Markup('<p class="note">The guest finds no room: there is no binding site.</p>')
    rows = [
        (
            str(number),
            words.significant(site.energy_kj_per_mol, 4),
            str(site.multiplicity),
            _share(site),
            f"{site.nearest_site_type} to {site.nearest_element} ({site.nearest_label})",
            f"{site.nearest_angstrom:.2f}",
            ", ".join(f"{x:.4f}" for x in site.fractional),
        )
        for number, site in enumerate(sites, start=1)
    ]
    head = ["site", "energy / kJ/mol", "copies in the cell", f"share at {temperature_k:g} K"]
    head += ["shortest contact", "distance / Å", "fractional position"]
    note = Markup(
        '<p class="note">Insertions of low energy and of large weight, relaxed as rigid bodies '
        "by the force field; minima that the symmetry of host and guest maps onto each other are "
        "one site. The share is that of the answer's insertions nearest to a site or its copies."
        "{}</p>"
    ).format("" if all(site.converged for site in sites) else " Not every search converged.")
    return _table(head, rows, words_in=(4,)) + note + _site_pictures(host, guest, sites)


def _share(site: BindingSite) -> str:
    error = f" ± {100.0 * site.share_error:.1f}" if site.share_error > 0.0 else ""
    return f"{100.0 * site.share:.1f}{error} %"


def _site_pictures(host: Host, guest: Guest, sites: Sequence[BindingSite]) -> Markup:
    """Return the first sites drawn; nothing for a guest whose atoms are unknown."""
    if not guest.atom_elements:
        return NOTHING
    figures = []
    for number, site in enumerate(sites[:PICTURES], start=1):
        svg = to_svg(
            site_picture(host, guest, site.placement), f"site{number}", f"Binding site {number}"
        )
        caption = f"Site {number}: {words.plain_number(site.energy_kj_per_mol, 4)} kJ/mol"
        figures.append(
            Markup("<figure>{}<figcaption>{}</figcaption></figure>").format(
                Markup(svg), caption.replace("-", words.MINUS)
            )
        )
    return Markup('<div class="pair">{}</div>').format(NOTHING.join(figures))


def pores(facts: Mapping[str, Any]) -> Markup:
    """Return what is known of the pores; keys as in :data:`PORES`."""
    return _known_facts(facts, PORES)


def grid_check(facts: Mapping[str, Any]) -> Markup:
    """Return how well the energy grids agree with direct sums; keys as in :data:`GRIDS`."""
    return _known_facts(facts, GRIDS)


def units(
    henry_mol_per_kg_pa: float,
    interval_mol_per_kg_pa: Sequence[float | None],
    context: HenryContext,
) -> Markup:
    """Return the Henry coefficient and its 95 % interval in every unit."""
    value = every_unit(henry_mol_per_kg_pa, context)
    ends = (math.nan if end is None else float(end) for end in interval_mol_per_kg_pa)
    low, high = (every_unit(end, context) for end in ends)
    rows = [
        (unit, words.significant(value[unit], 4), words.interval((low[unit], high[unit]), 4))
        for unit in value
        if words.known(value[unit])
    ]
    head = ("unit", Markup("K<sub>H</sub>"), "95 % interval")
    return _table(head, rows, words_in=(0,))


def selectivity(one: str, two: str, found: Selectivity) -> Markup:
    """Return the Henry selectivity of guest one over guest two in a sentence."""
    return Markup(
        "<p>Henry selectivity {} over {}: <b>{}</b>, 95 % interval {}; relative standard error "
        "{}.{}</p>"
    ).format(
        words.formula(one),
        words.formula(two),
        words.significant(found.value),
        words.interval(found.interval),
        words.percent(found.relative_standard_error),
        "" if found.trustworthy else " One of the two is too uncertain to be trusted here.",
    )


def _estimate(estimate: Any) -> str:
    return words.with_error(estimate.mean, estimate.standard_error)


def _known_facts(facts: Mapping[str, Any], shown: Iterable[tuple[str, str, Format]]) -> Markup:
    rows = [
        (label, write(facts[key]))
        for key, label, write in shown
        if facts.get(key) is not None and facts[key] == facts[key]  # NaN is not known
    ]
    return _facts(rows) if rows else NOTHING


def _facts(rows: Iterable[Sequence[object]]) -> Markup:
    """Return a table of names and values."""
    lines = NOTHING.join(Markup("<tr><td>{}</td><td>{}</td></tr>").format(*row) for row in rows)
    return Markup('<div class="scroll"><table class="plain">{}</table></div>').format(lines)


def _table(
    head: Sequence[object], rows: Iterable[Sequence[object]], words_in: Sequence[int] = ()
) -> Markup:
    """Return a table with a head; columns are right-aligned numbers but for those of words."""
    kinds = [Markup("") if k in words_in else Markup(' class="n"') for k in range(len(head))]

    def line(tag: str, cells: Sequence[object]) -> Markup:
        found = NOTHING.join(
            Markup(f"<{tag}{{}}>{{}}</{tag}>").format(kind, cell)
            for kind, cell in zip(kinds, cells, strict=True)
        )
        return Markup("<tr>{}</tr>").format(found)

    body = NOTHING.join(line("td", row) for row in rows)
    return Markup('<div class="scroll"><table>{}{}</table></div>').format(line("th", head), body)
