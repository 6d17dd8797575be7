"""What an adaptive scan is asked for, checked before anything moves."""

from __future__ import annotations

import bisect
import inspect
import math
from collections.abc import Generator, Mapping, Sequence
from typing import Any

import bluesky.plan_stubs as bps
import numpy as np
from bluesky.utils import Msg

from ..agent import (
    Axis,
    Progress,
    Sampler,
    ScanGrid,
    StageTime,
    StopRule,
    Zone,
    keep_out_zone,
    largest_batch,
    largest_flown_batch,
    parse,
)

DWELL_NAMES = ("dwell", "exposure_time", "count_time", "preset_time")
LARGEST_BATCH = 50


def data_key(device: Any) -> str:
    """Name the data key that stands for a device: its first hinted field."""
    if device is None:
        raise ValueError("an adaptive scan needs a detector to steer by, but none came")
    fields = (getattr(device, "hints", None) or {}).get("fields", [])
    return fields[0] if fields else device.name


def steering_readings(key: str | Sequence[str] | None, detectors: Sequence[Any]) -> str | list[str]:
    """Read which data key steers, or which several do together."""
    if not key:
        return data_key(detectors[0] if detectors else None)
    keys = [key] if isinstance(key, str) else list(key)
    if len(set(keys)) < len(keys):
        raise ValueError(f"key takes a data key, or several different ones, but {key!r} came")
    return keys[0] if len(keys) == 1 else keys


def check_key(detectors: Sequence[Any], key: str | Sequence[str]) -> None:
    """Refuse a key that no detector has; one that describes itself in a coroutine may have it."""
    there: list[str] = []
    for detector in detectors:
        described = detector.describe()
        if inspect.isawaitable(described):
            if inspect.iscoroutine(described):
                described.close()  # else Python warns that it was never awaited
            return
        there += described
    for each in [key] if isinstance(key, str) else key:
        if each not in there:
            raise ValueError(
                f"no detector has the data key {each!r} to steer by: there are {', '.join(there)}"
            )


def agent_spec(agent: str | Mapping[str, Any] | Sampler) -> dict[str, Any]:
    """Describe an agent by name and options."""
    if isinstance(agent, str):
        return {"agent": agent, "options": {}}
    if isinstance(agent, Mapping) and "agent" in agent:
        return {"agent": agent["agent"], "options": dict(agent.get("options", {}))}
    if not isinstance(agent, Sampler):
        raise ValueError(
            "an agent is a name, a mapping with 'agent' and 'options', or an object "
            f"with choose(request); {agent!r} came"
        )
    return {"agent": type(agent).__qualname__, "options": {}}


def stop_rule(until: StopRule | str, dwell: float | None) -> StopRule:
    """Read the criterion; a dose cannot be counted without the time of an exposure."""
    rule = parse(until)
    if dwell is None and "dose(" in repr(rule):
        raise ValueError(f"until={rule!r} needs dwell, the seconds of one exposure: give it")
    return rule


def time_budget(rule: StopRule, pixels: int) -> float:
    """Seconds after which a rule ends a run that measures nothing; inf where it never does."""
    longest = 1e9

    def ends(seconds: float) -> bool:
        return rule.reason(Progress(0, pixels, seconds)) is not None

    if not ends(longest):
        return math.inf
    # where it changes, to a microsecond: a rule may be anything made of rules
    return bisect.bisect_left(range(int(longest * 1e6)), True, key=lambda at: ends(at / 1e6)) / 1e6


