"""The picture of a run: its map, where it measured, and how near it came to the truth."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable
from functools import partial

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from ..models import inverse_distance
from .layout import LOWEST, NARROWEST, TALLEST, Layout, arrange, map_size
from .panels import (
    STYLE,
    Limits,
    MapFrame,
    draw_error,
    draw_expected_error,
    draw_histogram,
    draw_map,
    draw_order,
    with_units,
)
from .summary import Image, RunSummary

LETTERS = 11  # of a title in an inch, at 11 points

Draw = Callable[[Axes], None]
Panels = dict[str, Draw]


def map_figure(
    summary: RunSummary, truth: ArrayLike | None = None, reconstruction: ArrayLike | None = None
) -> Figure:
    """Draw a run as a figure that belongs to no window and no global state.

    With a truth it has four panels: truth, map, where it measured, error.  Without one three: map,
    where it measured, and the error that the agent expected as the scan went on (the values'
    histogram where it expected none).  Row 0 is on top and column 0 on the left, as in an image,
    whatever the direction of the motors, which the axes tell.

    Parameters
    ----------
    summary : RunSummary
        Of a run with at least one usable value.
    truth : (M, N) array, optional
        What an endless scan would have read, in the units of the values, finite.
    reconstruction : (M, N) array, optional
        The map to draw, finite; inverse-distance weighting of the values by default.

    Raises
    ------
    ValueError
        If nothing was measured, or an image does not fit the grid.
    """
    if reconstruction is None:
        reconstruction = inverse_distance(summary.scan)
    image = checked_image("reconstruction", reconstruction, summary)
    reference = None if truth is None else checked_image("truth", truth, summary)
    frame = MapFrame.of(summary)
    panels = map_panels(summary, frame, image, reference)
    if reference is None:
        panels |= _last_panel(summary)
    size = map_size(frame.ratio)
    plot = (max(size[0], NARROWEST), float(np.clip(size[1], LOWEST, TALLEST)))
    layout = arrange([size] * 4 if reference is not None else [size, size, plot])
    dpi = dots_per_inch(summary, size)
    with style.context(["default", STYLE]):
        return draw_panels(panels, layout, _title(summary, image, reference), dpi)


def save_map(
    path: str | os.PathLike[str],
    summary: RunSummary,
    truth: ArrayLike | None = None,
    reconstruction: ArrayLike | None = None,
) -> None:
    """Write `map_figure` to a file, in the format that its suffix names."""
    figure = map_figure(summary, truth, reconstruction)
    figure.savefig(os.fspath(path), dpi=figure.dpi, facecolor="white")


def checked_image(name: str, image: ArrayLike, summary: RunSummary) -> Image:
    """Convert an image that came from outside, (M, N) and finite."""
    array = np.asarray(image, dtype=np.float64)
    if array.shape != summary.grid.shape or not np.isfinite(array).all():
        rows, columns = summary.grid.shape
        raise ValueError(
            f"the {name} must be {rows} x {columns} finite values, as the run's grid, but an "
            f"array of shape {array.shape} with {(~np.isfinite(array)).sum()} NaN or inf came"
        )
    return array


def map_panels(summary: RunSummary, frame: MapFrame, image: Image, truth: Image | None) -> Panels:
    """Draw the map and where it measured; with a truth that and the error, too."""
    label = with_units(summary.key, summary.units)
    limits = Limits.of(image if truth is None else truth)
    shown = partial(draw_map, frame=frame, limits=limits, label=label)
    panels: Panels = {
        "Reconstruction": partial(shown, image=image, bar=truth is None),
        "Where it measured": partial(draw_order, summary=summary, frame=frame),
    }
    if truth is None:
        return panels
    error = partial(draw_error, error=image - truth, frame=frame, label=label)
    return {
        "Truth": partial(shown, image=truth, bar=True),
        **panels,
        "Reconstruction − truth": error,
    }


def _last_panel(summary: RunSummary) -> Panels:
    """What stands beside a map whose truth is not known."""
    if np.isfinite([d.expected_error for d in summary.decisions]).any():
        return {"Expected error": partial(draw_expected_error, summary=summary)}
    label = with_units(summary.key, summary.units)
    return {"Measured values": partial(draw_histogram, summary=summary, label=label)}


def draw_panels(
    panels: Panels, layout: Layout, title: str, dpi: float, figure: Figure | None = None
) -> Figure:
    """Draw panels, by title, into the boxes of a layout; of a figure that is there, if given."""
    if figure is None:
        figure = Figure(figsize=(layout.width, layout.height), dpi=dpi, facecolor="white")
    figure.clear()
    for box, (name, draw) in zip(layout.boxes, panels.items(), strict=True):
        axes = figure.add_axes(box)
        axes.set_title(name)
        draw(axes)
    left = 0.15 / layout.width
    lines = textwrap.wrap(title, int(LETTERS * layout.width))
    figure.text(left, 1 - 0.15 / layout.height, "\n".join(lines), size=11, weight="bold", va="top")
    return figure


def _title(summary: RunSummary, image: Image, truth: Image | None) -> str:
    points = len(summary.scan.values)
    parts = [
        summary.agent,
        f"{points:,} point{'s' * (points != 1)} ({100 * summary.scan.coverage:.3g} %)",
    ]
    if truth is not None:
        from .quality import nrmse, ssim  # heavy, and not needed where there is no truth

        scores = {"NRMSE": nrmse(truth, image), "SSIM": ssim(truth, image)}
        parts += [f"{name} {score:.3f}" for name, score in scores.items() if np.isfinite(score)]
    return " · ".join(parts)


def dots_per_inch(summary: RunSummary, size: tuple[float, float]) -> float:
    """Dots an inch that give each pixel of a map two dots, within reason."""
    rows, columns = summary.grid.shape
    return float(np.clip(2 * max(columns / size[0], rows / size[1]), 150, 300))
