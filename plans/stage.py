"""How long the stage of a scan takes: as described, or as its motors say."""

from __future__ import annotations

import inspect
from collections.abc import Generator, Mapping
from typing import Any

import bluesky.plan_stubs as bps
from bluesky.utils import Msg

from ..agent import StageTime

MOTORS = "motors"
SPEED_NAMES = ("velocity",)
RAMP_NAMES = ("acceleration", "acceleration_time")  # s to full speed: ophyd, ophyd-async

Described = StageTime | Mapping[str, Any] | str


def stage_time(
    stage: Described | None, motors: Mapping[str, Any], settle: float, dwell: float | None
) -> Generator[Msg, Any, StageTime | None]:
    """Read a description, or with "motors" ask them; the scan's own settling and dwell count.

    None where nothing is known: nothing was given, or messages are only listed.
    """
    if stage == MOTORS:
        stage = yield from _as_motors_say(motors)
    elif isinstance(stage, str):
        raise ValueError(f"stage is a description of it, or 'motors' to ask them: {stage!r} came")
    if stage is None:
        return None
    described = StageTime.of(stage).describe()
    described["settle"] = max(described["settle"], settle)
    return StageTime.of(described if dwell is None else {**described, "dwell": dwell})


def _as_motors_say(motors: Mapping[str, Any]) -> Generator[Msg, Any, dict[str, Any] | None]:
    speeds: dict[str, float] = {}
    ramps: dict[str, float] = {}

    async def ask() -> None:
        for name, motor in motors.items():
            speeds[name] = await _number(motor, SPEED_NAMES)
            ramps[name] = await _number(motor, RAMP_NAMES)

    # Answers do not come back through the message: one that is replayed has none.
    yield from bps.wait_for([ask])
    for name, speed in speeds.items():
        if not speed > 0:
            raise ValueError(
                f"stage='motors' needs the speed of {name!r} in its `velocity`, but none is there: "
                "describe the stage, such as stage={'speed': 100}"
            )
    return {"speed": [*speeds.values()], "acceleration": [*ramps.values()]} if speeds else None


async def _number(motor: Any, names: tuple[str, ...]) -> float:
    """Value of the first of a motor's signals, or attributes, that is there; 0 where none is."""
    signal = next((getattr(motor, name) for name in names if hasattr(motor, name)), 0.0)
    value = getattr(signal, "get_value", getattr(signal, "get", lambda: signal))()
    return float(await value if inspect.isawaitable(value) else value)
