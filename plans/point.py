"""One point: move, settle, read; tried again, or given up, when that goes wrong."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import partial
from typing import Any

import bluesky.plan_stubs as bps
from bluesky.protocols import Triggerable
from bluesky.utils import Msg, short_uid

from ..agent import Observation
from .bad_points import BadPoints, Tally, Trouble
from .logbook import Plan
from .measurement import Measurement, PerStep, Pixel
from .remedies import POLICY, REMEDIES, await_beam

__all__ = ["Measurement", "PerStep", "measure_point", "move_to"]


def measure_point(scan: Measurement, pixel: Pixel) -> Plan:
    """Measure a target; what was measured without beam is taken back, and measured again."""
    yield from _measure(scan, pixel)
    yield from measure_without_beam_again(scan)


def measure_without_beam_again(scan: Measurement) -> Plan:
    """Take back what was measured without beam, and measure it again when that is back."""
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
    trouble = yield from try_point(scan, move(scan, position))
    if trouble is not None:
        return trouble.why
    yield from bps.checkpoint()
    return ""


def try_point(scan: Measurement, plan: Plan) -> Plan:
    """Run a plan once; returns what went wrong, if anything, when the devices have come to rest.

    Without a policy it raises instead.
    """
    attempt = scan.attempt()
    try:
        yield from attempt.run(plan)
    except Exception:
        trouble = attempt.trouble()
        if trouble is None or scan.policy is None:
            raise
        yield from attempt.come_to_rest()
        return trouble
    return None


def _measure(scan: Measurement, pixel: Pixel) -> Plan:
    """Try a target until it is measured or given up."""
    before: Counter[str] = Counter()
    while True:
        trouble = yield from _try(scan, pixel)
        if trouble is None or scan.policy is None:
            scan.tally.good()
            return
        step, trouble = next_step(scan.policy, scan.tally, trouble, before)
        remedy = REMEDIES[step]
        yield from remedy.plan(scan, pixel, trouble, before.total())
        if not remedy.again or scan.over():
            return


def next_step(
    policy: BadPoints, tally: Tally, trouble: Trouble, before: Counter[str]
) -> tuple[str, Trouble]:
    """What is done about it, and counted; a run whose bad points are spent ends."""
    step = policy.step(trouble.kind, before[trouble.kind])
    before[trouble.kind] += 1
    spent = tally.bad(trouble.why)
    if spent and step != "stop":
        return "stop", Trouble(trouble.kind, spent, trouble.reading)
    return step, trouble


def _try(scan: Measurement, pixel: Pixel) -> Plan:
    """Try once; returns what went wrong, if anything."""
    heard = len(scan.reader.observations)
    trouble = yield from try_point(scan, _visit(scan, pixel))
    if trouble is not None and len(scan.reader.observations) == heard:
        return trouble  # else it has been recorded in spite of it
    if len(scan.reader.observations) == heard:
        raise RuntimeError(
            f"per_step left no event in the stream {scan.reader.stream!r}: end it with "
            "trigger_and_read([*detectors, *motors])"
        )
    latest = scan.reader.observations.log[-1]
    if not note_the_beam(scan, latest, pixel):
        return None  # the beam is to blame for what was read
    return scan.policy.judge(latest) if scan.policy else None


def note_the_beam(scan: Measurement, reading: Observation, pixel: Pixel) -> bool:
    """Whether there was beam when a reading of a target was taken, as far as anybody watches."""
    current = scan.reader.beside.get(reading.id, math.nan)
    return scan.beam is None or scan.beam.measured(reading.id, pixel, current)


def _visit(scan: Measurement, pixel: Pixel) -> Plan:
    """Move, settle, read.  The checkpoint after the save is also the one before the next move."""
    position = scan.reader.grid.position(pixel)
    yield from ready_again(scan)
    if scan.per_step is None:
        yield from move(scan, position)
        if scan.settle:
            yield from bps.sleep(scan.settle)
        yield from _read(scan)
    else:
        yield from _approach(scan, position)
        yield Msg("set", scan.gate, position)
        targets = {scan.motors[axis]: value for axis, value in position.items()}
        yield from scan.per_step(scan.detectors, targets, defaultdict(lambda: None))
    yield from bps.checkpoint()


def ready_again(scan: Measurement) -> Plan:
    """Set the dwell where it is another, and what an IOC has forgotten that was started again."""
    dwell = scan.exposures.dwell
    if not scan.tally.in_a_row and scan.exposures.timed == dwell:
        return
    for timer, seconds in scan.timers.items():
        yield from bps.abs_set(timer, seconds * dwell, wait=True)
    scan.exposures.timed = dwell
    if scan.fly is not None and scan.tally.in_a_row:
        yield from scan.fly.flyer.speeds.restore_all()


def _read(scan: Measurement) -> Plan:
    """Expose and save; where the scan flies too, what is read is the one device of all."""
    if scan.fly is None:
        yield from bps.trigger_and_read([*scan.detectors, *scan.motors.values()])
        return
    group = short_uid("trigger")
    for device in (d for d in scan.detectors if isinstance(d, Triggerable)):
        yield from bps.trigger(device, group=group)
    yield from bps.wait(group)
    yield from bps.create(scan.reader.stream)
    yield from bps.read(scan.fly.flyer)
    yield from bps.save()


def move(scan: Measurement, position: Mapping[str, float]) -> Plan:
    """Go to a position (motor units by axis), in steps that the guard lets through."""
    yield from _approach(scan, position)
    yield from go_through_the_gate(scan, position)


def _approach(scan: Measurement, position: Mapping[str, float]) -> Plan:
    """Go to where one step to a position is left."""
    if not scan.gate.guard().minds_the_way:
        return
    yield from bps.wait_for([partial(scan.gate.look, scan.motors)])
    if scan.gate.looked:  # else the gate will say why not
        *steps, _ = scan.gate.guard().way(scan.gate.stands, position)
        for step in steps:
            yield from go_through_the_gate(scan, step)
            yield from bps.checkpoint()  # a rewind must not go back further than one step


def go_through_the_gate(scan: Measurement, position: Mapping[str, float]) -> Plan:
    """Go there at once, if the guard lets the stage."""
    yield Msg("set", scan.gate, position)
    yield from bps.mv(*(p for axis, value in position.items() for p in (scan.motors[axis], value)))
