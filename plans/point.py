"""One point: move, settle, read; tried again, or given up, when that goes wrong."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import partial
from typing import Any

import bluesky.plan_stubs as bps
from bluesky.utils import Msg

from .bad_points import Trouble
from .logbook import Plan
from .measurement import Measurement, PerStep, Pixel
from .remedies import POLICY, REMEDIES, await_beam

__all__ = ["Measurement", "PerStep", "measure_point", "move_to"]


def measure_point(scan: Measurement, pixel: Pixel) -> Plan:
    """Measure a target; what was measured without beam is taken back, and measured again."""
    yield from _measure(scan, pixel)
    while scan.beam is not None and (suspects := scan.beam.suspects()):
        check = scan.beam.check
        why = f"{check.key} fell below {check.minimum:g}"
        once_more = list(dict.fromkeys(suspects.values()))
        numbers: dict[str, Any] = {"seq_nums": sorted(suspects), "again": once_more}
        yield from scan.logbook.record("quarantine", POLICY, **numbers, why=why)
        yield from await_beam(scan, scan.beam)
        for again in once_more:
            if not scan.over():
                yield from _measure(scan, again)


def move_to(scan: Measurement, position: Mapping[str, float]) -> Plan:
    """Drive the stage to a position (motor units by axis), in steps that the guard lets through.

    Returns
    -------
    str
        Why it did not get there; empty where it did. Without a policy it raises instead.
    """
    attempt = scan.attempt()
    try:
        yield from attempt.run(_move(scan, position))
    except Exception:
        trouble = attempt.trouble()
        if trouble is None or scan.policy is None:
            raise
        yield from attempt.come_to_rest()
        return trouble.why
    yield from bps.checkpoint()
    return ""


def _measure(scan: Measurement, pixel: Pixel) -> Plan:
    """Try a target until it is measured or given up."""
    before: Counter[str] = Counter()
    while True:
        trouble = yield from _try(scan, pixel)
        if trouble is None or scan.policy is None:
            scan.tally.good()
            return
        step = scan.policy.step(trouble.kind, before[trouble.kind])
        before[trouble.kind] += 1
        spent = scan.tally.bad(trouble.why)
        if spent and step != "stop":
            step, trouble = "stop", Trouble(trouble.kind, spent, trouble.reading)
        remedy = REMEDIES[step]
        yield from remedy.plan(scan, pixel, trouble, before.total())
        if not remedy.again or scan.over():
            return


def _try(scan: Measurement, pixel: Pixel) -> Plan:
    """Try once; returns what went wrong, if anything."""
    attempt, heard = scan.attempt(), len(scan.reader.observations)
    try:
        yield from attempt.run(_visit(scan, pixel))
    except Exception:
        trouble = attempt.trouble()
        if trouble is None or scan.policy is None:
            raise
        yield from attempt.come_to_rest()
        if len(scan.reader.observations) == heard:  # else it has been recorded in spite of it
            return trouble
    if len(scan.reader.observations) == heard:
        raise RuntimeError(
            f"per_step left no event in the stream {scan.reader.stream!r}: end it with "
            "trigger_and_read([*detectors, *motors])"
        )
    latest = scan.reader.observations.log[-1]
    current = scan.reader.beside.get(latest.id, math.nan)
    if scan.beam is not None and not scan.beam.measured(latest.id, pixel, current):
        return None  # the beam is to blame for what was read
    return scan.policy.judge(latest) if scan.policy else None


def _visit(scan: Measurement, pixel: Pixel) -> Plan:
    """Move, settle, read.  The checkpoint after the save is also the one before the next move."""
    position = scan.reader.grid.position(pixel)
    if scan.tally.in_a_row:  # an IOC that was started again has forgotten them
        for timer, seconds in scan.timers.items():
            yield from bps.abs_set(timer, seconds, wait=True)
    if scan.per_step is None:
        yield from _move(scan, position)
        if scan.settle:
            yield from bps.sleep(scan.settle)
        yield from bps.trigger_and_read([*scan.detectors, *scan.motors.values()])
    else:
        yield from _approach(scan, position)
        yield Msg("set", scan.gate, position)
        targets = {scan.motors[axis]: value for axis, value in position.items()}
        yield from scan.per_step(scan.detectors, targets, defaultdict(lambda: None))
    yield from bps.checkpoint()


def _move(scan: Measurement, position: Mapping[str, float]) -> Plan:
    yield from _approach(scan, position)
    yield from _go(scan, position)


def _approach(scan: Measurement, position: Mapping[str, float]) -> Plan:
    """Go to where one step to a position is left."""
    if not scan.gate.guard().minds_the_way:
        return
    yield from bps.wait_for([partial(scan.gate.look, scan.motors)])
    if scan.gate.looked:  # else the gate will say why not
        *steps, _ = scan.gate.guard().way(scan.gate.stands, position)
        for step in steps:
            yield from _go(scan, step)
            yield from bps.checkpoint()  # a rewind must not go back further than one step


def _go(scan: Measurement, position: Mapping[str, float]) -> Plan:
    yield Msg("set", scan.gate, position)
    yield from bps.mv(*(p for axis, value in position.items() for p in (scan.motors[axis], value)))
