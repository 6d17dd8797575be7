"""What to fly over next: segments by gain against time, points where these are worth more."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .gains import Gains
from .segment_maps import SegmentMaps, cover, nothing_covered, reach_of, renew, restore
from .segment_search import Bounds, Price, demand, search_stale, take
from .stage_time import StageTime

STEPS = 4  # of an octave of the price: finer ones choose no better
SUPPLY = 1.0  # worthwhile pixels for each of a batch, as `demand` counts them
CHEAPEST = 100  # steps that a price is lowered at most
LOWERED = 8  # steps below the first price at which the rest of a batch is sought
KEPT = 12  # prices whose searches are kept
USUAL_LENGTH = 20  # pixels of a segment, where the hops between them are foreseen
HOP = 0.6  # mean move of a batch's route, of sqrt(area / stops); benchmarks/sampling_batches.py


@dataclass(frozen=True, eq=False)
class Flown:
    """Segments chosen, best first.

    Attributes
    ----------
    ends : (S, 2, 2) ndarray of int64
        First and last pixel of each.
    scores : (K,) ndarray of float64
        What each of their pixels gains, in order; 0 where it had been measured before.
    """

    ends: NDArray[np.int64]
    scores: NDArray[np.float64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(S,) pixels of each."""
        return np.abs(np.diff(self.ends, axis=1)).max(axis=(1, 2), initial=0) + 1

    @property
    def pixels(self) -> NDArray[np.int64]:
        """(K, 2) all their pixels, in order."""
        lengths = self.lengths
        steps = np.sign(np.diff(self.ends, axis=1)[:, 0]).repeat(lengths, axis=0)
        before = np.cumsum(lengths) - lengths
        along = np.arange(lengths.sum()) - before.repeat(lengths)
        return self.ends[:, 0].repeat(lengths, axis=0) + along[:, None] * steps


@dataclass(eq=False)
class SegmentChoice:
    """Chooses the segments of a batch.

    Each takes what it gains less its time's price, the largest first, as if those before were
    measured.  The price is such that about as many pixels are worth it as the batch has.  What is
    kept from call to call is a cache: a new one chooses the same.

    Parameters
    ----------
    barred : (M, N) ndarray of bool
        May not be flown over.
    stage : StageTime
        In pixels.
    """

    barred: NDArray[np.bool_]
    stage: StageTime
    _hint: dict[int, int] = field(default_factory=dict)
    _kept: dict[tuple[int, int], Price] = field(default_factory=dict)
    _bounds: dict[int, Bounds] = field(default_factory=dict)
    _score: NDArray[np.float32] | None = None
    _changes: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        self._maps = SegmentMaps.empty(self.shape)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the raster."""
        return (self.barred.shape[0], self.barred.shape[1])

    def choose(self, gains: Gains, room: int, pending: NDArray[np.int64]) -> Flown:
        """Choose segments of up to ``room`` pixels in all.

        Parameters
        ----------
        gains : Gains
        room : int
        pending : (Q, 2) ndarray of int64
            Count as measured.
        """
        renew(self._changed(gains), gains.score, gains.near, self.barred, self._maps)
        old, reach = nothing_covered(), reach_of(self._maps)
        for line, first, last in _runs(pending, self.shape):
            cover(line, first, last, self._maps, reach, old)
        found, scores = self._fill(room, reach, old)
        restore(self._maps, old)
        return Flown(_ends(found, self.shape[0]), scores * 2.0**gains.unit)

    def _changed(self, gains: Gains) -> NDArray[np.int64]:
        """(T, 2) tiles to look at again: all, unless these are the maps of before."""
        tiles = np.ones(self._maps.far.shape, dtype=bool)
        if gains.changes is not None and gains.score is self._score and self._changes is not None:
            tiles = gains.changes != self._changes
        self._score = gains.score
        self._changes = None if gains.changes is None else gains.changes.copy()
        return np.argwhere(tiles)

    def _fill(
        self, room: int, reach: int, old: Any
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Segments at the price that fits, then at lower ones while there is room."""
        found, scores = np.empty((0, 3), dtype=np.int64), np.empty(0)
        octave = room.bit_length()
        level = self._fitting(room, octave)
        for step in range(level, level - LOWERED, -1):
            price = self._at(step, octave)
            more, worth = take(room - len(scores), self._maps, price, reach, old)
            found, scores = np.concatenate([found, more]), np.concatenate([scores, worth])
            if len(scores) >= room or (len(more) and step < level):
                break
        return found, scores

    def _fitting(self, room: int, octave: int) -> int:
        """The highest price at which enough is worth it, from wherever one begins to look."""
        wanted = SUPPLY * room

        def suffices(level: int) -> bool:
            return demand(self._at(level, octave)) >= wanted

        ceiling = self._ceiling()
        found = highest(suffices, ceiling - CHEAPEST, ceiling, self._hint.get(octave, ceiling - 40))
        self._hint[octave] = found
        return found

    def _ceiling(self) -> int:
        """A price at which nothing is worth it."""
        least = min(max(self.stage.dwell, 1.0 / speed) for speed in self.stage.speed)
        worth = float(self._maps.top.max())
        return math.ceil(STEPS * math.log2(worth / least)) + 1 if worth > 0 else 0

    def _at(self, level: int, octave: int) -> Price:
        """Give the best segments at a price, searched where something has changed."""
        key = (level, octave)
        price = self._kept.pop(key, None)
        if price is None:
            bounds = self._bounds.setdefault(octave, Bounds.of(self._maps))
            price = Price.of(level, self._prices(level, octave), bounds)
        self._kept[key] = price
        while len(self._kept) > KEPT:
            self._kept.pop(next(iter(self._kept)))
        search_stale(self._maps, price)
        return price

    def _prices(self, level: int, octave: int) -> NDArray[np.float64]:
        """(2, 3) what a pixel of a line, a line and a point cost along the slow and fast axis."""
        stops = max(1.0, 0.75 * 2**octave / USUAL_LENGTH)
        apart = HOP * math.sqrt(self.shape[0] * self.shape[1] / stops)
        stage = self.stage
        aspect = math.sqrt(stage.speed[0] / stage.speed[1])
        there = (apart * aspect, apart / aspect)
        hop = float(stage.moves((0, 0), there)[0] + stage.moves(there, (0, 0))[0]) / 2
        costs = []
        for axis in (0, 1):
            a_bin = max(stage.dwell, 1.0 / stage.speed[axis])
            a_line = stage.line(10, 10, axis)[0] - 10 * a_bin
            costs.append((a_bin, a_line + hop, stage.exposure + hop))
        return np.array(costs) * 2.0 ** (level / STEPS)


