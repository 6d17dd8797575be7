"""The panels of a figure, each drawn into axes that have their size already."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import EngFormatter, MaxNLocator, ScalarFormatter
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar
from numpy.typing import NDArray

from .layout import RIGHT
from .run_points import DecisionPoint
from .summary import Channel, Image, RunSummary

STYLE: dict[str, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.4,
    "legend.frameon": False,
    "svg.fonttype": "path",
    "text.parse_math": False,  # names and units come from outside: "$" is a dollar
}
# Perceptually uniform, and told apart by colour-blind readers.
VALUES, ORDER, SIGNED = "viridis", ListedColormap(colormaps["plasma"](range(230))), "RdBu_r"
INK, ACCENT, SECOND = "#333333", "#0072b2", "#d55e00"  # Okabe and Ito 2008
FINEST = 0.018  # inches of a pixel below which single ones are hardly seen
LOW = 1.2  # inches of a map's height below which it has no room for labels
STEEPEST = 12.0  # width over height beyond which a map is no longer drawn to scale


@dataclass(frozen=True)
class MapFrame:
    """What all maps of a run share.

    Attributes
    ----------
    extent : (left, right, bottom, top)
        Outer edges of the raster, motor units: row 0 on top, column 0 on the left.
    labels : (2,) tuple of str
        Of the horizontal and of the vertical axis.
    ratio : float
        Width over height on paper: to scale, where both axes have the same units; of square
        pixels, where not; within 1 : 12 and 12 : 1.
    units : str
        Of both axes; empty where they differ or are not known.
    """

    extent: tuple[float, float, float, float]
    labels: tuple[str, str]
    ratio: float
    units: str

    @classmethod
    def of(cls, summary: RunSummary) -> MapFrame:
        """Make the frame of a run's grid."""
        slow, fast = summary.grid.slow, summary.grid.fast
        same = summary.axis_units[0] == summary.axis_units[1]
        # A single row or column has no pitch of its own: its pixels are drawn square.
        high = slow.pitch if slow.num > 1 else abs(fast.pitch)
        wide = fast.pitch if fast.num > 1 else abs(high)
        ratio = fast.num * abs(wide) / (slow.num * abs(high)) if same else fast.num / slow.num
        return cls(
            extent=(
                fast.start - wide / 2,
                fast.start + (fast.num - 0.5) * wide,
                slow.start + (slow.num - 0.5) * high,
                slow.start - high / 2,
            ),
            labels=(
                with_units(fast.name, summary.axis_units[1]),
                with_units(slow.name, summary.axis_units[0]),
            ),
            ratio=float(np.clip(ratio, 1 / STEEPEST, STEEPEST)),
            units=summary.axis_units[0] if same else "",
        )


@dataclass(frozen=True)
class Limits:
    """Limits of a colour bar, different whatever the values.

    Attributes
    ----------
    low, high : float
    """

    low: float
    high: float

    @classmethod
    def of(cls, image: Image) -> Limits:
        """All values, but for outliers: those beyond the middle 98 % by over half its span."""
        low, high = float(image.min()), float(image.max())
        first, last = (float(each) for each in np.percentile(image, (1, 99)))
        if margin := (last - first) / 2:
            low, high = max(low, first - margin), min(high, last + margin)
        margin = 0.0 if low < high else abs(low) / 2 or 0.5
        return cls(low - margin, high + margin)

    @classmethod
    def about_zero(cls, image: Image) -> Limits:
        """As far down as up, for what may have either sign."""
        high = cls.of(np.abs(image)).high if image.any() else 1.0
        return cls(-high, high)

    def passed_by(self, image: Image) -> Literal["neither", "min", "max", "both"]:
        """Which of them some values lie beyond, in matplotlib's words."""
        below, above = bool(image.min() < self.low), bool(image.max() > self.high)
        if below and above:
            return "both"
        return "min" if below else "max" if above else "neither"


def with_units(name: str, units: str) -> str:
    """A label; um becomes µm."""
    return f"{name} ({pretty(units)})" if units else name


def titled(name: str, channel: Channel, summary: RunSummary) -> str:
    """A panel's title, which names the channel where there are several."""
    return f"{name}: {channel.key}" if summary.further else name


def pretty(units: str) -> str:
    """Units as they are printed."""
    return {"um": "µm", "deg": "°"}.get(units, units)


def draw_map(
    axes: Axes, image: Image, *, frame: MapFrame, limits: Limits, label: str, bar: bool = False
) -> None:
    """Draw the values, with a scale bar if wanted."""
    drawn = show(axes, image, frame, limits, VALUES)
    colour_bar(axes, drawn, label, limits.passed_by(image))
    if bar and frame.units:
        scale_bar(axes, frame)


def draw_error(axes: Axes, error: Image, *, frame: MapFrame, label: str) -> None:
    """Draw what may have either sign, white where it is 0."""
    limits = Limits.about_zero(error)
    drawn = show(axes, error, frame, limits, SIGNED)
    colour_bar(axes, drawn, label, limits.passed_by(error))


def draw_order(axes: Axes, summary: RunSummary, *, frame: MapFrame) -> None:
    """Draw the measured pixels by their order, and a cross where nothing usable was read."""
    pixels, count = summary.scan.pixels, len(summary.scan.values)
    order = np.full(summary.scan.shape, np.nan)
    order[pixels[:, 0], pixels[:, 1]] = np.arange(1, count + 1)
    limits = Limits(1, max(count, 2))
    drawn: ScalarMappable = show(axes, order, frame, limits, ORDER)
    axes.set_facecolor("#f4f4f4")
    axes.autoscale(False)
    if min(np.divide(inches(axes), order.shape[::-1])) < FINEST:
        drawn.remove()  # single pixels would drown, so each gets a dot that can be seen
        drawn = axes.scatter(
            summary.grid.fast.setpoints[pixels[:, 1]],
            summary.grid.slow.setpoints[pixels[:, 0]],
            s=(72 * FINEST) ** 2,
            c=np.arange(1, count + 1),
            marker="s",
            linewidths=0,
            cmap=ORDER,
            vmin=limits.low,
            vmax=limits.high,
        )
    tick(colour_bar(axes, drawn, "order", "neither"), whole=True)
    failed = [(e.x, e.y) for e in summary.events if e.row >= 0 and not e.usable]
    if failed:
        x, y = zip(*failed, strict=True)
        axes.plot(x, y, "x", color=INK, markersize=3, markeredgewidth=0.6, label="no usable value")
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.2, fontsize=8)


