"""The live picture: what a run knows, where it goes next and why, at one moment."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure

from .figure import LETTERS, Panels, draw_panels
from .layout import HEADER, LOWEST, NARROWEST, TALLEST, Layout, arrange, map_size
from .live_panels import (
    draw_current,
    draw_error_map,
    draw_estimate,
    draw_pace,
    draw_path,
    draw_scores,
)
from .live_scan import LiveView
from .panels import STYLE, Limits, MapFrame, draw_histogram, draw_map, titled, with_units

WIDE = 1.6  # width over height of a usual screen
DPI = 100.0


def live_figure(view: LiveView, shape: float = WIDE, figure: Figure | None = None) -> Figure:
    """Draw a run as it stands.

    Parameters
    ----------
    view : LiveView
    shape : float
        Width over height that the figure should come near to: 1.6 for a screen, 0.5 for a narrow
        column.
    figure : Figure, optional
        To draw anew; one of its own, that belongs to no window, where not given.
    """
    frame = MapFrame.of(view.summary)
    with style.context(["default", STYLE]):
        panels = panels_of(view, frame)
        title = _title(view)
        layout = live_layout(view, shape)
        if len(title) > LETTERS * layout.width:
            layout = live_layout(view, shape, lines=2)
        return draw_panels(panels, layout, title, DPI, figure)


def live_layout(view: LiveView, shape: float, lines: int = 1) -> Layout:
    """Where the panels lie, maps and then charts, below a title of so many lines."""
    return arrange(panel_sizes(view), header=lines * HEADER, shape=shape)


def num_maps(view: LiveView) -> int:
    """How many of the panels are maps, which come first: two of each channel, and the path."""
    return 2 * len(view.images) + 1


def panel_sizes(view: LiveView) -> list[tuple[float, float]]:
    """Width and height of each panel, inches."""
    size = map_size(MapFrame.of(view.summary).ratio)
    chart = (max(size[0], NARROWEST), float(np.clip(size[1], LOWEST, TALLEST)))
    return [size] * num_maps(view) + [chart] * 3


def panels_of(view: LiveView, frame: MapFrame) -> Panels:
    """Draw the panels, by title: maps of each channel, the path, then three charts."""
    summary = view.summary
    panels: Panels = {}
    for channel, image, error in zip(summary.channels, view.images, view.errors, strict=True):
        label = with_units(channel.key, channel.units)
        panels[titled("Reconstruction", channel, summary)] = partial(
            draw_map,
            image=image,
            frame=frame,
            limits=Limits.of(image),
            label=label,
            bar=True,
        )
        panels[titled("Expected error", channel, summary)] = partial(
            draw_error_map, error=error, frame=frame, label=label
        )
    panels["Path"] = partial(draw_path, view=view, frame=frame)
    panels["Error"] = partial(draw_estimate, view=view)
    if view.batch is None:
        first = with_units(summary.key, summary.units)
        panels["Measured values"] = partial(draw_histogram, summary=summary, label=first)
    else:
        title = f"Why batch {view.batch.decision.number}"
        panels[title] = partial(draw_scores, batch=view.batch, measured=summary.scan.mask)
    if view.current.size:
        panels["Ring current"] = partial(draw_current, view=view)
    else:
        panels["Pace"] = partial(draw_pace, view=view)
    return panels


def _title(view: LiveView) -> str:
    summary = view.summary
    count = len(summary.scan.values)
    parts = [summary.agent, f"{count:,} of {summary.grid.size:,} pixels"]
    parts[1] += f" ({100 * summary.scan.coverage:.3g} %)"
    if until := summary.record.get("until"):
        parts.append(f"until {until}")
    parts.append("running" if summary.stop is None else f"done: {summary.stop_reason}")
    return " · ".join(parts)
