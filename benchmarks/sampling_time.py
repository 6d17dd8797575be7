"""Beam time to a quality: samplers with optimised routes against stepped and flown rasters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from sampling_rows import DWELLS, STAGE, Row, Rows, first_at, free, geometric, quality_at

from skysteer.agent import StageTime

QUALITY = 0.20  # the coverage at which SLADS-Net's NRMSE sets the quality
RASTERS = ("stepped raster", "rows flown", "full raster flown")
FEW = 5  # images that are named


def seconds_to(row: Row, error: float, stage: StageTime) -> float:
    """S that a stage needs along a run until its NRMSE is so small; NaN if it never is."""
    points = np.array(row["points"], float)
    seconds = points * stage.exposure + np.array(row["way"]) / stage.speed[0]
    return first_at(error, seconds, row["errors"])


def flown_seconds_to(row: Row, error: float, stage: StageTime) -> float:
    """The same of evenly spread rows that the stage flies."""
    seconds = [stage.rows_flown(rows, row["columns"]) for rows in row["lines"]]
    return first_at(error, seconds, row["line_errors"])


def times(rows: Rows, image: str, seed: int, dwell: float) -> dict[str, float]:
    """S to the quality that SLADS-Net has at 20 %, by method."""
    stage = replace(STAGE, dwell=dwell)
    error = quality_at(rows[image, "slads-net", seed], QUALITY)
    raster = rows[image, "raster", seed]
    there = {method for name, method, _ in rows if name == image}
    found = {
        "slads-net": seconds_to(rows[image, "slads-net", seed], error, stage),
        "stepped raster": seconds_to(raster, error, stage),
        "rows flown": flown_seconds_to(raster, error, stage),
        "full raster flown": stage.rows_flown(range(len(raster["lines"][-1])), raster["columns"]),
    }
    for method in ("mix", "spread", "slads", "oracle"):
        if method in there:
            found[f"{method}, 50" if free(method, dwell) in there else method] = seconds_to(
                rows[image, method, seed], error, stage
            )
        if free(method, dwell) in there:
            found[method] = seconds_to(rows[image, free(method, dwell), seed], error, stage)
    return found


def speed_ups(rows: Rows, images: Iterable[str], seed: int, dwell: float) -> dict[str, list[float]]:
    """How many times sooner than SLADS-Net each method is done, image by image."""
    ratios: dict[str, list[float]] = {}
    for image in images:
        found = times(rows, image, seed, dwell)
        for method, seconds in found.items():
            ratios.setdefault(method, []).append(found["slads-net"] / seconds)
    return ratios


def print_times(rows: Rows, images: Iterable[str], seeds: Iterable[int]) -> None:
    """The table, and the images on which a raster wins."""
    images, seeds = list(images), list(seeds)
    print(
        "\nBeam time to SLADS-Net's quality at 20 %: times faster than SLADS-Net, all routes "
        f"optimised\n(stage of {STAGE.speed[0]:g} px/s, {STAGE.settle:g} s settling; batches suit "
        "the stage, or are of 50 where it says so)"
    )
    by_dwell = [[speed_ups(rows, images, seed, dwell) for seed in seeds] for dwell in DWELLS]
    print(f"{'':18s}" + "".join(f"{1e3 * d:g} ms: mean; least".rjust(26) for d in DWELLS))
    for method in by_dwell[0][0]:
        line = f"{method:18s}"
        for runs in by_dwell:
            each = [
                geometric(values) for values in zip(*(run[method] for run in runs), strict=True)
            ]
            line += f"{geometric(each):18.2f};{np.nanmin([*each, np.inf]):7.2f}"
        print(line)
    for dwell, runs in zip(DWELLS, by_dwell, strict=True):
        print(raster_line(images, runs, dwell))


def raster_line(images: list[str], runs: list[dict[str, list[float]]], dwell: float) -> str:
    """Say where a raster is sooner done than the network's points."""

    def mean(method: str) -> list[float]:
        return [geometric(values) for values in zip(*(run[method] for run in runs), strict=True)]

    best = [
        max(
            (speed, name) for speed, name in zip(column, RASTERS, strict=True) if np.isfinite(speed)
        )
        for column in zip(*(mean(name) for name in RASTERS), strict=True)
    ]
    lost = {
        f"{image} ({name}, {speed / ours:.2f} x)": speed / ours
        for image, (speed, name), ours in zip(images, best, mean("slads"), strict=True)
        if not speed <= ours
    }
    told = f"At {1e3 * dwell:g} ms a raster is faster on {len(lost)} of {len(images)} images"
    if len(lost) <= FEW:
        return f"{told}: {'; '.join(lost)}" if lost else told
    least, most = min(lost.values()), max(lost.values())
    return f"{told}, {least:.2f} to {most:.2f} x, {geometric(lost.values()):.2f} x on average"
