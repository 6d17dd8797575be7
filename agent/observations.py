"""What has been observed: an ordered log in which the last word on an event wins."""

from __future__ import annotations

import functools
import hashlib
import math
import operator
import struct
from array import array
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..models import ReadingLog, SparseScan
from .channel_values import ChannelValues


class Observation(NamedTuple):
    """What one event says.

    Attributes
    ----------
    id : int
        The event's number, counted through the runs that resume one another; the same number
        again replaces what was said.
    row, column : int
        Pixel nearest to the *measured* position; -1 where that was off the grid.
    value : float
        The steering reading; NaN or inf where it is unusable.
    others : tuple of float
        Those of further channels, where several steer together.
    exposure : float
        How long it was counted, in nominal dwells, where the scan chooses its dwell.  Values are
        rates (counts/s, or relative to the incident beam), so that they do not grow with it.
    """

    id: int
    row: int
    column: int
    value: float
    others: tuple[float, ...] = ()
    exposure: float = 1.0

    @property
    def values(self) -> tuple[float, ...]:
        """The readings of all channels."""
        return (self.value, *self.others)

    @property
    def usable(self) -> bool:
        """Whether there is a pixel, and a channel with a finite value to learn from."""
        counted = 0 < self.exposure < math.inf
        there = self.row >= 0 and self.column >= 0 and counted
        return there and (math.isfinite(self.value) or any(map(math.isfinite, self.others)))


