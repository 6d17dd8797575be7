"""The adaptive scan: a Bluesky plan that hears its own documents and measures where they point."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np

from ..agent import (
    AgentServer,
    Axis,
    CountedTime,
    EventReader,
    Guard,
    History,
    Sampler,
    ScanGrid,
    StageTime,
    StopRule,
    Zone,
)
from ..workers import Caller, LocalWorker, Worker
from .advisor import Advisor
from .bad_points import TRY_AGAIN, BadPoints, Tally, bad_points
from .batches import AdaptiveRun, run_batches
from .beam import BeamWatch, RingCheck, ring_check
from .decider import Decider
from .dry_run import is_executed, likely_targets, listed_scan
from .flight import FlyingDetector
from .fly import check_fly, describe_flying, flying
from .gate import Exposures, Gate
from .inbox import Inbox
from .logbook import Logbook, Plan
from .people import Ears, attend, wait_for_a_person
from .point import Measurement, PerStep
from .request import (
    LARGEST_BATCH,
    agent_spec,
    batch_size,
    check_ears,
    check_ends,
    check_key,
    check_limits,
    check_target,
    check_times,
    data_key,
    exposure_signals,
    final_goal,
    keep_out_zones,
    prefetch_size,
    steering_readings,
    step_lengths,
    stop_rule,
    time_budget,
    told_dwell,
)
from .resumption import take_up
from .shutter import shutter_for_scan
from .stage import MOTORS, stage_time
from .start_document import start_document
from .waiting import wait_for_future

logger = logging.getLogger(__name__)


def adaptive_scan(
    detectors: Sequence[Any],
    agent: str | Mapping[str, Any] | Sampler,
    slow_motor: Any,
    slow_start: float,
    slow_stop: float,
    slow_num: int,
    fast_motor: Any,
    fast_start: float,
    fast_stop: float,
    fast_num: int,
    *,
    until: StopRule | str = "coverage(0.15)",
    batch: int | None = None,
    key: str | Sequence[str] | None = None,
    dwell: float | None = None,
    longest_dwell: float | None = None,
    settle: float = 0.0,
    seed: int = 0,
    prefetch: int | None = None,
    decision_timeout: float = 120.0,
    keep_out: Sequence[Zone | Mapping[str, Any]] = (),
    stage: StageTime | Mapping[str, Any] | str | None = None,
    fly: bool | FlyingDetector = False,
    largest_step: float | Sequence[float] | None = None,
    on_bad_point: BadPoints | Mapping[str, Any] | None = TRY_AGAIN,
    beam: RingCheck | Mapping[str, Any] | None = None,
    shutter: Any = None,
    per_step: PerStep | None = None,
    inbox: Inbox | None = None,
    approval: bool = False,
    then: str | tuple[int, int] | None = None,
    after: History | None = None,
    md: Mapping[str, Any] | None = None,
) -> Plan:
    """Scan a grid in the order that an agent decides while the scan runs.

    Parameters
    ----------
    detectors : list of readables
        All are recorded; the first steers, unless ``key`` says otherwise.
    agent : str, mapping or Sampler
        An agent's name (``"slads"``, ``"path/to/mine.py:Mine"``), a mapping with ``agent`` and
        ``options``, or a sampler of your own, which then decides in a thread of this process.
    slow_motor, slow_start, slow_stop, slow_num
        The axis that counts rows: motor, ends in its units, number of points.
    fast_motor, fast_start, fast_stop, fast_num
        The axis that counts columns.
    until : StopRule or str
        When to stop: ``coverage(0.15) | time(3600)``.
    batch : int, optional
        Points between two decisions. By default a third of a percent of the grid, at most 50; or
        where the stage is known, what suits it: at most 1000, and a quarter of what is measured.
    key : str or sequence of str, optional
        Data key of the reading that steers; the first hinted field of the first detector. Several
        are mapped together, each on its own scale, by an agent that takes several (``"slads"``,
        ``"spread"``); others take the first, and the log says so.
    dwell : float, optional
        Seconds of each exposure, set on every detector that has a ``dwell`` (or ``exposure_time``,
        ``count_time``, ``preset_time``).
    longest_dwell : float, optional
        Seconds up to which the agent may count a pixel, from ``dwell`` on in octaves, and count it
        again: readings of one pixel then add up, by the dwell that each event tells. The agent
        needs the option ``counts_per_unit``; the stage is as its motors say, unless described.
    settle : float
        Seconds to wait between a move and its exposure.
    seed : int
        The same seed and readings give the same scan.
    prefetch : int, optional
        The next decision is computed while the last ``prefetch`` points of a batch are measured;
        0 waits for all of them. Half of the batch by default, 25 of one that suits the stage.
    decision_timeout : float
        Seconds after which an agent that has not decided is replaced by low-discrepancy points.
    keep_out : sequence of KeepOut, KeepOutPolygon or mapping
        Rectangles and polygons, in the motors' units, that no target may lie in, nor a way lead
        through: the stage goes round them.
    stage : StageTime, mapping or "motors", optional
        How long its moves take, in the motors' units: batches and routes suit it. The motors say
        their ``velocity`` and ``acceleration`` themselves when asked.
    fly : bool or FlyingDetector
        Whether segments of several pixels are flown over at constant speed, each pixel a bin of
        the detector that counts in flight: the first of ``detectors`` that can, or the one given.
        The stage is as its motors say, unless it is described. A segment that was cut short
        teaches the bins that it has.
    largest_step : float or (slow, fast), optional
        Longest move of an axis; a longer way is gone in steps, each let through by the guard.
    on_bad_point : BadPoints, mapping or None
        What to do when a motor stalls, a detector hangs, a reading is no number, ...; with None
        the run fails with the first error.
    beam : RingCheck or mapping, optional
        Takes readings without beam back, and measures them again.
    shutter : ScanShutter or movable, optional
        Open while points are measured; closed on a pause, on errors, over long decisions and at the
        end. A device that is no ``ScanShutter`` is set to ``"open"`` and ``"close"``.
    per_step : callable, optional
        ``per_step(detectors, {motor: position}, pos_cache)``, as in ``grid_scan``; it must leave
        one event in the stream ``primary``.
    inbox : Inbox, optional
        What people say to the running scan; it becomes events of the stream ``interventions``.
    approval : bool
        Whether each batch waits until a person approves of it, by the inbox.
    then : "best" or (row, column), optional
        Where the stage goes at the end, if the guard lets it.
    after : History, optional
        What the runs said that this one goes on with: see ``resume_scan``.
    md : mapping, optional
        Added to the start document.

    Returns
    -------
    ScanOutcome
        Run id, points, coverage and why it stopped; None where the messages are only listed, as
        ``bluesky.simulators`` do: then it goes to points like those that the scan may choose.

    Raises
    ------
    ValueError
        For a grid off the motors' limits, an unknown agent, a key that no detector has, or a
        criterion that makes no sense: before anything moves.

    Examples
    --------
    >>> from bluesky import RunEngine
    >>> from ophyd.sim import det4, motor1, motor2
    >>> RE = RunEngine(call_returns_result=True)
    >>> result = RE(adaptive_scan([det4], "low-discrepancy", motor1, -1, 1, 9, motor2, -1, 1, 9,
    ...                           until="points(20)"))
    >>> result.plan_result.stop_reason
    '20 points'
    """
    grid = ScanGrid(
        Axis(data_key(slow_motor), slow_start, slow_stop, slow_num),
        Axis(data_key(fast_motor), fast_start, fast_stop, fast_num),
    )
    motors = {grid.slow.name: slow_motor, grid.fast.name: fast_motor}
    check_times(dwell, settle, decision_timeout, longest_dwell)
    check_fly(fly, dwell, per_step)
    check_ears(approval, inbox)
    rule = stop_rule(until, dwell)
    timed = bool(fly) or longest_dwell is not None
    times = yield from stage_time(stage or (MOTORS if timed else None), motors, settle, dwell)
    size = batch_size(batch, grid, times, flies=bool(fly))
    grows = batch is None and times is not None
    ahead = prefetch_size(prefetch, min(size, LARGEST_BATCH) if grows else size)
    steering = steering_readings(key, detectors)
    zones = keep_out_zones(keep_out)
    goal = final_goal(then, grid)
    timers = dict.fromkeys(exposure_signals(detectors, dwell), float(dwell or 0.0))
    dwell_key = None if longest_dwell is None else told_dwell(detectors, list(timers))
    longest = step_lengths(largest_step)
    blind, policy = shutter_for_scan(shutter), bad_points(on_bad_point)
    check = ring_check(beam)
    watch = None if check is None else BeamWatch(check, detectors)
    if key is not None and per_step is None:  # a step of one's own may read what steers
        check_key(detectors, key)
    yield from check_limits(grid, motors)

    most = None if dwell is None or longest_dwell is None else longest_dwell / dwell
    guard = Guard(grid, partial(check_target, motors), zones, longest, most)
    if not (yield from is_executed()):  # but listed, to be checked or simulated
        check_ends(grid, motors)
        targets = likely_targets(grid, guard, rule, size, int(seed))
        yield from listed_scan(detectors, motors, timers, targets, per_step)
        return None
    known = after.record.get("fly") if after else None
    flown = yield from flying(fly, detectors, motors, steering, times, known)
    spec = {
        **agent_spec(agent),
        "grid": grid.describe(),
        "key": steering,
        "seed": int(seed),
        "until": repr(rule),
        "stage": times and times.describe(),
        "growing": grows,
        "fly": flown is not None,
        "longest_dwell": longest_dwell,
        "blocked": np.argwhere(guard.forbidden()).tolist(),
    }
    advisor = Advisor(partial(_start_worker, agent), spec, guard, decision_timeout)
    try:
        described = yield from _describe_agent(advisor, decision_timeout)
        record = {
            "version": version("skysteer"),
            **described,
            "grid": grid.describe(),
            "key": steering,
            "seed": int(seed),
            "until": repr(rule),
            "batch": size,
            "batch_grows": grows,
            "prefetch": ahead,
            "stage": times and times.describe(),
            "fly": describe_flying(flown),
            "dwell": None if dwell is None else float(dwell),
            "longest_dwell": None if longest_dwell is None else float(longest_dwell),
            "dwell_key": dwell_key,
            "settle": float(settle),
            "decision_timeout": float(decision_timeout),
            "keep_out": [asdict(zone) for zone in zones],
            "largest_step": longest,
            "on_bad_point": policy and policy.describe(),
            "beam": check and asdict(check),
            "shutter": blind and blind.device.name,
            "approval": bool(approval),
            "then": goal,
        }
        counted = CountedTime.of(record)
        reader = EventReader(grid, steering, also=check and check.key, counted=counted)
        logbook = Logbook(reader)
        exposures = Exposures(watch and watch.begin)
        planned = rule.budget(grid.size) or grid.size
        decider = Decider(
            advisor,
            reader,
            rule,
            size,
            exposure=dwell or 0.0,
            made=lambda: (exposures.made, exposures.dose),
        )
        ears = Ears(inbox or Inbox(), logbook, decider, advisor, approval, decision_timeout)
        measurement = Measurement(
            list(detectors),
            motors,
            float(settle),
            per_step,
            reader,
            logbook,
            Gate(lambda: decider.guard),
            exposures,
            timers,
            decider.stop_reason,
            policy,
            Tally(policy),
            watch,
            blind,
            partial(wait_for_a_person, ears),
            partial(attend, ears),
            flown,
        )
        run = AdaptiveRun(
            measurement,
            {timer: float(dwell or 0.0) for timer in timers},
            ahead,
            decider,
            ears,
            goal,
        )
        document = start_document(measurement, record, planned, md or {})
        if after is not None:
            run = yield from take_up(after, run)
            document |= {"resumed_from": after.uid, "resumed_after": after.events}
        left = time_budget(rule, grid.size) - (after.seconds if after else 0.0)
        with watch.listening(left) if watch else nullcontext():
            return (yield from run_batches(run, document))
    finally:
        # Not finalize_wrapper: its plan is left out when the run is halted.
        advisor.close()


def _describe_agent(advisor: Advisor, timeout: float) -> Plan:
    """What the agent is, from its worker, before anything moves."""
    answer = advisor.describe_agent()
    yield from wait_for_future(answer, timeout)
    try:
        described = answer.result(timeout=0)
    except Exception as error:
        why = error if answer.done() else f"no answer within {timeout:g} s"
        raise ValueError(f"agent {advisor.agent!r} cannot be built: {why}") from error
    if len(described.get("steered_by", ())) == 1:
        only = described["steered_by"][0]
        logger.warning("agent %r takes one channel: %r alone steers it", advisor.agent, only)
    return described


def _start_worker(agent: Any, spec: Mapping[str, Any]) -> Caller:
    own = not isinstance(agent, str | Mapping)
    if own and spec["agent"] == agent_spec(agent)["agent"]:
        return LocalWorker(AgentServer, spec, agent)
    return Worker("skysteer.agent:AgentServer", dict(spec))
