"""What a scan measures before its first choice: lines that are flown, or scattered points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .low_discrepancy import halton_pixels
from .observations import Observations
from .route import tour
from .sampler import Choice, Request, Sampler
from .segment import kept_lengths
from .segment_sampler import SegmentSampler
from .stage_time import StageTime

SMALLEST_START = 10  # the inverse-distance reconstruction looks at ten neighbours


class StartDesign:
    """The first pixels of a scan, in the order of the visit.

    Parameters
    ----------
    pixels : (K, 2) ndarray of int64
    lengths : (S,) ndarray of int64
        How many of them each segment has.
    """

    def __init__(self, pixels: NDArray[np.int64], lengths: NDArray[np.int64]) -> None:
        self.pixels, self.lengths = pixels, lengths
        self._done_at: int | None = None  # refolds of the log, when all of it was measured

    @classmethod
    def of(
        cls,
        shape: tuple[int, int],
        sampler: Sampler | SegmentSampler,
        share: float,
        most: int,
        seed: int,
        stage: StageTime | None,
    ) -> StartDesign:
        """Design it.

        Parameters
        ----------
        shape : (2,) tuple of int
        sampler : Sampler or SegmentSampler
            Whoever chooses afterwards.
        share : float
            Of the raster, where points begin; 0 or less for nothing.
        most : int
            Pixels that the scan may measure in all.
        seed : int
        stage : StageTime or None
            In pixels.
        """
        if share <= 0:
            return cls(np.empty((0, 2), dtype=np.int64), np.empty(0, dtype=np.int64))
        if isinstance(sampler, SegmentSampler):
            flown = sampler.start(shape, most)
            if flown is not None:
                return cls(*flown)
        num = min(max(round(share * shape[0] * shape[1]), SMALLEST_START), most)
        pixels = halton_pixels(shape, num, seed)
        return cls(pixels[tour(pixels, (0, 0), stage)], np.ones(num, dtype=np.int64))

    def __len__(self) -> int:
        """How many pixels it has."""
        return len(self.pixels)

    @property
    def flown(self) -> bool:
        """Whether there are lines."""
        return len(self.lengths) < len(self.pixels)

    def left(
        self, request: Request, observations: Observations, blocked: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Which of its pixels are neither measured nor on their way.

        It is not looked for again once all are measured, until the log is folded anew.

        Parameters
        ----------
        request : Request
        observations : Observations
            From which the request was made.
        blocked : (B, 2) ndarray of int64
            May never be measured.
        """
        if self._done_at == observations.refolds:
            return np.empty(0, dtype=np.int64)
        rows, columns = self.pixels.T
        found = np.flatnonzero(~request.taken[rows, columns])
        for_good = np.concatenate([blocked, observations.barren()])
        if not len(found) and replace(request, pending=for_good).taken[rows, columns].all():
            self._done_at = observations.refolds
        return found

    def choice(self, indices: NDArray[np.int64]) -> Choice:
        """Choose some of its pixels, given by their indices."""
        return Choice(self.pixels[indices], lengths=kept_lengths(self.lengths, indices))
