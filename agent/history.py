"""What past runs leave to the one that goes on with them, out of their documents alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .batch_progress import ONCE_MORE, BatchProgress
from .documents import CountedTime, EventReader
from .grid import ScanGrid
from .intervention import Intervention
from .motor_documents import MotorReader
from .motor_space import MotorSpace
from .observations import Observation
from .orders import standing_orders
from .past_decision import GIVEN_UP, PastDecision
from .past_motor_decision import PastMotorDecision
from .run_documents import Documents, by_run, relive

DECISIONS = "decisions"


@dataclass(frozen=True, eq=False)
class Moment:
    """What was known when a decision was asked for.

    Attributes
    ----------
    log : sequence of Observation
    interventions : sequence of Intervention
    decisions : sequence of PastDecision
        Those that had been read.
    pending : (Q, 2) ndarray of int64
        Targets on their way; (Q, D) positions where the motors are no raster.
    """

    log: Sequence[Observation]
    interventions: Sequence[Intervention]
    decisions: Sequence[PastDecision]
    pending: NDArray[Any]


@dataclass(frozen=True, eq=False)
class Interruption:
    """Where in a batch a run stopped.

    Attributes
    ----------
    batch : PastDecision
    done : int
        How many of its targets had been dealt with.
    asked : Moment or None
        What was known when the next decision was asked for, where it had been.
    again : sequence of (row, column)
        Pixels to be measured once more before the next target.
    """

    batch: PastDecision
    done: int
    asked: Moment | None
    again: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True, eq=False)
class History:
    """All that the documents of a run say, or of a chain of runs that resume one another.

    Of an optimisation of motors the log holds `MotorObservation`, and the decisions are
    `PastMotorDecision`: what is asked of them here, both kinds tell.

    Attributes
    ----------
    starts : tuple of mapping
        Start documents, oldest first.
    stop : mapping or None
        The last run's stop document.
    log : tuple of Observation
        As the agent heard it, revisions included; numbers go on from run to run.
    interventions : tuple of Intervention
    decisions : tuple of PastDecision
        In order; those made from readings that are not among the documents (a catalog that was
        cut off) are left out.
    seconds : float
        That the runs took, without the time between them.
    """

    starts: tuple[Mapping[str, Any], ...]
    stop: Mapping[str, Any] | None = None
    log: tuple[Observation, ...] = ()
    interventions: tuple[Intervention, ...] = ()
    decisions: tuple[PastDecision, ...] = ()
    seconds: float = 0.0

    @classmethod
    def of(cls, documents: Documents) -> History:
        """Read the documents of a run, or of a chain of them, oldest first.

        Parameters
        ----------
        documents : iterable of (name, document)
            Of each run its start first; no order between the streams is needed.

        Raises
        ------
        ValueError
            If a run is no adaptive scan or optimisation, or does not go on with the one before.
        """
        runs = by_run(documents)
        reader, read_decision = _reading(runs[0].start if runs else {})
        if before := runs[0].start.get("resumed_from"):
            raise ValueError(
                f"run {runs[0].start['uid']} goes on with run {before}: give the documents of that "
                "one too, before its own"
            )
        read: dict[int, PastDecision] = {}
        for before, run in zip([None, *runs], runs, strict=False):
            if before and run.start.get("resumed_from") != before.start["uid"]:
                raise ValueError(
                    f"run {run.start['uid']} does not go on with run {before.start['uid']}: give "
                    "the runs of one chain, oldest first"
                )
            relive(run, reader)
            past = map(read_decision, run.data(DECISIONS))
            read.update({each.decision.number: each for each in past})
        log = reader.observations.log
        known = [each for _, each in sorted(read.items()) if each.heard <= len(log)]
        return cls(
            starts=tuple(run.start for run in runs),
            stop=runs[-1].stop,
            log=tuple(log),
            interventions=tuple(reader.interventions),
            decisions=tuple(known),
            seconds=sum(run.seconds for run in runs),
        )

    @property
    def uid(self) -> str:
        """The latest run's unique id."""
        return str(self.starts[-1]["uid"])

    @property
    def record(self) -> Mapping[str, Any]:
        """The scan's settings, from the first start document."""
        return self.starts[0]["skysteer"]

    @property
    def of_motors(self) -> bool:
        """Whether it is an optimisation of motors, which are no raster."""
        return "space" in self.record

    @property
    def agent(self) -> str:
        """The name of the agent, or of the goal that motors were steered for."""
        return str(self.record["goal" if self.of_motors else "agent"])

    @property
    def made(self) -> tuple[PastDecision, ...]:
        """The decisions, without the words that ended a run."""
        return tuple(each for each in self.decisions if not each.stop)

    @property
    def events(self) -> int:
        """Number of distinct events so far."""
        return max((entry.id for entry in self.log), default=0)

    @property
    def exposures(self) -> int:
        """Number of exposures so far, repeated ones included: rather one too many than too few."""
        counted = self.decisions[-1].exposures if self.decisions else 0
        return counted + len(self._since) + self._in_vain

    @property
    def dose(self) -> float:
        """Time of the exposures, in nominal dwells; likewise rather too long than too short."""
        last = self.decisions[-1] if self.decisions else None
        counted = last.dose if last else 0.0
        longest = float(np.nanmax(last.decision.dwells, initial=1.0)) if last else 1.0
        spent = sum(e.exposure if e.exposure > 0 else longest for e in self._since.values())
        return counted + spent + self._in_vain * longest

    @property
    def _since(self) -> dict[int, Observation]:
        """The first word on each number since the last decision was read."""
        heard = self.decisions[-1].heard if self.decisions else 0
        known = {entry.id for entry in self.log[:heard]}
        fresh = (entry for entry in reversed(self.log[heard:]) if entry.id not in known)
        return {entry.id: entry for entry in fresh}

    @property
    def _in_vain(self) -> int:
        """How many exposures may have been made since then that left no reading."""
        last = self.decisions[-1] if self.decisions else None
        heard = last.heard if last else 0
        tried = [each for each in self.interventions if each.seen >= heard]
        # of what was tried in vain, and under way when the run was cut off, there is no reading
        in_vain = sum(each.kind in ONCE_MORE for each in tried)
        in_order = self.finished or (self.stop or {}).get("exit_status") == "success"
        longest = max(self._lengths(last), default=1) if last else 1
        return (in_vain + (not in_order)) * int(longest)

    @property
    def finished(self) -> str:
        """Why the scan is done; empty where there is something to go on with."""
        last = self.decisions[-1] if self.decisions else None
        return last.stop_reason if last and last.stop not in (0, GIVEN_UP) else ""

    def before(self, past: PastDecision) -> Moment:
        """What was known when a decision was asked for."""
        return Moment(
            self.log[: past.decision.seen],
            self.interventions[: past.told],
            [each for each in self.made if each.decision.number < past.decision.number],
            past.pending,
        )

    def interruption(self, ahead: int) -> Interruption | None:
        """Where the last batch was interrupted; None before the first, and where a run ended.

        Parameters
        ----------
        ahead : int
            The next decision is asked for when so many points of a batch are still to come.
        """
        if not self.decisions or self.decisions[-1].stop:
            return None
        batch = self.decisions[-1]
        targets = batch.decision.pixels
        progress = self._progress(batch)
        steps, again = progress.steps, progress.again
        done, asking = min(len(steps), len(targets)), asks_after(self._lengths(batch), ahead)
        # more readings than targets: of decisions that got lost, whose pixels are not asked again
        if done <= asking or len(steps) > len(targets):
            return Interruption(batch, done, None, again)
        cut = steps[asking - 1] if asking else batch.heard
        known = [each for each in self.interventions if each.seen <= cut]
        asked = Moment(self.log[:cut], known, self.made, batch.targets[asking:])
        return Interruption(batch, done, asked, again)

    def _lengths(self, batch: PastDecision) -> NDArray[np.int64]:
        """How many targets each segment has; where nothing was flown, each is one."""
        flown = bool(self.record.get("fly"))
        return batch.decision.lengths if flown else np.ones(len(batch.decision.pixels), np.int64)

    def _progress(self, batch: PastDecision) -> BatchProgress:
        """Follow the last batch through the readings and interventions since it was read."""
        targets = [(int(row), int(column)) for row, column in batch.decision.pixels]
        progress = BatchProgress(targets, standing_orders(self.interventions).rejected)
        known = {entry.id for entry in self.log[: batch.heard]}
        said = deque(each for each in self.interventions if each.seen >= batch.heard)
        for length, entry in enumerate(self.log[batch.heard :], batch.heard):
            while said and said[0].seen <= length:
                progress.intervention(length, said.popleft())
            if entry.id not in known:  # else it revises what was said
                progress.reading(length, entry.id, _pixel(entry))
                known.add(entry.id)
        for each in said:
            progress.intervention(len(self.log), each)
        progress.end(len(self.log))
        return progress


