"""Figures of one run, read off along it: quality, points, way and decision time."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sampling_runs import (
    COVERAGES,
    Image,
    Pixels,
    Run,
    measure,
    reconstruct,
)

from skysteer.agent import StageTime, subgrid_pixels
from skysteer.models import ErrorMap, SparseScan, nrmse, psnr, ssim

Row = dict[str, Any]
Rows = dict[tuple[str, str, int], Row]

STAGE = StageTime(speed=1000.0, settle=0.05)  # px/s; the stage that the bars of beam time name
DWELLS = (0.01, 0.1, 1.0)  # s
STEPS = [k / 400 for k in range(4, 101)]  # coverages along a run


def free(method: str, dwell: float) -> str:
    """Name a method whose batches are such as suit the stage and a dwell in s."""
    return f"{method}, {1e3 * dwell:g} ms"


def record(method: str, truth: Image, seed: int) -> Row:
    """All figures of one method on one image."""
    if method == "raster":
        return _raster_row(truth)
    plain, _, dwell = method.partition(", ")
    stage = StageTime(1000.0, settle=0.05, dwell=float(dwell.split()[0]) / 1e3) if dwell else None
    run = measure(plain, truth, seed, stage)
    row = along(truth, run)
    if len(run.cpu_ms):
        row["cpu_ms_p50"], row["cpu_ms_p95"] = np.percentile(run.cpu_ms, [50, 95]).tolist()
    return row


def collect(
    which: Iterable[tuple[str, Image]], methods: Iterable[str], seeds: int, keep: Path | None
) -> Rows:
    """Record every method on every image, with every seed."""
    rows: Rows = {}
    for seed in range(seeds):
        for name, truth in which:
            for method in methods:
                own = 0 if method == "raster" else seed  # it has none
                make = partial(record, method, truth, own)
                rows[name, method, seed] = kept(keep, f"{name}_{method}_{own}", truth, make)
    return rows


def kept(folder: Path | None, name: str, truth: Image, make: Callable[[], Row]) -> Row:
    """Make a row, or read it from a folder that holds it already.

    It knows images by their values, and nothing of the code: empty it where that has changed.
    """
    path = folder and folder / f"{name}_{hashlib.sha256(truth.tobytes()).hexdigest()[:8]}.json"
    if path and path.is_file():
        return json.loads(path.read_text())
    print(name, file=sys.stderr)
    row = make()
    if path:
        path.write_text(json.dumps(row))
    return row


def methods_with_time(methods: Iterable[str]) -> list[str]:
    """Add the network with batches that suit the stage."""
    methods = list(methods)
    return [*methods, *(free(m, d) for m in methods if m == "slads" for d in DWELLS)]


def quality_at(row: Row, share: float, figure: str = "nrmse") -> float:
    """Give a figure at one of `COVERAGES`."""
    return float(row[f"{figure}@{100 * share:g}"])


def points_for(row: Row, error: float) -> float:
    """Points after which the NRMSE first falls to a value, interpolated; NaN if it never does."""
    return first_at(error, row["points"], row["errors"])


def first_at(error: float, costs: Iterable[float], errors: Iterable[float]) -> float:
    """Cost at which an error first falls to a value, interpolated; NaN if it never does."""
    costs, errors = np.array(costs, float), np.array(errors, float)
    below = np.flatnonzero(errors <= error)
    if not len(below):
        return float("nan")
    k = int(below[0])
    if k == 0:
        return float(costs[0])
    step = (errors[k - 1] - error) / (errors[k - 1] - errors[k])
    return float(costs[k - 1] + step * (costs[k] - costs[k - 1]))


def geometric(values: Iterable[float]) -> float:
    """Geometric mean of what is finite."""
    known = np.array([v for v in values if np.isfinite(v) and v > 0])
    return float(np.exp(np.log(known).mean())) if len(known) else float("nan")


def along(truth: Image, run: Run) -> Row:
    """Points, NRMSE and way (px, routes optimised) at `STEPS`; SSIM and PSNR at `COVERAGES`."""
    error_map = ErrorMap(truth.shape)
    points = [round(share * truth.size) for share in STEPS]
    row: Row = {"points": points, "errors": []}
    for share, count in zip(STEPS, points, strict=True):
        some = run.pixels[:count]
        error_map.update(SparseScan(truth.shape, some, truth[tuple(some.T)]))
        row["errors"].append(nrmse(truth, error_map.image))
        if share in COVERAGES:
            row |= _quality(truth, error_map.image, share)
    way = np.array(_way(run.routed(STAGE), points), float)
    if len(run.ends) == 1:  # a design is routed as a whole
        way[:-1] = np.nan
    return {**row, "way": way.tolist()}


def _raster_row(truth: Image) -> Row:
    """Sub-grids and flown rows of the image, each as a design of its own."""
    row: Row = {}
    for share in COVERAGES:
        pixels = subgrid_pixels(truth.shape, round(share * truth.size))
        row |= _quality(truth, reconstruct(truth, pixels), share)
    counts = np.unique(np.geomspace(0.01, 0.9, 40) * truth.size).astype(int)
    grids = [subgrid_pixels(truth.shape, count) for count in counts]
    row["points"] = counts.tolist()
    row["errors"] = [nrmse(truth, reconstruct(truth, pixels)) for pixels in grids]
    row["way"] = [_way(pixels, [len(pixels)])[0] for pixels in grids]
    lines = np.unique(np.geomspace(2, truth.shape[0], 40).astype(int))
    row["lines"] = [flown(truth.shape, count).tolist() for count in lines]
    row["line_errors"] = [nrmse(truth, map_of_rows(truth, rows)) for rows in row["lines"]]
    row["columns"] = truth.shape[1]
    return row


def flown(shape: tuple[int, int], count: int) -> NDArray[np.int64]:
    """Give rows spread evenly: every k-th, for each count."""
    return np.floor((np.arange(count) + 0.5) * shape[0] / count).astype(np.int64)


def map_of_rows(truth: Image, rows: Iterable[int]) -> Image:
    """Inverse-distance map of whole rows."""
    mask = np.zeros(truth.shape, dtype=bool)
    mask[np.asarray(rows)] = True
    return reconstruct(truth, np.argwhere(mask))


def _quality(truth: Image, made: Image, share: float) -> Row:
    """NRMSE, SSIM and PSNR of a map, by coverage."""
    figures = {"nrmse": nrmse, "ssim": ssim, "psnr": psnr}
    return {f"{name}@{100 * share:g}": figure(truth, made) for name, figure in figures.items()}


def _way(pixels: Pixels, counts: Iterable[int]) -> list[float]:
    moves = np.abs(np.diff(pixels, axis=0)).max(axis=1, initial=0)
    return np.concatenate([[0], np.cumsum(moves)])[np.asarray(counts) - 1].tolist()
