"""What a scan that flies measures before its first choice: points, or every so many rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .stage_time import StageTime

EVERY = 12  # rows; a sixth less or more costs 2 % of the time to a quality
SHARE = 0.4  # of the budget that the start may take at most
FEWEST_LINES = 4
WORTH = 2.5  # times sooner than a point is a pixel of a flown row; below, points are done sooner


def flown_start(
    shape: tuple[int, int], stage: StageTime, most: int, barred: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Every so many rows, or columns where these are sooner flown, to and fro.

    Parameters
    ----------
    shape : (2,) tuple of int
    stage : StageTime
        In pixels.
    most : int
        Pixels that the scan may measure in all.
    barred : (M, N) ndarray of bool
        May not be flown over.

    Returns
    -------
    (K, 2) ndarray of int64 and (S,) ndarray of int64, or None
        Pixels in the order of the visit, and how many each segment has; None where points are
        the better start.
    """
    if not flying_pays(shape, stage):
        return None
    axis = _quicker(shape, stage)
    lines, length = shape[1 - axis], shape[axis]
    step = max(EVERY, int(np.ceil(lines * length / max(SHARE * most, 1))))
    if lines < FEWEST_LINES * step:
        return None
    pixels: list[NDArray[np.int64]] = []
    lengths: list[int] = []
    for k, line in enumerate(range(step // 2, lines, step)):
        along = np.arange(length)[:: -1 if k % 2 else 1]
        one = np.column_stack([np.full(length, line), along])[:, :: 1 if axis else -1]
        free = ~barred[one[:, 0], one[:, 1]]
        parts = np.split(one[free], np.flatnonzero(np.diff(np.flatnonzero(free)) > 1) + 1)
        pixels += parts
        lengths += [len(part) for part in parts if len(part)]
    return np.concatenate(pixels), np.array(lengths, dtype=np.int64)


def flying_pays(shape: tuple[int, int], stage: StageTime) -> bool:
    """Whether lines are worth more than points: these tell more by the pixel, and take longer."""
    hop = stage.moves((0, 0), (10, 10))[0]  # between points of 1 % of the raster
    return bool(stage.exposure + hop > WORTH * _seconds(shape, stage, _quicker(shape, stage)))


def _quicker(shape: tuple[int, int], stage: StageTime) -> int:
    return min((1, 0), key=lambda axis: _seconds(shape, stage, axis))


def _seconds(shape: tuple[int, int], stage: StageTime, axis: int) -> float:
    """Of a pixel of a line along an axis, the way to the next one included."""
    length = shape[axis]
    return stage.line(length, length, axis)[0] / length
