"""One segment: gather speed, fly over its pixels, collect; what is left of it is flown again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import bluesky.plan_stubs as bps
from bluesky.utils import Msg, short_uid

from ..agent import Observation, UnansweredCheckError
from .attempt import halt
from .bad_points import AGAIN, Trouble
from .flight import Flight, Pixels, plan_flight
from .logbook import Plan
from .measurement import Flying, Measurement, Pixel
from .point import (
    measure_point,
    measure_without_beam_again,
    move,
    next_step,
    note_the_beam,
    ready_again,
    try_point,
)
from .remedies import POLICY, REMEDIES

LOOK = 0.1  # s between two looks at what is forbidden while the stage flies
NO_ROOM = "no room to gather speed"


def fly_over(scan: Measurement, pixels: Pixels) -> Plan:
    """Measure a segment in one flight.

    What is left of a flight that was cut short is flown again, or given up, as the policy says.

    Returns
    -------
    (L, 2) ndarray of int64
        What has to be measured as points, as it cannot be flown.
    """
    if scan.fly is None or len(pixels) < 2:
        return pixels
    left = yield from _fly_over(scan, scan.fly, pixels)
    yield from measure_without_beam_again(scan)
    return left


def _fly_over(scan: Measurement, fly: Flying, pixels: Pixels) -> Plan:
    """Fly until all is measured, given up or barred; what has to be measured as points."""
    before: Counter[str] = Counter()
    left = pixels
    while len(left) > 1:
        stage = replace(fly.stage, dwell=fly.stage.dwell * scan.exposures.dwell)
        flight = plan_flight(left, scan.reader.grid, stage, _objection(scan), fly.tolerance)
        if isinstance(flight, str):
            yield from _say_once(scan, fly, flight)
            return left
        counted, trouble = yield from _try(scan, fly, flight)
        yield from _judge(scan, counted)
        left = left[len(counted) :]
        if trouble is None or scan.policy is None:
            scan.tally.good()
            continue
        step, trouble = next_step(scan.policy, scan.tally, trouble, before)
        given_up = _as_pixels(left) if step == "skip" else _as_pixels(left)[:1]
        for pixel in given_up:
            yield from REMEDIES[step].plan(scan, pixel, trouble, before.total())
        if not REMEDIES[step].again or scan.over():
            return left[:0]
    return left


def _objection(scan: Measurement) -> Any:
    guard = scan.gate.guard()

    def objection(position: Mapping[str, float], stands: Mapping[str, float]) -> str | None:
        try:
            return guard.objection(position, stands)
        except UnansweredCheckError:
            return None  # the gate will say so, and the flight be tried again

    return objection


def _say_once(scan: Measurement, fly: Flying, why: str) -> Plan:
    if not fly.said:
        fly.said.add(why)
        what = f"{NO_ROOM}: measured point by point"
        yield from scan.logbook.record("refused", "guard", what="flight", why=f"{what} ({why})")


def _try(scan: Measurement, fly: Flying, flight: Flight) -> Plan:
    """Try once; returns what was counted, by pixel, and what went wrong, if anything."""
    heard, zones = len(scan.reader.observations), scan.gate.guard().keep_out
    trouble = yield from try_point(scan, _fly(scan, fly, flight))
    if trouble is not None and fly.flyer.has_begun(flight):
        yield from _salvage(scan, fly)
    # a rewind may have said some twice: the last word on each
    latest = {entry.id: entry for entry in scan.reader.observations.log[heard:]}
    counted = list(zip(_as_pixels(flight.pixels), latest.values(), strict=False))
    barred = scan.gate.guard().keep_out != zones
    if trouble is None and len(counted) < flight.bins and not barred:
        told = f"{fly.flyer.detector.name} told {len(counted)} bins of {flight.bins}"
        trouble = Trouble("hung", told)
        if scan.policy is None:
            raise RuntimeError(f"{told}: see that its trigger sees {flight.axis!r} pass")
    return counted, trouble


def _fly(scan: Measurement, fly: Flying, flight: Flight) -> Plan:
    yield from ready_again(scan)
    yield from move(scan, flight.begin)
    if scan.settle:
        yield from bps.sleep(scan.settle)
    group = short_uid("kickoff")
    yield Msg("prepare", fly.flyer, flight, group=group)
    yield from fly.flyer.speeds.lower(flight, group)
    yield from bps.kickoff(fly.flyer, group=group)
    yield from bps.wait(group)
    if scan.shutter is not None:
        yield from scan.shutter.opened()
    yield Msg("set", scan.exposures, flight.bins, group=group)
    yield from _pass_over(scan, flight)
    yield from _gather(scan, fly)


def _pass_over(scan: Measurement, flight: Flight) -> Plan:
    """Let the axis pass; a region on its way that people forbid meanwhile stops it at once."""
    motor, end, group = scan.motors[flight.axis], flight.end[flight.axis], short_uid("flight")
    yield Msg("set", scan.gate, {flight.axis: end})
    yield from bps.abs_set(motor, end, group=group)
    zones = scan.gate.guard().keep_out
    while not (yield from bps.wait(group, timeout=LOOK, error_on_timeout=False)):
        yield from scan.attend(None, "forbid")
        if scan.gate.guard().keep_out != zones and _objection(scan)(flight.end, flight.begin):
            yield from bps.wait_for([partial(halt, motor)])
            yield from bps.checkpoint()  # what was stopped is not flown again after a pause
            break
    yield from bps.wait(group)


def _gather(scan: Measurement, fly: Flying) -> Plan:
    """The axis rests: put its speed back meanwhile, and save what was counted."""
    group = short_uid("complete")
    yield from bps.complete(fly.flyer, group=group)
    yield from fly.flyer.speeds.restore(group)
    yield from bps.wait(group)
    fly.flyer.speeds.restored()
    yield from bps.collect(fly.flyer, name=scan.reader.stream, return_payload=False)
    yield from bps.checkpoint()


def _salvage(scan: Measurement, fly: Flying) -> Plan:
    """Save what a flight that failed has counted, where the detector can still tell."""
    yield from try_point(scan, _gather(scan, fly))


def _judge(scan: Measurement, counted: Sequence[tuple[Pixel, Observation]]) -> Plan:
    """Take back the readings that the policy does not take; their pixels are measured again."""
    taken_back: list[Trouble] = []
    again: list[Pixel] = []
    for pixel, entry in counted:
        if not note_the_beam(scan, entry, pixel) or scan.policy is None:
            continue
        trouble = scan.policy.judge(entry)
        if trouble is None:
            scan.tally.good()
            continue
        step, trouble = next_step(scan.policy, scan.tally, trouble, Counter())
        if step == "stop":
            yield from scan.logbook.record("stop", POLICY, why=trouble.why)
            break
        if step != "keep":
            taken_back.append(trouble)
            again += [pixel] if step in AGAIN else []
    if taken_back:
        numbers: dict[str, Any] = {"seq_nums": [trouble.reading for trouble in taken_back]}
        numbers |= {"again": again}
        yield from scan.logbook.record("quarantine", POLICY, **numbers, why=taken_back[0].why)
    for pixel in again:
        if not scan.over():
            yield from measure_point(scan, pixel)


def _as_pixels(pixels: Pixels) -> list[Pixel]:
    return [(int(row), int(column)) for row, column in pixels]
