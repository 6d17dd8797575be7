"""Options that several commands take, and what their text means."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer


class Noise(StrEnum):
    """How the simulated counter counts."""

    POISSON = "poisson"
    NONE = "none"


class Goal(StrEnum):
    """What an agent measures for."""

    MAP = "map"
    OPTIMUM = "optimum"
    BOUNDARY = "boundary"


class Channels(StrEnum):
    """Which channels of an image are mapped."""

    FIRST = "first"
    ALL = "all"


class Trained(StrEnum):
    """Agents with a network."""

    SLADS = "slads"
    SLADS_NET = "slads-net"


Json = Annotated[bool, typer.Option("--json", help="Machine-readable: JSON on standard output.")]
Agent = Annotated[str, typer.Option(help="An installed agent, or path/to/mine.py:Class.")]
Options = Annotated[str, typer.Option("--options", help="The agent's options, as JSON.")]
Dwell = Annotated[float, typer.Option(help="Seconds of each exposure.")]
LongestDwell = Annotated[
    float | None,
    typer.Option(help="Seconds up to which the agent may count a target, from --dwell on."),
]
Counters = Annotated[
    int, typer.Option("--channels", help="How many of the counter's channels are mapped together.")
]
Timeout = Annotated[float, typer.Option(help="Seconds to wait for the PVs.")]
Seed = Annotated[int, typer.Option(help="The same seed and readings give the same scan.")]
Batch = Annotated[int | None, typer.Option(help="Points between two decisions.")]
Until = Annotated[str | None, typer.Option(help="Stop rule, such as 'coverage(0.2) | time(3600)'.")]
Out = Annotated[Path, typer.Option(help="Folder for the journal, the catalog and the pictures.")]
Tiled = Annotated[
    str | None,
    typer.Option(help="Write to this Tiled server instead; its key comes from TILED_API_KEY."),
]
Approve = Annotated[
    bool, typer.Option("--approve", help="Each batch waits for `skysteer tell approve`.")
]
Monitor = Annotated[
    bool, typer.Option("--monitor", help="Show the scan on a web page, too: `skysteer monitor`.")
]
Fly = Annotated[bool, typer.Option("--fly", help="Fly over lines of pixels where that pays.")]
Then = Annotated[
    str | None, typer.Option(help="Where the stage goes at the end: best, or ROW,COLUMN.")
]
Uid = Annotated[
    str | None,
    typer.Argument(help="The run's uid or its beginning; the latest run without it."),
]


def data_keys(text: str | None) -> list[str] | None:
    """Read ``--key``: a data key, or several with commas between."""
    return None if text is None else [key.strip() for key in text.split(",")]


def agent_options(text: str) -> dict[str, Any]:
    """Read the JSON object of ``--options``."""
    try:
        options = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"--options takes a JSON object, but {text!r} came ({error})") from error
    if not isinstance(options, dict):
        raise ValueError(f"--options takes a JSON object, but {text!r} came")
    return options


def goal_options(goal: Goal | None, threshold: float | None) -> dict[str, Any]:
    """Give what was said of an agent's goal, as its options."""
    given = {"goal": goal and goal.value, "threshold": threshold}
    return {name: value for name, value in given.items() if value is not None}


def stage_time(dwell: float | None, speed: float | None, **others: float | None) -> Any:
    """Give what the stage needs in time; None where nothing was said of it."""
    from ..agent import StageTime

    given = {"dwell": dwell, "speed": speed, **others}
    known = {name: number for name, number in given.items() if number is not None}
    if known and not {"dwell", "speed"} <= set(known):
        raise ValueError(
            "beam time needs --dwell (s) and --speed (px/s), and takes --settle and --acceleration "
            f"(s), but {', '.join(f'--{name}' for name in known)} came"
        )
    return StageTime.of(known) if known else None


def stop_rule(until: str | None, coverage: float | None) -> str:
    """Give the stop rule of ``--until`` or ``--coverage``."""
    if until is not None and coverage is not None:
        raise ValueError("give --coverage or --until, not both: coverage(0.15) is a stop rule too")
    return until or f"coverage({0.15 if coverage is None else coverage!r})"


def place(text: str | None) -> str | tuple[int, int] | None:
    """Read ``--then``: best, or a pixel."""
    if text is None or text == "best":
        return text
    try:
        row, column = text.split(",")
        return int(row), int(column)
    except ValueError as error:
        raise ValueError(f"--then takes best or ROW,COLUMN, but {text!r} came") from error


def axis(text: str, name: str) -> tuple[float, float, int]:
    """Read start, stop and number of an axis."""
    try:
        start, stop, num = text.split(",")
        return float(start), float(stop), int(num)
    except ValueError as error:
        raise ValueError(
            f"--{name} takes start,stop,num such as 0,30,256, but {text!r} came"
        ) from error
