"""What has been read in a motor space: a log in which the last word on an event wins."""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class MotorObservation(NamedTuple):
    """What one event says.

    Attributes
    ----------
    id : int
        The event's number, counted through the runs that resume one another; the same number
        again replaces what was said.
    position : tuple of float
        Where the motors stood, as read, in their units; empty where the reading is taken back.
    value : float
        The steering reading; NaN where it is unusable.
    """

    id: int
    position: tuple[float, ...]
    value: float

    @property
    def values(self) -> tuple[float, ...]:
        """The readings of all channels: the one."""
        return (self.value,)

    @property
    def exposure(self) -> float:
        """How long it was counted, in nominal dwells: all as long as each other."""
        return 1.0

    @property
    def usable(self) -> bool:
        """Whether there is something to learn from."""
        return bool(self.position) and all(map(math.isfinite, (*self.position, self.value)))


class MotorObservations:
    """The fold of a log of observations, which hangs on the latest word on each number alone."""

    def __init__(self, log: Iterable[MotorObservation] = ()) -> None:
        self.log: list[MotorObservation] = []
        self._by_id: dict[int, MotorObservation] = {}
        self.extend(log)

    def __len__(self) -> int:
        """How many entries the log has, revisions included."""
        return len(self.log)

    def extend(self, entries: Iterable[MotorObservation]) -> None:
        """Append to the log."""
        fresh = list(entries)
        self.log += fresh
        self._by_id.update((entry.id, entry) for entry in fresh)

    @property
    def points(self) -> int:
        """Number of usable readings."""
        return sum(entry.usable for entry in self._by_id.values())

    @property
    def next_id(self) -> int:
        """One above the highest number so far; 1 before the first."""
        return max(self._by_id, default=0) + 1

    def unusable_run(self) -> int:
        """How many of the latest events in a row gave nothing usable."""
        latest = [entry.usable for _, entry in sorted(self._by_id.items(), reverse=True)]
        return latest.index(True) if True in latest else len(latest)

    def learned(self) -> tuple[Array, Array]:
        """(P, D) positions and (P,) values of the usable readings, by number; (0, 0) at first."""
        usable = [entry for _, entry in sorted(self._by_id.items()) if entry.usable]
        positions = np.array([entry.position for entry in usable], dtype=np.float64)
        values = np.array([entry.value for entry in usable], dtype=np.float64)
        return positions if usable else np.empty((0, 0)), values

    def fingerprint(self) -> bytes:
        """SHA-256 of the latest word on every number."""
        whole = hashlib.sha256()
        for number, entry in sorted(self._by_id.items()):
            value = entry.value if entry.usable else math.nan
            numbers = (*entry.position, value)
            whole.update(struct.pack(f"<q{len(numbers)}d", number, *numbers))
        return whole.digest()
