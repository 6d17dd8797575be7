"""The adaptive scan: a Bluesky plan that hears its own documents and measures where they point."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
import numpy as np
from bluesky.utils import Msg

from ..agent import AgentServer, Axis, EventReader, Guard, KeepOut, Sampler, ScanGrid, StopRule
from ..workers import Caller, LocalWorker, Worker
from .advisor import Advisor
from .batch import Batch
from .decider import Decider
from .request import (
    agent_spec,
    batch_size,
    check_key,
    check_limits,
    check_target,
    check_times,
    data_key,
    exposure_signals,
    keep_out_zones,
    prefetch_size,
    stop_rule,
)

Plan = Generator[Msg, Any, Any]
PerStep = Callable[[Sequence[Any], Mapping[Any, float], dict[Any, Any]], Plan]
STREAM = "decisions"


@dataclass(frozen=True)
class ScanOutcome:
    """What an adaptive scan returns (``RunEngine(call_returns_result=True).plan_result``).

    Attributes
    ----------
    uid : str
        The run's unique id.
    points : int
        Pixels with a usable value.
    coverage : float
        Their share of the grid.
    stop_reason : str
        Why it ended.
    """

    uid: str
    points: int
    coverage: float
    stop_reason: str


def adaptive_scan(
    detectors: Sequence[Any],
    agent: str | Mapping[str, Any] | Sampler,
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
    key: str | None = None,
    dwell: float | None = None,
    settle: float = 0.0,
    seed: int = 0,
    prefetch: int | None = None,
    decision_timeout: float = 120.0,
    keep_out: Sequence[KeepOut | Mapping[str, Any]] = (),
    per_step: PerStep | None = None,
    md: Mapping[str, Any] | None = None,
) -> Plan:
    """Scan a grid in the order that an agent decides while the scan runs.

    Parameters
    ----------
    detectors : list of readables
        All are recorded; the first steers, unless ``key`` says otherwise.
    agent : str, mapping or Sampler
        An agent's name (``"slads"``, ``"path/to/mine.py:Mine"``), a mapping with ``agent`` and
        ``options``, or a sampler of your own, which then decides in a thread of this process.
    slow_motor, slow_start, slow_stop, slow_num
        The axis that counts rows: motor, ends in its units, number of points.
    fast_motor, fast_start, fast_stop, fast_num
        The axis that counts columns.
    until : StopRule or str
        When to stop: ``coverage(0.15) | time(3600)``.
    batch : int, optional
        Points between two decisions; a third of a percent of the grid, at most 50, by default.
    key : str, optional
        Data key of the reading that steers; the first hinted field of the first detector.
    dwell : float, optional
        Seconds of each exposure, set on every detector that has a ``dwell`` (or ``exposure_time``,
        ``count_time``, ``preset_time``).
    settle : float
        Seconds to wait between a move and its exposure.
    seed : int
        The same seed and readings give the same scan.
    prefetch : int, optional
        The next decision is computed while the last ``prefetch`` points of a batch are measured;
        0 waits for all of them. Half of the batch by default.
    decision_timeout : float
        Seconds after which an agent that has not decided is replaced by low-discrepancy points.
    keep_out : sequence of KeepOut or mapping
        Rectangles that no target may lie in.
    per_step : callable, optional
        ``per_step(detectors, {motor: position}, pos_cache)``, as in ``grid_scan``; it must leave
        one event in the stream ``primary``.
    md : mapping, optional
        Added to the start document.

    Returns
    -------
    ScanOutcome
        Run id, points, coverage and why it stopped.

    Raises
    ------
    ValueError
        For a grid off the motors' limits, an unknown agent, a key that no detector has, or a
        criterion that makes no sense: before anything moves.

    Examples
    --------
    >>> from bluesky import RunEngine
    >>> from ophyd.sim import det4, motor1, motor2
    >>> RE = RunEngine(call_returns_result=True)
    >>> result = RE(adaptive_scan([det4], "low-discrepancy", motor1, -1, 1, 9, motor2, -1, 1, 9,
    ...                           until="points(20)"))
    >>> result.plan_result.stop_reason
    '20 points'
    """
    grid = ScanGrid(
        Axis(data_key(slow_motor), slow_start, slow_stop, slow_num),
        Axis(data_key(fast_motor), fast_start, fast_stop, fast_num),
    )
    motors = {grid.slow.name: slow_motor, grid.fast.name: fast_motor}
    check_times(dwell, settle, decision_timeout)
    rule = stop_rule(until, dwell)
    size = batch_size(batch, grid)
    ahead = prefetch_size(prefetch, size)
    steering = key or data_key(detectors[0] if detectors else None)
    zones = keep_out_zones(keep_out)
    timers = exposure_signals(detectors, dwell)
    if key is not None and per_step is None:  # a step of one's own may read what steers
        check_key(detectors, key)
    yield from check_limits(grid, motors)

    guard = Guard(grid, partial(check_target, motors), zones)
    spec = {
        **agent_spec(agent),
        "grid": grid.describe(),
        "seed": int(seed),
        "until": repr(rule),
        "blocked": np.argwhere(guard.forbidden()).tolist(),
    }
    advisor = Advisor(partial(_start_worker, agent, spec), spec, guard, decision_timeout)
    try:
        described = yield from _describe_agent(advisor, decision_timeout)
        record = {
            "version": version("skysteer"),
            **described,
            "grid": grid.describe(),
            "key": steering,
            "seed": int(seed),
            "until": repr(rule),
            "batch": size,
            "prefetch": ahead,
            "dwell": None if dwell is None else float(dwell),
            "settle": float(settle),
            "decision_timeout": float(decision_timeout),
            "keep_out": [asdict(zone) for zone in zones],
        }
        reader = EventReader(grid, steering)
        scan = _Scan(
            detectors=list(detectors),
            motors=motors,
            dwell={timer: float(dwell or 0.0) for timer in timers},
            settle=float(settle),
            per_step=per_step,
            ahead=ahead,
            reader=reader,
            decider=Decider(advisor, reader, rule, size, exposure=dwell or 0.0),
        )
        planned = rule.budget(grid.size) or grid.size
        return (yield from _run(scan, _metadata(scan, record, planned, md or {})))
    finally:
        # Not finalize_wrapper: its plan is left out when the run is halted.
        advisor.close()


@dataclass(frozen=True)
class _Scan:
    detectors: list[Any]
    motors: dict[str, Any]
    dwell: dict[Any, float]
    settle: float
    per_step: PerStep | None
    ahead: int
    reader: EventReader
    decider: Decider


def _run(scan: _Scan, metadata: dict[str, Any]) -> Plan:
    """Stage, open the run, and measure batch by batch."""
    uids: list[str] = []
    stopped: list[str] = []

    @bpp.subs_decorator({"all": [scan.reader], "start": [lambda _, doc: uids.append(doc["uid"])]})
    @bpp.stage_decorator([*scan.detectors, *scan.motors.values()])
    @bpp.run_decorator(md=metadata)
    def batches() -> Plan:
        for timer, seconds in scan.dwell.items():
            yield from bps.abs_set(timer, seconds, wait=True)
        scan.decider.begin()
        while not stopped:
            batch = yield from _next_batch(scan.decider)
            if batch.stop_reason:
                stopped.append(batch.stop_reason)
            yield from _measure(batch, scan)

    yield from batches()
    points = scan.reader.observations.points
    return ScanOutcome(uids[0], points, points / scan.reader.grid.size, stopped[0])


def _next_batch(decider: Decider) -> Plan:
    """Read the decision.  What a replayed message answers never gets here, so ask the decider."""
    yield from bps.trigger_and_read([decider], name=STREAM)
    yield from bps.checkpoint()
    return decider.advance()


def _measure(batch: Batch, scan: _Scan) -> Plan:
    """Measure a batch; ask for the next one when ``ahead`` points of it are still to come."""
    pixels = [(int(row), int(column)) for row, column in batch.decision.pixels]
    asking = len(pixels) - min(scan.ahead, len(pixels))
    for done, pixel in enumerate(pixels):
        if scan.decider.stop_reason():
            return
        if done == asking:
            scan.decider.ask(pixels[done:])
        yield from _step(scan, pixel)


def _step(scan: _Scan, pixel: tuple[int, int]) -> Plan:
    """Move, settle, read.  The checkpoint after the save is also the one before the next move."""
    targets = {scan.motors[axis]: value for axis, value in scan.reader.grid.position(pixel).items()}
    heard = len(scan.reader.observations)
    if scan.per_step is not None:
        yield from scan.per_step(scan.detectors, targets, defaultdict(lambda: None))
    else:
        yield from bps.mv(*(part for target in targets.items() for part in target))
        if scan.settle:
            yield from bps.sleep(scan.settle)
        yield from bps.trigger_and_read([*scan.detectors, *scan.motors.values()])
    yield from bps.checkpoint()
    if len(scan.reader.observations) == heard:
        raise RuntimeError(
            f"per_step left no event in the stream {scan.reader.stream!r}: end it with "
            "trigger_and_read([*detectors, *motors])"
        )


def _describe_agent(advisor: Advisor, timeout: float) -> Plan:
    """What the agent is, from its worker, before anything moves."""
    answer = advisor.describe_agent()
    try:
        yield from _wait(answer, timeout)
        return answer.result(timeout=0)
    except Exception as error:
        why = error if answer.done() else f"no answer within {timeout:g} s"
        raise ValueError(f"agent {advisor.agent!r} cannot be built: {why}") from error


def _wait(future: Future[Any], timeout: float) -> Plan:
    """Wait for a future without blocking the RunEngine, and without an opinion on its outcome."""

    async def ended() -> None:
        with contextlib.suppress(Exception):
            # shielded: a pause cancels this wait, and would cancel the call with it
            await asyncio.shield(asyncio.wrap_future(future))

    yield from bps.wait_for([ended], timeout=timeout)


def _start_worker(agent: Any, spec: Mapping[str, Any]) -> Caller:
    if isinstance(agent, str | Mapping):
        return Worker("skysteer.agent:AgentServer", dict(spec))
    return LocalWorker(AgentServer(spec, agent))


def _metadata(
    scan: _Scan, record: Mapping[str, Any], planned: int, md: Mapping[str, Any]
) -> dict[str, Any]:
    """Start document in the manner of grid_scan, so that what reads those reads this."""
    grid = scan.reader.grid
    axes = (grid.slow, grid.fast)
    arguments = [
        part
        for axis in axes
        for part in (
            repr(scan.motors[axis.name]),
            float(axis.start),
            float(axis.stop),
            int(axis.num),
        )
    ]
    hints = {
        "gridding": "rectilinear_nonsequential",
        "dimensions": [([axis.name], scan.reader.stream) for axis in axes],
    }
    return {
        "plan_name": "adaptive_scan",
        "plan_args": {
            "detectors": list(map(repr, scan.detectors)),
            "agent": record["agent"],
            "args": arguments,
            "until": record["until"],
        },
        "detectors": [detector.name for detector in scan.detectors],
        "motors": [scan.motors[axis.name].name for axis in axes],
        "shape": list(grid.shape),
        "extents": [[float(axis.start), float(axis.stop)] for axis in axes],
        "num_points": planned,
        **md,
        "hints": {**hints, **md.get("hints", {})},
        "skysteer": dict(record),
    }
