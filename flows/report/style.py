"""One look for every picture: colours, axes, and how a figure becomes SVG or PNG.

Figures are drawn in the colours of a light page. In SVG each colour becomes a variable of the
page's style sheet, so that the same picture serves light, dark and print.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Each colour is unique: it names its style-sheet variable.
COLOURS = {
    "ink": "#1e2a35",
    "muted": "#62707d",
    "rule": "#d5dce2",
    "paper": "#fefefe",
    "answer": "#1c5fa6",
    "baseline": "#bb6a1a",
    "surrogate": "#23896a",
}
INK, MUTED, RULE, PAPER = (COLOURS[k] for k in ("ink", "muted", "rule", "paper"))
ANSWER, BASELINE, SURROGATE = (COLOURS[k] for k in ("answer", "baseline", "surrogate"))
PNG_DPI = 110
NORMAL_95 = 1.96
"""Half of a normal 95 % interval, in standard errors."""


def new_figure(width_in: float, height_in: float) -> Figure:
    """Return an empty figure with no global state behind it."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width_in, height_in), layout="constrained")


def dress(axes: Axes, *, x: str = "", y: str = "", title: str = "") -> None:
    """Give axes the common look: no box, light grid, muted ticks."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(MUTED)
    axes.tick_params(colors=MUTED, labelcolor=INK, labelsize=9, which="both")
    axes.grid(True, color=RULE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.set_facecolor("none")
    axes.set_xlabel(x, color=INK, fontsize=9.5)
    axes.set_ylabel(y, color=INK, fontsize=9.5)
    if title:
        axes.set_title(title, color=INK, fontsize=10, loc="left")


def threshold(axes: Axes, value: float, text: str) -> None:
    """Draw a dotted line across the axes, with what it means written at its left end."""
    axes.axhline(value, color=INK, linewidth=1.0, linestyle=":")
    axes.annotate(
        text,
        (0.0, value),
        xycoords=("axes fraction", "data"),
        xytext=(3, 3),
        textcoords="offset points",
        fontsize=8.5,
        color=INK,
        bbox={"boxstyle": "round,pad=0.1", "fc": PAPER, "ec": "none", "alpha": 0.7},
    )


def legend(target: Axes | Figure, **options: Any) -> None:
    """Add a legend without a frame."""
    options = {"frameon": False, "fontsize": 9, "labelcolor": INK} | options
    target.legend(**options)


def to_png(figure: Figure) -> bytes:
    """Return the figure as PNG on white paper."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_figure(
        buffer, format="png", dpi=PNG_DPI, facecolor="white", metadata={"Software": None}
    )
    return buffer.getvalue()


def to_svg(figure: Figure, name: str, description: str) -> str:
    """Return the figure as an SVG element for a page.

    Args:
        figure: what to draw.
        name: prefix of the element's ids, unique on the page.
        description: what it shows, for those who cannot see it; letters, digits and blanks.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    FigureCanvasSVG(figure).print_figure(
        buffer, format="svg", dpi=200, facecolor="none", metadata=nothing
    )
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = _own_ids(text, name)
    for variable, colour in COLOURS.items():
        text = text.replace(colour, f"var(--{variable})")
    box = re.search(r'viewBox="[^"]*"', text)
    head = f'<svg role="img" aria-label="{description}" {box.group(0) if box else ""} '
    head += 'xmlns:xlink="http://www.w3.org/1999/xlink" xmlns="http://www.w3.org/2000/svg">'
    return re.sub(r"\n\s*", "\n", head + text[text.index(">") + 1 :].strip())


def _own_ids(text: str, name: str) -> str:
    """Number the ids that are referred to, in the order of the text, and drop the others."""
    used = dict.fromkeys(re.findall(r'(?:url\(#|href="#)([^)"]+)', text))
    names = {old: f"{name}-{k}" for k, old in enumerate(used)}

    def renamed(match: re.Match[str]) -> str:
        own = names.get(match.group(1))
        return f' id="{own}"' if own else ""

    text = re.sub(r'\sid="([^"]*)"', renamed, text)
    text = re.sub(r"url\(#([^)]+)\)", lambda m: f"url(#{names[m.group(1)]})", text)
    return re.sub(r'href="#([^"]+)"', lambda m: f'href="#{names[m.group(1)]}"', text)
