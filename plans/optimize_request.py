"""What an optimisation of motors is asked for, checked before anything moves."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import bluesky.plan_stubs as bps

from ..agent import History, MotorSampler, MotorSpace, StopRule, motor_sampler
from .logbook import Plan
from .request import data_key, stop_rule

OF_RASTERS = ("coverage(", "expected_", "no_improvement(")  # rules that look at a map


def motor_space(
    args: Sequence[Any],
    inequalities: Sequence[Sequence[Any]],
    fixed: Mapping[str, float] | None,
    keep_out: Sequence[Mapping[str, Any]],
) -> tuple[dict[str, Any], MotorSpace]:
    """Read the motors by name, and their space."""
    if not args or len(args) % 3:
        raise ValueError(
            f"optimize takes motor, low, high for each motor, but {len(args)} arguments came"
        )
    triples = [args[k : k + 3] for k in range(0, len(args), 3)]
    limits = [(data_key(motor), float(low), float(high)) for motor, low, high in triples]
    space = MotorSpace.of(limits, inequalities, fixed, keep_out)
    return dict(zip(space.names, (motor for motor, *_ in triples), strict=True)), space


def sought(agent: str | Mapping[str, Any] | MotorSampler) -> dict[str, Any]:
    """Describe an agent by its goal and options."""
    if isinstance(agent, str | Mapping):
        goal, options = motor_sampler(agent)
        return {"goal": goal, "options": options}
    if not isinstance(agent, MotorSampler):
        raise ValueError(
            "an agent is a goal, a mapping with 'goal', or an object with "
            f"choose_positions(request); {agent!r} came"
        )
    return {"goal": type(agent).__qualname__, "options": {}}


def last_place(then: str | None, goal: str) -> dict[str, Any] | None:
    """Read where the motors go at the end."""
    if then not in (None, "best", "stay"):
        raise ValueError(f"then takes 'best' or 'stay', but {then!r} came")
    best = then == "best" or (then is None and goal == "optimum")
    return {"to": "best"} if best else None


def check_same(past: History, space: MotorSpace) -> None:
    """Refuse to go on with a run that had other motors or other limits."""
    if not past.of_motors:
        raise ValueError(f"run {past.uid} is a scan of a raster: RE(resume_scan(...)) goes on")
    before = MotorSpace.from_description(past.record["space"])
    if _ranges(before) != _ranges(space):
        raise ValueError(
            f"run {past.uid} had {_ranges(before)}, but {_ranges(space)} came: give the same "
            "motors and limits, in the same order"
        )


def _ranges(space: MotorSpace) -> str:
    ends = zip(space.names, space.low, space.high, strict=True)
    return ", ".join(f"{name} {low!r} to {high!r}" for name, low, high in ends)


def motor_rule(until: StopRule | str, dwell: float | None) -> StopRule:
    """Read the criterion; one that looks at a map has none to look at."""
    rule = stop_rule(until, dwell)
    if any(name in repr(rule) for name in OF_RASTERS):
        raise ValueError(
            f"until={rule!r} looks at a raster's map, and motors have none: "
            "use points(60), time(600) or dose(60)"
        )
    return rule


def check_ranges(space: MotorSpace, motors: Mapping[str, Any]) -> Plan:
    """Refuse limits that a motor may not reach, be its check a function or a coroutine."""
    objections: list[str] = []

    async def ask(name: str, end: float) -> None:
        try:
            verdict = getattr(motors[name], "check_value", lambda _: None)(end)
            if inspect.isawaitable(verdict):
                await verdict
        except Exception as error:
            objections.append(f"motor {name!r} may not reach {end:g} ({error}): shorten its range")

    # Answers do not come back through the message: one that is replayed has none.
    ends = [(name, end) for name in space.names for end in space.limits(name)]
    yield from bps.wait_for([partial(ask, *each) for each in ends])
    if objections:
        raise ValueError(objections[0])
