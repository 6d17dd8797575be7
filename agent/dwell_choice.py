"""How long each target is counted, and which pixels are worth counting again: photons to need.

Where a pixel's neighbours foretell it with the expected square s of their error, and n is the
variance of a count of one dwell, a count of t dwells takes off ``s t / (t + tau)``, ``tau = n / s``
(posterior variance of a Gaussian prior and reading, C. E. Rasmussen, C. K. I. Williams, Gaussian
Processes for Machine Learning, MIT Press 2006, equation 2.26, of one point).  It takes the time
``h + t``, h that of the way there in dwells.  Gain against time is greatest at

    t = sqrt(h tau).

s is not that of the target, but the map's: the price that a second has elsewhere.  By its own s a
target that promises much would get a short count, only to be come back to, and the way is paid
twice.  Nor is it today's, as the map's error falls while the scan goes on.

Counting a pixel of T dwells again takes off ``n / T - n / (T + t)``; by the same reckoning that
gains more against time than what is new if, and only if, ``T < tau``: where its own count is less
sure than the map.  As every return costs the way, it waits until two octaves are missing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..models import SparseScan, foretold_counts
from .batch_size import HOP
from .sampler import Choice, Request, Sampler
from .stage_time import StageTime

LATER = 0.5  # of the map's squared error now: what it is on average over the rest of a scan
ASKED = 500  # pixels that tell the map's error
MISSING = 4.0  # times too short a pixel's count is before it is worth coming back to
MOST_AGAIN = 0.5  # of a batch: the rest goes on through the raster
ROUNDING = 1e-9  # of an octave
STEPS = 256.0  # of an octave of gain against time: last bits decide nothing
LEAST = 1e-300


def dwell_chooser(
    sampler: Sampler, stage: StageTime | None, longest: float | None
) -> DwellChoice | None:
    """What chooses the dwells of a sampler's targets; None where all are alike.

    Parameters
    ----------
    sampler : Sampler
        With ``counts_per_unit``: how many counts a value of 1 stands for in a nominal dwell.
    stage : StageTime or None
        Its dwell is the nominal one, and the shortest.
    longest : float or None
        s.

    Raises
    ------
    ValueError
        If nobody says how long the stage takes, or what a value is in counts, or the longest
        dwell is below the nominal one.
    """
    if longest is None:
        return None
    if stage is None or not stage.dwell > 0:
        raise ValueError(
            "choosing the dwell needs the nominal dwell and the stage's speed, to weigh counting "
            "against moving, but they did not come: give stage= with a dwell (--dwell and --speed)"
        )
    if not stage.dwell <= longest < np.inf:
        raise ValueError(
            f"the longest dwell must be the nominal {stage.dwell:g} s or more, but {longest} came"
        )
    counts = getattr(sampler, "counts_per_unit", None)
    if counts is None:
        raise ValueError(
            "choosing the dwell needs to know the counting error: give the agent's option "
            "counts_per_unit, the detector counts that a value of 1 stands for in a nominal "
            f"dwell (of counts/s: the dwell, {stage.dwell:g})"
        )
    return DwellChoice(stage, float(longest), float(counts))


@dataclass(frozen=True)
class DwellChoice:
    """Chooses dwells in octaves of the nominal one.

    Attributes
    ----------
    stage : StageTime
        In pixels; its dwell is the nominal one.
    longest : float
        s.
    counts_per_unit : float
        Counts that a value of 1 stands for in a nominal dwell.
    """

    stage: StageTime
    longest: float
    counts_per_unit: float

    @property
    def most(self) -> int:
        """Octaves from the nominal dwell to the longest."""
        return int(np.log2(self.longest / self.stage.dwell) + ROUNDING)

    def of(self, choice: Choice, request: Request) -> Choice:
        """Give each segment its dwell; measured pixels take the place of the last of it.

        Depends on the request and the choice alone.  Those measured again have no score.
        """
        scan = request.scan.channels[0]
        if not len(scan.values):
            return choice
        square = self._map_square(scan)
        dwells = self._of_new(choice, scan, square)
        again, longer = self._again(request, scan, square)
        room = request.num - len(again)
        kept = np.cumsum(choice.lengths) <= room
        if not len(again) or not kept.any():  # never those alone: the scan must go on
            return replace(choice, dwells=dwells)
        num = int(choice.lengths[kept].sum())
        return replace(
            choice,
            pixels=np.concatenate([choice.pixels[:num], again]),
            scores=np.concatenate([choice.scores[:num], np.full(len(again), np.nan)]),
            lengths=np.concatenate([choice.lengths[kept], np.ones(len(again), np.int64)]),
            dwells=np.concatenate([dwells[kept], longer]),
        )

    def _of_new(self, choice: Choice, scan: SparseScan, square: float) -> NDArray[np.float64]:
        """(S,) dwells of segments, by the mean of their pixels' noise."""
        last = np.cumsum(choice.lengths) - 1
        first = last - choice.lengths + 1
        ends = np.stack([choice.pixels[first], choice.pixels[last]], axis=1)
        noise = self._noise(scan, choice.pixels)
        mean = np.add.reduceat(noise, first) / choice.lengths if len(first) else noise
        lines = self.stage.lines(ends)
        flown = lines[:, 0] - choice.lengths * lines[:, 2]
        stopped = np.full(len(ends), self.stage.exposure - self.stage.dwell)
        besides = np.where(choice.lengths > 1, flown, stopped)
        hop = (besides + self._hop(scan.shape, len(ends))) / choice.lengths
        return self._octave(np.sqrt(hop / self.stage.dwell * mean / (LATER * square)))

    def _again(
        self, request: Request, scan: SparseScan, square: float
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """(R, 2) measured pixels to be counted again, best first, and (R,) for how long."""
        free = np.ones(scan.shape, dtype=bool)
        free[tuple(request.pending.T)] = False
        there = np.flatnonzero(free[tuple(scan.pixels.T)])
        pixels = scan.pixels[there]
        counted = np.broadcast_to(scan.times, len(scan.values))[there]
        noise = self._noise(scan, pixels)
        besides = self.stage.exposure - self.stage.dwell + self._hop(scan.shape, request.num)
        hop = besides / self.stage.dwell
        worth = np.log2(noise / (counted * np.square(np.sqrt(counted) + np.sqrt(hop))))
        wanted = np.sqrt(hop * noise / (LATER * square))
        short = (counted * square < noise) & (MISSING * counted <= wanted)
        worth = np.where(short, np.rint(STEPS * worth), -np.inf)
        best = np.lexsort((pixels[:, 1], pixels[:, 0], -worth))
        best = best[np.isfinite(worth[best])][: int(MOST_AGAIN * request.num)]
        return pixels[best], self._octave(wanted[best] - counted[best])

    def _noise(self, scan: SparseScan, pixels: NDArray[np.int64]) -> NDArray[np.float64]:
        """(K,) variances of counts of one nominal dwell, at least that of one count."""
        rates, _ = foretold_counts(scan, pixels, counts_per_unit=self.counts_per_unit)
        return np.maximum(rates, 1 / self.counts_per_unit) / self.counts_per_unit

    def _map_square(self, scan: SparseScan) -> float:
        """Mean squared error expected of the map between the measured pixels."""
        left = scan.unmeasured
        some = left[:: max(1, len(left) // ASKED)] if len(left) else scan.pixels
        _, squares = foretold_counts(scan, some, counts_per_unit=self.counts_per_unit)
        return max(float(squares.mean()), LEAST)

    def _hop(self, shape: tuple[int, int], stops: int) -> float:
        """S of the mean move of a route through so many stops."""
        apart = HOP * np.sqrt(shape[0] * shape[1] / max(stops, 1))
        return float(self.stage.moves((0, 0), (apart, apart))[0])

    def _octave(self, dwells: NDArray[np.float64]) -> NDArray[np.float64]:
        """(K,) the nearest octaves of the nominal dwell, within the bounds."""
        return np.exp2(np.clip(np.rint(np.log2(np.maximum(dwells, 1.0))), 0, self.most))
