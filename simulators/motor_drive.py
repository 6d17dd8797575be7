"""What a motor record does between DMOV 0 and DMOV 1: legs, stops, pauses, new targets, faults."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from .clock import Clock
from .kinematics import Axis

TICK = 0.05  # s of wall time between readbacks in motion: 20 Hz, a usual polling rate
AT_ONCE = 5e-4  # s of wall time: a shorter move is not worth a sleep


class Leg(NamedTuple):
    """A straight piece of a motion: dial target in um, speed in um/s, s from rest to speed."""

    target: float
    speed: float
    ramp: float


@dataclass
class MotorFaults:
    """What can go wrong with a motor; may be changed at any time.

    Attributes
    ----------
    stuck : int
        1: the axis stands, wherever it is, and the motion waits until it is free again; 2: the
        controller gives up at once, short of the target.
    delay : float
        s that pass before each motion begins.
    """

    stuck: int = 0
    delay: float = 0.0


class Drive:
    """Takes an axis through motions, one after the other.

    Parameters
    ----------
    axis : Axis
        What moves.
    clock : Clock
        Simulated time.
    report : callable
        Awaited with True while the axis moves, 20 times a second.

    Attributes
    ----------
    faults : MotorFaults
        None at first.
    stopped : bool
        Whether the last motion was stopped before it was done.
    stalled : bool
        Whether the controller gave up.
    forward : bool
        The direction of the last leg.
    """

    def __init__(self, axis: Axis, clock: Clock, report: Callable[[bool], Awaitable[None]]) -> None:
        self.axis = axis
        self.clock = clock
        self.faults = MotorFaults()
        self.stopped = self.stalled = False
        self.forward = True
        self._report = report
        self._paused = False
        self._legs: list[Leg] = []  # still to do; the first may be under way
        self._under_way = False
        self._changed = asyncio.Event()

    def aim(self, legs: Iterable[Leg]) -> None:
        """Set what is to do, in place of what was: also the new target of a motion under way."""
        self._legs, self._under_way, self.stopped = list(legs), False, False
        self._changed.set()

    def stop(self) -> None:
        """Brake, and forget the target."""
        self.stopped = self.stopped or bool(self._legs)
        self._legs = []
        self._changed.set()

    def pause(self, paused: bool) -> None:
        """Brake and keep the target; or go on."""
        self._paused = paused
        self._changed.set()

    async def run(self) -> None:
        """Do what `aim` has set; return when the axis rests and nothing is left to do."""
        if self.faults.delay:
            await self.clock.sleep(self.faults.delay)
        while await self._step():
            pass

    async def _step(self) -> bool:
        self._changed.clear()
        now = self.clock.now()
        held = self._paused or self.faults.stuck == 1
        if self._legs and not self._under_way and not held:
            self._begin(self._legs[0], now)
        elif self._under_way and (held or not self._legs):
            self._under_way = False
            self.axis.halt(now, dead=self.faults.stuck == 1)
        remaining = self.axis.remaining(now)
        if remaining > AT_ONCE * self.clock.scale:
            await self._wait(moving=True, seconds=remaining)
            return True
        self.axis.arrive()
        if self._under_way:
            self._under_way = False
            self._legs.pop(0)
        elif self._legs:
            await self._wait(moving=False)
        return bool(self._legs)

    def _begin(self, leg: Leg, now: float) -> None:
        self._under_way = True
        self.forward = leg.target >= self.axis.at(now)[0]
        self.stalled = self.faults.stuck == 2
        if not self.stalled:
            self.axis.move(now, *leg)

    async def _wait(self, *, moving: bool, seconds: float = float("inf")) -> None:
        await self._report(moving)
        await self.clock.wait(self._changed, min(seconds, TICK * self.clock.scale))
