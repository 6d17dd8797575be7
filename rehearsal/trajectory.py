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

BATCH = 50  # points, where neither a number nor a stage is given


@dataclass(frozen=True, eq=False)
class FlownPath:
    """The way of a stage that flies.

    Attributes
    ----------
    pixels : (B, 2) ndarray of int64
        All that it measured or flew over, in order.
    lengths : (S,) ndarray of int64
        How many of them each segment has.
    fresh : (P,) ndarray of int64
        Where in the order each point was measured first.
    """

    pixels: NDArray[np.int64]
    lengths: NDArray[np.int64]
    fresh: NDArray[np.int64]

    def until(self, num: int) -> NDArray[np.int64]:
        """(B, 2) the way to the last of the first ``num`` points."""
        return self.pixels[: self.fresh[num - 1] + 1]

    def clock(self, stage: StageTime) -> NDArray[np.float64]:
        """(P,) s after which each point is measured."""
        return stage.clock(self.pixels, None, self.lengths)[self.fresh]


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
        return self.scan.first(num)

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
    )
    size = _largest(stage or StageTime(), grid.shape, fly) if batch is None else batch
    way = _Way()
    fresh: list[tuple[float, ...]] = []
    measured: list[tuple[float, ...]] = []
    costs: list[tuple[int, float, float]] = []
    estimates: tuple[ErrorEstimate, ...] = ()
    while True:
        mark = min([m for m in marks if m > len(measured) and not fly], default=num)
        began = time.perf_counter(), time.process_time()
        scanner.observe(fresh)
        decision = scanner.decide(min(size, mark - len(measured)), number=len(costs))
        cost = time.perf_counter() - began[0], time.process_time() - began[1]
        if not len(decision.pixels):
            raise RuntimeError(f"agent {agent!r} suggested nothing after {len(measured)} points")
        costs.append((len(measured), 1e3 * cost[0], 1e3 * cost[1]))
        estimates += (decision.estimate,)
        fresh = [
            (len(measured) + k + 1, row, column, *np.atleast_1d(truth[..., row, column]))
            for k, (row, column) in enumerate(way.go(decision))
        ]
        measured += fresh
        if rule.reason(Progress(len(measured), grid.size, estimates=estimates)):
            break
        yield len(measured), None
    log = np.array(measured)
    decided_at, ms, cpu_ms = np.array(costs).T
    scan = SparseScan.of(grid.shape, log[:, 1:3], log[:, 3:])
    path = way.path if fly else None
    yield len(measured), Trajectory(scan, decided_at.astype(np.int64), ms, cpu_ms, estimates, path)


def _largest(stage: StageTime, shape: tuple[int, int], fly: bool) -> int:
    return largest_flown_batch(stage, shape) if fly else largest_batch(stage, shape)


class _Way:
    """Where the stage went, and which pixels it saw for the first time."""

    def __init__(self) -> None:
        self._order: dict[tuple[int, int], int] = {}
        self._pixels: list[tuple[int, int]] = []
        self._lengths: list[int] = []

    def go(self, decision: Decision) -> list[tuple[int, int]]:
        """Take a decision's pixels; gives those that are new."""
        known = len(self._order)
        for row, column in decision.pixels.tolist():
            self._order.setdefault((row, column), len(self._pixels))
            self._pixels.append((row, column))
        self._lengths += decision.lengths.tolist()
        return list(self._order)[known:]

    @property
    def path(self) -> FlownPath:
        fresh = np.fromiter(self._order.values(), dtype=np.int64)
        return FlownPath(np.array(self._pixels), np.array(self._lengths), fresh)


def points_at(share: float, shape: tuple[int, ...]) -> int:
    """Points of a coverage: round(share x M x N), at least 1; of (M, N) or (C, M, N)."""
    return max(1, round(share * shape[-2] * shape[-1]))
