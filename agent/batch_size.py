"""How many points a batch has, where that is left free."""

from __future__ import annotations

import numpy as np

from .stage_time import StageTime

LARGEST_BATCH = 1000  # points: it fixes the shape of the decision's event
FLOWN_SHARE = 0.02  # of the raster that a batch of segments covers
LARGEST_FLOWN = 1500  # pixels: a decision then takes about 15 ms of the processor
USUAL_BATCH = 50  # points, of samplers whose batches know nothing of themselves
# All measured with benchmarks/sampling_batches.py:
HOP = 0.6  # mean move of a batch's route, of the distance sqrt(area / points)
LOSS = 3.0  # more points needed, for each share of the raster that a batch is
GROWTH = 0.25  # of the points measured: a scan that has seen little asks soon again


def largest_batch(stage: StageTime, shape: tuple[int, int]) -> int:
    """Choose the batch with which a scan is soonest done.

    In a large batch the points lie close together, so that the moves are short; but each has been
    chosen with less knowledge, so that more are needed.

    Parameters
    ----------
    stage : StageTime
        In pixels.
    shape : (2,) tuple of int
        Rows and columns of the raster.

    Returns
    -------
    int
        1 to `LARGEST_BATCH`.

    Examples
    --------
    >>> slow = StageTime(speed=1000, settle=0.05, dwell=0.01)
    >>> largest_batch(slow, (256, 256)), largest_batch(slow, (64, 64))
    (896, 56)
    >>> largest_batch(StageTime(speed=1000, settle=0.05, dwell=1.0), (256, 256))
    136
    """
    size = shape[0] * shape[1]
    batches = np.arange(1, min(size, LARGEST_BATCH) + 1)
    apart = HOP * np.sqrt(size / batches)
    aspect = np.sqrt(stage.speed[0] / stage.speed[1])  # routes go along the quicker axis
    way = np.column_stack([apart * aspect, apart / aspect])
    hop = (stage.moves((0, 0), way) + stage.moves(way, (0, 0))) / 2
    return int(batches[np.argmin((stage.exposure + hop) * (1 + LOSS * batches / size))])


def largest_flown_batch(stage: StageTime, shape: tuple[int, int]) -> int:
    """Choose the batch of a scan that flies: the same share of every raster, within bounds.

    Parameters are those of `largest_batch`.

    Examples
    --------
    >>> largest_flown_batch(StageTime(speed=1000, settle=0.05, dwell=0.01), (256, 256))
    1311
    """
    size = shape[0] * shape[1]
    flown = min(round(FLOWN_SHARE * size), LARGEST_FLOWN)
    return max(1, flown, min(largest_batch(stage, shape), LARGEST_FLOWN))


def growing_batch(largest: int, measured: int, size: int) -> int:
    """Give the batch of a scan that has measured so many of ``size`` pixels, 1 to ``largest``."""
    return max(1, min(largest, int(GROWTH * max(measured, 0.01 * size))))
