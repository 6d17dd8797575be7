"""A simulated microscope whose faults come and go while it is scanned."""

from __future__ import annotations

import contextlib
import faulthandler
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from reliability_judge import PITCH, POINTS, SIDE, ZONE, Outcome, examine

from skysteer.agent import halton_pixels, make_sampler, tour
from skysteer.plans import BadPoints, RingCheck, adaptive_scan
from skysteer.simulators import Ioc

DWELL = 0.003  # s
TIMEOUT = 0.5  # s, of each move and count
PATIENCE = 4.0  # s, for devices and beam to come back
HANGING = 120.0  # s, after which a scan counts as hanging

FAULTS: dict[str, tuple[str, float]] = {
    "motor x stalls": ("fault:StuckX", 1),
    "motor x gives up short": ("fault:StuckX", 2),
    "motor y stalls": ("fault:StuckY", 1),
    "motor y gives up short": ("fault:StuckY", 2),
    "motor x is stopped by another client": ("x.STOP", 1),
    "motor x is sent away by another client": ("x.VAL", 0.05),
    "counts are lost (0)": ("fault:LostCounts", 1),
    "counts are NaN": ("fault:NaN", 1),
    "everything answers slowly (0.1 s)": ("fault:SlowResponse", 0.1),
    "counter and motors hang (2 s)": ("fault:SlowResponse", 2),
    "beam dump": ("fault:BeamDump", 1),
    "the IOC freezes": ("SIGSTOP", 0),
}
ONCE = ("x.STOP", "x.VAL")  # come and are over


@dataclass(frozen=True)
class Strike:
    """A fault that comes when so many points are recorded, and goes after some time.

    Attributes
    ----------
    fault : str
    after : int
        Points.
    lasts : float
        Seconds; inf for the rest of the scan.
    """

    fault: str
    after: int
    lasts: float


@dataclass(frozen=True)
class Schedule:
    """What happens to one scan."""

    seed: int
    strikes: tuple[Strike, ...]
    suspender: bool = False
    pauses: tuple[int, ...] = ()


class Lab:
    """The microscope, its devices and a RunEngine."""

    def __init__(self, ioc: Ioc) -> None:
        from bluesky import RunEngine
        from caproto.threading.client import Context

        from skysteer.devices import Counter as Counts
        from skysteer.devices import RingCurrent, ScanStage, connect

        tour(halton_pixels((SIDE, SIDE), 20, 0))  # compiled before a scan's time is taken
        self.ioc = ioc
        self.stage = ScanStage(ioc.prefix, name="stage", timeout=TIMEOUT)
        self.counter = Counts(f"{ioc.prefix}counter:", name="counter", timeout=TIMEOUT)
        self.ring = RingCurrent(f"{ioc.prefix}ring:", name="ring")
        connect([self.stage, self.counter, self.ring], timeout=30)
        self.RE = RunEngine({}, call_returns_result=True, context_managers=[])
        self.sent: list[tuple[str, float]] = []
        for axis in (self.stage.y, self.stage.x):
            self._spy(axis)
        # Another client, by other code: what it sees came from the IOC.
        self._client = Context()
        (pv,) = self._client.get_pvs(f"{ioc.prefix}counter:Acquire")
        pv.wait_for_connection(timeout=30)
        self.counted, self._counting = 0, pv.subscribe()
        self._counting.add_callback(self._count)
        self._faults = {
            name: self._client.get_pvs(ioc.prefix + name)[0]
            for name in {pv for pv, _ in FAULTS.values() if pv != "SIGSTOP"}
        }
        for pv in self._faults.values():
            pv.wait_for_connection(timeout=30)

    def _spy(self, axis: Any) -> None:
        put = axis.user_setpoint.put

        def spied(value: float, *args: Any, **options: Any) -> Any:
            self.sent.append((axis.attr_name, float(value)))
            return put(value, *args, **options)

        axis.user_setpoint.put = spied

    def _count(self, _: Any, response: Any) -> None:
        self.counted += int(response.data[0])

    def strike(self, fault: str, on: bool) -> None:
        """Let a fault come or go."""
        name, value = FAULTS[fault]
        if name == "SIGSTOP":
            os.kill(self.ioc.pid, signal.SIGSTOP if on else signal.SIGCONT)
        elif on or name not in ONCE:
            self._faults[name].write([value if on else 0], wait=False)

    def heal(self) -> None:
        """Let all faults go, and wait until nothing moves or counts any more."""
        os.kill(self.ioc.pid, signal.SIGCONT)
        deadline = time.monotonic() + HANGING
        while not self._healed():
            if time.monotonic() > deadline:
                raise RuntimeError("the microscope does not come to rest: see its process")
            time.sleep(0.05)

    def _healed(self) -> bool:
        """Try to; a client that has lost the IOC needs some time to find it again."""
        try:
            for name, pv in self._faults.items():
                if name not in ONCE:
                    pv.write([0], timeout=5)
            self.counter.acquire.put(0, use_complete=False)
            axes = (self.stage.x, self.stage.y)
            for axis in axes:
                axis.motor_stop.put(1, wait=False)
            return all(axis.motor_done_move.get(use_monitor=False) for axis in axes)
        except Exception:
            return False