def draw_expected_error(axes: Axes, summary: RunSummary) -> None:
    """Draw the error that the agent expected of its map, as the points came in."""
    known = [(d.seen, d.expected_error) for d in summary.decisions if np.isfinite(d.expected_error)]
    axes.plot(*zip(*known, strict=True), color=ACCENT, marker="." if len(known) < 30 else "")
    draw_band(axes, summary.decisions)
    axes.set(xlabel="points measured", ylabel="expected NRMSE", ylim=(0, None))
    plain(axes)


def draw_band(axes: Axes, decisions: Iterable[DecisionPoint]) -> None:
    """Shade where the agent expected the map's error four times in five."""
    sure = [d for d in decisions if np.isfinite(d.error_high)]
    if sure:
        band = np.array([(d.seen, d.error_low, d.error_high) for d in sure]).T
        axes.fill_between(*band, color=ACCENT, alpha=0.2, linewidth=0, label="4 times in 5")


def draw_histogram(axes: Axes, summary: RunSummary, label: str) -> None:
    """Draw how often which value was read."""
    values = summary.scan.values
    limits = Limits.of(values)
    span = None if np.ptp(values) else (limits.low, limits.high)
    axes.hist(values, bins=min(40, 1 + len(values) // 4), range=span, color=ACCENT)
    axes.set(xlabel=label, ylabel="points")
    plain(axes)
    tick(axes.yaxis, whole=True)


def plain(axes: Axes) -> None:
    """Take away what a plot does not need."""
    axes.spines[["top", "right"]].set_visible(False)
    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() == "linear":
            tick(axis)


def show(
    axes: Axes, image: NDArray[np.float64], frame: MapFrame, limits: Limits, colours: Any
) -> AxesImage:
    """Draw a raster, row 0 on top, with the axes' labels and ticks."""
    drawn = axes.imshow(
        image,
        cmap=colours,
        vmin=limits.low,
        vmax=limits.high,
        extent=frame.extent,
        aspect="auto",  # the axes have the right shape already
    )
    axes.set(xlabel=frame.labels[0], ylabel=frame.labels[1])
    tick(axes.xaxis)
    tick(axes.yaxis)
    return drawn


def colour_bar(axes: Axes, drawn: ScalarMappable, label: str, extend: Any) -> Axis:
    """Draw a colour bar as high as the map, on its right; returns its axis."""
    figure, box = cast(Figure, axes.figure), axes.get_position()
    inch = 1 / figure.get_figwidth()
    side = figure.add_axes((box.x1 + 0.08 * inch, box.y0, 0.12 * inch, box.height))
    bar = figure.colorbar(drawn, cax=side, extend=extend)
    side.set_label("<colorbar>")
    tick(side.yaxis)
    if inches(side)[1] < LOW:
        above = box.y1 + 0.08 / figure.get_figheight()
        figure.text(box.x1 + (RIGHT - 0.1) * inch, above, label, size=8, ha="right")
    else:
        bar.set_label(label)
    return side.yaxis


def inches(axes: Axes) -> tuple[float, float]:
    """Width and height of axes on paper."""
    figure, box = cast(Figure, axes.figure), axes.get_position()
    return box.width * figure.get_figwidth(), box.height * figure.get_figheight()


def tick(axis: Axis, *, whole: bool = False) -> None:
    """As many ticks as there is room for, at round values, SI prefixes where they save zeros."""
    width, height = inches(cast(Axes, axis.axes))
    room = width / 0.6 if isinstance(axis, XAxis) else height / 0.4
    most = int(np.clip(room, 1, 6))
    axis.set_major_locator(MaxNLocator(most, steps=[1, 2, 2.5, 5, 10], integer=whole))
    largest = max(map(abs, axis.get_view_interval()))
    plain_numbers = 1e-3 < largest < 1e5
    axis.set_major_formatter(
        ScalarFormatter(useOffset=False) if plain_numbers else EngFormatter(sep="")
    )


def scale_bar(axes: Axes, frame: MapFrame) -> None:
    """Draw a round length, a fifth of the width or the next below; outside of a low map."""
    width = abs(frame.extent[1] - frame.extent[0])
    power = 10.0 ** math.floor(math.log10(width / 5))
    length = max(step * power for step in (1, 2, 5) if step * power <= width / 5 * 1.0001)
    low = inches(axes)[1] < LOW
    thickness: Any = abs(frame.extent[3] - frame.extent[2]) * 0.03 / inches(axes)[1]
    bar = AnchoredSizeBar(
        axes.transData,
        length,
        f"{length:g} {pretty(frame.units)}",
        "lower right" if low else "lower left",
        bbox_to_anchor=(0.97, 1) if low else (0, 0),
        bbox_transform=axes.transAxes,
        pad=0.0 if low else 0.3,
        borderpad=0.4,
        sep=3,
        color="black" if low else "white",
        label_top=True,
        size_vertical=thickness,
    )
    bar.patch.set(facecolor="none" if low else "black", alpha=0.55, edgecolor="none")
    axes.add_artist(bar)
