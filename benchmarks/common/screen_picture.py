"""The picture of benchmarks/screening.py."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np


def draw(results: Sequence[dict[str, Any]], heavy: str, path: Path) -> None:
    """Draw recall against labels, one panel a set.

    Args:
        results: of the sets, as stored.
        heavy: the way whose line is drawn heavier.
        path: PNG to write.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        1, len(results), figsize=(4.6 * len(results), 4.2), sharey=True, layout="constrained"
    )
    for axis, result in zip(np.atleast_1d(axes), results, strict=True):
        for curve in result["curves"]:
            labels, recall = np.array(curve["labels"]), np.array(curve["recall"])
            error, kept = np.array(curve["error"]), labels > 0
            ours = curve["way"] == heavy
            (line,) = axis.plot(
                labels[kept],
                recall[kept],
                lw=2.4 if ours else 1.2,
                zorder=3 if ours else 2,
                label=curve["way"],
            )
            axis.fill_between(
                labels[kept],
                (recall - error)[kept],
                (recall + error)[kept],
                color=line.get_color(),
                alpha=0.15,
                lw=0,
            )
        axis.set_xscale("log")
        axis.set_xlim(40, 7500)
        axis.set_title(f"{result['set']}, {result['hosts']} hosts", fontsize=10)
        axis.set_xlabel("labels paid")
        axis.grid(alpha=0.3)
    first = np.atleast_1d(axes)[0]
    first.set_ylabel("share of the true top 10 found")
    first.legend(fontsize=8, loc="lower right")
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
