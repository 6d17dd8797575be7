"""What has been observed: an ordered log in which the last word on an event wins."""

from __future__ import annotations

import hashlib
import math
import struct
from array import array
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..models import SparseScan


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
    """

    id: int
    row: int
    column: int
    value: float

    @property
    def usable(self) -> bool:
        """Whether there is a pixel and a finite value to learn from."""
        return self.row >= 0 and self.column >= 0 and math.isfinite(self.value)


class Observations:
    """The fold of a log of observations.

    A RunEngine that rewinds emits an event again under the same number, so observations are kept
    by number and the last one wins.  Where several events fell on one pixel, the highest number
    stands for it.  So what is known depends on the latest word on each number alone, and not on
    the order in which the numbers came.
    """

    def __init__(self, log: Iterable[Observation] = ()) -> None:
        self.log: list[Observation] = []
        self._by_id: dict[int, Observation] = {}
        self._highest = 0
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
        fresh = [Observation(*entry) for entry in entries]
        in_order = True
        for entry in fresh:
            in_order = in_order and entry.id > self._highest
            self._highest = max(self._highest, entry.id)
            self._by_id[entry.id] = entry
        self.log += fresh
        if not in_order:  # a revision takes back what was folded: fold the whole anew
            self._clear()
            self._by_id = dict(sorted(self._by_id.items()))
        for entry in fresh if in_order else self._by_id.values():
            self._fold(entry)

    def _clear(self) -> None:
        self._place: dict[tuple[int, int], int] = {}
        self._pixels, self._values, self._ids = array("q"), array("d"), array("q")
        self._unread: set[tuple[int, int]] = set()
        self._unusable_run = 0
        self._hash = hashlib.sha256()

    def _fold(self, entry: Observation) -> None:
        """Take an observation whose number is above all those taken before."""
        pixel = (entry.row, entry.column)
        value = entry.value if entry.usable else math.nan
        self._hash.update(struct.pack("<qqqd", entry.id, *pixel, value))
        if not entry.usable:
            self._unusable_run += 1
            if min(pixel) >= 0:
                self._unread.add(pixel)
            return
        self._unusable_run = 0
        place = self._place.setdefault(pixel, len(self._place))
        if place == len(self._values):
            self._pixels.extend(pixel)
            self._values.append(entry.value)
            self._ids.append(entry.id)
        else:
            self._values[place], self._ids[place] = entry.value, entry.id

    def fingerprint(self) -> bytes:
        """SHA-256 of the latest word on every number, at the cost of what is new."""
        return self._hash.digest()

    @property
    def points(self) -> int:
        """Number of pixels with a usable value."""
        return len(self._values)

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
        """The usable observation of the highest value; None before the first."""
        if not self._values:
            return None
        return self._by_id[self._ids[int(np.argmax(self._values))]]

    def scan(self, shape: tuple[int, int]) -> SparseScan:
        """What a model may learn from: usable values, one a pixel, in the order measured."""
        pixels = np.array(self._pixels, dtype=np.int64).reshape(-1, 2)
        return SparseScan(shape, pixels, np.array(self._values, dtype=np.float64))

    def barren(self) -> NDArray[np.int64]:
        """(B, 2) pixels that were measured without a usable value."""
        pixels = sorted(pixel for pixel in self._unread if pixel not in self._place)
        return np.array(pixels, dtype=np.int64).reshape(-1, 2)

    def unusable_run(self) -> int:
        """How many of the latest events in a row gave nothing usable."""
        return self._unusable_run
