"""Which way of scanning is soonest done, on specimens like one's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..agent import StageTime, flying_pays
from ..models import ErrorMap, SparseScan, inverse_distance, nrmse
from .sampler_images import SPECIMENS, SYNTHETIC, specimen
from .simulate import load_truth
from .trajectory import run_agent

LIKE = ("flakes", "cells", "phases")  # specimens, where nobody says what one's own are like
SIDE = 128  # pixels: a specimen's rows and columns at most, so that the answer comes soon
SHARES = (0.15, 0.3, 0.6, 1.0)  # of the raster that a rehearsal measures, until it is good enough
LOOKS = 60  # at the map of a rehearsal

Image = NDArray[np.float64]


@dataclass(frozen=True)
class Way:
    """One way of scanning.

    Attributes
    ----------
    name : str
        ``full raster flown``, ``every k-th row flown``, ``adaptive points`` or ``adaptive
        segments``.
    seconds : float
        To the quality wanted, geometric mean over the specimens.
    coverage : float
        Share of the pixels measured, likewise.
    """

    name: str
    seconds: float
    coverage: float


def fastest_ways(
    truths: Sequence[Image], stage: StageTime, wanted: float, agent: str = "slads"
) -> list[Way]:
    """Tell how long each way of scanning takes to a quality, the fastest first.

    Parameters
    ----------
    truths : sequence of (M, N) ndarray of float64
        Specimens like one's own, see `specimens_like`.
    stage : StageTime
        In pixels.
    wanted : float
        NRMSE of the inverse-distance map, above 0 and below 1.
    agent : str
        What chooses points and segments.

    Raises
    ------
    ValueError
        If the quality is none.

    Examples
    --------
    >>> quick = StageTime(speed=1000, settle=0.05, dwell=0.01)
    >>> [way.name for way in fastest_ways(specimens_like(["flakes"], (64, 64)), quick, 0.2)][0]
    'adaptive segments'
    """
    if not 0 < wanted < 1:
        raise ValueError(f"the NRMSE wanted must lie between 0 and 1, but {wanted} came")
    shape = truths[0].shape
    ways = {
        "full raster flown": [_full(truth.shape, stage) for truth in truths],
        "every k-th row flown": [_rows(truth, stage, wanted) for truth in truths],
        "adaptive points": [_rehearsed(t, stage, wanted, agent, fly=False) for t in truths],
    }
    if flying_pays((shape[0], shape[1]), stage):
        ways["adaptive segments"] = [
            _rehearsed(truth, stage, wanted, agent, fly=True) for truth in truths
        ]
    found = [Way(name, *np.exp(np.mean(np.log(each), axis=0))) for name, each in ways.items()]
    return sorted(found, key=lambda way: way.seconds)


def specimens_like(what: Iterable[str], shape: tuple[int, int]) -> list[Image]:
    """Make specimens of some kinds, or read images from files; none larger than 128 x 128.

    Raises
    ------
    FileNotFoundError, ValueError
        For what is neither a kind nor an image.
    """
    side = (min(shape[0], SIDE), min(shape[1], SIDE))
    return [_one_like(each, side) for each in what]


def _one_like(what: str, shape: tuple[int, int]) -> Image:
    kinds = (*SPECIMENS, *SYNTHETIC)
    if what in kinds:
        return specimen(what, shape, seed=1)
    if not Path(what).is_file():
        raise FileNotFoundError(
            f"{what} is neither an image's file nor one of the specimens {', '.join(kinds)}"
        )
    image = load_truth(what)
    top, left = (max(0, (n - m) // 2) for n, m in zip(image.shape, shape, strict=True))
    return image[top : top + shape[0], left : left + shape[1]]


def advised(
    stage: StageTime, shape: tuple[int, int], wanted: float, like: Sequence[str] = ()
) -> dict[str, Any]:
    """Tell `fastest_ways` in words, for a raster of a shape and a stage in pixels."""
    truths = specimens_like(like or LIKE, shape)
    ways = fastest_ways(truths, stage, wanted)
    rows, columns = truths[0].shape
    return {
        "fastest": ways[0].name,
        "rehearsed_on": f"{', '.join(like or LIKE)}, {rows} x {columns}, to an NRMSE of {wanted:g}",
        "ways": [f"{w.name} {w.seconds:.4g} s ({100 * w.coverage:.3g} %)" for w in ways],
    }


def _full(shape: tuple[int, ...], stage: StageTime) -> tuple[float, float]:
    return stage.rows_flown(range(shape[0]), shape[1]), 1.0


def _rows(truth: Image, stage: StageTime, wanted: float) -> tuple[float, float]:
    """Of the fewest even rows whose map is good enough, known beforehand."""
    rows, columns = truth.shape
    for count in np.unique(np.geomspace(2, rows, 40).astype(int)):
        some = np.floor((np.arange(count) + 0.5) * rows / count).astype(np.int64)
        pixels = np.stack(np.meshgrid(some, np.arange(columns), indexing="ij"), -1).reshape(-1, 2)
        scan = SparseScan((rows, columns), pixels, truth[some].ravel())
        if nrmse(truth, inverse_distance(scan)) <= wanted:
            return stage.rows_flown(some, columns), count / rows
    return _full(truth.shape, stage)


def _rehearsed(
    truth: Image, stage: StageTime, wanted: float, agent: str, *, fly: bool
) -> tuple[float, float]:
    """Of a run of the agent, up to where its map is good enough."""
    shape = (truth.shape[0], truth.shape[1])
    for share in SHARES:
        num = round(share * truth.size)
        *_, (_, run) = run_agent(truth, agent, num, batch=None, stage=stage, fly=fly)
        assert run is not None  # noqa: S101  (the last one has it)
        clock, seen = run.clock(stage), ErrorMap(shape)
        for count in np.unique(np.linspace(0.01, share, LOOKS) * truth.size).astype(int):
            seen.update(run.first(count))
            if nrmse(truth, seen.image) <= wanted:
                return float(clock[count - 1]), count / truth.size
    return _full(truth.shape, stage)
