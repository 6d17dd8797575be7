"""What stands between a suggestion and the motors: it lets through only what is safe."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .grid import ScanGrid

Check = Callable[[Mapping[str, float]], None]


@dataclass(frozen=True)
class KeepOut:
    """A rectangle, in motor units, that no target may lie in.

    Parameters
    ----------
    slow, fast : (2,) tuple of float
        Lower and upper end on the slow and the fast axis, ends included.
    """

    slow: tuple[float, float]
    fast: tuple[float, float]

    def __post_init__(self) -> None:
        ends = np.asarray([self.slow, self.fast], dtype=np.float64)
        if ends.shape != (2, 2) or np.isnan(ends).any():
            raise ValueError(
                "a keep-out zone needs two ends on each axis, "
                f"but slow={self.slow}, fast={self.fast} came"
            )

    def covers(self, slow: ArrayLike, fast: ArrayLike) -> NDArray[np.bool_]:
        """Whether positions lie in it."""
        return _within(slow, self.slow) & _within(fast, self.fast)


@dataclass(frozen=True)
class Verdict:
    """What the guard made of a batch.

    Attributes
    ----------
    pixels : (K, 2) ndarray of int64
        The targets that may be driven to.
    index : (K,) ndarray of int64
        Where they stood in the batch.
    refused : Counter of str
        How many were refused, by reason.
    """

    pixels: NDArray[np.int64]
    index: NDArray[np.int64]
    refused: Counter[str]


@dataclass(frozen=True)
class Guard:
    """Refuses targets that are not finite, off the grid, off limits, kept out, or measured.

    It fails closed: a check that raises anything refuses the target.

    Parameters
    ----------
    grid : ScanGrid
    check : callable
        Raises where a position (by axis name, motor units) may not be driven to.
    keep_out : sequence of KeepOut
    """

    grid: ScanGrid
    check: Check
    keep_out: Sequence[KeepOut] = ()

    def vet(self, suggested: ArrayLike, taken: NDArray[np.bool_], most: int) -> Verdict:
        """Let through at most ``most`` targets of a batch.

        Parameters
        ----------
        suggested : (K, 2) array-like
            Rows and columns as the agent gave them: anything may stand here.
        taken : (M, N) ndarray of bool
            Pixels that have a valid observation or are on their way.
        most : int
            What is left of the budget.
        """
        batch = np.asarray(suggested, dtype=np.float64).reshape(-1, 2)
        free = ~taken
        accepted: list[tuple[int, int]] = []
        index: list[int] = []
        refused: Counter[str] = Counter()
        for k, (row, column) in enumerate(batch):
            why = self._objection(row, column, free)
            if why is None and len(accepted) >= most:
                why = "budget spent"
            if why is not None:
                refused[why] += 1
                continue
            accepted.append((int(row), int(column)))
            index.append(k)
            free[int(row), int(column)] = False
        return Verdict(
            np.array(accepted, dtype=np.int64).reshape(-1, 2),
            np.array(index, dtype=np.int64),
            refused,
        )

    def forbidden(self) -> NDArray[np.bool_]:
        """(M, N) True in the keep-out zones."""
        slow, fast = np.meshgrid(self.grid.slow.setpoints, self.grid.fast.setpoints, indexing="ij")
        zones = np.zeros(self.grid.shape, dtype=bool)
        for zone in self.keep_out:
            zones |= zone.covers(slow, fast)
        return zones

    def _objection(self, row: float, column: float, free: NDArray[np.bool_]) -> str | None:
        if not (math.isfinite(row) and math.isfinite(column)):
            return "not finite"
        if row != int(row) or column != int(column):
            return "no whole pixel"
        if not (0 <= row < self.grid.shape[0] and 0 <= column < self.grid.shape[1]):
            return "off the grid"
        if not free[int(row), int(column)]:
            return "already measured"
        return self._unsafe((int(row), int(column)))

    def _unsafe(self, pixel: tuple[int, int]) -> str | None:
        position = self.grid.position(pixel)
        if any(zone.covers(*position.values()) for zone in self.keep_out):
            return "kept out"
        try:
            self.check(position)
        except Exception as error:
            return f"off limits ({error})"
        return None


def _within(position: ArrayLike, ends: tuple[float, float]) -> NDArray[np.bool_]:
    return (np.asarray(position) >= min(ends)) & (np.asarray(position) <= max(ends))
