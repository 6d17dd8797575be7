"""Readings taken without beam: found by the ring current, and taken back."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

Pixel = tuple[int, int]

WINDOW = 1.0  # s before a fall was heard of: monitors, and what was counted meanwhile, lag behind


@dataclass(frozen=True)
class RingCheck:
    """Which readings to take back: those with a ring current below a minimum, or just before.

    They stay in the data, marked by an event of the stream ``interventions``; the agent does not
    learn from them, and their targets are measured again when the beam is back. To hold the scan
    as soon as the current falls, install a suspender beside this
    (``skysteer.devices.beam_suspender``).

    Parameters
    ----------
    key : str
        Data key of the ring current; one of the detectors must have it.
    minimum : float
        In the units of that key.
    patience : float
        Seconds to wait for the beam before the run ends in order.

    Raises
    ------
    ValueError
        For a minimum or a patience that makes no sense.
    """

    key: str = "ring_current"
    minimum: float = 10.0
    patience: float = 12 * 3600.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.minimum) and self.patience > 0):
            raise ValueError(
                "a beam check needs a finite minimum and a patience above 0 s, but "
                f"{self.minimum} and {self.patience} came"
            )


class BeamWatch:
    """Hears the ring current, in the run's documents and, where it is a signal, by subscription.

    Parameters
    ----------
    check : RingCheck
    detectors : list of readables

    Raises
    ------
    ValueError
        If no detector has the key.
    """

    def __init__(self, check: RingCheck, detectors: Sequence[Any]) -> None:
        self.check = check
        self._device = _with_key(detectors, check.key)
        self._low = False
        self._fell = False
        self._latest: tuple[int, Pixel, float] | None = None
        self._suspects: dict[int, Pixel] = {}

    @contextmanager
    def listening(self, budget: float = math.inf) -> Iterator[None]:
        """Hear of each fall of the current, where it can be subscribed to.

        Parameters
        ----------
        budget : float
            Seconds for which the ring's suspenders may hold the run, all in all: while one does,
            no plan sees that its time is up.
        """
        signal = _signal(self._device, self.check.key)
        suspenders = list(getattr(self._device, "suspenders", ()))
        for suspender in suspenders:
            suspender.hold_until(time.monotonic() + budget)
        if signal is not None:
            signal.subscribe(self._hear)
        try:
            yield
        finally:
            if signal is not None:
                signal.clear_sub(self._hear)
            for suspender in suspenders:
                suspender.hold_until(math.inf)

    def begin(self) -> None:
        """An exposure begins: what fell before it has been accounted for."""
        self._fell = self._low

    def measured(self, number: int, pixel: Pixel, current: float) -> bool:
        """Note a reading of a target, and the current read with it; whether there was beam."""
        self._latest = (number, pixel, time.monotonic())
        lit = not self._fell and current >= self.check.minimum
        if not lit:
            self._suspects[number] = pixel
        return lit

    def suspects(self) -> dict[int, Pixel]:
        """Targets of the readings to take back, by their numbers; each is told once."""
        suspects, self._suspects = self._suspects, {}
        return suspects

    async def current(self) -> float:
        """The current at this moment."""
        reading = self._device.read()
        if inspect.isawaitable(reading):
            reading = await reading
        return float(reading[self.check.key]["value"])

    def _hear(self, value: Any = math.nan, **_: Any) -> None:
        low = not float(value) >= self.check.minimum
        if low and not self._low and self._latest is not None:
            number, pixel, at = self._latest
            if time.monotonic() - at < WINDOW:
                self._suspects[number] = pixel
        self._low = low
        self._fell = self._fell or low


def _with_key(detectors: Sequence[Any], key: str) -> Any:
    """Find the detector that has a key; one that describes itself in a coroutine may have it."""
    unknown = None
    for detector in detectors:
        described = detector.describe()
        if inspect.isawaitable(described):
            unknown = detector
            if inspect.iscoroutine(described):
                described.close()  # else Python warns that it was never awaited
        elif key in described:
            return detector
    if unknown is None:
        raise ValueError(
            f"the beam check needs the data key {key!r}, but no detector has it: add the ring "
            "current to the detectors"
        )
    return unknown


def _signal(device: Any, key: str) -> Any:
    """Find the signal of a device that can be subscribed to, for a key that it has by its name."""
    if not hasattr(device, "walk_signals"):
        signals: list[Any] = [device, *vars(device).values()]
    else:
        signals = [walk.item for walk in device.walk_signals()]
    named = (s for s in signals if getattr(s, "name", None) == key)
    return next((s for s in named if hasattr(s, "subscribe") and hasattr(s, "clear_sub")), None)


def ring_check(beam: RingCheck | Mapping[str, Any] | None) -> RingCheck | None:
    """Read a beam check, from its JSON form too."""
    if beam is None or isinstance(beam, RingCheck):
        return beam
    return RingCheck(**beam)
