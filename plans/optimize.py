"""Motors that are no grid: a plan that seeks an optimum, a boundary or a map of their space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any, cast

from ..agent import (
    History,
    MotorAgentServer,
    MotorReader,
    MotorSampler,
    MotorSpace,
    StopRule,
)
from ..workers import Caller, LocalWorker, Worker
from .bad_points import TRY_AGAIN, BadPoints, Tally, bad_points
from .batches import AdaptiveRun, ScanOutcome, run_batches
from .dry_run import is_executed, listed_scan
from .gate import Exposures, Gate
from .inbox import Inbox
from .logbook import Logbook, Plan
from .optimize_advisor import MotorAdvisor
from .optimize_decider import MotorDecider
from .optimize_inbox import ObeyedOnly
from .optimize_request import check_ranges, check_same, last_place, motor_rule, motor_space, sought
from .optimize_targets import MotorGuard, TargetBook
from .people import Ears, attend, wait_for_a_person
from .point import Measurement, PerStep
from .request import (
    check_ears,
    check_key,
    check_target,
    check_times,
    data_key,
    exposure_signals,
    prefetch_size,
)
from .resumption import take_up
from .shutter import shutter_for_scan
from .waiting import wait_for_future

LISTED = 20  # points of a plan that is only listed, where its rule tells no number


@dataclass(frozen=True)
class OptimizeOutcome:
    """What ``optimize`` returns (``RunEngine(call_returns_result=True).plan_result``).

    Attributes
    ----------
    uid : str
        The run's unique id.
    points : int
        Usable readings.
    stop_reason : str
        Why it ended.
    best : dict
        The position that is believed to be best, motor units by motor; empty where nobody knows.
    best_value, best_std : float
        What is expected there, and how sure that is.
    exposures, repeated : int
        As in ``ScanOutcome``.
    """

    uid: str
    points: int
    stop_reason: str
    best: dict[str, float]
    best_value: float
    best_std: float
    exposures: int = 0
    repeated: int = 0


def optimize(
    detectors: Sequence[Any],
    agent: str | Mapping[str, Any] | MotorSampler,
    *args: Any,
    until: StopRule | str = "points(60)",
    batch: int = 1,
    key: str | None = None,
    inequalities: Sequence[Sequence[Any]] = (),
    fixed: Mapping[str, float] | None = None,
    keep_out: Sequence[Mapping[str, Any]] = (),
    dwell: float | None = None,
    settle: float = 0.0,
    seed: int = 0,
    prefetch: int | None = None,
    decision_timeout: float = 120.0,
    on_bad_point: BadPoints | Mapping[str, Any] | None = TRY_AGAIN,
    shutter: Any = None,
    per_step: PerStep | None = None,
    inbox: Inbox | None = None,
    approval: bool = False,
    then: str | None = None,
    after: History | None = None,
    md: Mapping[str, Any] | None = None,
) -> Plan:
    """Measure where an agent decides, in a space of one to six motors.

    Parameters
    ----------
    detectors : list of readables
        All are recorded; the first steers, unless ``key`` says otherwise.
    agent : str, mapping or MotorSampler
        A goal: ``"optimum"``, ``"map"``, or a mapping with ``goal`` and the options of
        ``MotorGoal``, such as ``{"goal": "boundary", "threshold": 0.5}`` or ``{"goal": "optimum",
        "path": "full"}``; or a sampler of your own, which then decides in a thread of this process.
    *args
        For each motor: motor, low, high; in its units.
    until : StopRule or str
        When to stop: ``points(60) | time(600)``.
    batch : int
        Points between two decisions.
    key : str, optional
        Data key of the reading that steers; the first hinted field of the first detector.
    inequalities : sequence of (mapping, float)
        Coefficients by motor and a bound: the sum of coefficient times position is at most that.
    fixed : mapping of str to float, optional
        Motors that stay where they are told to.
    keep_out : sequence of mapping
        ``{"motors": [first, second], "polygon": [[f, s], ...]}``: regions of two motors that no
        target may lie in; or ``slow`` and ``fast``, the ends on the first and the second.
    dwell, settle, seed, decision_timeout, on_bad_point, shutter, per_step, approval, md
        As in ``adaptive_scan``.
    prefetch : int, optional
        The next decision is computed while the last ``prefetch`` points of a batch are measured;
        half of the batch by default, which is none of one point.
    inbox : Inbox, optional
        People may stop, pause, resume, approve and reject.
    then : "best" or "stay", optional
        Where the motors go at the end; to the best position where an optimum is sought.
    after : History, optional
        What the runs said that this one goes on with: see ``resume_scan``.

    Returns
    -------
    OptimizeOutcome
        The best position, what is expected there, and why it stopped; None where the messages are
        only listed.

    Raises
    ------
    ValueError
        For limits that the motors may not reach, an unknown goal, a key that no detector has, or a
        rule that makes no sense: before anything moves.

    Examples
    --------
    >>> from bluesky import RunEngine
    >>> from ophyd.sim import SynAxis, SynSignal
    >>> pitch, height = SynAxis(name="pitch"), SynAxis(name="height")
    >>> flux = SynSignal(name="flux", func=lambda: -(pitch.position - 1) ** 2 - height.position**2)
    >>> RE = RunEngine(call_returns_result=True)
    >>> plan = optimize([flux], "optimum", pitch, -3, 3, height, -3, 3, until="points(20)")
    >>> found = RE(plan).plan_result
    >>> found.stop_reason, abs(found.best["pitch"] - 1) < 0.3, abs(found.best["height"]) < 0.3
    ('20 points', True, True)
    """
    motors, space = motor_space(args, inequalities, fixed, keep_out)
    check_times(dwell, settle, decision_timeout)
    check_ears(approval, inbox)
    rule = motor_rule(until, dwell)
    if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
        raise ValueError(f"batch must be a whole number, 1 or more, but {batch} came")
    ahead = prefetch_size(prefetch, batch)
    steering = key or data_key(detectors[0] if detectors else None)
    if key is not None and per_step is None:  # a step of one's own may read what steers
        check_key(detectors, key)
    timers = dict.fromkeys(exposure_signals(detectors, dwell), float(dwell or 0.0))
    spec = {**sought(agent), "space": space.describe(), "seed": int(seed)}
    goal = last_place(then, getattr(agent, "goal", spec["goal"]))
    blind, policy = shutter_for_scan(shutter), bad_points(on_bad_point)
    if after is not None:
        check_same(after, space)
    yield from check_ranges(space, motors)
    if not (yield from is_executed()):  # but listed, to be checked or simulated
        points = space.region().spread(rule.budget(TargetBook.size) or LISTED, seed)
        targets = [space.position(where) for where in points]
        yield from listed_scan(detectors, motors, timers, targets, per_step)
        return None

    guard = MotorGuard(space, partial(check_target, motors))
    advisor = MotorAdvisor(partial(_start_worker, agent, spec), guard, seed, decision_timeout)
    try:
        described = yield from _described(advisor, spec["goal"], decision_timeout)
        book = TargetBook(space, batch)
        reader = MotorReader(space, steering, book)
        exposures = Exposures()
        decider = MotorDecider(
            advisor, reader, book, rule, batch, exposure=dwell or 0.0, made=lambda: exposures.made
        )
        # Readers, deciders and guards are used by their faces, which are the same.
        logbook = Logbook(cast(Any, reader))
        voices = cast(Any, ObeyedOnly(inbox or Inbox()))
        ears = Ears(
            voices, logbook, cast(Any, decider), cast(Any, advisor), approval, decision_timeout
        )
        measurement = Measurement(
            list(detectors),
            motors,
            float(settle),
            per_step,
            cast(Any, reader),
            logbook,
            Gate(cast(Any, lambda: guard)),
            exposures,
            timers,
            decider.stop_reason,
            policy,
            Tally(policy),
            shutter=blind,
            pause=partial(wait_for_a_person, ears),
            attend=partial(attend, ears),
        )
        run = AdaptiveRun(measurement, timers, ahead, cast(Any, decider), ears, goal)
        record = {
            "version": version("skysteer"),
            **described,
            "space": space.describe(),
            "key": steering,
            "seed": int(seed),
            "until": repr(rule),
            "batch": batch,
            "prefetch": ahead,
            "dwell": None if dwell is None else float(dwell),
            "settle": float(settle),
            "decision_timeout": float(decision_timeout),
            "on_bad_point": policy and policy.describe(),
            "shutter": blind and blind.device.name,
            "approval": bool(approval),
            "then": goal,
        }
        document = _start(measurement, space, record, rule, md or {})
        if after is not None:
            run = yield from take_up(after, run)
            document |= {"resumed_from": after.uid, "resumed_after": after.events}
        scanned = yield from run_batches(run, document)
        return _outcome(scanned, decider, space)
    finally:
        # Not finalize_wrapper: its plan is left out when the run is halted.
        advisor.close()


def _described(advisor: MotorAdvisor, goal: str, timeout: float) -> Plan:
    """What the agent is, from its worker, before anything moves."""
    answer = advisor.describe_agent()
    yield from wait_for_future(answer, timeout)
    try:
        return answer.result(timeout=0)
    except Exception as error:
        why = error if answer.done() else f"no answer within {timeout:g} s"
        raise ValueError(f"goal {goal!r} cannot be sought: {why}") from error


def _start_worker(agent: Any, spec: Mapping[str, Any]) -> Caller:
    if isinstance(agent, str | Mapping):
        return Worker("skysteer.agent:MotorAgentServer", dict(spec))
    return LocalWorker(MotorAgentServer, spec, agent)


def _start(
    scan: Measurement,
    space: MotorSpace,
    record: Mapping[str, Any],
    rule: StopRule,
    md: Mapping[str, Any],
) -> dict[str, Any]:
    """Start document in the manner of bluesky's own plans."""
    limits = zip(scan.motors.values(), space.low, space.high, strict=True)
    dimensions = [([name], scan.reader.stream) for name in space.names]
    document = {
        "plan_name": "optimize",
        "plan_args": {
            "detectors": list(map(repr, scan.detectors)),
            "agent": record["goal"],
            "args": [part for motor, *ends in limits for part in (repr(motor), *ends)],
            "until": record["until"],
        },
        "detectors": [detector.name for detector in scan.detectors],
        "motors": [motor.name for motor in scan.motors.values()],
        **md,
        "hints": {"dimensions": dimensions, **md.get("hints", {})},
        "skysteer": dict(record),
    }
    with suppress(TypeError):
        document.setdefault("num_points", int(rule.budget(TargetBook.size)))  # pyright: ignore
    return document


def _outcome(scanned: ScanOutcome, decider: MotorDecider, space: MotorSpace) -> OptimizeOutcome:
    made = decider.batch.made if decider.batch else None
    known = made is not None and bool((made.best == made.best).all())
    return OptimizeOutcome(
        scanned.uid,
        scanned.points,
        scanned.stop_reason,
        space.position(made.best) if made is not None and known else {},
        made.best_value if made is not None else float("nan"),
        made.best_std if made is not None else float("nan"),
        scanned.exposures,
        scanned.repeated,
    )
