"""What a scan would take, told and checked before anything moves."""

from __future__ import annotations

import inspect
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
import numpy as np
from numpy.typing import NDArray

from ..agent import (
    Axis,
    Guard,
    Progress,
    ScanGrid,
    StageTime,
    StopRule,
    Zone,
    halton_pixels,
    tour,
)
from ..storage import encode_line
from .batch import last_word
from .logbook import Plan
from .measurement import PerStep
from .request import (
    batch_size,
    check_ends,
    check_key,
    check_target,
    check_times,
    data_key,
    exposure_signals,
    keep_out_zones,
    steering_readings,
    stop_rule,
)
from .stage import told_at_once

OVERHEAD = 0.01  # s a point for RunEngine, Channel Access and journal: benchmarks/demo_overhead.py
COPIES = 2  # the journal, and no more than that once again for the catalog
WATCH_THE_MAP = ("expected_error(", "no_improvement(")  # criteria that nobody can foresee
LOOK_FREQUENCY = 50  # points between two looks at the stop rule: it may be asked 250 000 times


@dataclass(frozen=True, eq=False)
class DryRun:
    """What a scan would take.

    Attributes
    ----------
    grid : ScanGrid
    pixels : (P, 2) ndarray of int64
        Targets like those of the scan, in the order of the visit: low-discrepancy points, since
        what an agent chooses depends on what it sees.
    at_most : bool
        Whether the stop rule may end the scan before.
    travel : (float, float)
        Way of the slow and of the fast axis, motor units.
    seconds : float
        NaN where the motors do not tell how fast they are.
    exposure : float
        Seconds of beam on the specimen; NaN where no dwell was given.
    size : int
        Bytes of journal and catalog together.
    free : int
        Bytes that are free where they go.
    stage : StageTime, optional
        In pixels; None where nobody tells how fast it is.
    """

    grid: ScanGrid
    pixels: NDArray[np.int64]
    at_most: bool
    travel: tuple[float, float]
    seconds: float
    exposure: float
    size: int
    free: int
    stage: StageTime | None = None


def dry_run(
    detectors: Sequence[Any],
    slow_motor: Any,
    slow_start: float,
    slow_stop: float,
    slow_num: int,
    fast_motor: Any,
    fast_start: float,
    fast_stop: float,
    fast_num: int,
    *,
    until: StopRule | str = "coverage(0.15)",
    batch: int | None = None,
    key: str | Sequence[str] | None = None,
    dwell: float | None = None,
    settle: float = 0.0,
    seed: int = 0,
    keep_out: Sequence[Zone | Mapping[str, Any]] = (),
    stage: StageTime | Mapping[str, Any] | None = None,
    folder: str | os.PathLike[str] = ".",
) -> DryRun:
    """Check a scan and tell what it would take; nothing moves, and nothing is written.

    Parameters
    ----------
    detectors, slow_motor, ..., keep_out
        As in ``adaptive_scan``; the detectors are read, but not triggered.
    stage : StageTime or mapping, optional
        How fast the stage is, in motor units; what the motors themselves say without it.
    folder : path
        Where the journal and the catalog would go.

    Raises
    ------
    ValueError
        For whatever the scan would refuse, a grid that is wholly forbidden, a folder that cannot
        be written to, or a disk that is too small.

    Examples
    --------
    >>> from ophyd.sim import det4, motor1, motor2
    >>> told = dry_run([det4], motor1, -1, 1, 9, motor2, -1, 1, 9, until="points(20)",
    ...                stage={"speed": 10.0})
    >>> len(told.pixels), told.at_most
    (20, False)
    """
    grid = ScanGrid(
        Axis(data_key(slow_motor), slow_start, slow_stop, slow_num),
        Axis(data_key(fast_motor), fast_start, fast_stop, fast_num),
    )
    motors = {grid.slow.name: slow_motor, grid.fast.name: fast_motor}
    check_times(dwell, settle, np.inf)
    rule, steps = stop_rule(until, dwell), batch_size(batch, grid)
    steering = steering_readings(key, detectors)
    exposure_signals(detectors, dwell)
    if key is not None:
        check_key(detectors, steering)
    check_ends(grid, motors)
    guard = Guard(grid, partial(check_target, motors), keep_out_zones(keep_out))
    times = _stage_time(stage, motors, settle, dwell)
    path = np.array(likely_pixels(grid, guard, rule, steps, seed), np.int64).reshape(-1, 2)
    if not len(path):
        raise ValueError("no pixel of the grid may be measured: all of it is kept out")
    in_pixels = None if times is None else times.in_pixels(grid)
    clock = None if in_pixels is None else in_pixels.clock(path)
    end, met = _end(rule, grid, clock, dwell)
    path = path[:end]
    size = COPIES * _bytes([*detectors, slow_motor, fast_motor], len(path), steps)
    return DryRun(
        grid=grid,
        pixels=path,
        at_most=not met or any(name in repr(rule) for name in WATCH_THE_MAP),
        travel=_travel(grid, path),
        seconds=float("nan") if clock is None else float(clock[len(path) - 1]),
        exposure=len(path) * dwell if dwell else float("nan"),
        size=size,
        free=_check_space(Path(folder), size),
        stage=in_pixels,
    )


