"""The panels of the live picture that a finished run's do not have."""

from __future__ import annotations

import re

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from numpy.typing import NDArray

from ..agent import ScanGrid, parse
from .live_scan import Batch, LiveView
from .panels import (
    ACCENT,
    FINEST,
    INK,
    ORDER,
    SECOND,
    Limits,
    MapFrame,
    colour_bar,
    draw_band,
    inches,
    plain,
    pretty,
    scale_bar,
    show,
    tick,
)
from .summary import Image, RunSummary

ERROR = "cividis"  # perceptually uniform, and the same to the colour-blind: Nuñez et al. 2018
BESIDE = 0.4  # inches from a panel's left to the end of a short title
LINE = 0.21  # inches of a legend's line
TRAIL = 60  # latest points that are joined by a line


def draw_error_map(axes: Axes, error: Image, *, frame: MapFrame, label: str) -> None:
    """Draw the error expected of each pixel."""
    limits = Limits(0.0, Limits.of(error).high)
    drawn = show(axes, error, frame, limits, ERROR)
    colour_bar(axes, drawn, label, limits.passed_by(error))
    if frame.units:
        scale_bar(axes, frame)


def draw_way(axes: Axes, summary: RunSummary, *, frame: MapFrame) -> None:
    """Draw the whole way from point to point, by its order."""
    pixels = summary.scan.pixels
    corners = np.stack(_positions(summary.grid, pixels), axis=1)
    segments = np.stack([corners[:-1], corners[1:]], axis=1)
    way = LineCollection(list(segments), cmap=ORDER, linewidths=0.5, capstyle="round")
    way.set_array(np.arange(2, len(pixels) + 1))
    way.set_clim(1, max(len(pixels), 2))
    show(axes, np.full(summary.grid.shape, np.nan), frame, Limits(0, 1), ORDER)
    axes.add_collection(way, autolim=False)
    axes.set_facecolor("#f4f4f4")
    for place, mark, name in ((0, "o", "first"), (-1, "s", "last")):
        axes.plot(*corners[place], mark, color=INK, markersize=4, label=name, clip_on=False)
    beside = (BESIDE / inches(axes)[0], 1)
    axes.legend(loc="lower left", bbox_to_anchor=beside, borderaxespad=0.2, ncols=2, fontsize=8)
    tick(colour_bar(axes, way, "order", "neither"), whole=True)
    if frame.units:
        scale_bar(axes, frame)


def draw_path(axes: Axes, view: LiveView, *, frame: MapFrame) -> None:
    """Draw what was measured by its order, the latest way, and where it goes next."""
    grid, pixels = view.summary.grid, view.summary.scan.pixels
    order = np.full(grid.shape, np.nan)
    order[tuple(pixels.T)] = np.arange(1, len(pixels) + 1)
    block = int(np.ceil(FINEST / min(np.divide(inches(axes), order.shape[::-1]))))
    limits = Limits(1, max(len(pixels), 2))
    drawn = show(axes, coarsened(order, block), frame, limits, ORDER)
    drawn.set_extent(_stretched(frame, grid.shape, block))
    axes.set(xlim=frame.extent[:2], ylim=frame.extent[2:], facecolor="#f4f4f4")
    tick(colour_bar(axes, drawn, "order", "neither"), whole=True)
    trail, ahead = pixels[-TRAIL:], _ahead(view)
    axes.plot(*_positions(grid, trail), color=INK, linewidth=0.7, label=f"last {len(trail)}")
    if len(ahead):
        way = np.concatenate([trail[-1:], ahead])
        style = {"linewidth": 0.7, "markersize": 4, "markerfacecolor": "none"}
        axes.plot(*_positions(grid, way), "o--", color=SECOND, label=f"next {len(ahead)}", **style)
    beside = (BESIDE / inches(axes)[0], 1)  # a tall map is narrower than its legend
    axes.legend(loc="lower left", bbox_to_anchor=beside, borderaxespad=0.2, ncols=2, fontsize=8)


