"""A sampler whose batches are flown: segments by its own gains, and points where they pay more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..models import ErrorEstimate
from .batch_size import largest_batch
from .flown_start import flown_start, flying_pays
from .gains import Gains
from .route import flown_order
from .sampler import Choice, Request, Sampler
from .segment_choice import SegmentChoice
from .stage_time import StageTime

SEGMENTS = 0.5  # of a batch's pixels; where fewer lie on segments, points are chosen as without

NOWHERE = np.empty((0, 2), dtype=np.int64)


class SegmentSampler:
    """Chooses segments by what a sampler expects to gain, or lets it choose points.

    Parameters
    ----------
    sampler : Sampler
        One without ``gains`` chooses points.
    stage : StageTime
        In pixels.
    blocked : (B, 2) ndarray of int64
        May not be flown over; the first of a request's unavailable pixels.
    """

    def __init__(self, sampler: Sampler, stage: StageTime, blocked: NDArray[np.int64]) -> None:
        self._sampler, self._stage, self._blocked = sampler, stage, blocked
        self._segments: SegmentChoice | None = None

    def start(
        self, shape: tuple[int, int], most: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
        """Lines to begin with, as `flown_start`; None where points are better, or alone chosen."""
        if not hasattr(self._sampler, "gains"):
            return None
        return flown_start(shape, self._stage, most, self._barred(shape))

    def choose(self, request: Request) -> Choice:
        """Choose up to ``request.num`` pixels, on segments as a rule."""
        ask = getattr(self._sampler, "gains", None)
        pays = flying_pays(request.scan.shape, self._stage)
        if ask is None or not pays or not len(request.scan.values):
            return self._points(request)
        gains = ask(request)
        if self._segments is None:
            self._segments = SegmentChoice(self._barred(request.scan.shape), self._stage)
        pending = request.pending[len(self._blocked) :]
        flown = self._segments.choose(gains, request.num, pending)
        if flown.lengths[flown.lengths > 1].sum() < SEGMENTS * max(1, flown.lengths.sum()):
            return self._points(request)
        e = gains.estimate
        return Choice(flown.pixels, flown.scores, e.nrmse, e.low, e.high, e.rms, flown.lengths)

    def warm_up(self) -> None:
        """Compile what is compiled when first used."""
        near = np.full((24, 24), 4, dtype=np.int32)
        gains = Gains(np.zeros((24, 24), dtype=np.float32), near, ErrorEstimate(0))
        barred = np.zeros((24, 24), dtype=np.bool_)
        flown = SegmentChoice(barred, self._stage).choose(gains, 30, NOWHERE)
        flown_order(flown.pixels, flown.lengths, (0, 0), self._stage)

    def _barred(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        barred = np.zeros(shape, dtype=np.bool_)
        barred[self._blocked[:, 0], self._blocked[:, 1]] = True
        return barred

    def _points(self, request: Request) -> Choice:
        most = largest_batch(self._stage, request.scan.shape)
        return self._sampler.choose(replace(request, num=min(request.num, most)))