def likely_pixels(
    grid: ScanGrid, guard: Guard, rule: StopRule, batch: int, seed: int
) -> list[tuple[int, int]]:
    """Give targets like those of a scan, in the order of the visit, none of them kept out."""
    pixels = halton_pixels(grid.shape, grid.size, seed)
    free = pixels[~guard.forbidden()[pixels[:, 0], pixels[:, 1]]][: rule.budget(grid.size)]
    path: list[tuple[int, int]] = []
    for first in range(0, len(free), batch):
        targets = free[first : first + batch]
        order = tour(targets, path[-1] if path else None)
        path += [(int(row), int(column)) for row, column in targets[order]]
    return path


def likely_targets(
    grid: ScanGrid, guard: Guard, rule: StopRule, batch: int, seed: int
) -> list[dict[str, float]]:
    """Give the same in motor units, by axis."""
    return [grid.position(pixel) for pixel in likely_pixels(grid, guard, rule, batch, seed)]


def listed_scan(
    detectors: Sequence[Any],
    motors: Mapping[str, Any],
    timers: Mapping[Any, float],
    targets: Iterable[Mapping[str, float]],
    per_step: PerStep | None = None,
) -> Plan:
    """Go to targets, for who only lists the messages (``bluesky.simulators``): nobody answers."""

    @bpp.stage_decorator([*detectors, *motors.values()])
    @bpp.run_decorator(md={"plan_name": "adaptive_scan"})
    def points() -> Plan:
        for timer, seconds in timers.items():
            yield from bps.abs_set(timer, seconds, wait=True)
        for target in targets:
            position = {motors[axis]: value for axis, value in target.items()}
            if per_step is not None:
                yield from per_step(detectors, position, defaultdict(lambda: None))
            else:
                yield from bps.mv(*(part for each in position.items() for part in each))
                yield from bps.trigger_and_read([*detectors, *motors.values()])
            yield from bps.checkpoint()

    return (yield from points())


def is_executed() -> Plan:
    """Whether somebody carries messages out, a RunEngine say, and does not only list them."""
    heard: list[bool] = []

    async def hear() -> None:
        heard.append(True)

    yield from bps.wait_for([hear])
    return bool(heard)


def _stage_time(
    stage: StageTime | Mapping[str, Any] | None,
    motors: Mapping[str, Any],
    settle: float,
    dwell: float | None,
) -> StageTime | None:
    point = {"settle": settle, "dwell": dwell or 0.0, "overhead": OVERHEAD}
    if stage is not None:
        return StageTime.of({**StageTime.of(stage).describe(), **point})
    told = told_at_once(motors)
    return None if told is None else StageTime.of({**told, **point})


def _end(
    rule: StopRule, grid: ScanGrid, clock: NDArray[np.float64] | None, dwell: float | None
) -> tuple[int | None, bool]:
    """How many points there are when the rule is met, and whether it is for sure."""
    if clock is None:
        return None, rule.budget(grid.size) is not None
    for done in (*range(LOOK_FREQUENCY, len(clock), LOOK_FREQUENCY), len(clock)):
        progress = Progress(done, grid.size, float(clock[done - 1]), done * (dwell or 0.0))
        if rule.reason(progress) is not None:
            return done, True
    return None, False


def _travel(grid: ScanGrid, path: NDArray[np.int64]) -> tuple[float, float]:
    way = np.abs(np.diff(path, axis=0)).sum(axis=0) * np.abs([grid.slow.pitch, grid.fast.pitch])
    return float(way[0]), float(way[1])


def _bytes(devices: Sequence[Any], points: int, batch: int) -> int:
    """Bytes that the journal takes for the points and the decisions."""
    data: dict[str, Any] = {}
    for device in devices:
        reading = device.read()
        if inspect.isawaitable(reading):
            getattr(reading, "close", lambda: None)()  # else Python warns that nobody awaited it
            raise ValueError(
                f"{device.name} is read asynchronously: a dry run reads ophyd's devices only"
            )
        data.update({key: each["value"] for key, each in reading.items()})
    decision = last_word(0, "", seen=0, expected_error=0.0).data(batch, 0.0, 0, 0, 0.0)
    decisions = -(-points // batch) + 1
    return points * _line(data) + decisions * _line(
        {f"decision_{k}": v for k, v in decision.items()}
    )


def _line(data: Mapping[str, Any]) -> int:
    """Bytes of one event in the journal."""
    event = {
        "uid": "0" * 36,
        "time": time.time(),
        "seq_num": 10**5,
        "descriptor": "0" * 36,
        "data": dict(data),
        "timestamps": dict(zip(data, count(time.time()), strict=False)),
        "filled": {},
    }
    return len(encode_line("event", event))


def _check_space(folder: Path, size: int) -> int:
    there = next(place for place in (folder.resolve(), *folder.resolve().parents) if place.exists())
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        raise ValueError(f"expected a folder that can be written to, but {there} cannot")
    free = shutil.disk_usage(there).free
    if free < size:
        raise ValueError(
            f"the scan needs {size / 1e6:.3g} MB, but {free / 1e6:.3g} MB are free in {there}: "
            "free space, or choose another folder"
        )
    return free