def coarsened(order: Image, block: int) -> Image:
    """Take the latest of each square of pixels, so that a single one can be seen on paper."""
    if block <= 1:
        return order
    rows, columns = (-(-n // block) * block for n in order.shape)
    padded = np.full((rows, columns), -np.inf)
    padded[: order.shape[0], : order.shape[1]] = np.nan_to_num(order, nan=-np.inf)
    latest = padded.reshape(rows // block, block, columns // block, block).max(axis=(1, 3))
    return np.where(np.isfinite(latest), latest, np.nan)


def draw_scores(axes: Axes, batch: Batch, measured: NDArray[np.bool_]) -> None:
    """Draw what each target of the batch was expected to gain, in the order of the visit."""
    visit = np.arange(1, len(batch.pixels) + 1)
    axes.set(xlabel="target, in the order of the visit", ylabel="expected gain (largest = 1)")
    axes.set(xlim=(0.5, max(len(visit), 2) + 0.5), ylim=(0, 1.25))  # room for the legend
    plain(axes)
    tick(axes.xaxis, whole=True)
    if not np.isfinite(batch.scores).any():
        axes.text(0.5, 0.5, _unscored(batch), transform=axes.transAxes, ha="center", va="center")
        return
    heights = np.nan_to_num(batch.scores / (np.nanmax(np.abs(batch.scores)) or 1.0))
    done = measured[tuple(batch.pixels.T)]
    for label, which, colour in (("measured", done, "#bbbbbb"), ("next", ~done, SECOND)):
        if which.any():
            axes.bar(visit[which], heights[which], width=0.8, color=colour, label=label)
    axes.set_ylim(min(0.0, heights.min()), 1.25)
    axes.legend(loc="upper right", borderaxespad=0, ncols=2)


def _unscored(batch: Batch) -> str:
    if batch.decision.source == "start":
        return "low-discrepancy points,\nchosen without a look at the values"
    return f"{batch.decision.source} gives no scores"


def draw_estimate(axes: Axes, view: LiveView) -> None:
    """Draw the error expected of the map against points, and where the stop rule lies."""
    told = np.isfinite([d.expected_error for d in view.summary.decisions]).any()
    label = f"expected by {view.summary.agent}" if told else "from the residuals"
    known = view.curve[np.isfinite(view.curve[:, 1])]
    axes.plot(*known.T, color=ACCENT, marker="." if len(known) < 30 else "", label=label)
    draw_band(axes, view.summary.decisions)
    points = len(view.summary.scan.values)
    budget, threshold = stop_lines(view)
    if threshold is not None:
        axes.axhline(threshold, color=SECOND, linestyle=":", linewidth=1.2, label="stops below")
    axes.set(xlabel="points measured", ylabel="expected NRMSE")
    axes.set_xlim(0, 1.03 * max(points, budget or 1))
    lines = len(axes.get_legend_handles_labels()[1]) + (budget is not None)
    below = 1 - (lines + 0.4) * LINE / inches(axes)[1]  # share of the height without legend
    axes.set_ylim(0, 1.05 * max([*known[:, 1], threshold or 0.0]) / below or 1.0)
    if budget is not None:
        style = {"color": SECOND, "linestyle": "--", "linewidth": 1}
        axes.axvline(budget, ymax=below, label="points planned", **style)
    axes.legend(loc="upper right", borderaxespad=0)
    plain(axes)


def stop_lines(view: LiveView) -> tuple[int | None, float | None]:
    """Points after which the run stops, and the expected error below which it does."""
    until = view.summary.record.get("until")
    if until is None:
        planned = view.summary.start.get("num_points")
        return (int(planned) if planned else None), None
    return parse(until).budget(view.summary.grid.size), rule_limit(until, "expected_error")


def rule_limit(until: str, name: str) -> float | None:
    """Limit that a stop rule sets for ``time``, ``dose`` or ``expected_error``."""
    found = re.search(rf"\b{name}\(([^,)]+)", until)
    return float(found[1]) if found else None


def draw_current(axes: Axes, view: LiveView) -> None:
    """Draw the ring current at the points, against the time of the run."""
    axes.plot(elapsed_of(view), view.current, color=ACCENT)
    axes.set(xlabel="time (s)", ylabel=f"ring current ({pretty(view.current_units or 'mA')})")
    finite = view.current[np.isfinite(view.current)]
    axes.set_ylim(0, 1.1 * finite.max(initial=0.0) or 1.0)
    plain(axes)


def draw_pace(axes: Axes, view: LiveView) -> None:
    """Draw how many points were measured when."""
    elapsed = elapsed_of(view)
    axes.plot(elapsed, np.arange(1, len(elapsed) + 1), color=ACCENT)
    axes.set(xlabel="time (s)", ylabel="events", ylim=(0, None))
    plain(axes)


def elapsed_of(view: LiveView) -> NDArray[np.float64]:
    """Seconds from the beginning to each event, without those between a run and its resumption."""
    summary = view.summary
    elapsed = np.array([e.time for e in summary.events]) - float(summary.start["time"])
    for each in summary.resumptions:
        elapsed[each["after"] :] -= each["idle"]
    return elapsed


def _ahead(view: LiveView) -> NDArray[np.int64]:
    """(K, 2) targets of the batch that are still to come; none once the run has ended."""
    if view.batch is None or view.summary.stop is not None:
        return np.empty((0, 2), np.int64)
    pixels = view.batch.pixels
    return pixels[~view.summary.scan.mask[tuple(pixels.T)]]


def _positions(grid: ScanGrid, pixels: NDArray[np.int64]) -> tuple[Image, Image]:
    return grid.fast.setpoints[pixels[:, 1]], grid.slow.setpoints[pixels[:, 0]]


def _stretched(
    frame: MapFrame, shape: tuple[int, int], block: int
) -> tuple[float, float, float, float]:
    """Extent of the coarsened raster, which may go beyond the last row and column."""
    left, right, bottom, top = frame.extent
    rows, columns = (-(-n // block) * block / n for n in shape)
    return left, left + (right - left) * columns, top + (bottom - top) * rows, top
