"""The run itself: decide, measure the batch, decide again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp

from .batch import Batch
from .decider import Decider
from .logbook import Plan
from .point import Measurement, measure_point

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
    """

    measurement: Measurement
    timers: dict[Any, float]
    ahead: int
    decider: Decider


def run_batches(run: AdaptiveRun, metadata: dict[str, Any]) -> Plan:
    """Stage, open the run, and measure batch by batch."""
    uids: list[str] = []
    stopped: list[str] = []

    @bpp.subs_decorator(
        {"all": [run.measurement.reader], "start": [lambda _, doc: uids.append(doc["uid"])]}
    )
    @bpp.stage_decorator([*run.measurement.detectors, *run.measurement.motors.values()])
    @bpp.run_decorator(md=metadata)
    def batches() -> Plan:
        for timer, seconds in run.timers.items():
            yield from bps.abs_set(timer, seconds, wait=True)
        run.decider.begin()
        while not stopped:
            batch = yield from _next_batch(run.decider)
            if batch.stop_reason:
                stopped.append(batch.stop_reason)
            yield from _measure(batch, run)

    yield from batches()
    points = run.measurement.reader.observations.points
    return ScanOutcome(uids[0], points, points / run.measurement.reader.grid.size, stopped[0])


def _next_batch(decider: Decider) -> Plan:
    """Read the decision.  What a replayed message answers never gets here, so ask the decider."""
    yield from bps.trigger_and_read([decider], name=STREAM)
    yield from bps.checkpoint()
    return decider.advance()


def _measure(batch: Batch, run: AdaptiveRun) -> Plan:
    """Measure a batch; ask for the next one when ``ahead`` points of it are still to come."""
    pixels = [(int(row), int(column)) for row, column in batch.decision.pixels]
    asking = len(pixels) - min(run.ahead, len(pixels))
    for done, pixel in enumerate(pixels):
        if run.decider.stop_reason():
            return
        if done == asking:
            run.decider.ask(pixels[done:])
        yield from measure_point(run.measurement, pixel)
