"""How long the stage of a scan takes: as described, or as its motors say."""

from __future__ import annotations

import inspect
from collections.abc import Generator, Mapping
from typing import Any

import bluesky.plan_stubs as bps
from bluesky.utils import Msg

from ..agent import StageTime

MOTORS = "motors"
NAMES = (
    ("speed", ("velocity",)),
    ("acceleration", ("acceleration", "acceleration_time")),  # s to full speed: ophyd, ophyd-async
)

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


def told_at_once(motors: Mapping[str, Any]) -> dict[str, list[float]] | None:
    """What motors say of speed and acceleration without a RunEngine; None where one does not."""
    told = {
        name: [_number(_value(motor, names)) for motor in motors.values()] for name, names in NAMES
    }
    return told if min(told["speed"]) > 0 else None


def _number(value: Any) -> float:
    """A number that is there at once; 0 for anything else."""
    if inspect.iscoroutine(value):
        value.close()  # else Python warns that it was never awaited
    return float(value) if isinstance(value, int | float) else 0.0


def _as_motors_say(motors: Mapping[str, Any]) -> Generator[Msg, Any, dict[str, Any] | None]:
    told: dict[str, list[float]] = {name: [] for name, _ in NAMES}

    async def ask() -> None:
        for motor in motors.values():
            for name, names in NAMES:
                value = _value(motor, names)
                told[name].append(float(await value if inspect.isawaitable(value) else value))

    # Answers do not come back through the message: one that is replayed has none.
    yield from bps.wait_for([ask])
    for name, speed in zip(motors, told["speed"], strict=False):
        if not speed > 0:
            raise ValueError(
                f"stage='motors' needs the speed of {name!r} in its `velocity`, but none is there: "
                "describe the stage, such as stage={'speed': 100}"
            )
    return told if told["speed"] else None


def _value(motor: Any, names: tuple[str, ...]) -> Any:
    """Value of the first of a motor's signals, or attributes, that is there; 0 where none is."""
    signal = next((getattr(motor, name) for name in names if hasattr(motor, name)), 0.0)
    return getattr(signal, "get_value", getattr(signal, "get", lambda: signal))()