def batch_size(
    batch: int | None, grid: ScanGrid, stage: StageTime | None = None, *, flies: bool = False
) -> int:
    """Points of a batch, where not given: what suits the stage; else a third of a percent."""
    if batch is not None:
        return _whole("batch", batch, 1)
    if stage is not None:
        largest = largest_flown_batch if flies else largest_batch
        return largest(stage.in_pixels(grid), grid.shape)
    return int(np.clip(grid.size // 300, 1, LARGEST_BATCH))


def prefetch_size(prefetch: int | None, batch: int) -> int:
    """How many points before its end a batch's successor is asked for."""
    # Half a batch hides a decision of 0.2 s behind 25 points of 10 ms, and its maps are no worse
    # than those of a scan that waits, beyond what seeds differ: benchmarks/prefetch.py.
    return batch // 2 if prefetch is None else _whole("prefetch", prefetch, 0)


def keep_out_zones(zones: Sequence[Zone | Mapping[str, Any]]) -> list[Zone]:
    """Read keep-out rectangles and polygons, from their JSON form too."""
    return [keep_out_zone(zone) for zone in zones]


def step_lengths(largest: float | Sequence[float] | None) -> tuple[float, float] | None:
    """Read the largest step of the slow and the fast axis; one number stands for both."""
    if largest is None:
        return None
    steps = largest if isinstance(largest, Sequence) else (largest, largest)
    if len(steps) != 2:
        raise ValueError(
            "largest_step takes a number, or one for the slow and one for the fast axis, but "
            f"{largest!r} came"
        )
    return float(steps[0]), float(steps[1])


def check_ears(approval: bool, inbox: Any) -> None:
    """Refuse to wait for an approval that nobody could give."""
    if approval and inbox is None:
        raise ValueError("approval=True needs an inbox to approve by: give inbox=Inbox()")


def final_goal(then: str | Sequence[int] | None, grid: ScanGrid) -> dict[str, Any] | None:
    """Read where the stage goes at the end."""
    if then is None or then == "best":
        return {"to": "best"} if then else None
    if not isinstance(then, str) and len(then) == 2:
        row, column = (_whole("then", number, 0) for number in then)
        if row < grid.shape[0] and column < grid.shape[1]:
            return {"row": row, "column": column}
    raise ValueError(
        f"then takes 'best' or a pixel (row, column) of the {grid.shape[0]} x {grid.shape[1]} "
        f"grid, but {then!r} came"
    )


def check_times(
    dwell: float | None,
    settle: float,
    decision_timeout: float,
    longest_dwell: float | None = None,
) -> None:
    """Refuse times that make no sense."""
    if dwell is not None and not 0 < dwell < math.inf:
        raise ValueError(f"dwell must be seconds above 0, but {dwell} came")
    if longest_dwell is not None and not (dwell or math.inf) <= longest_dwell < math.inf:
        raise ValueError(
            "longest_dwell must be seconds, dwell or more, and needs dwell, but "
            f"longest_dwell={longest_dwell} came with dwell={dwell}"
        )
    if not 0 <= settle < math.inf:
        raise ValueError(f"settle must be seconds, 0 or more, but {settle} came")
    if not decision_timeout > 0:
        raise ValueError(f"decision_timeout must be seconds above 0, but {decision_timeout} came")


def told_dwell(detectors: Sequence[Any], timers: Sequence[Any]) -> str:
    """Name the data key by which a detector tells how long it counted."""
    names = [timer.name for timer in timers]
    told: set[str] = set()
    for detector in detectors:
        described = detector.describe()
        if inspect.isawaitable(described):  # whether it is there the stream's descriptor will say
            if inspect.iscoroutine(described):
                described.close()
            return names[0]
        told |= set(described)
    found = [name for name in names if name in told]
    if not found:
        raise ValueError(
            "longest_dwell needs a detector whose readings tell how long it counted, but none has "
            f"{', '.join(names)}: make that signal's kind normal"
        )
    return found[0]


def exposure_signals(detectors: Sequence[Any], dwell: float | None) -> list[Any]:
    """Find what sets the exposure time; at least one detector must have it."""
    if dwell is None:
        return []
    named = [getattr(d, name) for d in detectors for name in DWELL_NAMES if hasattr(d, name)]
    signals = [signal for signal in named if hasattr(signal, "set")]
    if not signals:
        raise ValueError(
            f"dwell={dwell} was given, but no detector has any of "
            f"{', '.join(DWELL_NAMES)} to set: leave dwell out, or name the signal so"
        )
    return signals


def check_limits(grid: ScanGrid, motors: Mapping[str, Any]) -> Generator[Msg, Any, None]:
    """Refuse a grid whose ends the motors may not reach."""
    for axis in (grid.slow, grid.fast):
        motor = motors[axis.name]
        for end in (float(axis.start), float(axis.stop)):
            objection = yield from _objection(motor, end)
            if objection is not None:
                raise _too_long(axis, motor, objection) from objection


def check_ends(grid: ScanGrid, motors: Mapping[str, Any]) -> None:
    """Refuse a grid whose ends the motors may not reach, as far as they tell at once."""
    for axis in (grid.slow, grid.fast):
        for end in (float(axis.start), float(axis.stop)):
            try:
                check_target(motors, {axis.name: end})
            except Exception as objection:
                raise _too_long(axis, motors[axis.name], objection) from objection


def _too_long(axis: Axis, motor: Any, objection: Exception) -> ValueError:
    limits = getattr(motor, "limits", None)
    allowed = (
        f", but the stage's soft limits are {limits[0]:g} to {limits[1]:g}"
        if isinstance(limits, tuple | list)
        else ""
    )
    return ValueError(
        f"axis {axis.name!r} spans {axis.start:g} to {axis.stop:g}{allowed}: shorten "
        f"the grid or move the limits ({objection})"
    )


def check_target(motors: Mapping[str, Any], position: Mapping[str, float]) -> None:
    """Raise where a motor's own check refuses a target; a ConnectionError where it is away."""
    for name, value in position.items():
        if not math.isfinite(value):
            raise ValueError(f"{name} = {value}")
        check = getattr(motors[name], "check_value", None)
        if check is None or inspect.iscoroutinefunction(check):
            continue
        if not getattr(motors[name], "connected", True):
            raise ConnectionError(f"{name} is not connected")
        check(value)


def _objection(motor: Any, value: float) -> Generator[Msg, Any, Exception | None]:
    """What a motor's own check says of a target, be it a function or a coroutine."""
    check = getattr(motor, "check_value", None)
    objections: list[Exception] = []

    async def ask() -> None:
        try:
            verdict = check(value) if check is not None else None
            if inspect.isawaitable(verdict):
                await verdict
        except Exception as error:
            objections.append(error)

    # Answers do not come back through the message: one that is replayed has none.
    yield from bps.wait_for([ask])
    return objections[0] if objections else None


def _whole(name: str, number: Any, least: int) -> int:
    if isinstance(number, bool) or number != int(number) or number < least:
        raise ValueError(f"{name} must be a whole number, {least} or more, but {number} came")
    return int(number)
