"""The steps of the bad-point policy, as plans; each one leaves an event."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import bluesky.plan_stubs as bps

from .bad_points import Trouble
from .beam import BeamWatch
from .logbook import Plan
from .measurement import Measurement, Pixel

logger = logging.getLogger(__name__)

POLICY = "policy"  # who it was that retried, skipped, ...
LOOK = 0.2  # s between two looks at what is waited for


@dataclass(frozen=True)
class Remedy:
    """What may be done about a bad point.

    Attributes
    ----------
    plan : callable
        Takes the scan, the target, what went wrong, and how often it has been tried.
    again : bool
        Whether the target is tried once more afterwards.
    """

    plan: Callable[[Measurement, Pixel, Trouble, int], Plan]
    again: bool = False


def await_beam(scan: Measurement, beam: BeamWatch) -> Plan:
    """Wait for the ring current, with the shutter closed; end the run where it stays away."""
    current: list[float] = []

    async def look() -> None:
        with contextlib.suppress(Exception):  # a ring that does not answer tells of no beam
            current.append(await beam.current())

    def back() -> Plan:
        current.clear()
        yield from bps.wait_for([look])
        return bool(current) and current[-1] >= beam.check.minimum

    if not (yield from _look_until(scan, back, beam.check.patience)) and not scan.over():
        why = f"no beam for {beam.check.patience:g} s ({beam.check.key})"
        yield from scan.logbook.record("stop", POLICY, why=why)


def _retry(scan: Measurement, pixel: Pixel, trouble: Trouble, tried: int) -> Plan:
    yield from _take_back(scan, trouble)
    where = {"row": pixel[0], "column": pixel[1]}
    yield from scan.logbook.record("retry", POLICY, **where, why=trouble.why, attempt=tried)


def _wait(scan: Measurement, pixel: Pixel, trouble: Trouble, tried: int) -> Plan:
    """Wait for the devices to answer again."""
    devices = [*scan.motors.values(), *scan.detectors]
    patience = scan.policy.patience if scan.policy else 0.0

    def back() -> Plan:
        yield from bps.null()
        return all(getattr(device, "connected", True) for device in devices)

    yield from _take_back(scan, trouble)
    logger.warning("lost: %s; waiting up to %g s for it to come back", trouble.why, patience)
    yield from scan.logbook.record("wait", POLICY, why=trouble.why)
    yield from _look_until(scan, back, patience)


def _recover(scan: Measurement, pixel: Pixel, trouble: Trouble, tried: int) -> Plan:
    """Run the recovery plan; where it fails, the next try of the point will tell."""
    yield from _take_back(scan, trouble)
    policy, attempt, failure = scan.policy, scan.attempt(), ""
    if policy is None or policy.recover is None:
        return
    yield from bps.wait_for([partial(scan.gate.look, scan.motors)])  # it may stand anywhere
    try:
        yield from attempt.run(policy.recover())
    except Exception:
        failed = attempt.trouble()
        if failed is None:
            raise
        yield from attempt.come_to_rest()
        failure = failed.why
    yield from bps.checkpoint()
    plan = policy.describe()["recover"]
    yield from scan.logbook.record("recover", POLICY, why=trouble.why, plan=plan, failed=failure)


def _pause(scan: Measurement, pixel: Pixel, trouble: Trouble, tried: int) -> Plan:
    yield from _take_back(scan, trouble)
    yield from scan.logbook.record("pause", POLICY, why=trouble.why)
    yield from scan.pause()


def _skip(scan: Measurement, pixel: Pixel, trouble: Trouble, tried: int) -> Plan:
    where = {"row": pixel[0], "column": pixel[1]}
    yield from scan.logbook.record("skip", POLICY, **where, why=trouble.why)


def _keep(scan: Measurement, pixel: Pixel, trouble: Trouble, tried: int) -> Plan:
    yield from bps.null()


def _stop(scan: Measurement, pixel: Pixel, trouble: Trouble, tried: int) -> Plan:
    yield from scan.logbook.record("stop", POLICY, why=trouble.why)


def _take_back(scan: Measurement, trouble: Trouble, *_: Any) -> Plan:
    if trouble.reading is not None:
        numbers: Mapping[str, Any] = {"seq_nums": [trouble.reading]}
        yield from scan.logbook.record("quarantine", POLICY, **numbers, why=trouble.why)


def _quarantine(scan: Measurement, pixel: Pixel, trouble: Trouble, tried: int) -> Plan:
    yield from _take_back(scan, trouble)


def _look_until(scan: Measurement, true: Callable[[], Plan], patience: float) -> Plan:
    """Look again and again until something is true or the patience ends; whether it is."""
    deadline = time.monotonic() + patience
    while not (yield from true()):
        if scan.shutter is not None:
            yield from scan.shutter.closed()
        if scan.over() or time.monotonic() > deadline:
            return False
        yield from bps.sleep(LOOK)
        yield from bps.checkpoint()  # else a rewind would sleep through it all again
        yield from scan.attend()
    return True


REMEDIES = {
    "retry": Remedy(_retry, again=True),
    "wait": Remedy(_wait, again=True),
    "recover": Remedy(_recover, again=True),
    "pause": Remedy(_pause, again=True),
    "skip": Remedy(_skip),
    "keep": Remedy(_keep),
    "quarantine": Remedy(_quarantine),
    "stop": Remedy(_stop),
}
"""By the names that the policy gives them."""
