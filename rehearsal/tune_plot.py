"""The picture of a sweep: error against coverage, and every combination beside the others."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps, style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from .tune_sweep import label, ranking, typical_error

WIDTH, HEIGHT = 10.0, 4.2  # inches
ROW = 0.26  # inches for each combination
STYLE: dict[str, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.linewidth": 0.6,
    "text.parse_math": False,  # options come from outside: "$" is a dollar
}
Records = Sequence[Mapping[str, Any]]


def tune_figure(records: Records) -> Figure:
    """Draw a sweep as a figure that belongs to no window and no global state.

    Left the error against the coverage, a line for each combination of options; right the
    combinations by their error over all coverages, the best on top, with a small dot for each
    image or run.  The best is drawn darkest.

    Parameters
    ----------
    records : sequence of mapping
        From `tune`; at least one.

    Raises
    ------
    ValueError
        If there is none.
    """
    if not records:
        raise ValueError("expected the records of a sweep to draw, but none came")
    ranks = ranking(records)
    with style.context(["default", STYLE]):
        figure = Figure(
            figsize=(WIDTH, max(HEIGHT, 1.2 + ROW * len(ranks))), dpi=150, layout="constrained"
        )
        lines, dots = figure.subplots(1, 2)
        colours = colormaps["viridis"](np.linspace(0, 0.85, len(ranks)))
        _draw_lines(lines, records, ranks, colours)
        _draw_dots(dots, records, ranks, colours)
        subjects = len({record["subject"] for record in records})
        seeds = len({record["seed"] for record in records})
        scans = f"{subjects} image{'s' * (subjects > 1)} or runs, {seeds} seed{'s' * (seeds > 1)}"
        figure.suptitle(f"{records[0]['agent']}: {scans}", x=0.01, ha="left", weight="bold")
    return figure


def save_tune_figure(path: str | os.PathLike[str], records: Records) -> None:
    """Write `tune_figure` to a file, whole or not at all, in the format its suffix names."""
    target = Path(path)
    partial = target.with_name(f".{target.name}.partial")
    try:
        tune_figure(records).savefig(partial, format=target.suffix[1:] or "png", facecolor="white")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _draw_lines(axes: Axes, records: Records, ranks: Records, colours: Any) -> None:
    shares = sorted({record["coverage"] for record in records})
    for rank, colour in reversed(list(zip(ranks, colours, strict=True))):
        mine = _of(records, rank)
        errors = [typical_error([r for r in mine if r["coverage"] == share]) for share in shares]
        axes.plot(shares, errors, "o-", color=colour, markersize=4, linewidth=1.3)
    axes.set(xscale="log", yscale="log", xlabel="coverage", ylabel="NRMSE (geometric mean)")
    axes.set_xticks(shares, [f"{100 * share:g} %" for share in shares])
    axes.xaxis.set_minor_formatter(NullFormatter())
    _plain(axes.yaxis)
    axes.set_title("Error of the map")


def _draw_dots(axes: Axes, records: Records, ranks: Records, colours: Any) -> None:
    for place, (rank, colour) in enumerate(zip(ranks, colours, strict=True)):
        mine = _of(records, rank)
        subjects = sorted({record["subject"] for record in mine})
        each = [typical_error([r for r in mine if r["subject"] == name]) for name in subjects]
        if len(each) > 1:
            axes.plot(each, [place] * len(each), "|", color="0.6", markersize=8)
        axes.plot(rank["nrmse"], place, "o", color=colour, markersize=7)
    axes.set_yticks(range(len(ranks)), [label(rank["options"]) for rank in ranks])
    axes.set_ylim(len(ranks) - 0.5, -0.5)
    axes.set(xscale="log", xlabel="NRMSE (geometric mean; a bar for each image or run)")
    _plain(axes.xaxis)
    axes.set_title("All coverages, best on top")


def _plain(axis: Any) -> None:
    """Numbers without powers of ten, where an axis has few decades."""
    axis.set_major_formatter(ScalarFormatter())
    axis.set_minor_formatter(ScalarFormatter())
    axis.set_tick_params(which="both", labelsize=8)


def _of(records: Records, rank: Mapping[str, Any]) -> Records:
    return [record for record in records if record["options"] == rank["options"]]
