"""A stage axis in this process, as a bluesky device."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from ophyd import Signal
from ophyd.status import Status

from .clock import Clock
from .kinematics import Axis

AT_ONCE = 5e-4  # s: a shorter wait is not worth a timer


class SoftMotor:
    """One axis as a bluesky device: settable, stoppable, readable, always in floats.

    Parameters
    ----------
    name : str
        Key of the readback; the target's is ``<name>_user_setpoint``.
    axis : Axis
        What moves.
    clock : Clock
        Simulated time.
    limits : (float, float)
        um.
    speed, ramp : float
        um/s, and s from rest to full speed; 0 um/s moves in no time.
    real_time : bool
        Whether moves take their time, or none.

    Attributes
    ----------
    axis : Axis
        What moves.
    velocity, acceleration : ophyd.Signal
        um/s, and s from rest to that; may be set.
    """

    parent = None

    def __init__(
        self,
        name: str,
        axis: Axis,
        clock: Clock,
        limits: tuple[float, float],
        speed: float = 0.0,
        ramp: float = 0.0,
        *,
        real_time: bool = True,
    ) -> None:
        self.name = name
        self.velocity: Any = Signal(name=f"{name}_velocity", value=float(speed))
        self.acceleration: Any = Signal(name=f"{name}_acceleration", value=float(ramp))
        self.limits = limits
        self.axis = axis
        self._clock = clock
        self._real_time = real_time
        self._target = axis.position
        self._lock = threading.Lock()
        self._status: Status | None = None

    @property
    def position(self) -> float:
        """Readback in um."""
        return float(self.axis.at(self._clock.now())[0])

    @property
    def sample_position(self) -> float:
        """Where the specimen is, in um: the readback less the play."""
        return self.axis.sample(self._clock.now())

    @property
    def hints(self) -> dict[str, list[str]]:
        """The readback is what to plot."""
        return {"fields": [self.name]}

    def check_value(self, value: float) -> None:
        """Refuse what is not a number within the limits, with a ValueError."""
        if not self.limits[0] <= value <= self.limits[1]:
            raise ValueError(
                f"{self.name} = {value} um: expected within its limits "
                f"{self.limits[0]:g}..{self.limits[1]:g} um"
            )

    def set(self, value: float, *, timeout: float | None = None) -> Status:
        """Start a move; the status ends when it rests. A move under way fails."""
        value = float(value)
        self.check_value(value)
        self._end(RuntimeError(f"{self.name} was sent elsewhere before it arrived"))
        with self._lock:
            now = self._clock.now()
            self._target = value
            self.axis.move(now, value, self.velocity.get(), self.acceleration.get())
            if not self._real_time:
                self.axis.arrive()
            self._status = status = Status(obj=self, timeout=timeout)
        after(self.axis.remaining(now) / self._clock.scale, lambda: self._arrive(status))
        return status

    def stop(self, *, success: bool = False) -> None:
        """Brake; the move under way fails, or with `success` is forgiven."""
        with self._lock:
            now = self._clock.now()
            if self.axis.remaining(now):
                self.axis.halt(now)
            self._target = self.axis.profile.end
        self._end(None if success else RuntimeError(f"{self.name} was stopped"))

    def _arrive(self, status: Status) -> None:
        with self._lock:
            if status is not self._status:
                return
            self.axis.arrive()
        self._end(None)

    def _end(self, error: Exception | None) -> None:
        with self._lock:
            status, self._status = self._status, None
        if status is None or status.done:
            return
        if error is None:
            status.set_finished()
        else:
            status.set_exception(error)

    def read(self) -> dict[str, Any]:
        """Readback and target."""
        target = f"{self.name}_user_setpoint"
        return reading({self.name: self.position, target: self._target})

    def describe(self) -> dict[str, Any]:
        """As `read`."""
        units = {self.name: "um", f"{self.name}_user_setpoint": "um"}
        return description(units)


def after(seconds: float, act: Callable[[], None]) -> None:
    """Call `act` in a while; at once, and in this thread, where that is none."""
    if seconds <= AT_ONCE:
        act()
    else:
        timer = threading.Timer(seconds, act)
        timer.daemon = True
        timer.start()


def reading(values: dict[str, float]) -> dict[str, Any]:
    """What a bluesky device reads."""
    now = time.time()
    return {key: {"value": value, "timestamp": now} for key, value in values.items()}


def description(units: dict[str, str]) -> dict[str, Any]:
    """Describe floats by their units."""
    number = {"source": "SIM", "dtype": "number", "dtype_numpy": "<f8", "shape": []}
    return {key: {**number, "units": unit} for key, unit in units.items()}
