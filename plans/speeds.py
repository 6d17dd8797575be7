"""The speeds of the motors: lowered for a flight, and put back."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping
from typing import Any

import bluesky.plan_stubs as bps

from .flight import Flight
from .logbook import Plan
from .stage import NAMES

logger = logging.getLogger(__name__)

SAME = 1e-9  # of a speed


class Speeds:
    """Velocity and acceleration of each axis, as they were when the scan began.

    Parameters
    ----------
    signals : dict
        Of each axis the settable signals ``velocity`` and, where there is one, ``acceleration``
        (s from rest to full speed).
    full : dict
        What they were, by axis.

    Attributes
    ----------
    lowered : set of str
        Axes whose speeds are not what they were.
    """

    def __init__(
        self, signals: Mapping[str, Mapping[str, Any]], full: Mapping[str, Mapping[str, float]]
    ) -> None:
        self.full = full
        self.lowered: set[str] = set()
        self._signals = signals

    def lower(self, flight: Flight, group: Any) -> Plan:
        """Set those of a flight, without waiting for the group."""
        wanted = {"velocity": flight.speed, "acceleration": flight.acceleration}
        full, signals = self.full[flight.axis], self._signals[flight.axis]
        if abs(wanted["velocity"] - full["velocity"]) <= SAME * full["velocity"]:
            return
        self.lowered.add(flight.axis)
        for name, signal in signals.items():
            yield from bps.abs_set(signal, wanted[name], group=group)

    def restore(self, group: Any) -> Plan:
        """Put back what has been lowered, without waiting for the group."""
        for axis in sorted(self.lowered):
            for name, signal in self._signals[axis].items():
                yield from bps.abs_set(signal, self.full[axis][name], group=group)

    def restored(self) -> None:
        """Hear that the group has ended well."""
        self.lowered.clear()

    def restore_all(self) -> Plan:
        """Put all of them back, whatever they are: another run may have been killed in mid-air."""
        self.lowered.update(self._signals)
        yield from self.restore("full_speed")
        yield from bps.wait("full_speed")
        self.restored()

    def put_back(self) -> None:
        """Put back what has been lowered, at once and without waiting."""
        for axis in sorted(self.lowered):
            for name, signal in self._signals[axis].items():
                try:
                    signal.set(self.full[axis][name])
                except Exception:
                    # Raised here it would cover what ended the run.
                    logger.exception("%s of %s could not be put back: set it by hand", name, axis)


def read_speeds(motors: Mapping[str, Any], known: Mapping[str, Any] | None = None) -> Plan:
    """Find the signals and read them; or take what is known already for what they were.

    Raises
    ------
    ValueError
        If a motor has no velocity that could be set.
    """
    signals = {axis: _signals(axis, motor) for axis, motor in motors.items()}
    full: dict[str, dict[str, float]] = {axis: {} for axis in motors}

    async def ask() -> None:
        for axis, named in signals.items():
            for name, signal in named.items():
                value = getattr(signal, "get_value", getattr(signal, "get", signal))()
                full[axis][name] = float(await value if inspect.isawaitable(value) else value)

    if known is None:
        # Answers do not come back through the message: one that is replayed has none.
        yield from bps.wait_for([ask])
    return Speeds(signals, full if known is None else known)


def _signals(axis: str, motor: Any) -> dict[str, Any]:
    named = {
        "acceleration" if name == "acceleration" else "velocity": signal
        for name, names in NAMES
        for signal in (getattr(motor, each, None) for each in names)
        if hasattr(signal, "set")
    }
    if "velocity" not in named:
        raise ValueError(
            f"fly needs motors whose speed can be set, but {axis!r} has no `velocity` signal: "
            "leave fly out, or give the motor one"
        )
    return named
