"""What ``fly=`` means: which detector counts in flight, and how fast the motors are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..agent import StageTime
from .flight import FlyingDetector
from .flyer import Flyer
from .logbook import Plan
from .measurement import Flying, PerStep
from .speeds import read_speeds


def check_fly(fly: Any, dwell: float | None, per_step: PerStep | None) -> None:
    """Refuse to fly without a dwell, or with a step of one's own."""
    if fly and dwell is None:
        raise ValueError("fly needs dwell, the seconds that each bin takes: give it")
    if fly and per_step is not None:
        raise ValueError("fly and per_step exclude each other: a step of your own cannot be flown")


def flying(
    fly: Any,
    detectors: Sequence[Any],
    motors: Mapping[str, Any],
    steering: str | Sequence[str],
    stage: StageTime | None,
    past: Mapping[str, Any] | None,
) -> Plan:
    """Read what ``fly=`` asks for; None where nothing is flown.

    Parameters
    ----------
    fly : bool or FlyingDetector
        True for the first of the detectors that flies.
    detectors, motors, steering, stage
        Of the scan.
    past : mapping or None
        What the run that is gone on with recorded of its flights: the motors' speeds may be those
        of a flight in which it was killed.
    """
    if not fly or stage is None:
        return None
    detector = _flying_detector(fly, detectors)
    speeds = yield from read_speeds(motors, past and past["speeds"])
    keys = [steering] if isinstance(steering, str) else steering
    flyer = Flyer(detector, detectors, motors, keys, speeds)
    return Flying(flyer, stage, {axis: _tolerance(motor) for axis, motor in motors.items()})


def _tolerance(motor: Any) -> float:
    """How far beside its target a motor may come to rest, where it says so."""
    told = getattr(motor, "tolerance", 0.0)
    return float(told) if isinstance(told, int | float) else 0.0


def describe_flying(fly: Flying | None) -> dict[str, Any] | None:
    """JSON-able form for the start document."""
    if fly is None:
        return None
    return {"detector": fly.flyer.detector.name, "speeds": dict(fly.flyer.speeds.full)}


def _flying_detector(fly: Any, detectors: Sequence[Any]) -> FlyingDetector:
    candidates = detectors if fly is True else [fly]
    found = next((d for d in candidates if isinstance(d, FlyingDetector)), None)
    if found is None:
        names = ", ".join(getattr(d, "name", repr(d)) for d in candidates)
        raise ValueError(
            f"fly needs a detector with prepare(), complete(), bins() and stop(), but {names} has "
            "not: see FlyingDetector in the docs"
        )
    return found
