"""What a scan does when its devices fail: each simulated fault, alone, in pairs, and at random.

One simulated microscope, one scan after the other; while a scan runs, faults come and go by a
seeded schedule, and now and then somebody pauses it. What the motors were sent is compared with
what the guard must let through, by other code; what was exposed, with what was recorded. A scan
that hangs ends the program.

    python benchmarks/reliability.py                       # singles, pairs, and 100 at random
    python benchmarks/reliability.py --random 6 --no-pairs --json
    python benchmarks/reliability.py --write docs/reliability.md
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import itertools
import json
import logging
import math
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from matplotlib.path import Path as Outline

from skysteer.agent import EventReader, ScanGrid, make_sampler
from skysteer.plans import BadPoints, RingCheck, adaptive_scan
from skysteer.simulators import Ioc

SIDE = 12  # pixels of the grid, a side
PITCH = 0.1  # um
ZONE = ((0.32, 0.42), (0.32, 0.88), (0.78, 0.65))  # (y, x) in um, a triangle to keep out of
POINTS = 36
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


@dataclass(eq=False)
class Outcome:
    """What came of a scan.

    Attributes
    ----------
    faults : list of str
        That came.
    end : str
        ``goal``, ``in order`` or ``failed``.
    reason : str
        Why it ended.
    points, exposures, repeated, counted : int
        Usable pixels; exposures by the plan's account, those of them that left no event, and
        exposures by the account of the microscope.
    unguarded : list of (float, float)
        Targets sent to the motors that the guard must refuse.
    wrong : list of str
        What does not agree in the documents.
    remedies : dict of int
        Interventions by their kind.
    seconds : float
    """

    faults: list[str] = field(default_factory=list)
    end: str = ""
    reason: str = ""
    points: int = 0
    exposures: int = 0
    repeated: int = 0
    counted: int = 0
    unguarded: list[tuple[float, float]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    remedies: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether nothing happened that must not."""
        return self.end != "failed" and not self.unguarded and not self.wrong


class Lab:
    """The microscope, its devices and a RunEngine."""

    def __init__(self, ioc: Ioc) -> None:
        from bluesky import RunEngine
        from caproto.threading.client import Context

        from skysteer.devices import Counter as Counts
        from skysteer.devices import RingCurrent, ScanStage, connect

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
        for name, pv in self._faults.items():
            if name not in ONCE:
                pv.write([0], timeout=30)
        for axis in (self.stage.x, self.stage.y):
            axis.motor_stop.put(1, wait=False)
        self.counter.acquire.put(0, use_complete=False)
        rests = lambda: self.stage.x.motor_done_move.get(use_monitor=False)  # noqa: E731
        while not (rests() and self.stage.y.motor_done_move.get(use_monitor=False)):
            time.sleep(0.02)


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
    _examine(outcome, documents, lab.sent)
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


def _examine(
    outcome: Outcome, documents: list[tuple[str, dict[str, Any]]], sent: list[tuple[str, float]]
) -> None:
    """Compare what the documents say with what was done, by other code than the scan's."""
    start = next(doc for name, doc in documents if name == "start")["skysteer"]
    reader = EventReader(ScanGrid.from_description(start["grid"]), start["key"])
    observations = reader.read(documents)
    outcome.points = observations.points
    outcome.remedies = dict(Counter(said.kind for said in reader.interventions))
    outcome.unguarded = list(_unguarded(sent))
    if outcome.points == POINTS:
        outcome.end = outcome.end.replace("in order", "goal")
    stop = documents[-1]
    if stop[0] != "stop" or not (stop[1]["exit_status"] == "success" or outcome.end == "failed"):
        outcome.wrong.append(f"the last document is {stop[0]}")
    numbers = {o.id for o in observations.log}
    if numbers != set(range(1, len(numbers) + 1)):
        outcome.wrong.append("a number is missing among the events")
    if outcome.end != "failed" and outcome.exposures - outcome.repeated != len(numbers):
        outcome.wrong.append(
            f"{outcome.exposures} exposures less {outcome.repeated} repeated ones are not "
            f"{len(numbers)} events"
        )
    if outcome.end != "failed" and outcome.exposures < outcome.counted:
        outcome.wrong.append(f"{outcome.counted} counted, but {outcome.exposures} accounted for")


def _unguarded(sent: Iterable[tuple[str, float]]) -> Iterator[tuple[float, float]]:
    """Targets in the zone, off the limits of the grid, or no numbers."""
    zone, end, target = Outline(ZONE), (SIDE - 1) * PITCH, {"y": math.nan, "x": math.nan}
    for axis, value in sent:
        target[axis] = value
        y, x = target["y"], target["x"]
        if not -1e-9 <= value <= end + 1e-9:
            yield (y, x)
        elif axis == "x" and zone.contains_point((y, x), radius=-1e-6):
            yield (y, x)


