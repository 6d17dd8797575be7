"""How a run takes up what another left: the same question again, the rest of its batch."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import bluesky.plan_stubs as bps
import numpy as np

from ..agent import History, PastDecision
from .batches import AdaptiveRun, measure_batch
from .decider import Decider
from .logbook import Plan
from .people import await_approval
from .point import measure_point
from .redecide import by_agents, what_differs
from .waiting import wait_for_future

logger = logging.getLogger(__name__)

PATIENCE = 30.0  # s that a move under way has to end by itself
STOPPING = 10.0  # s that a motor has to come to rest when it is stopped
LOOK = 0.1  # s between two looks at it


@dataclass(frozen=True, eq=False)
class Recheck:
    """What came of deciding once more what had been decided.

    Attributes
    ----------
    number : int
        The last decision; -1 where there was none.
    differs : int
        The first decision that comes out otherwise now; -1 where the last one does not.
    what : str
        ``digest``, or ``pixels``, or of motors ``positions``: what differs.
    """

    number: int = -1
    differs: int = -1
    what: str = ""


def take_up(past: History, run: AdaptiveRun) -> Plan:
    """Put a run where another stopped, before anything moves; returns the run.

    The last decision is made once more, to see that this agent decides as that one did; the
    question that was open is asked again.
    """
    reader, decider = run.measurement.reader, run.decider
    yield from await_rest(run.measurement.motors.values())
    decider.fall_back_with(past.made)
    recheck = yield from _recheck(past, decider)
    interruption = past.interruption(run.ahead)
    reader.recall(past.log, past.interventions)
    exposures = run.measurement.exposures
    exposures.made, exposures.dose = past.exposures, past.dose
    decider.recall(past.made, past.seconds)
    if interruption is not None and interruption.asked is not None:
        decider.ask_again(interruption.asked)

    def opening(run: AdaptiveRun) -> Plan:
        yield from run.measurement.logbook.record(
            "resume",
            "resume",
            resumed_from=past.uid,
            events=past.events,
            decisions=len(past.made),
            rechecked=recheck.number,
            differs=recheck.differs,
            what=recheck.what,
        )
        if interruption is not None:
            batch = run.decider.go_on_with(interruption.batch)
            yield from await_approval(run.ears, batch)
            decision = batch.decision
            dwells = np.repeat(decision.dwells, decision.lengths)
            run.measurement.exposures.dwell = float(dwells[max(interruption.done - 1, 0)])
            for pixel in interruption.again:
                yield from measure_point(run.measurement, pixel)
            yield from measure_batch(batch, run, interruption.done)

    return replace(run, opening=opening)


def await_rest(motors: Iterable[Any]) -> Plan:
    """Wait for motors that still move, and stop those that do not come to rest.

    Raises
    ------
    RuntimeError
        If one moves on although it was stopped.
    """
    for motor in motors:
        if (yield from _rests(motor, PATIENCE)):
            continue
        logger.warning("%s still moves after %g s and is stopped", motor.name, PATIENCE)
        yield from bps.stop(motor)
        if not (yield from _rests(motor, STOPPING)):
            raise RuntimeError(
                f"motor {motor.name!r} still moves {STOPPING:g} s after it was stopped: see who "
                "moves it, then resume"
            )


def _rests(motor: Any, patience: float) -> Plan:
    """Whether a motor comes to rest in time; one that cannot tell whether it moves does."""
    deadline = time.monotonic() + patience
    while moving := getattr(motor, "moving", False) is True:
        if time.monotonic() > deadline:
            break
        yield from bps.sleep(LOOK)
    return not moving


def _recheck(past: History, decider: Decider) -> Plan:
    """Find out whether the agent decides as it did; if not, since when."""
    chosen = by_agents(past.made)
    if not chosen:
        return Recheck()
    number = chosen[-1].decision.number
    if not (yield from _difference(past, chosen[-1], decider)):
        return Recheck(number)
    for each in chosen:
        what = yield from _difference(past, each, decider)
        if what:
            logger.warning(
                "decision %d of run %s comes out with other %s here: the scan goes on, but not as "
                "it would have there",
                each.decision.number,
                past.uid,
                what,
            )
            return Recheck(number, each.decision.number, what)
    return Recheck(number)


def _difference(past: History, each: PastDecision, decider: Decider) -> Plan:
    """What differs when a decision is made once more; empty where nothing does."""
    again = decider.answer_at(past.before(each))
    if again is not None:
        yield from wait_for_future(again, math.inf)
    return what_differs(again and again.result(timeout=0), each)
