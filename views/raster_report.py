"""The part of a report that holds a run against a raster."""

from __future__ import annotations

import numpy as np

from .charts import raster_figures
from .page import Picture, element, figure, table, title_of
from .quality import nrmse, ssim
from .raster import Raster, busy_seconds, raster_of_same_time
from .summary import Image, RunSummary


def against_raster(summary: RunSummary, image: Image, truth: Image | None) -> list[str]:
    """What a raster would have made of the same time."""
    raster = raster_of_same_time(summary, truth)
    if raster is None:
        return []
    of = f", {summary.key}" if summary.further else ""
    parts = [
        element("h2", f"Against a raster of the same time{of}"),
        element("p", compare_with_raster(summary)),
        element("p", _as_a_raster(summary, raster)),
    ]
    if raster.image is None or truth is None:
        unknown = "What it would have read is not known, as the truth is not."
        return [*parts, element("p", unknown)]
    rows = [
        (name, f"{count:,}", _score(nrmse(truth, each)), _score(ssim(truth, each)))
        for name, count, each in (
            (summary.agent, len(summary.scan.values), image),
            ("raster of the same time", len(raster.pixels), raster.image),
        )
    ]
    caption = (
        "The raster of the same time, read without noise, and its error, in the colours of the "
        "run's own map."
    )
    alt = f"Map of a raster of {len(raster.pixels)} points, and its error: "
    drawn = raster_figures(summary, raster.image, truth)
    pictures = [Picture(each, alt + title_of(each), photo=True) for each in drawn]
    head = ("scan", "points", "NRMSE", "SSIM")
    return [*parts, table(head, rows, "times"), figure(caption, pictures)]


def _as_a_raster(summary: RunSummary, raster: Raster) -> str:
    """Say in words what the raster is."""
    num, size = len(raster.pixels), summary.grid.size
    held = summary.seconds - busy_seconds(summary)
    pauses = f", without {duration(held)} in which it was paused," if held > 0 else ""
    fine = (
        "every pixel"
        if num == size
        else f"a point on {size / num:.3g} pixels, {np.sqrt(size / num):.2g} apart each way"
    )
    return (
        f"In this run's time{pauses} a raster that moves and counts as fast, and waits for no "
        f"decision, measures {num:,} points: {fine}."
    )


def compare_with_raster(summary: RunSummary) -> str:
    """Say in a sentence what a full raster of the same dwell would have taken."""
    each = float(np.median(summary.spacings))
    whole = summary.grid.size * each
    saved = whole - summary.seconds
    text = (
        f"A full raster of {summary.grid.size:,} points, at this run's median of "
        f"{1e3 * each:.3g} ms from point to point, takes {duration(whole)}; this run took "
        f"{duration(summary.seconds)}"
    )
    if saved > 0:
        text += f", which saves {duration(saved)} ({100 * saved / whole:.0f} %)."
    else:
        text += ", which saves nothing."
    if dwell := summary.record.get("dwell"):
        exposure = summary.grid.size * dwell
        text += f" The raster's exposures alone, of {1e3 * dwell:g} ms, are {duration(exposure)}."
    return text


def duration(seconds: float) -> str:
    """A time in the units that a person would use."""
    if seconds < 1:
        return f"{1e3 * seconds:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def _score(score: float) -> str:
    return f"{score:.4f}" if np.isfinite(score) else "–"
