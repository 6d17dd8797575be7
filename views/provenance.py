"""What is needed to do a run again: its settings, versions and call, out of its start document."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from inspect import Parameter, signature
from typing import Any

from ..plans import adaptive_scan
from .panels import with_units
from .summary import RunSummary

# Said elsewhere: in the report's head, as the grid, or among the versions.
ELSEWHERE = ("version", "grid")


def settings(summary: RunSummary) -> dict[str, str]:
    """Everything that the start document says of how the run was to be done, by name."""
    start = summary.start
    axes = {
        f"{axis} axis": f"{with_units(each.name, units)}: {each.start:.10g} to {each.stop:.10g}, "
        f"{each.num} points"
        for axis, each, units in zip(
            ("slow", "fast"),
            (summary.grid.slow, summary.grid.fast),
            summary.axis_units,
            strict=True,
        )
    }
    recorded = {k: _text(v) for k, v in summary.record.items() if k not in ELSEWHERE}
    return {
        "run": str(start["uid"]),
        "scan id": _text(start.get("scan_id")),
        "plan": _text(start.get("plan_name")),
        "began": moment(start["time"]),
        "detectors": ", ".join(map(str, start.get("detectors") or [])),
        **axes,
        **({} if summary.record else {"plan_args": _text(start.get("plan_args"))}),
        **recorded,
        "versions": ", ".join(f"{name} {number}" for name, number in versions(start).items()),
    }


def versions(start: Mapping[str, Any]) -> dict[str, str]:
    """Versions of the programs that took part, as far as the start document tells."""
    own = (start.get("skysteer") or {}).get("version")
    return {**({"skysteer": str(own)} if own else {}), **dict(start.get("versions") or {})}


def python_call(summary: RunSummary) -> str | None:
    """The call that does an adaptive scan again, devices by their names; None of another plan.

    Examples
    --------
    A run of the plan's own example gives::

        RE(adaptive_scan(
            [det4], 'low-discrepancy',
            motor1, -1.0, 1.0, 9,
            motor2, -1.0, 1.0, 9,
            until='points(20)', batch=1, ...
        ))
    """
    record, start = summary.record, summary.start
    if not record:
        return None
    agent = record["agent"]
    if options := record.get("options"):
        agent = {"agent": agent, "options": options}
    detectors = ", ".join(map(_variable, start["detectors"]))
    axes = [
        f"    {_variable(motor)}, {axis.start!r}, {axis.stop!r}, {axis.num},"
        for motor, axis in zip(start["motors"], (summary.grid.slow, summary.grid.fast), strict=True)
    ]
    keywords = [
        f"    {name}={_goal(record[name]) if name == 'then' else record[name]!r},"
        for name, parameter in signature(adaptive_scan).parameters.items()
        if parameter.kind is Parameter.KEYWORD_ONLY and name in record and not _left(name, record)
    ]
    return "\n".join(
        [
            "from skysteer.plans import adaptive_scan",
            "",
            "RE(adaptive_scan(",
            f"    [{detectors}], {agent!r},",
            *axes,
            *keywords,
            "))",
        ]
    )


def command_line(summary: RunSummary) -> str | None:
    """The command that does a demo or a scan again; None of a run that no command has made.

    Examples
    --------
    ``skysteer demo --region 128x128 --noise poisson ... --out demo-run-again``
    """
    start, record = summary.start, summary.record
    if not record or "session" not in start:
        return None
    demo = start.get("demo")
    if demo is None:
        axes = (summary.grid.slow, summary.grid.fast)
        slow, fast = (f"{axis.start!r},{axis.stop!r},{axis.num}" for axis in axes)
        words = ["scan", "--prefix", start["session"]["prefix"], f"--y={slow}", f"--x={fast}"]
        words += ["--patience", str((record.get("on_bad_point") or {}).get("patience", 300.0))]
    else:
        words = ["demo", *(["--image", demo["image"]] if demo["image"] else [])]
        for name in ("region", "noise", "peak_rate"):
            words += [f"--{name.replace('_', '-')}", str(demo[name])]
    for name in ("agent", "until", "batch", "seed", "dwell"):
        if not _left(name, record):
            words += [f"--{name}", str(record[name])]
    if options := record.get("options"):
        words += ["--options", json.dumps(options)]
    words += ["--approve"] if record.get("approval") else []
    if goal := _goal(record.get("then")):
        words += ["--then", goal if isinstance(goal, str) else f"{goal[0]},{goal[1]}"]
    return shlex.join(["skysteer", *words, "--out", "again"])


def _goal(goal: Mapping[str, Any] | None) -> str | tuple[int, int] | None:
    """Where the stage goes at the end, as the plan takes it."""
    if goal is None:
        return None
    return goal["to"] if "to" in goal else (goal["row"], goal["column"])


def _left(name: str, record: Mapping[str, Any]) -> bool:
    """Whether the plan is to find a setting by itself, as it did."""
    return name == "batch" and bool(record.get("batch_grows"))


def moment(seconds: float) -> str:
    """A time since 1970 as a date, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _text(setting: Any) -> str:
    return setting if isinstance(setting, str) else json.dumps(setting, default=str)


def _variable(name: str) -> str:
    return re.sub(r"\W|^(?=\d)", "_", name)