class Observations:
    """The fold of a log of observations.

    A RunEngine that rewinds emits an event again under the same number, so observations are kept
    by number and the last one wins.  Where several events fell on one pixel, the highest number
    stands for it; or all of them, their counts added up, where that is wanted.  So what is known
    depends on the latest word on each number alone, and not on the order in which the numbers
    came.  A channel that gave nothing where others did has the value of its nearest earlier
    reading there, see `ChannelValues`.

    Parameters
    ----------
    log : iterable of Observation
    adds : bool
        Whether readings of one pixel add their counts, as in a scan that chooses its dwell: the
        value is then the mean of the rates, each weighed by its exposure.

    Attributes
    ----------
    refolds : int
        How often a revision has taken back what was known: until the next one, a pixel that was
        measured stays so.
    """

    def __init__(self, log: Iterable[Observation] = (), *, adds: bool = False) -> None:
        self.adds = adds
        self.log: list[Observation] = []
        self._by_id: dict[int, Observation] = {}
        self._highest = 0
        self.refolds = 0
        self._clear()
        self.extend(log)

    def __len__(self) -> int:
        """How many entries the log has, revisions included."""
        return len(self.log)

    def append(self, entry: Observation) -> None:
        """Append one observation, or the revision of an earlier one."""
        self.extend([entry])

    def extend(self, entries: Iterable[Observation]) -> None:
        """Append to the log."""
        fresh = list(entries)
        numbers = [entry.id for entry in fresh]
        in_order = all(map(operator.lt, [self._highest, *numbers], numbers))
        self._highest = max([self._highest, *numbers])
        self._by_id.update(zip(numbers, fresh, strict=True))
        self.log += fresh
        if not in_order:  # a revision takes back what was folded: fold the whole anew
            self._clear()
            self.refolds += 1
            self._by_id = dict(sorted(self._by_id.items()))
        said = [self._fold(entry) for entry in (fresh if in_order else self._by_id.values())]
        self._hash.update(b"".join(said))

    def _clear(self) -> None:
        self._place: dict[tuple[int, int], int] = {}
        self._pixels, self._ids = array("q"), array("q")
        self._channels: tuple[ChannelValues, ...] = ()
        self._counted, self._known = array("q"), array("d")
        self._unread: set[tuple[int, int]] = set()
        self._unusable_run = self._used = 0
        self._hash = hashlib.sha256()

    def _fold(self, entry: Observation) -> bytes:
        """Take an observation whose number is above all those taken before; tell what it says."""
        number, row, column, value, others, exposure = entry
        values = [v if math.isfinite(v) else math.nan for v in (value, *others)]
        usable = entry.usable
        if not usable:
            values = [math.nan] * len(values)
        said = _layout(len(values)).pack(number, row, column, *values)
        if self.adds:
            said += struct.pack("<d", exposure)
        if not usable:
            self._unusable_run += 1
            if row >= 0 and column >= 0:
                self._unread.add((row, column))
            return said
        self._unusable_run = 0
        self._used += 1
        place = self._place.setdefault((row, column), len(self._place))
        if place == len(self._ids):
            self._pixels.extend((row, column))
            self._ids.append(number)
        elif math.isfinite(values[0]):  # else the first channel's reading is still that of before
            self._ids[place] = number
        self._channels = self._channels or tuple(ChannelValues(adds=self.adds) for _ in values)
        if len(values) != len(self._channels):
            raise ValueError(
                f"event {number} has {len(values)} channels, but those before have "
                f"{len(self._channels)}: steer by the same keys all through a run"
            )
        for channel, value in zip(self._channels, values, strict=True):
            channel.put(place, value, self._pixels, exposure)
        if self.adds:
            self._counted.append(place)
            self._known.extend([each.at(place) for each in self._channels])
            self._known.append(self._channels[0].exposure_at(place))
        return said

    def fingerprint(self) -> bytes:
        """SHA-256 of the latest word on every number, at the cost of what is new."""
        return self._hash.digest()

    @property
    def points(self) -> int:
        """Number of pixels with a usable value."""
        return len(self._ids)

    @property
    def taught(self) -> int:
        """How many readings have taught something: of one pixel one, unless they add up."""
        return self._used if self.adds else self.points

    @property
    def next_id(self) -> int:
        """One above the highest number so far; 1 before the first."""
        return self._highest + 1

    @property
    def last(self) -> Observation | None:
        """The latest word on the highest number; None before the first."""
        return next(reversed(self._by_id.values()), None)

    @property
    def best(self) -> Observation | None:
        """The usable observation of the highest (first) value; None before the first."""
        highest = self._channels[0].highest if self._channels else None
        if highest is None:
            return None
        latest = self._by_id[self._ids[highest]]
        if not self.adds:
            return latest
        value, *others = (float(channel.filled()[highest]) for channel in self._channels)
        return latest._replace(value=value, others=tuple(others))

    def scan(self, shape: tuple[int, int]) -> SparseScan:
        """What a model may learn from: usable values, one a pixel, in the order measured."""
        pixels = np.array(self._pixels, dtype=np.int64).reshape(-1, 2)
        values = [channel.filled() for channel in self._channels] or [np.empty(0)]
        exposures = self._channels[0].exposures if self.adds and self._channels else None
        return SparseScan(shape, pixels, values[0], tuple(values[1:]), exposures, self._readings())

    def _readings(self) -> ReadingLog | None:
        """The readings one by one, where they add up; None where a channel still lacked a value."""
        if not self._counted:
            return None
        known = np.array(self._known, dtype=np.float64).reshape(len(self._counted), -1)
        if not np.isfinite(known).all():
            return None
        *values, exposures = np.ascontiguousarray(known.T)
        return ReadingLog(np.array(self._counted, dtype=np.int64), tuple(values), exposures)

    def barren(self) -> NDArray[np.int64]:
        """(B, 2) pixels that were measured without a usable value."""
        pixels = sorted(pixel for pixel in self._unread if pixel not in self._place)
        return np.array(pixels, dtype=np.int64).reshape(-1, 2)

    def unusable_run(self) -> int:
        """How many of the latest events in a row gave nothing usable."""
        return self._unusable_run


@functools.cache
def _layout(channels: int) -> struct.Struct:
    """Number, row, column and values of an observation, as they enter the fingerprint."""
    return struct.Struct(f"<qqq{channels}d")
