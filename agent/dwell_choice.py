"""How long each target is counted, and which pixels are worth a second look: photons to need.

The map draws a reading towards its neighbours as far as counting explains their difference.  Where
the neighbours foretell a pixel with the expected square s of their error, and lambda v counts come
in a dwell, a count of T dwells leaves the square ``s tau / (T + tau)``, with
``tau = v / (lambda s)`` the dwells after which the counting variance is s (the posterior variance
of a Gaussian prior and reading: C. E. Rasmussen, C. K. I. Williams, Gaussian Processes for Machine
Learning, MIT Press 2006, equation 2.26, of one point).  t dwells more gain

    g(t) = a s tau t / ((T + tau) (T + tau + t))

where a is the area that the pixel stands for, and take ``h + t`` with the way there.  g over that
is greatest at ``t = sqrt(h (T + tau))``, of a new pixel ``sqrt(h tau)``.  A pixel that has been
measured is counted again where that gains more, for the time, than the new ones do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from ..models import SparseScan, foretold_counts
from .batch_size import HOP
from .sampler import Choice, Request, Sampler
from .stage_time import StageTime

STEPS = 256.0  # of an octave of gain against time: last bits decide nothing


def dwell_choice(
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
            "against moving, but they did not come: give stage= with a dwell"
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
    """Chooses dwells by gain against time, in octaves of the nominal one.

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
    def octaves(self) -> NDArray[np.float64]:
        """(O,) nominal dwells to choose among, growing."""
        return 2.0 ** np.arange(int(np.log2(self.longest / self.stage.dwell) + 1e-9) + 1)

    def of(self, choice: Choice, request: Request) -> Choice:
        """Give each segment its dwell; measured pixels take the place of those that gain less.

        Depends on the request and the choice alone.  Those measured again have no score.
        """
        scan = request.scan.channels[0]
        if not len(scan.values):
            return choice
        again = scan.pixels[_free(scan, request.pending)[tuple(scan.pixels.T)]]
        pixels = np.concatenate([choice.pixels, again])
        lengths = np.concatenate([choice.lengths, np.ones(len(again), np.int64)])
        scores = np.concatenate([choice.scores, np.full(len(again), np.nan)])
        areas = _areas(scan, request.pending, choice.pixels)
        gains = self._gains(scan, pixels, areas[tuple(pixels.T)])
        hop = self._hop(scan.shape, len(choice.lengths))
        worth, dwells = self._best(gains, pixels, lengths, hop)
        kept = _first(worth, lengths, request.num)
        of_kept = np.repeat(np.isin(np.arange(len(lengths)), kept), lengths)
        return replace(
            choice,
            pixels=pixels[of_kept],
            scores=scores[of_kept],
            lengths=lengths[kept],
            dwells=dwells[kept],
        )

    def _gains(
        self, scan: SparseScan, pixels: NDArray[np.int64], areas: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """(O, K) gains of counting each of some pixels for each of the dwells."""
        times = np.zeros(scan.shape)
        times[tuple(scan.pixels.T)] = scan.times
        rates, squares = foretold_counts(scan, pixels, counts_per_unit=self.counts_per_unit)
        noise = np.maximum(rates, 1 / self.counts_per_unit) / self.counts_per_unit
        before = times[tuple(pixels.T)]
        return areas * gain(squares, noise, before, self.octaves[:, None])

    def _best(
        self,
        gains: NDArray[np.float64],
        pixels: NDArray[np.int64],
        lengths: NDArray[np.int64],
        hop: float,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(S,) gain by time of each segment, octaves, with the best of the dwells, and (S,) that.

        Of equals the shortest.
        """
        last = np.cumsum(lengths) - 1
        first = last - lengths + 1
        ends = np.stack([pixels[first], pixels[last]], axis=1)
        dwells = self.octaves[:, None] * self.stage.dwell
        stages = [replace(self.stage, dwell=float(dwell)) for dwell in dwells[:, 0]]
        seconds = np.stack([stage.lines(ends)[:, 0] for stage in stages])
        with np.errstate(divide="ignore"):
            worth = np.log2(np.add.reduceat(gains, first, axis=1) / (hop + seconds))
        worth = np.rint(STEPS * worth)
        best = np.argmax(worth, axis=0)
        return worth[best, np.arange(len(lengths))], self.octaves[best]

    def _hop(self, shape: tuple[int, int], stops: int) -> float:
        """S of the mean move of a route through so many stops."""
        apart = HOP * np.sqrt(shape[0] * shape[1] / max(stops, 1))
        return float(self.stage.moves((0, 0), (apart, apart))[0])


def gain(
    square: NDArray[np.float64],
    noise: NDArray[np.float64],
    before: NDArray[np.float64],
    dwell: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Squared error that counting a pixel for so long takes off.

    Parameters
    ----------
    square : ndarray of float64
        Squared error where it has not been counted, expected.
    noise : ndarray of float64
        Variance of a count of one nominal dwell, above 0.
    before : ndarray of float64
        Nominal dwells for which it has been counted; 0 where it has not.
    dwell : ndarray of float64
        Nominal dwells more.
    """
    # as s tau = noise, nothing is divided by an s of 0
    left = square * noise / (square * before + noise)
    return left - square * noise / (square * (before + dwell) + noise)


def _free(scan: SparseScan, unavailable: NDArray[np.int64]) -> NDArray[np.bool_]:
    free = np.ones(scan.shape, dtype=bool)
    free[tuple(unavailable.T)] = False
    return free


def _areas(
    scan: SparseScan, pending: NDArray[np.int64], chosen: NDArray[np.int64]
) -> NDArray[np.int64]:
    """(M, N) how many pixels each one stands for when all are measured; 0 of others."""
    free = ~scan.mask
    for pixels in (pending, chosen):
        free[tuple(pixels.T)] = False
    found = distance_transform_edt(free, return_distances=False, return_indices=True)
    rows, columns = np.asarray(found, dtype=np.int64)
    flat = rows * scan.shape[1] + columns
    return np.bincount(flat.ravel(), minlength=free.size).reshape(scan.shape)


def _first(worth: NDArray[np.float64], lengths: NDArray[np.int64], num: int) -> NDArray[np.int64]:
    """Which segments are worth most, in their order, as long as there is room for ``num`` pixels.

    Of equals those that stand first.
    """
    order = np.argsort(-worth, kind="stable")
    return np.sort(order[np.cumsum(lengths[order]) <= num])
