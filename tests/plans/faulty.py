"""Devices that fail when they are told to, and that keep a list of what they were asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from ophyd.status import Status

Fault = Callable[[float], Exception | None]


def nothing(_: float) -> Exception | None:
    return None


def times(number: int, error: Exception) -> Fault:
    """Fail so often, then no more."""
    left = [number]

    def fault(_: float) -> Exception | None:
        left[0] -= 1
        return error if left[0] >= 0 else None

    return fault


class FaultyMotor:
    """A motor that arrives at once, unless it fails: when it is asked, or ``later`` seconds on."""

    parent = None

    def __init__(self, name: str) -> None:
        self.name = name
        self.hints = {"fields": [name]}
        self.position = 0.0
        self.sent: list[float] = []
        self.refuses: Fault = nothing
        self.fails: Fault = nothing
        self.later = 0.0
        self.hangs = nothing
        self.connected = True
        self.stops = 0
        self._under_way: Status | None = None

    def set(self, value: float) -> Status:
        self.sent.append(value)
        refusal = self.refuses(value)
        if refusal is not None:
            raise refusal
        status, error = Status(obj=self), self.fails(value)
        if error is not None:
            threading.Timer(self.later, lambda: self._fail(status, error)).start()
        elif self.hangs(value) is not None:
            self._under_way = status
        else:
            self.position = float(value)
            status.set_finished()
        return status

    def _fail(self, status: Status, error: Exception) -> None:
        if not status.done:
            status.set_exception(error)

    def stop(self, success: bool = True) -> None:
        self.stops += 1
        status, self._under_way = self._under_way, None
        if status is not None and not status.done:
            status.set_finished() if success else self._fail(status, RuntimeError("stopped"))

    def read(self) -> dict[str, Any]:
        return {self.name: {"value": float(self.position), "timestamp": time.time()}}

    def describe(self) -> dict[str, Any]:
        return {self.name: {"source": "test", "dtype": "number", "shape": []}}


class FaultyCounter:
    """A detector whose count takes ``seconds``, unless it fails."""

    parent = None

    def __init__(self, value: Callable[[], float], seconds: float = 0.0) -> None:
        self.name = "det"
        self.hints = {"fields": ["det"]}
        self.value, self.seconds = value, seconds
        self.counts = 0
        self.refuses: Fault = nothing
        self.fails: Fault = nothing
        self.silent: Fault = nothing
        self.connected = True
        self.dwell = Dwell()
        self._read = 0.0

    def trigger(self) -> Status:
        self.counts += 1
        refusal, error = self.refuses(0.0), self.fails(0.0)
        if refusal is not None:
            raise refusal
        status = Status(obj=self)

        def end() -> None:
            if error is not None:
                status.set_exception(error)
            else:
                self._read = float(self.value())
                status.set_finished()

        threading.Timer(self.seconds, end).start() if self.seconds else end()
        return status

    def read(self) -> dict[str, Any]:
        error = self.silent(0.0)
        if error is not None:
            raise error
        return {"det": {"value": self._read, "timestamp": time.time()}}

    def describe(self) -> dict[str, Any]:
        return {"det": {"source": "test", "dtype": "number", "shape": []}}


class Dwell:
    """The time of a count, and all that it was set to."""

    name = "det_dwell"
    parent = None

    def __init__(self) -> None:
        self.was: list[float] = []

    def set(self, value: float) -> Status:
        self.was.append(value)
        status = Status(obj=self)
        status.set_finished()
        return status
