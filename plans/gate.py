"""Devices of the plan's own that stand before the real ones, in messages that are replayed too."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

from ..agent import Guard, RefusedTargetError
from .status import FutureStatus, finished


class Gate:
    """Is set to each position before the motors are, and raises where the guard objects.

    A message of its own, so that a move which the RunEngine repeats after a pause is asked for
    again: a region may have been forbidden meanwhile.

    Parameters
    ----------
    guard : callable
        Gives the guard of this moment: people may add regions while a scan runs.
    """

    parent = None
    name = "gate"

    def __init__(self, guard: Callable[[], Guard]) -> None:
        self.guard = guard
        self.stands: dict[str, float] = {}
        self._heading: dict[str, float] = {}  # since it last stood still
        self._unanswered: Exception | None = None

    def set(self, position: Mapping[str, float]) -> FutureStatus:
        """Let the stage be driven to a position; an axis that is not named goes where it is going.

        Raises
        ------
        RefusedTargetError
            If the guard objects.
        Exception
            What ``look`` met with, if it did.
        """
        if self._unanswered is not None:
            raise self._unanswered
        whole = {**self.stands, **self._heading, **position}
        why = self.guard().objection(whole, self.stands)
        if why is not None:
            where = ", ".join(f"{axis} = {value:.6g}" for axis, value in whole.items())
            raise RefusedTargetError(f"the guard refused {where}: {why}")
        self._heading = whole
        return finished()

    def arrived(self) -> None:
        """Hear that the stage stands where it was sent."""
        self.stands, self._heading = {**self.stands, **self._heading}, {}

    @property
    def looked(self) -> bool:
        """Whether it is known where the stage stands."""
        return bool(self.stands) and self._unanswered is None

    async def look(self, motors: Mapping[str, Any]) -> None:
        """Find out where the stage stands, by axis; where that fails, ``set`` will say so."""
        self.stands, self._heading, self._unanswered = {}, {}, None
        try:
            for axis, motor in motors.items():
                reading = motor.read()
                if inspect.isawaitable(reading):
                    reading = await reading
                self.stands[axis] = float(reading[axis]["value"])
                if not math.isfinite(self.stands[axis]):
                    raise RefusedTargetError(f"nobody knows where {axis} stands: {reading[axis]}")
        except Exception as error:  # raised here, no one would hear it
            self._unanswered = error


class Exposures:
    """Is triggered before each exposure, and so counts those that a RunEngine repeats, too.

    A pause between this message and the detector's counts one too many: never one too few.

    Parameters
    ----------
    begun : callable, optional
        Called as each one begins.

    Attributes
    ----------
    made : int
        How many.
    dose : float
        Their time, in nominal dwells.
    dwell : float
        That of those to come, in nominal dwells.
    timed : float
        The one that the detectors have been set to.
    """

    parent = None
    name = "exposures"

    def __init__(self, begun: Callable[[], None] | None = None) -> None:
        self.made, self.dose = 0, 0.0
        self.dwell = self.timed = 1.0
        self._begun = begun

    def trigger(self) -> FutureStatus:
        """Count an exposure that is about to begin."""
        return self.set(1)

    def set(self, number: int) -> FutureStatus:
        """Count so many that are about to begin one after the other."""
        self.made += number
        self.dose += number * self.dwell
        if self._begun is not None:
            self._begun()
        return finished()
