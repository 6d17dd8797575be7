"""A decision on motors as a reading, and what the run loop asks about its targets."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, cast

import numpy as np
from bluesky.protocols import Reading
from event_model import DataKey

from ..agent import (
    Moment,
    MotorReader,
    Orders,
    PastMotorDecision,
    Progress,
    StopRule,
    standing_orders,
)
from .decider import PATIENCE, REJECTED
from .optimize_advisor import FALLBACK, MotorAdvisor, MotorQuestion
from .optimize_targets import (
    Array,
    MotorBatch,
    MotorGuard,
    Name,
    TargetBook,
    last_motor_word,
    motor_data_keys,
)
from .status import FutureStatus, done


class MotorDecider:
    """The agent of a motor space, seen from a plan: a device whose reading is the next batch.

    Parameters
    ----------
    advisor : MotorAdvisor
    reader : MotorReader
        Hears the run's documents.
    book : TargetBook
        Takes the targets' names.
    until : StopRule
    batch : int
        Points of a batch; the arrays of the event have this length.
    exposure : float
        Seconds of beam of one exposure.
    made : callable
        Tells how many exposures have been made.

    Notes
    -----
    As `Decider`: ``trigger`` may be repeated, and a new decision is made only after ``advance``.
    """

    parent = None
    name = "decision"

    def __init__(
        self,
        advisor: MotorAdvisor,
        reader: MotorReader,
        book: TargetBook,
        until: StopRule,
        batch: int,
        *,
        exposure: float,
        made: Callable[[], int],
    ) -> None:
        self.hints: dict[str, Any] = {"fields": []}
        self.grid = book
        self._advisor, self._reader, self._until = advisor, reader, until
        self._size, self._exposure, self._made = batch, exposure, made
        self._future: Future[MotorBatch] | None = None
        self._triggered = False
        self._waiting: float | None = None  # since, seconds since 1970
        self._number = 0
        self._began = time.monotonic()
        self._seconds_before = 0.0
        self._forgiven = 0  # events of earlier runs, whose use is not asked about
        self._orders = Orders({})
        self.batch: MotorBatch | None = None  # that is being measured

    # What the plan asks.

    def begin(self) -> None:
        """Set the clock of the time criterion to zero."""
        self._began = time.monotonic() - self._seconds_before

    def ask(self, pending: Sequence[Name] = ()) -> None:
        """Start to compute the next decision while ``pending`` targets are still measured."""
        self.ask_with(self.grid.positions(pending))

    def ask_with(self, pending: Array) -> None:
        """Ask with (Q, D) positions on their way."""
        left = self._until.points_left(self._progress(len(pending)))
        num = self._size if left is None else min(left, self._size)
        if self._future is None and num > 0:
            self._future = self._advisor.submit(self._question(pending, num))

    def stop_reason(self) -> str:
        """Why the run should end now; empty while it should go on."""
        return self.orders.stop or self._until.reason(self._progress()) or self._in_vain()

    def wait(self) -> Future[MotorBatch] | None:
        """The decision that the scan stands still for, while it has not been made."""
        if self._waiting is None:
            self._waiting = time.time()
            self.ask()
        over = self._future is None or self._future.done() or self.stop_reason()
        return None if over else self._future

    def advance(self) -> MotorBatch:
        """Take the batch that was read; the next trigger makes a new one."""
        batch = self._read()
        self._future = self._waiting = None
        self._triggered = False
        self._number += 1
        self.batch = batch
        self.grid.enter(batch.made.number, batch.made.positions)
        return batch

    def reconsider(self, pending: Sequence[Name] = ()) -> None:
        """Nothing: no message that is obeyed here changes what is asked."""

    @property
    def orders(self) -> Orders:
        """What people have said, as the documents tell it."""
        if self._orders.said != len(self._reader.interventions):
            self._orders = standing_orders(self._reader.interventions)
        return self._orders

    @property
    def guard(self) -> MotorGuard:
        """The guard."""
        return self._advisor.agent_guard

    def refusal(self, name: Name) -> str:
        """Why a target of a batch may not be driven to any more; empty where it may."""
        return REJECTED if name in self.orders.rejected else ""

    def objections(self, names: Sequence[Name], *, again: bool = False) -> list[str]:
        """What the guard has against targets; here they may always be read again."""
        return self.guard.vet(self.grid.positions(names))[1]

    def place(self, goal: Mapping[str, Any]) -> Name | None:
        """Give the best position so far a name; None where nobody knows of one."""
        made = None if self.batch is None else self.batch.made
        if made is None or not made.best.size or made.best[0] != made.best[0]:
            return None
        name = (made.number, len(made.positions))
        self.grid.enter(made.number, np.vstack([made.positions, made.best]))
        return name

    # What a run that goes on with another asks.

    def recall(
        self,
        made: Sequence[PastMotorDecision],
        seconds: float = 0.0,
        reader: MotorReader | None = None,
    ) -> None:
        """Take up where other runs stopped; ``reader`` in place of its own."""
        self._reader = reader or self._reader
        self._number, self._future, self._seconds_before = len(made), None, seconds
        # patience begins anew: what was wrong may have been mended
        self._forgiven = self._reader.observations.next_id - 1

    def answer_at(self, moment: Moment) -> Future[MotorBatch] | None:
        """Answer as at a moment of the past; None where the stop rule left no point then."""
        reader = MotorReader(self._reader.space, self._reader.key)
        reader.recall(cast(Any, moment.log), moment.interventions)
        past = copy.copy(self)
        past.recall(cast(Any, moment.decisions), reader=reader)
        past.ask_with(moment.pending)
        return past.under_way

    def ask_again(self, moment: Moment) -> None:
        """Ask for the next decision as it had been asked for at a moment of the past."""
        self._future = self.answer_at(moment)

    @property
    def under_way(self) -> Future[MotorBatch] | None:
        """The decision that has been asked for."""
        return self._future

    def go_on_with(self, past: PastMotorDecision) -> MotorBatch:
        """Take a batch of the past for the one that is being measured."""
        made = past.decision
        self.batch = MotorBatch(made, past.pending, past.asked, told=past.told)
        self.grid.enter(made.number, made.positions)
        return self.batch

    def fall_back_with(self, made: Sequence[PastMotorDecision]) -> None:
        """Do without the agent, as the run did that is gone on with, if it did."""
        if made and made[-1].decision.source == FALLBACK:
            self._advisor.fall_back()

    # The bluesky protocol.

    def trigger(self) -> FutureStatus:
        """Decide, unless that is done or under way."""
        if not self._triggered:
            self._triggered = True
            self._waiting = self._waiting or time.time()
            reason = self.stop_reason()
            if reason:
                given_up = self._until.reason(self._progress()) is None
                question = self._question(self.grid.positions(()), 1)
                self._future = self._advisor.submit_last(question, reason, given_up)
            self.ask()
        if self._future is None:
            self._future = done(self._over("nothing is left to measure"))
        return FutureStatus(self._future)

    def read(self) -> dict[str, Reading[Any]]:
        """The decision as an event: what was chosen, why, from what, how long it took."""
        batch = self._read()
        waited = max(0.0, batch.at - (self._waiting or batch.at))
        data = batch.data(
            self._reader.space.names,
            self._size,
            waited_ms=waited * 1e3,
            heard=len(self._reader.observations),
            exposures=self._made(),
        )
        return {f"{self.name}_{k}": Reading(value=v, timestamp=batch.at) for k, v in data.items()}

    def describe(self) -> dict[str, DataKey]:
        """Describe the keys of ``read``."""
        keys = motor_data_keys(self._reader.space.names, self._size, "agent")
        return {f"{self.name}_{key}": kind for key, kind in keys.items()}

    def read_configuration(self) -> dict[str, Any]:
        """Nothing: the start document holds it."""
        return {}

    def describe_configuration(self) -> dict[str, Any]:
        """Nothing: the start document holds it."""
        return {}

    # What is known.

    def _read(self) -> MotorBatch:
        if self._future is None or not self._future.done():
            raise RuntimeError("a decision is read that was not triggered and waited for")
        return self._future.result()

    def _over(self, reason: str) -> MotorBatch:
        seen, dimensions = len(self._reader.observations), len(self._reader.space.names)
        return last_motor_word(self._number, dimensions, reason, seen)

    def _question(self, pending: Array, num: int) -> MotorQuestion:
        return MotorQuestion(
            list(self._reader.observations.log),
            pending,
            num,
            self._number,
            len(self._reader.interventions),
        )

    def _progress(self, pending: int = 0) -> Progress:
        return Progress(
            points=self._reader.observations.points + pending,
            pixels=self.grid.size,
            seconds=time.monotonic() - self._began,
            exposure=self._made() * self._exposure,
        )

    def _in_vain(self) -> str:
        """Why to give up, where the latest readings were all of no use."""
        known = self._reader.observations
        latest = min(known.unusable_run(), known.next_id - 1 - self._forgiven)
        if latest < max(self._size, PATIENCE):
            return ""
        return f"no usable reading in the last {latest} points: check the detector and the motors"