def schedules(singles: bool, pairs: bool, number: int, seed: int) -> Iterator[Schedule]:
    """Each fault alone, each two together, and so many at random."""
    for fault in FAULTS if singles else ():
        for lasts in (0.7, math.inf):
            yield Schedule(seed, (Strike(fault, 8, lasts),), suspender=lasts < math.inf)
    for one, other in itertools.combinations(FAULTS, 2) if pairs else ():
        yield Schedule(seed, (Strike(one, 6, 0.8), Strike(other, 7, 0.8)))
    for k in range(number):
        chance = random.Random(1000 * seed + k)
        suspender = chance.random() < 0.5
        strikes = (_strike(chance, suspender) for _ in range(chance.randint(1, 4)))
        pauses = (chance.randrange(1, POINTS) for _ in range(chance.randint(0, 3)))
        yield Schedule(k, tuple(strikes), suspender, tuple(pauses))


def _strike(chance: random.Random, suspender: bool) -> Strike:
    fault, after = chance.choice(list(FAULTS)), chance.randrange(POINTS)
    # a suspender holds a scan for as long as there is no beam
    for_good = chance.random() < 0.1 and not (suspender and fault == "beam dump")
    return Strike(fault, after, math.inf if for_good else chance.uniform(0.05, 1.5))


def table(outcomes: list[Outcome]) -> str:
    """Make the table of docs/reliability.md."""
    columns = ("fault", "tried", "to the goal", "ended in order", "failed", "remedies")
    rows = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    groups = [(fault, [o for o in outcomes if o.faults == [fault]]) for fault in FAULTS]
    groups.append(("two or more together", [o for o in outcomes if len(o.faults) > 1]))
    groups.append(("all", outcomes))
    for name, mine in groups:
        ends = Counter(o.end if o.good else "failed" for o in mine)
        remedies: Counter[str] = Counter()
        for o in mine:
            remedies.update(o.remedies)
        how = ", ".join(f"{n} {kind}" for kind, n in remedies.most_common())
        counts = " | ".join(str(ends[end]) for end in ("goal", "in order", "failed"))
        rows.append(f"| {name} | {len(mine)} | {counts} | {how} |")
    exposures, events = sum(o.exposures for o in outcomes), sum(o.repeated for o in outcomes)
    rows.append("")
    rows.append(
        f"{len(outcomes)} scans, {sum(o.seconds for o in outcomes):.0f} s: "
        f"{sum(len(o.unguarded) for o in outcomes)} unguarded targets, "
        f"{sum(len(o.wrong) for o in outcomes)} disagreements between documents and devices, "
        f"0 hangs; {exposures} exposures, {events} of them repeated."
    )
    return "\n".join(rows)


def main() -> int:
    """Run the schedules, and print a line for each and the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--random", type=int, default=100, help="random schedules")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-singles", action="store_true", help="leave out each fault alone")
    parser.add_argument("--no-pairs", action="store_true", help="leave out each two together")
    parser.add_argument("--json", action="store_true", help="one line of JSON a scan, no table")
    parser.add_argument("--write", type=Path, help="put the table into this file")
    options = parser.parse_args()
    logging.disable(logging.ERROR)
    outcomes: list[Outcome] = []
    with Ioc(kind="gradients", shape=(SIDE, SIDE), noise="none", velocity=100.0) as ioc:
        os.environ.update(ioc.environment)  # before the first PV: libca reads it once
        lab = Lab(ioc)
        singles, pairs = not options.no_singles, not options.no_pairs
        for schedule in schedules(singles, pairs, options.random, options.seed):
            with contextlib.redirect_stdout(sys.stderr):  # the RunEngine talks of pauses
                outcomes.append(run(lab, schedule))
            said = {**asdict(outcomes[-1]), "good": outcomes[-1].good}
            print(json.dumps(said) if options.json else _line(outcomes[-1]), flush=True)
        os.kill(ioc.pid, signal.SIGCONT)
    if not options.json:
        print(f"\n{table(outcomes)}")
    if options.write:
        _put(options.write, table(outcomes))
    return 0 if all(outcome.good for outcome in outcomes) else 1


def _line(o: Outcome) -> str:
    faults = " + ".join(o.faults) or "none"
    flaws = "; ".join([*o.wrong, *(f"unguarded {target}" for target in o.unguarded)])
    return f"{o.end:9} {o.points:3} points {o.seconds:5.1f} s  {faults}: {o.reason} {flaws}"


def _put(file: Path, text: str) -> None:
    before, rest = file.read_text().split("<!-- table -->\n")
    after = rest.split("<!-- end -->")[1]
    file.write_text(f"{before}<!-- table -->\n{text}\n<!-- end -->{after}")


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # Channel Access threads of two clients do not end by themselves
