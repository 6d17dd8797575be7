"""An agent that measures an image, without a RunEngine: its points, its way, what it cost."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..agent import (
    Axis,
    Decision,
    Observation,
    Observations,
    Progress,
    ScanAgent,
    ScanGrid,
    StageTime,
    StopRule,
    largest_batch,
    largest_flown_batch,
    make_sampler,
    parse,
    points,
)
from ..models import ErrorEstimate, SparseScan
from .counting import Counting

BATCH = 50  # points, where neither a number nor a stage is given


@dataclass(frozen=True, eq=False)
class FlownPath:
    """The way of a stage that flies, or that counts some pixels again.

    Attributes
    ----------
    pixels : (B, 2) ndarray of int64
        All that it measured or flew over, in order.
    lengths : (S,) ndarray of int64
        How many of them each segment has.
    fresh : (P,) ndarray of int64
        Where in the order each point was measured first.
    dwells : (S,) ndarray of float64
        Nominal dwells for which each segment's pixels were counted.
    log : tuple of Observation, optional
        The readings of all pixels in order, where those of one add up.
    """

    pixels: NDArray[np.int64]
    lengths: NDArray[np.int64]
    fresh: NDArray[np.int64]
    dwells: NDArray[np.float64]
    log: tuple[Observation, ...] | None = None

    def until(self, num: int) -> NDArray[np.int64]:
        """(B, 2) the way to the last of the first ``num`` points."""
        return self.pixels[: self.fresh[num - 1] + 1]

    def clock(self, stage: StageTime) -> NDArray[np.float64]:
        """(P,) s after which each point is measured."""
        return self.visits(stage)[self.fresh]

    def visits(self, stage: StageTime) -> NDArray[np.float64]:
        """(B,) s after which each pixel of the way is measured, again or for the first time."""
        return stage.clock(self.pixels, None, self.lengths, self.dwells)


@dataclass(frozen=True, eq=False)
class Trajectory:
    """What an agent measured, in order, and what its decisions cost.

    Attributes
    ----------
    scan : SparseScan
        All its points, in the order measured.
    decided_at : (D,) ndarray of int64
        Number of points measured before each decision.
    ms, cpu_ms : (D,) ndarray of float64
        Wall and processor time from a batch's last value to the next batch's points.
    estimates : tuple of ErrorEstimate
        The map's error that each decision expected.
    path : FlownPath, optional
        The way of a stage that flew; that through the points where not given.
    """

    scan: SparseScan
    decided_at: NDArray[np.int64]
    ms: NDArray[np.float64]
    cpu_ms: NDArray[np.float64]
    estimates: tuple[ErrorEstimate, ...] = ()
    path: FlownPath | None = None

    def first(self, num: int) -> SparseScan:
        """The scan as it was after ``num`` points."""
        if self.path is None or self.path.log is None:
            return self.scan.first(num)
        return self.after(int(self.path.fresh[num - 1]) + 1)

    def after(self, visits: int) -> SparseScan:
        """The scan as it was after so many readings, where those of a pixel add up."""
        log = () if self.path is None else self.path.log or ()
        return Observations(log[:visits], adds=True).scan(self.scan.shape)

    def travel(self, num: int) -> float:
        """Euclidean length of the path through the first ``num`` points, in pixels."""
        way = self.scan.pixels[:num] if self.path is None else self.path.until(num)
        return float(np.linalg.norm(np.diff(way, axis=0), axis=1).sum())

    def seconds(self, num: int, stage: StageTime) -> float:
        """Time that a stage needs for the first ``num`` points, from the first place on."""
        return float(self.clock(stage)[num - 1])

    def clock(self, stage: StageTime) -> NDArray[np.float64]:
        """(P,) s after which each point is measured, from the first place on."""
        return stage.clock(self.scan.pixels) if self.path is None else self.path.clock(stage)


def run_agent(
    truth: NDArray[np.float64],
    agent: str,
    num: int,
    *,
    batch: int | None = BATCH,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    stage: StageTime | None = None,
    marks: Sequence[int] = (),
    until: StopRule | str | None = None,
    fly: bool = False,
    counting: Counting | None = None,
    longest_dwell: float | None = None,
) -> Iterator[tuple[int, Trajectory | None]]:
    """Let an agent measure ``num`` pixels of an image, batch by batch.

    Parameters
    ----------
    truth : (M, N) ndarray of float64
        Or (C, M, N) of several channels.
    agent : str
        As ``make_sampler`` takes it, with ``options``.
    num : int
        Points in all.
    batch : int, optional
        Points between two decisions; the last batch is as long as there are points left.  None
        leaves it to the stage, which then must be known.
    seed : int
    stage : StageTime, optional
        In pixels; routes are the quickest by it, and the shortest without it.
    marks : sequence of int
        Numbers of points at which a batch ends, however long it would be.
    until : StopRule or str, optional
        Ends it before; it knows points and expected errors, and no clock.
    fly : bool
        Whether the stage may fly over segments; marks are then passed without an end.
    counting : Counting, optional
        Photons are counted, and their noise is read; otherwise the image's own values are.
    longest_dwell : float, optional
        s up to which the agent may count a pixel, once or again, from the stage's dwell on; marks
        are then passed without an end, too.

    Yields
    ------
    points : int
        Measured so far.
    trajectory : Trajectory or None
        With the last batch: the whole.
    """
    rows, columns = truth.shape[-2:]
    grid = ScanGrid(
        Axis("row", 0, max(rows - 1, 1), rows), Axis("column", 0, max(columns - 1, 1), columns)
    )
    rule = points(num) if until is None else points(num) | parse(until)
    scanner = ScanAgent(
        grid,
        make_sampler(agent, options),
        name=agent,
        seed=seed,
        until=rule,
        stage=stage,
        growing=batch is None,
        fly=fly,
        longest_dwell=longest_dwell,
    )
    adds = longest_dwell is not None
    size = _largest(stage or StageTime(), grid.shape, fly) if batch is None else batch
    way = _Way(again=adds)
    fresh: list[Observation] = []
    measured = Observations(adds=adds)
    costs: list[tuple[int, float, float]] = []
    estimates: tuple[ErrorEstimate, ...] = ()
    while True:
        known = measured.points
        mark = min([m for m in marks if m > known and not (fly or adds)], default=num)
        began = time.perf_counter(), time.process_time()
        scanner.observations.extend(fresh)
        decision = scanner.decide(min(size, mark - known), number=len(costs))
        cost = time.perf_counter() - began[0], time.process_time() - began[1]
        if not len(decision.pixels):
            raise RuntimeError(f"agent {agent!r} suggested nothing after {known} points")
        costs.append((known, 1e3 * cost[0], 1e3 * cost[1]))
        estimates += (decision.estimate,)
        fresh = [
            _read(truth, visit, measured.next_id + k, counting)
            for k, visit in enumerate(way.go(decision))
        ]
        measured.extend(fresh)
        if rule.reason(Progress(measured.points, grid.size, estimates=estimates)):
            break
        yield measured.points, None
    decided_at, ms, cpu_ms = np.array(costs).T
    path = way.path(measured) if fly or adds else None
    scan = measured.scan(grid.shape)
    made = Trajectory(scan, decided_at.astype(np.int64), ms, cpu_ms, estimates, path)
    yield measured.points, made


def _read(
    truth: NDArray[np.float64], visit: _Visit, number: int, counting: Counting | None
) -> Observation:
    row, column, dwell = visit
    values = np.atleast_1d(truth[..., row, column])
    if counting is not None:
        values = counting.read(values, dwell, number)
    value, *others = values.tolist()
    return Observation(number, row, column, value, tuple(others), dwell)


def _largest(stage: StageTime, shape: tuple[int, int], fly: bool) -> int:
    return largest_flown_batch(stage, shape) if fly else largest_batch(stage, shape)


_Visit = tuple[int, int, float]  # row, column, nominal dwells


class _Way:
    """Where the stage went, and which pixels it saw for the first time, or counted ``again``."""

    def __init__(self, *, again: bool = False) -> None:
        self._again = again
        self._order: dict[tuple[int, int], int] = {}
        self._pixels: list[tuple[int, int]] = []
        self._lengths: list[int] = []
        self._dwells: list[float] = []

    def go(self, decision: Decision) -> list[_Visit]:
        """Take a decision's pixels; gives those that are read: new ones, or all."""
        times = np.repeat(decision.dwells, decision.lengths).tolist()
        read: list[_Visit] = []
        for (row, column), dwell in zip(decision.pixels.tolist(), times, strict=True):
            place = self._order.setdefault((row, column), len(self._pixels))
            if self._again or place == len(self._pixels):
                read.append((row, column, dwell))
            self._pixels.append((row, column))
        self._lengths += decision.lengths.tolist()
        self._dwells += decision.dwells.tolist()
        return read

    def path(self, measured: Observations) -> FlownPath:
        """The way; with the readings where those of a pixel add up."""
        fresh = np.fromiter(self._order.values(), dtype=np.int64)
        log = tuple(measured.log) if self._again else None
        pixels, lengths = np.array(self._pixels), np.array(self._lengths)
        return FlownPath(pixels, lengths, fresh, np.array(self._dwells), log)


def points_at(share: float, shape: tuple[int, ...]) -> int:
    """Points of a coverage: round(share x M x N), at least 1; of (M, N) or (C, M, N)."""
    return max(1, round(share * shape[-2] * shape[-1]))
