"""One channel's reading of every measured pixel, where it gave none the nearest earlier one."""

from __future__ import annotations

import math
from array import array

import numpy as np
from numpy.typing import NDArray


class ChannelValues:
    """The values of one channel, by the place of their pixel in the order measured.

    A pixel counts as measured when any channel gave a value there.  One that gave none takes that
    of its nearest earlier reading, so that nothing new is seen in its map and it calls for no
    points; where the pixel had been measured before, that is what it read then.  Of what came
    before its first reading it takes that one; without any, it is 0 everywhere.

    Parameters
    ----------
    adds : bool
        Whether readings of one pixel are weighed by their exposures; else the last one stands.
    """

    def __init__(self, *, adds: bool = False) -> None:
        self._adds = adds
        self._values, self._exposures = array("d"), array("d")
        self._own = bytearray()  # 1 where the value was read, 0 where it stands for another

    def put(self, place: int, value: float, pixels: array[int], exposure: float = 1.0) -> None:
        """Take the value at a place, NaN where there is none.

        Parameters
        ----------
        place : int
            At most one beyond the last.
        value : float
        pixels : array of int
            Rows and columns of all places so far, in turn.
        exposure : float
            How long it was counted, above 0.
        """
        own = math.isfinite(value)
        if place == len(self._values):
            self._values.append(math.nan)
            self._exposures.append(exposure)
            self._own.append(0)
        if own and self._own[place] and self._adds:
            before, all_in_all = self._exposures[place], self._exposures[place] + exposure
            counted = self._values[place] * before + value * exposure
            self._values[place], self._exposures[place] = counted / all_in_all, all_in_all
        elif own:
            self._values[place], self._exposures[place], self._own[place] = value, exposure, 1
        elif not self._own[place]:
            self._values[place] = self._nearest(place, pixels)

    def at(self, place: int) -> float:
        """Value at a place; NaN before the first reading."""
        return self._values[place]

    def exposure_at(self, place: int) -> float:
        """How long a place was counted in all."""
        return self._exposures[place]

    @property
    def exposures(self) -> NDArray[np.float64]:
        """(P,) how long each place was counted in all."""
        return np.array(self._exposures, dtype=np.float64)

    def filled(self) -> NDArray[np.float64]:
        """(P,) finite values, in the order measured."""
        values = np.array(self._values, dtype=np.float64)
        before = np.isnan(values)
        if before.any():
            first = values[~before][:1]
            values[before] = first[0] if len(first) else 0.0
        return values

    @property
    def highest(self) -> int | None:
        """Where the highest value was read, the earliest of equals; None without any."""
        if not any(self._own):
            return None
        own = np.frombuffer(self._own, dtype=np.uint8) > 0
        return int(np.argmax(np.where(own, self._values, -np.inf)))

    def _nearest(self, place: int, pixels: array[int]) -> float:
        """Value read nearest to a place, the earliest of equals; NaN where none was."""
        there = np.flatnonzero(np.frombuffer(self._own, dtype=np.uint8))
        if not len(there):
            return math.nan
        where = np.array(pixels, dtype=np.int64).reshape(-1, 2)
        away = np.square(where[there] - where[place]).sum(axis=1)
        return self._values[int(there[np.argmin(away)])]