def asks_after(lengths: ArrayLike, ahead: int) -> int:
    """After how many of a batch's targets the next decision is asked for: never within a segment.

    Parameters
    ----------
    lengths : (S,) array-like of int
        How many targets each segment has.
    ahead : int
        So many targets, or more, are still to come.

    Examples
    --------
    >>> asks_after([1, 1, 1], 2), asks_after([1, 9, 4], 5), asks_after([14], 5)
    (1, 1, 0)
    """
    ends = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    return int(ends[ends <= max(ends[-1] - ahead, 0)].max())


def _reading(start: Mapping[str, Any]) -> tuple[EventReader, Callable[..., PastDecision]]:
    """Find out how a run's documents are read: of a raster, or of motors that are none."""
    record = start.get("skysteer") or {}
    if {"agent", "grid", "key"} <= set(record):
        grid = ScanGrid.from_description(record["grid"])
        reader = EventReader(grid, record["key"], counted=CountedTime.of(record))
        return reader, PastDecision.from_event
    if {"goal", "space", "key"} <= set(record):
        space = MotorSpace.from_description(record["space"])
        read = partial(PastMotorDecision.from_event, space.names)
        # used by their faces, which are the same
        return cast(EventReader, MotorReader(space, record["key"])), cast(Any, read)
    what = f"run {start['uid']} is a {start.get('plan_name', 'run')}" if start else "nothing"
    raise ValueError(f"expected the documents of an adaptive scan, but {what} came")


def _pixel(entry: Observation) -> tuple[int, int] | None:
    return (entry.row, entry.column) if isinstance(entry, Observation) else None
