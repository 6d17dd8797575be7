"""Error against the stage's time, for each way to scan an image: run once, kept, read off."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from sampling_rows import Row, first_at, flown, kept, map_of_rows, quality_at, record
from sampling_runs import Image, Pixels, Run, measure
from sampling_time import QUALITY

from skysteer.agent import StageTime, flying_pays, subgrid_pixels
from skysteer.models import ErrorMap, SparseScan, nrmse
from skysteer.rehearsal import run_agent

FAST = "FAST, routes optimised"
RASTERS = ("stepped sub-grid", "every k-th row flown", "full raster flown")
HALVES = "rows by halves"  # what nobody adapts, and nobody has to tell how dense
POINTS, SEGMENTS = "adaptive points", "adaptive segments"
METHODS = (FAST, *RASTERS, HALVES, POINTS, SEGMENTS)
LEVELS = ((6, 12), (0, 12), (3, 6), (1, 3), (2, 3))  # first row and distance, one after the other
PARTS = 8  # of a level, between two looks at the map
DWELLS = (0.01, 0.1, 1.0)  # s
RAMPS = (0.0, 0.1)  # s to full speed
SPEED, SETTLE = 1000.0, 0.05  # px/s, s
GOLDEN = 0.618033988749895  # multiples of it fall evenly
STEP = 1 / 400  # of the raster, between two looks at the map

Times = dict[tuple[str, "Setting", str], float]


@dataclass(frozen=True)
class Setting:
    """A stage, and how long it counts.

    Attributes
    ----------
    dwell, ramp : float
        s of an exposure, and to full speed.
    """

    dwell: float
    ramp: float

    @property
    def stage(self) -> StageTime:
        """In pixels."""
        return StageTime(SPEED, acceleration=self.ramp, settle=SETTLE, dwell=self.dwell)

    def __str__(self) -> str:
        ramp = f", {self.ramp:g} s to full speed" if self.ramp else ""
        return f"{1e3 * self.dwell:g} ms{ramp}"


def settings() -> list[Setting]:
    """All that is asked for."""
    return [Setting(dwell, ramp) for dwell in DWELLS for ramp in RAMPS]


def times(which: Iterable[tuple[str, Image]], some: Iterable[Setting], keep: Path | None) -> Times:
    """S that each method needs to FAST's quality at 20 %, on each image with each stage."""
    found: Times = {}
    for name, truth in which:
        fast = kept(keep, f"{name}_fast", truth, partial(_fast, truth))
        raster = kept(keep, f"{name}_raster", truth, partial(record, "raster", truth, 0))
        halves = kept(keep, f"{name}_halves", truth, partial(_halves, truth))
        goal = quality_at(fast, QUALITY)
        for setting in some:
            known = {
                FAST: _fast_seconds(fast, setting.stage),
                **_raster_curves(raster, truth.shape, setting.stage),
                HALVES: _halves_curve(halves, truth.shape, setting.stage),
            }
            for method, fly in (
                (POINTS, False),
                (SEGMENTS, flying_pays(truth.shape, setting.stage)),
            ):
                label = "segments" if fly else "points"  # where it does not pay, it does not fly
                label = f"{name}_{label}_{1e3 * setting.dwell:g}_{setting.ramp:g}"
                make = partial(_adaptive, truth, setting, fly, goal)
                row = kept(keep, label, truth, make)
                known[method] = (row["seconds"], row["errors"])
            for method, (seconds, errors) in known.items():
                found[name, setting, method] = first_at(goal, seconds, errors)
    return found


def _fast(truth: Image) -> Row:
    """SLADS-Net as published, what it measured, and how its map fares."""
    run = measure("slads-net", truth, 0)
    row = record_along(truth, run.pixels)
    at = row["points"].index(round(QUALITY * truth.size))
    quality = {f"nrmse@{100 * QUALITY:g}": row["errors"][at]}
    return {**row, **quality, "pixels": run.pixels.tolist(), "ends": run.ends.tolist()}


def record_along(truth: Image, pixels: Pixels) -> Row:
    """NRMSE of the inverse-distance map at `STEP`s of a scan."""
    error_map = ErrorMap(truth.shape)
    points = sorted({round(k * STEP * truth.size) for k in range(4, 1 + math.floor(1 / STEP))})
    points = [count for count in points if count <= len(pixels)]
    errors = []
    for count in points:
        some = pixels[:count]
        error_map.update(SparseScan(truth.shape, some, truth[tuple(some.T)]))
        errors.append(nrmse(truth, error_map.image))
    return {"points": points, "errors": errors}


def _fast_seconds(row: Row, stage: StageTime) -> tuple[list[float], list[float]]:
    """Time and error, every batch in its quickest order."""
    run = Run(np.array(row["pixels"]), np.array(row["ends"]), np.empty(0))
    clock = stage.clock(run.routed(stage))
    return clock[np.array(row["points"]) - 1].tolist(), row["errors"]


def _raster_curves(
    row: Row, shape: tuple[int, int], stage: StageTime
) -> dict[str, tuple[list[float], list[float]]]:
    """Time and error of designs that nobody adapts, each as dense as it would have to be."""
    rows, columns = shape
    grids = [stage.path(subgrid_pixels(shape, count)) for count in row["points"]]
    lines = [stage.rows_flown(flown(shape, len(some)), columns) for some in row["lines"]]
    full = stage.rows_flown(range(rows), columns)
    curves = ((grids, row["errors"]), (lines, row["line_errors"]), ([full], [0.0]))
    return dict(zip(RASTERS, curves, strict=True))


def _halves(truth: Image) -> Row:
    """Rows flown every twelfth, then between these, and so on; those of a level spread evenly."""
    designs: list[list[int]] = [[]]
    for first, step in LEVELS:
        level = np.arange(first, len(truth), step)
        spread = np.argsort(np.arange(len(level)) * GOLDEN % 1.0)
        for part in np.array_split(level[spread], PARTS):
            designs.append(sorted([*designs[-1], *part.tolist()]))
    designs = designs[PARTS:]
    return {"lines": designs, "errors": [nrmse(truth, map_of_rows(truth, d)) for d in designs]}


def _halves_curve(
    row: Row, shape: tuple[int, int], stage: StageTime
) -> tuple[list[float], list[float]]:
    """Time and error, as if each part were flown in one go with those before: at best."""
    return [stage.rows_flown(lines, shape[1]) for lines in row["lines"]], row["errors"]


def _adaptive(truth: Image, setting: Setting, fly: bool, goal: float) -> Row:
    """Let `slads` measure until the quality is reached, in batches as suit the stage."""
    row: Row = {}
    for share in (0.3, 0.5, 0.95) if fly else (0.16, 0.3, 0.5, 0.95):
        num = round(share * truth.size)
        runs = run_agent(truth, "slads", num, batch=None, stage=setting.stage, fly=fly)
        *_, (_, trajectory) = runs
        assert trajectory is not None
        row = record_along(truth, trajectory.scan.pixels)
        row["seconds"] = trajectory.clock(setting.stage)[np.array(row["points"]) - 1].tolist()
        row["cpu_ms"] = trajectory.cpu_ms.tolist()
        if min(row["errors"]) <= goal:
            break
    return row