def run(lab: Lab, schedule: Schedule) -> Outcome:
    """Scan while the schedule's faults come and go."""
    lab.heal()
    lab.sent.clear()
    documents: list[tuple[str, dict[str, Any]]] = []
    outcome, began, counted = Outcome(), time.monotonic(), lab.counted
    # dump_traceback_later ends the program: a scan that hangs is no result among others
    faulthandler.dump_traceback_later(HANGING, exit=True)
    suspender = _suspender(lab) if schedule.suspender else None
    with _striking(lab, schedule, outcome) as hear:
        tokens = [lab.RE.subscribe(lambda *doc: documents.append(doc)), lab.RE.subscribe(hear)]
        try:
            result = _to_the_end(lab.RE, _plan(lab, schedule.seed))
            outcome.end, outcome.reason = "in order", result.stop_reason
            outcome.exposures, outcome.repeated = result.exposures, result.repeated
        except Exception as error:  # the result that must not be
            outcome.end, outcome.reason = "failed", f"{type(error).__name__}: {error}"
        finally:
            for token in tokens:
                lab.RE.unsubscribe(token)
            if suspender is not None:
                lab.RE.remove_suspender(suspender)
    faulthandler.cancel_dump_traceback_later()
    outcome.seconds = time.monotonic() - began
    lab.heal()
    outcome.counted = lab.counted - counted
    examine(outcome, documents, lab.sent)
    return outcome


def _plan(lab: Lab, seed: int) -> Any:
    end = (SIDE - 1) * PITCH
    return adaptive_scan(
        [lab.counter, lab.ring],
        make_sampler("low-discrepancy", {}),
        *(lab.stage.y, 0, end, SIDE, lab.stage.x, 0, end, SIDE),
        until=f"points({POINTS})",
        batch=6,
        dwell=DWELL,
        seed=seed,
        keep_out=[{"polygon": ZONE}],
        largest_step=0.4,
        beam=RingCheck("ring_current", minimum=20.0, patience=PATIENCE),
        on_bad_point=BadPoints(
            stalled=("retry", "recover", "skip"),
            unusable=("retry", "keep"),
            patience=PATIENCE,
            recover=lambda: _home(lab),
        ),
    )


def _home(lab: Lab) -> Any:
    """Try to bring the stage back to its middle: into the zone, which the guard must refuse."""
    import bluesky.plan_stubs as bps

    yield from bps.mv(lab.stage.y, 0.5, lab.stage.x, 0.65)


def _suspender(lab: Lab) -> Any:
    from skysteer.devices import beam_suspender

    suspender = beam_suspender(lab.ring, minimum=20.0, settle=0.05)
    lab.RE.install_suspender(suspender)
    return suspender


def _to_the_end(RE: Any, plan: Any) -> Any:
    from bluesky.utils import RunEngineInterrupted

    act: Callable[[], Any] = lambda: RE(plan)  # noqa: E731
    while True:
        try:
            return act().plan_result
        except RunEngineInterrupted:
            act = RE.resume
        except BaseException:
            if RE.state == "paused":
                RE.abort()
            raise


@contextlib.contextmanager
def _striking(lab: Lab, schedule: Schedule, outcome: Outcome) -> Iterator[Any]:
    """Give what hears the documents and lets faults come; the timers end with it."""
    timers: list[threading.Timer] = []
    points: set[int] = set()
    to_come = sorted(schedule.strikes, key=lambda strike: strike.after)
    pauses = sorted(schedule.pauses)

    def later(seconds: float, act: Callable[..., Any], *arguments: Any) -> None:
        timers.append(threading.Timer(seconds, act, arguments))
        timers[-1].start()

    def hear(name: str, document: dict[str, Any]) -> None:
        if name == "start" or "counter" in document.get("data", {}):
            if name == "event":
                points.add(document["seq_num"])
            while to_come and to_come[0].after <= len(points):
                strike = to_come.pop(0)
                outcome.faults.append(strike.fault)
                later(0, lab.strike, strike.fault, True)
                if strike.lasts < math.inf:
                    later(strike.lasts, lab.strike, strike.fault, False)
            while pauses and pauses[0] <= len(points):
                later(0.002 * pauses.pop(0) % 0.02, _pause, lab.RE)

    try:
        yield hear
    finally:
        for timer in timers:
            timer.cancel()
            timer.join()


def _pause(RE: Any) -> None:
    with contextlib.suppress(Exception):  # it has ended, or is paused already
        RE.request_pause(defer=False)
