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
    titled,
    with_units,
)
from .summary import Image, RunSummary

LETTERS = 11  # of a title in an inch, at 11 points

Draw = Callable[[Axes], None]
Panels = dict[str, Draw]
Images = tuple[Image, ...]  # of the channels


def map_figure(
    summary: RunSummary, truth: ArrayLike | None = None, reconstruction: ArrayLike | None = None
) -> Figure:
    """Draw a run as a figure that belongs to no window and no global state.

    With a truth it has four panels: truth, map, where it measured, error.  Without one three: map,
    where it measured, and the error that the agent expected as the scan went on (the values'
    histogram where it expected none).  Row 0 is on top and column 0 on the left, as in an image,
    whatever the direction of the motors, which the axes tell.  Of several channels each has its own
    map, truth and error, in the same figure.

    Parameters
    ----------
    summary : RunSummary
        Of a run with at least one usable value.
    truth : (M, N) or (C, M, N) array, optional
        What an endless scan would have read, in the units of the values, finite; of several
        channels for each.
    reconstruction : (M, N) or (C, M, N) array, optional
        The map to draw, finite; inverse-distance weighting of the values by default.

    Raises
    ------
    ValueError
        If nothing was measured, or an image does not fit the grid.
    """
    images = reconstructions(summary)
    if reconstruction is not None:
        images = checked_images("reconstruction", reconstruction, summary)
    truths = () if truth is None else checked_images("truth", truth, summary)
    frame = MapFrame.of(summary)
    size = map_size(frame.ratio)
    panels = map_panels(summary, frame, images, truths)
    sizes = [size] * len(panels)
    if not truths:
        panels |= _last_panel(summary)
        sizes.append((max(size[0], NARROWEST), float(np.clip(size[1], LOWEST, TALLEST))))
    dpi = dots_per_inch(summary, size)
    with style.context(["default", STYLE]):
        return draw_panels(panels, arrange(sizes), _title(summary, images, truths), dpi)


def save_map(
    path: str | os.PathLike[str],
    summary: RunSummary,
    truth: ArrayLike | None = None,
    reconstruction: ArrayLike | None = None,
) -> None:
    """Write `map_figure` to a file, in the format that its suffix names."""
    figure = map_figure(summary, truth, reconstruction)
    figure.savefig(os.fspath(path), dpi=figure.dpi, facecolor="white")


def reconstructions(summary: RunSummary) -> Images:
    """Give the inverse-distance map of each channel."""
    return tuple(channel.reconstruct() for channel in summary.channels)


def checked_images(name: str, image: ArrayLike, summary: RunSummary) -> Images:
    """Convert what came from outside, finite: (M, N), of several channels (C, M, N)."""
    array = np.asarray(image, dtype=np.float64)
    channels, size = len(summary.channels), summary.grid.shape
    if channels == 1 and array.ndim == 2:
        array = array[None]
    if array.shape != (channels, *size) or not np.isfinite(array).all():
        wanted = f"{size[0]} x {size[1]} finite values, as the run's grid"
        if channels > 1:
            wanted += f", for each of its {channels} channels"
        raise ValueError(
            f"the {name} must be {wanted}, but an array of shape {np.shape(image)} with "
            f"{(~np.isfinite(array)).sum()} NaN or inf came"
        )
    return tuple(array)


def map_panels(summary: RunSummary, frame: MapFrame, images: Images, truths: Images) -> Panels:
    """Draw each channel's map, and where it measured; with truths these and the errors, too."""
    panels, where = Panels(), partial(draw_order, summary=summary, frame=frame)
    for k, (channel, image) in enumerate(zip(summary.channels, images, strict=True)):
        name = partial(titled, channel=channel, summary=summary)
        label = with_units(channel.key, channel.units)
        limits = Limits.of(truths[k] if truths else image)
        shown = partial(draw_map, frame=frame, limits=limits, label=label)
        if truths:
            panels[name("Truth")] = partial(shown, image=truths[k], bar=True)
        panels[name("Reconstruction")] = partial(shown, image=image, bar=not truths)
        if not summary.further:
            panels["Where it measured"] = where
        if truths:
            error = partial(draw_error, error=image - truths[k], frame=frame, label=label)
            panels[name("Reconstruction − truth")] = error
    return panels | {"Where it measured": where}  # of several channels below the rows of all


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


def _title(summary: RunSummary, images: Images, truths: Images) -> str:
    points = len(summary.scan.values)
    parts = [
        summary.agent,
        f"{points:,} point{'s' * (points != 1)} ({100 * summary.scan.coverage:.3g} %)",
    ]
    if truths:
        from .quality import nrmse, ssim  # heavy, and not needed where there is no truth

        for name, score in (("NRMSE", nrmse), ("SSIM", ssim)):
            found = np.array([*map(score, truths, images)])
            if np.isfinite(found).any():
                parts.append(f"{name} {', '.join(f'{each:.3f}' for each in found)}")
    return " · ".join(parts)


def dots_per_inch(summary: RunSummary, size: tuple[float, float]) -> float:
    """Dots an inch that give each pixel of a map two dots, within reason."""
    rows, columns = summary.grid.shape
    return float(np.clip(2 * max(columns / size[0], rows / size[1]), 150, 300))
