"""A run's report: one page of HTML with all that a reader needs to judge it and do it again."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import distance_transform_edt

from ..agent import path_length
from .charts import (
    decision_chart,
    density_chart,
    error_chart,
    gap_chart,
    map_figures,
    similarity_chart,
    spacing_chart,
    uncertainty_figures,
)
from .figure import Images, checked_images, reconstructions
from .interventions import gathered
from .page import Picture, element, facts, figure, page, settings_table, table, title_of
from .panels import titled
from .provenance import command_line, moment, python_call, settings
from .quality import nrmse, quality_curve, ssim
from .raster_report import against_raster, duration
from .summary import Image, RunSummary


def write_report(
    path: str | os.PathLike[str], summary: RunSummary, truth: ArrayLike | None = None
) -> None:
    """Write a run's report as one HTML file, which needs no other file and no network.

    Parameters
    ----------
    path : path
        The file, written anew.
    summary : RunSummary
        Also of a run that was cut off, or that measured nothing.
    truth : (M, N) or (C, M, N) array, optional
        What an endless scan would have read, in the units of the values, finite, of several
        channels for each: with it the report tells how near the map came, without it how the map
        settled.

    Raises
    ------
    ValueError
        If the truth does not fit the grid.

    Examples
    --------
    ``write_report("run.html", summarize(read_run("runs").documents()))``
    """
    truths = () if truth is None else checked_images("truth", truth, summary)
    title = f"Scan of {summary.keys} by {summary.agent}"
    lead = f"{moment(summary.start['time'])} · run {summary.start['uid']} · {summary.stop_reason}"
    parts = [element("h1", title), element("p", lead, "meta")]
    if summary.stop is None or summary.stop["exit_status"] != "success":
        parts.append(element("p", f"This run did not end well: {summary.stop_reason}.", "warn"))
    if len(summary.scan.values):
        images = reconstructions(summary)
        parts += _map(summary, images, truths)
        parts += against_raster(summary, images[0], truths[0] if truths else None)
        parts += _spread(summary)
    else:
        parts.append(element("p", "No usable value was measured, so there is no map.", "warn"))
    parts += [*_time(summary), *_people(summary), *_remarks(summary), *_provenance(summary)]
    Path(path).write_text(page(title, parts), encoding="utf-8", newline="\n")


def _map(summary: RunSummary, images: Images, truths: Images) -> list[str]:
    """Key figures and the maps."""
    count = len(summary.scan.values)
    known = {"points": f"{count:,}", "coverage": f"{100 * summary.scan.coverage:.3g} %"}
    for channel, image, truth in zip(
        summary.channels, images, truths, strict=False
    ):  # no truths, none
        scores = {"NRMSE": nrmse(truth, image), "SSIM": ssim(truth, image)}
        known |= {
            titled(name, channel, summary): f"{score:.4f}"
            for name, score in scores.items()
            if np.isfinite(score)
        }
    known |= {"duration": duration(summary.seconds)}
    shown = "Reconstruction (inverse-distance weighting of the 10 nearest measured pixels)"
    caption = f"{shown}, and where it measured, by order. Row 0 is on top."
    if truths:
        caption = f"Truth; {shown.lower()}; where it measured, by order; error. Row 0 is on top."
    alt = f"Map of {summary.keys} from {count} points, and the places measured: "
    drawn = map_figures(summary, images, truths)
    return [
        facts(known),
        element("h2", "Map"),
        figure(caption, [Picture(each, alt + title_of(each), photo=True) for each in drawn]),
        *_uncertainty(summary),
        *_course(summary, images[0], truths[0] if truths else None),
    ]


def _uncertainty(summary: RunSummary) -> list[str]:
    """How sure the map is where, and the way that the stage went."""
    alt = f"Map of the error expected of {summary.keys}, and the way through the pixels: "
    drawn = uncertainty_figures(summary)
    caption = (
        "Error expected of each pixel, from how well the measured ones are told by their "
        "neighbours (what no point has met it cannot know), and the way from point to point, by "
        "order."
    )
    return [
        element("h2", "Uncertainty and path"),
        figure(caption, [Picture(each, alt + title_of(each), photo=True) for each in drawn]),
    ]


def _course(summary: RunSummary, image: Image, truth: Image | None) -> list[str]:
    """How the map came to be, of a run that has a course."""
    curve = quality_curve(summary.scan, image if truth is None else truth)
    if len(curve.points) < 2:
        return []
    errors = zip(curve.points, curve.nrmse, strict=True)
    alt = "NRMSE by points measured: " + ", ".join(f"{e:.3f} at {n}" for n, e in errors)
    charts = [
        Picture(error_chart(curve, summary.decisions, summary.grid.size, truth is not None), alt)
    ]
    caption = (
        "How the map settled: its distance from the final one (normalised root mean square), "
        "which says how much it still changed, not how right it is."
    )
    if truth is not None:
        caption = "How the map came nearer to the truth: normalised root mean square error"
        if np.isfinite(curve.ssim).any():
            caption += ", and structural similarity in the truth's range"
            charts.append(Picture(similarity_chart(curve), "SSIM by points measured"))
        caption += f". Reconstructed at {len(curve.points)} moments from the points in their order."
    if summary.further:
        caption = f"Of {summary.key}, the first channel. {caption}"
    return [element("h2", "Error against coverage"), figure(caption, charts)]


def _people(summary: RunSummary) -> list[str]:
    """What was steered, by whom and when."""
    parts = [element("h2", "Steered by")]
    rows = [
        (moment(said.time), said.by, told, f"{said.seen:,}")
        for said, told in gathered(summary.interventions)
    ]
    sources = Counter(d.source for d in summary.decisions if d.count)
    shares = ", ".join(f"{count:,} by {source}" for source, count in sources.items())
    if shares:
        parts.append(element("p", f"Batches: {shares}."))
    if not rows:
        nobody = "Nobody intervened." if shares else "The plan steered; nobody intervened."
        return [*parts, element("p", nobody)]
    return [*parts, table(("when", "who", "what", "after readings"), rows, "people")]


def _spread(summary: RunSummary) -> list[str]:
    """Where the points lie, and what they leave out."""
    rows, columns = summary.grid.shape
    count = len(summary.scan.values)
    distances: NDArray[np.float64] = np.asarray(distance_transform_edt(~summary.scan.mask))
    gaps = distances[distances > 0]
    pictures = [Picture(density_chart(summary), "Map of the local share of measured pixels")]
    said = "Every pixel was measured."
    if gaps.size:
        pictures.append(Picture(gap_chart(gaps), "Histogram of distances to measured pixels"))
        even = np.sqrt(rows * columns / count / 2)  # half the diagonal of a square lattice's cell
        said = (
            f"The farthest pixel lies {gaps.max():.1f} pixels from a measured one, the median of "
            f"the unmeasured ones {np.median(gaps):.1f}; as many points on a square lattice would "
            f"leave none farther than {max(even, 1):.1f}."
        )
    travelled = path_length(summary.scan.pixels)
    said += (
        f" The way from point to point, along its longer axis, sums up to {travelled:,.0f} pixels."
    )
    caption = "How the points spread: local coverage, and how far the rest lies from a point."
    return [element("h2", "Spread of the points"), element("p", said), figure(caption, pictures)]


def _time(summary: RunSummary) -> list[str]:
    """What the decisions cost, and what a full raster would have."""
    parts = [element("h2", "Decisions and time")]
    made = tuple(d for d in summary.decisions if d.count)
    spacings = 1e3 * summary.spacings
    pictures: list[Picture] = []
    if len(made) > 1:
        pictures.append(Picture(decision_chart(made), "Time of each decision, and wait for it"))
    if len(spacings):
        dwell = summary.record.get("dwell")
        chart = spacing_chart(spacings, dwell)
        pictures.append(Picture(chart, "Histogram of the time from one point to the next"))
    if pictures:
        caption = "Time that the decisions took, and time from one point to the next."
        parts.append(figure(caption, pictures))
    rows = [
        *_percentiles("decision", [d.ms for d in made]),
        *_percentiles("decision, processor time", [d.cpu_ms for d in made]),
        *_percentiles("wait for a decision", [d.waited_ms for d in made]),
        *_percentiles("from one point to the next", spacings),
    ]
    head = ("milliseconds", "median", "95 %", "largest", "sum")
    return [*parts, table(head, rows, "times")] if rows else []


def _percentiles(name: str, times: ArrayLike) -> list[tuple[str, ...]]:
    """A row of the table of times; none where there are no times."""
    given = np.asarray(times, dtype=np.float64)
    if not given.size:
        return []
    middle, most = np.percentile(given, (50, 95))
    return [(name, *(f"{t:,.2f}" for t in (middle, most, given.max(), given.sum())))]


def _remarks(summary: RunSummary) -> list[str]:
    """What the guard refused, where the agent was replaced, and readings that came to nothing."""
    said: list[str] = []
    first = {d.note: d.number for d in reversed(summary.decisions) if d.note}
    times = Counter(d.note for d in summary.decisions)
    for note, number in sorted(first.items(), key=lambda each: each[1]):
        again = f", and {times[note] - 1} times more" if times[note] > 1 else ""
        said.append(f"Decision {number}{again}: {note}.")
    off = sum(event.row < 0 for event in summary.events)
    unusable = sum(not event.usable for event in summary.events)
    if off:
        said.append(f"{off} of {len(summary.events)} points lay off the grid.")
    if unusable:
        said.append(f"{unusable} of {len(summary.events)} readings were NaN or inf.")
    if not said:
        return []
    return [element("h2", "Remarks"), "<ul>", *(element("li", each) for each in said), "</ul>"]


def _provenance(summary: RunSummary) -> list[str]:
    """What is needed to do it again."""
    parts = [element("h2", "How to do it again"), settings_table(settings(summary))]
    if command := command_line(summary):
        parts += [element("p", "From the command line:"), element("pre", command)]
    if call := python_call(summary):
        text = (
            "The same call, with the run's devices under these names, a RunEngine RE and the same "
            "readings, gives the same scan."
        )
        parts += [element("p", text), element("pre", call)]
    return parts
