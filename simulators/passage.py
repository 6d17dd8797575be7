"""What a position-triggered counter counts while the stage flies by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .kinematics import Axis
from .physics import CountingChain

SAMPLES = 8  # places along a bin: the beam is wider than an eighth of a pixel
ROUNDING = 1e-9  # of a bin


@dataclass(frozen=True, eq=False)
class Bins:
    """What was counted, one column a bin.

    Attributes
    ----------
    counts : (C, K) ndarray of float64
        Counts of each detector channel.
    i0 : (K,) ndarray of float64
        Counts of the incident-beam monitor.
    elapsed : (K,) ndarray of float64
        s.
    x, y : (K,) ndarray of float64
        um, where the encoders stood on the average.
    """

    counts: NDArray[np.float64]
    i0: NDArray[np.float64]
    elapsed: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]


def count_bins(
    chain: CountingChain,
    axes: dict[str, Axis],
    axis: str,
    start: float,
    pitch: float,
    bins: int,
    current: Callable[[float], float],
    now: float,
) -> Bins:
    """Count while the stage went the way that its axes recorded.

    Parameters
    ----------
    chain : CountingChain
        The physics.
    axes : dict
        ``x`` and ``y``, which have recorded their ways.
    axis : str
        Which of them triggers.
    start, pitch : float
        um, where the first bin begins, and the width of each; negative where the axis flies back.
    bins : int
        Those at most; only bins that the axis has left count.
    current : callable
        mA at a time in s.
    now : float
        s; what an axis still in motion has yet to pass does not count.
    """
    ways = {name: each.way(now) for name, each in axes.items()}
    edges = crossings(*ways[axis][:2], start, pitch, bins)
    elapsed = np.diff(edges)
    parts = (np.arange(SAMPLES) + 0.5) / SAMPLES
    times = edges[:-1, None] + parts * elapsed[:, None]
    x, y = (np.interp(times, of, sample) for of, _, sample in ways.values())
    currents = np.array([current(float(time)) for time in times.mean(axis=1)])
    exposures = chain.expose_bins(x, y, elapsed, currents)
    counts = np.array([each.counts for each in exposures], dtype=float)
    where = [np.interp(times, of, encoder).mean(axis=1) for of, encoder, _ in ways.values()]
    return Bins(
        counts.reshape(len(exposures), len(chain.beam.specimen.channels)).T,
        np.array([each.i0 for each in exposures], dtype=float),
        elapsed,
        *where,
    )


def crossings(
    times: NDArray[np.float64],
    encoder: NDArray[np.float64],
    start: float,
    pitch: float,
    bins: int,
) -> NDArray[np.float64]:
    """(K,) s, when the encoder first passed the edges of the bins, as far as it got.

    None where it stood beyond the first one from the beginning, which then never triggers.
    """
    progress = np.maximum.accumulate((encoder - start) / pitch)
    if progress[0] > ROUNDING:
        return times[:0]
    edges = np.arange(bins + 1) - ROUNDING
    after = np.searchsorted(progress, edges)
    edges, after = edges[after < len(times)], after[after < len(times)]
    before = np.maximum(after - 1, 0)
    way = np.where(after > before, progress[after] - progress[before], 1.0)
    part = np.where(after > before, (edges - progress[before]) / way, 0.0)
    return times[before] + part * (times[after] - times[before])