def highest(suffices: Callable[[int], bool], lowest: int, ceiling: int, hint: int) -> int:
    """Find the highest level from ``lowest`` up that suffices, as all below it do.

    ``ceiling`` does not; a good ``hint`` saves tries and changes nothing.
    """
    level = min(max(hint, lowest), ceiling - 1)
    stride = 1
    if level == lowest or suffices(level):
        below, above = level, ceiling
        while below + stride < ceiling and suffices(below + stride):
            below, stride = below + stride, 2 * stride
        above = min(above, below + stride)
    else:
        below, above = lowest, level
        while above - stride > lowest and not suffices(above - stride):
            above, stride = above - stride, 2 * stride
        below = max(below, above - stride)
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (middle, above) if suffices(middle) else (below, middle)
    return below


def _runs(pixels: NDArray[np.int64], shape: tuple[int, int]) -> list[tuple[int, int, int]]:
    """Pixels in their order as (line, first, last), neighbours in a row or column together."""
    found: list[tuple[int, int, int]] = []
    k = 0
    while k < len(pixels):
        step = pixels[k + 1] - pixels[k] if k + 1 < len(pixels) else np.zeros(2, dtype=int)
        end = k
        if np.abs(step).sum() == 1:
            while end + 1 < len(pixels) and (pixels[end + 1] - pixels[end] == step).all():
                end += 1
        axis = 0 if step[0] and end > k else 1  # the axis along which they lie
        line = pixels[k, 1] + shape[0] if axis == 0 else pixels[k, 0]
        first, last = sorted((int(pixels[k, axis]), int(pixels[end, axis])))
        found.append((int(line), first, last))
        k = end + 1
    return found


def _ends(found: NDArray[np.int64], rows: int) -> NDArray[np.int64]:
    """(S, 2, 2) first and last pixel from (S, 3) line, first and last."""
    line, first, last = found.T
    along_row = np.stack([np.stack([line, first], -1), np.stack([line, last], -1)], axis=1)
    column = line - rows
    along_column = np.stack([np.stack([first, column], -1), np.stack([last, column], -1)], axis=1)
    return np.where((line < rows)[:, None, None], along_row, along_column)
