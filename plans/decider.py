"""A decision as a reading: triggered, waited for without blocking, read, and saved as an event."""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import numpy as np
from bluesky.protocols import Reading
from event_model import DataKey
from numpy.typing import ArrayLike, NDArray

from ..agent import (
    EventReader,
    Guard,
    Moment,
    Orders,
    PastDecision,
    Progress,
    ScanGrid,
    StopRule,
    Zone,
    standing_orders,
)
from ..models import ErrorEstimate
from .advisor import FALLBACK, Advisor, Question
from .batch import Batch, Pixels, data_keys, last_word
from .request import keep_out_zones
from .status import FutureStatus, done

MOST_ATTEMPTS = 2  # a target that the stage misses twice is given up
REJECTED = "rejected"  # why a target is left out that a person does not want
INJECTED = "inject"  # the source of a batch that people chose
PATIENCE = 10  # points in a row without a new pixel, at least, before the run is given up


class Decider:
    """The agent, seen from a plan: a device whose reading is the next batch.

    Parameters
    ----------
    advisor : Advisor
        Makes the batches.
    reader : EventReader
        Hears the run's documents.
    until : StopRule
    batch : int
        Points of a batch; the arrays of the event have this length, padded with -1 and NaN.
    exposure : float
        Seconds of beam of one exposure.
    made : callable, optional
        Tells how many exposures have been made, and their nominal dwells; by default as many as
        there are events.
    name : str

    Notes
    -----
    ``trigger`` may be repeated, as a RunEngine that rewinds does: the same decision is read again.
    A new one is made only after ``advance``.  All methods are for the RunEngine's thread.
    """

    parent = None

    def __init__(
        self,
        advisor: Advisor,
        reader: EventReader,
        until: StopRule,
        batch: int,
        *,
        exposure: float = 0.0,
        made: Callable[[], tuple[int, float]] | None = None,
        name: str = "decision",
    ) -> None:
        self.name = name
        # no fields, said outright: where nothing is said, Best Effort plots every number
        self.hints: dict[str, Any] = {"fields": []}
        self._advisor, self._reader, self._until = advisor, reader, until
        self._size, self._exposure = batch, exposure
        self._made = made or (lambda: (len(reader.observations), float(len(reader.observations))))
        self._future: Future[Batch] | None = None
        self._triggered = False
        self._waiting: float | None = None  # since, seconds since 1970
        self._number = 0
        self._estimates: tuple[ErrorEstimate, ...] = ()
        self._attempts: Counter[tuple[int, int]] = Counter()
        self._began = time.monotonic()
        self._seconds_before = 0.0
        self._taught = self._length_at_last_gain = 0
        self._orders, self._asked_under = Orders({}), Orders({})
        self._injected = 0  # pixels of people's that have had their turn
        self.batch: Batch | None = None  # that is being measured

    # What the plan asks.

    def begin(self) -> None:
        """Set the clock of the time criterion to zero."""
        self._began = time.monotonic() - self._seconds_before

    def ask(self, pending: Sequence[tuple[int, int]] | Pixels = ()) -> None:
        """Start to compute the next decision while ``pending`` targets are still measured."""
        left = self._until.points_left(self._progress(len(pending)))
        num = self._size if left is None else min(left, self._size)
        if self._future is None and num > 0 and not self._wanted():
            self._asked_under = self.orders
            self._future = self._advisor.submit(self._question(_pixels(pending), num))

    def stop_reason(self) -> str:
        """Why the run should end now; empty while it should go on."""
        reason = self.orders.stop or self._until.reason(self._progress())
        in_vain = self._points_in_vain()
        if not reason and in_vain >= max(self._size, PATIENCE):
            reason = (
                f"no new pixel with a usable reading in the last {in_vain} points: "
                "check the detector and the stage"
            )
        return reason or ""

    def wait(self) -> Future[Batch] | None:
        """The decision that the scan stands still for, while it has not been made."""
        if self._waiting is None:
            self._waiting = time.time()
            self.ask()
        over = self._future is None or self._future.done() or self.stop_reason()
        return None if over else self._future

    def advance(self) -> Batch:
        """Take the batch that was read; the next trigger makes a new one."""
        batch = self._read()
        self._future = self._waiting = None
        self._triggered = False
        self._number += 1
        self.batch = batch
        if batch.decision.source == INJECTED:
            self._injected += batch.asked
        else:
            self._estimates += (batch.decision.estimate,)
        self._attempts.update(map(tuple, batch.decision.pixels.tolist()))
        return batch

    def reconsider(self, pending: Sequence[tuple[int, int]] = ()) -> None:
        """Ask again what was asked before people said what changes the answer."""
        asked = self._future is not None and not self._triggered
        if asked and not self.orders.decide_as(self._asked_under):
            self._future = None
            self.ask(pending)

    @property
    def orders(self) -> Orders:
        """What people have said, as the documents tell it."""
        if self._orders.said != len(self._reader.interventions):
            self._orders = standing_orders(self._reader.interventions)
        return self._orders

    @property
    def grid(self) -> ScanGrid:
        """The pixels, and where they are."""
        return self._reader.grid

    @property
    def guard(self) -> Guard:
        """The guard of this moment, with the zones that people have added."""
        return self._advisor.guard(self._zones())

    def refusal(self, pixel: tuple[int, int]) -> str:
        """Why a target of a batch may not be driven to any more; empty where it may."""
        if pixel in self.orders.rejected:
            return REJECTED
        return next(iter(self.objections([pixel], again=True) if self.orders.zones else ()), "")

    def objections(self, pixels: Sequence[Sequence[int]], *, again: bool = False) -> list[str]:
        """What the guard has against targets; measured ones it lets pass only if ``again``."""
        taken = self._measured() & (not again)
        return list(self.guard.vet(_pixels(pixels), taken, len(pixels)).refused)

    def place(self, goal: Mapping[str, Any]) -> tuple[int, int] | None:
        """Find the pixel that a goal means; None while there is no best one."""
        if "row" in goal:
            return int(goal["row"]), int(goal["column"])
        best = self._reader.observations.best
        return None if best is None else (best.row, best.column)

    # What a run that goes on with another asks.

    def recall(
        self,
        made: Sequence[PastDecision],
        seconds: float = 0.0,
        reader: EventReader | None = None,
    ) -> None:
        """Take up where other runs stopped; ``reader`` in place of its own."""
        self._reader = reader or self._reader
        self._number, self._future, self._seconds_before = len(made), None, seconds
        chosen = [each for each in made if each.decision.source != INJECTED]
        self._estimates = tuple(each.decision.estimate for each in chosen)
        self._injected = sum(each.asked for each in made) - sum(each.asked for each in chosen)
        targets = (pixel for each in made for pixel in each.decision.pixels.tolist())
        self._attempts = Counter(map(tuple, targets))
        # patience begins anew: what was wrong may have been mended
        known = self._reader.observations
        self._taught, self._length_at_last_gain = known.taught, len(known)

    def answer_at(self, moment: Moment) -> Future[Batch] | None:
        """Answer as at a moment of the past; None where the stop rule left no point then."""
        reader = EventReader(self._reader.grid, self._reader.keys, counted=self._reader.counted)
        reader.recall(moment.log, moment.interventions)
        past = copy.copy(self)
        past.recall(moment.decisions, reader=reader)
        past.ask(moment.pending)
        return past.under_way

    def ask_again(self, moment: Moment) -> None:
        """Ask for the next decision as it had been asked for at a moment of the past."""
        self._future = self.answer_at(moment)
        self._asked_under = standing_orders(moment.interventions)

    @property
    def under_way(self) -> Future[Batch] | None:
        """The decision that has been asked for."""
        return self._future

    def go_on_with(self, past: PastDecision) -> Batch:
        """Take a batch of the past for the one that is being measured."""
        self.batch = Batch(past.decision, past.pending, past.asked, told=past.told)
        return self.batch

    def fall_back_with(self, made: Sequence[PastDecision]) -> None:
        """Do without the agent, as the run did that is gone on with, if it did."""
        if made and made[-1].decision.source == FALLBACK != self._advisor.agent:
            self._advisor.fall_back()

    # The bluesky protocol.

    def trigger(self) -> FutureStatus:
        """Decide, unless that is done or under way."""
        if not self._triggered:
            self._triggered = True
            self._waiting = self._waiting or time.time()
            reason = self.stop_reason()
            if reason:
                self._future = done(self._last_word(reason, given_up=not self._met()))
            elif self._wanted():
                self._future = done(self._batch_of_people())
            self.ask()
        self._future = self._future or done(self._last_word("nothing is left to measure"))
        return FutureStatus(self._future)

    def read(self) -> dict[str, Reading[Any]]:
        """The decision as an event: what was chosen, why, from what, how long it took."""
        batch = self._read()
        waited = max(0.0, batch.at - (self._waiting or batch.at))
        data = batch.data(self._size, waited * 1e3, len(self._reader.observations), *self._made())
        return {f"{self.name}_{k}": Reading(value=v, timestamp=batch.at) for k, v in data.items()}

    def describe(self) -> dict[str, DataKey]:
        """Describe the keys of ``read``."""
        keys = data_keys(self._size, f"agent:{self._advisor.agent}")
        return {f"{self.name}_{key}": kind for key, kind in keys.items()}

    def read_configuration(self) -> dict[str, Any]:
        """Nothing: the start document holds it."""
        return {}

    def describe_configuration(self) -> dict[str, Any]:
        """Nothing: the start document holds it."""
        return {}

    # What is known.

    def _read(self) -> Batch:
        if self._future is None or not self._future.done():
            raise RuntimeError(
                "a decision is read that was not triggered and waited for: use trigger_and_read"
            )
        return self._future.result()

    def _progress(self, pending: int = 0) -> Progress:
        observations = self._reader.observations
        return Progress(
            points=observations.points + pending,
            pixels=self._reader.grid.size,
            seconds=time.monotonic() - self._began,
            exposure=self._made()[1] * self._exposure,
            estimates=self._estimates,
        )

    def _points_in_vain(self) -> int:
        """How many of the latest events in a row, each counted once, taught nothing new."""
        observations = self._reader.observations
        if observations.taught != self._taught:
            self._taught, self._length_at_last_gain = observations.taught, len(observations)
        return len({entry.id for entry in observations.log[self._length_at_last_gain :]})

    def _question(self, pending: Pixels, num: int) -> Question:
        observations = self._reader.observations
        known = observations.scan(self.grid.shape).mask
        taken = known & (not self.guard.repeats)
        given_up = [p for p, n in self._attempts.items() if n >= MOST_ATTEMPTS and not known[p]]
        given_up += sorted(self.orders.rejected)
        zones = self._zones()
        kept_out = np.argwhere(self.guard.forbidden()) if zones else ()
        unavailable = np.concatenate([_pixels(given_up), _pixels(kept_out), pending])
        for rows, columns in (unavailable.T, observations.barren().T):
            taken[rows, columns] = True
        told = len(self._reader.interventions)
        return Question(
            list(observations.log),
            taken,
            pending,
            unavailable,
            num,
            self._number,
            told,
            zones,
            self.orders.agent,
        )

    def _measured(self) -> NDArray[np.bool_]:
        """(M, N) pixels that may not be targets as they have a value: none where these add up."""
        scan = self._reader.observations.scan(self.grid.shape)
        return scan.mask & (not self.guard.repeats)

    def _zones(self) -> tuple[Zone, ...]:
        return tuple(keep_out_zones(list(self.orders.zones.values())))

    def _wanted(self) -> Sequence[tuple[int, int]]:
        """Pixels that people want, and that have not had their turn."""
        return self.orders.injected[self._injected :]

    def _batch_of_people(self) -> Batch:
        left = self._until.points_left(self._progress())
        wanted = self._wanted()[: self._size if left is None else max(1, min(left, self._size))]
        question = self._question(_pixels(()), len(wanted))
        # A person may want again what gave nothing, or was given up.
        question = replace(question, taken=self._measured())
        decision = replace(
            self._last_word("").decision,
            pixels=_pixels(wanted),
            scores=np.full(len(wanted), np.nan),
            lengths=None,
            dwells=None,
            source=INJECTED,
        )
        # Where the guard lets nothing through, the agent goes on.
        return replace(self._advisor.vet(question, decision), stop_reason="")

    def _met(self) -> bool:
        return self._until.reason(self._progress()) is not None

    def _last_word(self, reason: str, *, given_up: bool = False) -> Batch:
        return last_word(
            self._number,
            reason,
            seen=len(self._reader.observations),
            expected_error=self._estimates[-1].nrmse if self._estimates else np.nan,
            given_up=given_up,
        )


def _pixels(pixels: ArrayLike) -> Pixels:
    return np.asarray(pixels, dtype=np.int64).reshape(-1, 2)
