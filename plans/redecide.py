"""Making past decisions once more, from the documents alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, cast

import numpy as np

from ..agent import (
    AgentServer,
    CountedTime,
    EventReader,
    Guard,
    History,
    MotorAgentServer,
    MotorDecision,
    MotorReader,
    MotorSpace,
    PastDecision,
    ScanGrid,
    parse,
)
from ..workers import LocalWorker
from .advisor import Advisor
from .batch import Batch
from .decider import INJECTED, Decider
from .optimize_advisor import MotorAdvisor
from .optimize_decider import MotorDecider
from .optimize_targets import MotorGuard, TargetBook
from .request import keep_out_zones, step_lengths


def decide_again(past: History) -> Iterator[tuple[int, str]]:
    """Make every decision of an agent's in a scan once more, in this process.

    Yields
    ------
    (int, str)
        The decision's number and what differs: ``digest`` (made from something else), ``pixels``
        or ``positions`` (made otherwise), or nothing.

    Raises
    ------
    ValueError
        If the agent cannot be built.
    """
    advisor, decider = (_of_motors if past.of_motors else _of_a_raster)(past.record)
    try:
        _check_agent(advisor, past.agent)
        for each in by_agents(past.made):
            again = decider.answer_at(past.before(each))
            yield each.decision.number, what_differs(again and again.result(), each)
    finally:
        advisor.close()


def by_agents(made: Sequence[PastDecision]) -> list[PastDecision]:
    """Leave out the batches that people chose."""
    return [each for each in made if each.decision.source != INJECTED]


def what_differs(again: Batch | None, past: PastDecision) -> str:
    """Compare a decision with that of the past: ``digest``, ``pixels`` or nothing differs."""
    if again is None or again.decision.digest != past.decision.digest:
        return "digest"
    new, old = again.decision, past.decision
    motors = isinstance(old, MotorDecision)
    parts = ("positions",) if motors else ("pixels", "lengths", "dwells")
    same = all(np.array_equal(getattr(new, part), getattr(old, part)) for part in parts)
    return "" if same else parts[0]


def _of_a_raster(record: Mapping[str, Any]) -> tuple[Advisor, Decider]:
    grid = ScanGrid.from_description(record["grid"])
    zones = keep_out_zones(record.get("keep_out", ()))
    steps, longest = step_lengths(record.get("largest_step")), record.get("longest_dwell")
    most = None if longest is None else longest / record["dwell"]
    guard = Guard(grid, lambda position: None, zones, steps, most)
    blocked = np.argwhere(guard.forbidden()).tolist()
    spec = {**record, "growing": record.get("batch_grows", False), "blocked": blocked}
    advisor = Advisor(_in_this_process, spec, guard, record["decision_timeout"])
    reader = EventReader(grid, record["key"], counted=CountedTime.of(record))
    return advisor, Decider(advisor, reader, parse(record["until"]), record["batch"])


def _of_motors(record: Mapping[str, Any]) -> tuple[Advisor, Decider]:
    space, size = MotorSpace.from_description(record["space"]), record["batch"]
    start = partial(LocalWorker, MotorAgentServer, record)
    guard = MotorGuard(space, lambda position: None)
    advisor = MotorAdvisor(start, guard, record["seed"], record["decision_timeout"])
    reader, book = MotorReader(space, record["key"]), TargetBook(space, size)
    rule = parse(record["until"])
    decider = MotorDecider(advisor, reader, book, rule, size, exposure=0.0, made=lambda: 0)
    return cast(Any, (advisor, decider))  # used by their faces, which are the same


def _in_this_process(spec: Mapping[str, Any]) -> LocalWorker:
    return LocalWorker(AgentServer, spec)


def _check_agent(advisor: Advisor, name: str) -> None:
    try:
        advisor.describe_agent().result()
    except Exception as error:
        raise ValueError(f"agent {name!r} cannot be built: {error}") from error
