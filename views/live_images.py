"""The panels of the live picture as images of their own, which a page lays out as it has room."""

from __future__ import annotations

import io
from dataclasses import dataclass

from matplotlib import style

from .figure import Draw, draw_panels
from .layout import LEFT, RIGHT, Layout
from .live_figure import num_maps, panel_sizes, panels_of
from .live_scan import LiveView
from .panels import STYLE, MapFrame, with_units

DPI = 144.0  # half again a CSS pixel's, for sharp screens
SHOWN = 1.5  # dots of the image to a CSS pixel
SMALLER = 0.85  # than in a figure, so that the letters of a panel are larger
TOP, BOTTOM, BESIDE = 0.35, 0.5, 0.2  # inches around a panel; beside a chart, which has no bar


@dataclass(frozen=True)
class PanelImage:
    """One panel.

    Attributes
    ----------
    title : str
    alt : str
        What it shows, for who does not see it.
    width, height : int
        CSS pixels.
    png : bytes
    """

    title: str
    alt: str
    width: int
    height: int
    png: bytes


def panel_images(view: LiveView) -> list[PanelImage]:
    """Draw a run's panels as it stands, maps and then charts."""
    frame = MapFrame.of(view.summary)
    told = _alternatives(view)
    with style.context(["default", STYLE]):
        panels = panels_of(view, frame).items()
        return [
            _image(title, alt, draw, _layout(*size, chart=k >= num_maps(view)))
            for k, ((title, draw), size, alt) in enumerate(
                zip(panels, panel_sizes(view), told, strict=True)
            )
        ]


def _layout(wide: float, high: float, *, chart: bool) -> Layout:
    """One panel with its margins; a chart takes the place of the colour bar, too."""
    wide, high = SMALLER * wide, SMALLER * high
    width, height = LEFT + wide + RIGHT, TOP + high + BOTTOM
    across = width - LEFT - BESIDE if chart else wide
    return Layout(width, height, ((LEFT / width, BOTTOM / height, across / width, high / height),))


def _image(title: str, alt: str, draw: Draw, layout: Layout) -> PanelImage:
    figure = draw_panels({"": draw}, layout, "", DPI)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, facecolor="white")
    width, height = (round(DPI * inches / SHOWN) for inches in figure.get_size_inches())
    return PanelImage(title, alt, width, height, buffer.getvalue())


def _alternatives(view: LiveView) -> list[str]:
    """The panels in words."""
    summary = view.summary
    rows, columns = summary.grid.shape
    points, error = len(summary.scan.values), view.curve[-1, 1] if len(view.curve) else float("nan")
    maps: list[str] = []
    for channel, image, wrong in zip(summary.channels, view.images, view.errors, strict=True):
        reading = with_units(channel.key, channel.units)
        maps += [
            f"Map of {reading}, {rows} by {columns} pixels, from {image.min():.4g} to "
            f"{image.max():.4g}, reconstructed from {points:,} points",
            f"Map of the expected error of {reading}, at most {wrong.max():.4g}",
        ]
    return [
        *maps,
        f"Map of the {points:,} measured pixels by their order, with the latest and the next way",
        f"Expected NRMSE against points measured, {error:.4g} by now",
        "Why the present batch was chosen: the expected gain of each target"
        if view.batch
        else f"Histogram of the measured values of {with_units(summary.key, summary.units)}",
        f"Ring current against time, {view.current[-1]:.4g} {view.current_units} by now"
        if view.current.size
        else "Points measured against time",
    ]
