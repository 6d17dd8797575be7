"""The run itself: decide, measure the batch, decide again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
import numpy as np
from bluesky.utils import RunEngineControlException

from ..agent import asks_after, segments_of
from .batch import Batch
from .decider import REJECTED, Decider
from .logbook import Plan
from .people import LOOK, Ears, attend, await_approval, move_at_the_end
from .point import Measurement, measure_point
from .segment import Pixels, fly_over
from .waiting import wait_for_future

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
    exposures : int
        Exposures made, repeated ones included.
    repeated : int
        Those of them that left no event: interrupted by a pause, say, or by an error.
    """

    uid: str
    points: int
    coverage: float
    stop_reason: str
    exposures: int = 0
    repeated: int = 0


@dataclass(frozen=True)
class AdaptiveRun:
    """What a run is made of.

    Attributes
    ----------
    measurement : Measurement
    timers : dict
        Seconds to set on each exposure signal before the first point.
    ahead : int
        The next decision is asked for when so many points of a batch are still to come.
    decider : Decider
    ears : Ears
        Hear people.
    then : mapping or None
        Where the stage goes at the end: ``to: best``, or ``row`` and ``column``.
    opening : callable or None
        Plan to begin with: what another run left to be done.
    """

    measurement: Measurement
    timers: dict[Any, float]
    ahead: int
    decider: Decider
    ears: Ears
    then: Mapping[str, Any] | None = None
    opening: Callable[[AdaptiveRun], Plan] | None = None


def run_batches(run: AdaptiveRun, metadata: dict[str, Any]) -> Plan:
    """Stage, open the run, and measure batch by batch."""
    uids: list[str] = []
    stopped: list[str] = []

    @bpp.subs_decorator(
        {"all": [run.measurement.reader], "start": [lambda _, doc: uids.append(doc["uid"])]}
    )
    @bpp.stage_decorator(run.measurement.staged)
    def staged() -> Plan:
        yield from _in_a_run(batches(), metadata, stopped)

    def batches() -> Plan:
        for timer, seconds in run.timers.items():
            yield from bps.abs_set(timer, seconds, wait=True)
        yield from _get_ready_to_fly(run)
        run.decider.begin()
        if run.opening is not None:
            yield from run.opening(run)
        yield from attend(run.ears, ())
        while not stopped:
            batch = yield from _next_batch(run)
            if batch.stop_reason:
                stopped.append(batch.stop_reason)
            yield from await_approval(run.ears, batch)
            yield from measure_batch(batch, run)
        yield from move_at_the_end(run.ears, run.measurement, run.then)

    yield from staged()
    scan = run.measurement
    points, made = scan.reader.observations.points, scan.exposures.made
    return ScanOutcome(
        uids[0],
        points,
        points / scan.reader.grid.size,
        stopped[0],
        made,
        max(0, made - (scan.reader.observations.next_id - 1)),
    )


def _in_a_run(plan: Plan, metadata: dict[str, Any], reasons: list[str]) -> Plan:
    """As bluesky's ``run_wrapper``; the stop document of a run that ends in order says why, too."""
    yield from bps.open_run(metadata)
    yield from bpp.contingency_wrapper(
        plan, except_plan=_close_failed, else_plan=lambda: bps.close_run(reason=reasons[0])
    )


def _close_failed(error: Exception) -> Plan:
    if isinstance(error, RunEngineControlException):
        yield from bps.close_run(exit_status=getattr(error, "exit_status", "abort"))
    else:
        yield from bps.close_run(exit_status="fail", reason=str(error))


def _next_batch(run: AdaptiveRun) -> Plan:
    """Read the decision.  What a replayed message answers never gets here, so ask the decider."""
    yield from _wait_for_decision(run)
    yield from bps.trigger_and_read([run.decider], name=STREAM)
    yield from bps.checkpoint()
    return run.decider.advance()


def _wait_for_decision(run: AdaptiveRun) -> Plan:
    """Hear people meanwhile; where it takes long, with the shutter closed."""
    shutter, began = run.measurement.shutter, time.monotonic()
    while (decision := run.decider.wait()) is not None:
        yield from wait_for_future(decision, LOOK)
        yield from bps.checkpoint()  # else a rewind would wait through it all again
        if shutter is not None and not decision.done():
            yield from shutter.closed_after(time.monotonic() - began)
        yield from attend(run.ears)


def measure_batch(batch: Batch, run: AdaptiveRun, since: int = 0) -> Plan:
    """Measure a batch, or what is left of it ``since`` one of its targets.

    The next batch is asked for when ``ahead`` points of this one are still to come.
    """
    decision, fly = batch.decision, run.measurement.fly
    pixels = [(int(row), int(column)) for row, column in decision.pixels]
    lengths = decision.lengths if fly else np.ones(len(pixels), dtype=np.int64)
    dwells = np.repeat(decision.dwells, decision.lengths)
    done, asking = since, asks_after(lengths, run.ahead)
    for segment in segments_of(decision.pixels, lengths, since):
        yield from attend(run.ears, pixels[done:])
        if run.decider.stop_reason():
            return
        if done == asking:
            run.decider.ask(pixels[done:])
        run.measurement.exposures.dwell = float(dwells[done])
        yield from _measure_allowed(run, segment)
        done += len(segment)
    yield from attend(run.ears, ())


def _measure_allowed(run: AdaptiveRun, segment: Pixels) -> Plan:
    """Measure what people have not forbidden meanwhile; what lies between is one segment each."""
    first = 0
    for place, (row, column) in enumerate(segment):
        pixel = (int(row), int(column))
        if refusal := run.decider.refusal(pixel):
            yield from _measure_segment(run, segment[first:place])
            yield from _leave_out(run, pixel, refusal)
            first = place + 1
    yield from _measure_segment(run, segment[first:])


def _measure_segment(run: AdaptiveRun, segment: Pixels) -> Plan:
    """Measure a segment in one flight, or as points what of it cannot be flown."""
    scan = run.measurement
    left = yield from fly_over(scan, segment)
    for row, column in left:
        pixel = (int(row), int(column))
        if len(segment) > 1:  # else it has just been asked for
            yield from scan.attend()
            if scan.over():
                return
        if refusal := run.decider.refusal(pixel):
            yield from _leave_out(run, pixel, refusal)
        else:
            yield from measure_point(scan, pixel)


def _leave_out(run: AdaptiveRun, pixel: tuple[int, int], refusal: str) -> Plan:
    if refusal != REJECTED:  # which says so already
        where = {"row": pixel[0], "column": pixel[1]}
        yield from run.ears.logbook.record("skip", "guard", **where, why=refusal)


def _get_ready_to_fly(run: AdaptiveRun) -> Plan:
    """Declare what points and bins share; a run that was killed may have left a motor slow."""
    scan = run.measurement
    if scan.fly is None:
        return
    if run.opening is not None:
        yield from scan.fly.flyer.speeds.restore_all()
    yield from bps.declare_stream(scan.fly.flyer, name=scan.reader.stream, collect=True)
    yield from bps.checkpoint()
