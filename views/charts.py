"""The report's small charts, each a figure of its own so that a narrow page can stack them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ..models import ErrorMap
from .figure import Draw, Images, dots_per_inch, draw_panels, map_panels
from .layout import arrange, map_size
from .live_panels import draw_error_map, draw_way
from .panels import (
    ACCENT,
    SECOND,
    STYLE,
    Limits,
    MapFrame,
    draw_band,
    draw_error,
    draw_map,
    plain,
    titled,
    with_units,
)
from .quality import QualityCurve
from .run_points import DecisionPoint
from .summary import Image, RunSummary

SIZE = (4.5, 3.0)  # inches
NEIGHBOURHOOD = 1 / 24  # of the raster's longer side: what "local" means


def map_figures(summary: RunSummary, images: Images, truths: Images) -> list[Figure]:
    """Each channel's map, and where it measured; with truths these, and how wrong they are, too."""
    frame = MapFrame.of(summary)
    dpi = dots_per_inch(summary, map_size(frame.ratio))
    panels = map_panels(summary, frame, images, truths)
    return [_map(draw, frame, title, dpi) for title, draw in panels.items()]


def uncertainty_figures(summary: RunSummary) -> list[Figure]:
    """The error expected of each pixel, from the residuals of the measured ones, and the way."""
    frame, map_of_errors = MapFrame.of(summary), ErrorMap(summary.grid.shape)
    map_of_errors.update(summary.scan)
    figures: list[Figure] = []
    for channel, known in zip(summary.channels, map_of_errors.channels, strict=True):
        label, error = with_units(channel.key, channel.units), np.sqrt(known.squared_error)
        drawn = partial(draw_error_map, error=error, frame=frame, label=label)
        figures.append(_map(drawn, frame, titled("Expected error", channel, summary)))
    way = partial(draw_way, summary=summary, frame=frame)
    return [*figures, _map(way, frame, "Path")]


def raster_figures(summary: RunSummary, image: Image, truth: Image) -> list[Figure]:
    """A raster's map and its error, in the colours of the run's own."""
    frame, label = MapFrame.of(summary), with_units(summary.key, summary.units)
    limits = Limits.of(truth)
    drawn = partial(draw_map, image=image, limits=limits, frame=frame, label=label, bar=True)
    error = partial(draw_error, error=image - truth, frame=frame, label=label)
    return [_map(drawn, frame, "Raster of the same time"), _map(error, frame, "Raster − truth")]


def error_chart(
    curve: QualityCurve, decisions: tuple[DecisionPoint, ...], size: int, known: bool
) -> Figure:
    """The map's NRMSE as the points came in, of a raster of so many, and what the agent expected.

    Against the truth where that is known, or else against the final map.
    """
    reference = "against the truth" if known else "against the final map"

    def draw(axes: Axes) -> None:
        axes.plot(curve.points, curve.nrmse, "o-", color=ACCENT, markersize=4, label=reference)
        expected = [(d.seen, d.expected_error) for d in decisions if np.isfinite(d.expected_error)]
        if expected:
            points, errors = zip(*expected, strict=True)
            axes.plot(points, errors, "--", color=SECOND, label="expected by the agent")
            draw_band(axes, decisions)
        axes.set(xlabel="points measured", ylabel="NRMSE", ylim=(0, None))
        axes.legend()
        percent = 100 / size
        scales = (partial(np.multiply, percent), partial(np.multiply, 1 / percent))
        share = axes.secondary_xaxis("top", functions=scales)
        share.set_xlabel("coverage (%)")

    return _chart(draw)


def similarity_chart(curve: QualityCurve) -> Figure:
    """The map's structural similarity to the truth as the points came in."""

    def draw(axes: Axes) -> None:
        axes.plot(curve.points, curve.ssim, "o-", color=ACCENT, markersize=4)
        axes.set(xlabel="points measured", ylabel="SSIM", ylim=(None, 1))

    return _chart(draw)


def decision_chart(decisions: tuple[DecisionPoint, ...]) -> Figure:
    """What each decision took, and how long the scan waited for it."""

    def draw(axes: Axes) -> None:
        seen = [d.seen for d in decisions]
        for name, colour, mark, times in (
            ("computing", ACCENT, "o", [d.ms for d in decisions]),
            ("waited for", SECOND, "x", [d.waited_ms for d in decisions]),
        ):
            shown = np.maximum(times, 1e-2)  # a logarithm has no 0; 10 us are none
            axes.plot(seen, shown, mark, color=colour, markersize=3.5, label=name)
        axes.set(xlabel="points measured", ylabel="ms", yscale="log")
        _logarithmic(axes.yaxis)
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0)

    return _chart(draw)


def spacing_chart(milliseconds: NDArray[np.float64], dwell: float | None) -> Figure:
    """How long it took from each point to the next."""

    def draw(axes: Axes) -> None:
        shown = np.maximum(milliseconds, 1e-3)
        low, high = shown.min() / 1.05, shown.max() * 1.05
        axes.hist(shown, bins=list(np.geomspace(low, high, 40)), color=ACCENT)
        axes.set(xlabel="from one point to the next (ms)", ylabel="points", xscale="log")
        _logarithmic(axes.xaxis)
        if dwell:
            axes.axvline(1e3 * dwell, color=SECOND, linestyle="--", label="exposure")
            axes.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0)

    return _chart(draw)


def density_chart(summary: RunSummary) -> Figure:
    """Which share of the pixels around each was measured."""
    mask = summary.scan.mask.astype(float)
    local = 100 * gaussian_filter(mask, max(mask.shape) * NEIGHBOURHOOD, mode="reflect")
    frame = MapFrame.of(summary)
    limits = Limits(0.0, max(float(local.max()), 1e-3))
    draw = partial(
        draw_map, image=local, frame=frame, limits=limits, label="coverage (%)", bar=True
    )
    return _map(draw, frame)


def gap_chart(gaps: NDArray[np.float64]) -> Figure:
    """How far the unmeasured pixels lie from the nearest measured one."""

    def draw(axes: Axes) -> None:
        axes.hist(gaps, bins=list(np.arange(0.5, gaps.max() + 1.5)), color=ACCENT)
        axes.set(xlabel="distance to the nearest measured pixel (pixels)", ylabel="pixels")

    return _chart(draw)


def _map(draw: Draw, frame: MapFrame, title: str = "", dpi: float = 150.0) -> Figure:
    with style.context(["default", STYLE]):
        return draw_panels({title: draw}, arrange([map_size(frame.ratio)], header=0), "", dpi)


def _chart(draw: Callable[[Axes], None]) -> Figure:
    with style.context(["default", STYLE]):
        figure = Figure(figsize=SIZE, layout="constrained", facecolor="white")
        axes = figure.subplots()
        draw(axes)
        plain(axes)
        return figure


def _logarithmic(axis: Axis) -> None:
    """Label 1, 2 and 5 of each decade, as plain numbers, where there is room."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=6))
    axis.set_major_formatter(lambda number, _: f"{number:g}")
    axis.set_minor_locator(NullLocator())
