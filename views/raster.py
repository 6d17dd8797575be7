"""What a raster would have made of a run's time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..agent import subgrid_pixels
from ..models import SparseScan, inverse_distance
from .summary import Image, RunSummary


@dataclass(frozen=True, eq=False)
class Raster:
    """The raster for which a run's time would have been enough.

    Attributes
    ----------
    pixels : (K, 2) ndarray of int64
        Evenly spread in rows, in the order of the visit.
    each : float
        Seconds from point to point that this goes by: the run's median.
    image : (M, N) ndarray of float64 or None
        Its map by inverse-distance weighting, of readings without noise; None where the truth is
        not known.
    """

    pixels: NDArray[np.int64]
    each: float
    image: Image | None


def raster_of_same_time(summary: RunSummary, truth: Image | None = None) -> Raster | None:
    """Lay the raster that the run's time, without its pauses, would have been enough for.

    It moves as long from point to point as the run did, and waits for no decision.

    Parameters
    ----------
    summary : RunSummary
    truth : (M, N) ndarray of float64, optional
        What an endless scan would have read.

    Returns
    -------
    Raster or None
        None where fewer than two points tell no time.
    """
    if not len(summary.spacings):
        return None
    each = max(float(np.median(summary.spacings)), 1e-9)
    num = int(np.clip(round(busy_seconds(summary) / each), 1, summary.grid.size))
    pixels = subgrid_pixels(summary.grid.shape, num)
    if truth is None:
        return Raster(pixels, each, None)
    values = truth[tuple(pixels.T)]
    return Raster(pixels, each, inverse_distance(SparseScan(truth.shape, pixels, values)))


def busy_seconds(summary: RunSummary) -> float:
    """Seconds of a run without those in which people had paused it."""
    paused, since = 0.0, None
    for said in summary.interventions:
        if said.kind == "pause" and since is None:
            since = said.time
        elif said.kind == "resume" and since is not None:
            paused, since = paused + said.time - since, None
    return max(summary.seconds - paused, 0.0)
