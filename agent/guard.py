"""What stands between a suggestion and the motors: it lets through only what is safe."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .detour import is_clear, way_round
from .grid import Axis, ScanGrid
from .keep_out import Zone
from .segment import inner

ROUNDING = 1e-6  # of a step, which is a difference of positions that may be large

Check = Callable[[Mapping[str, float]], None]


UNREACHABLE = (ConnectionError, TimeoutError)


class RefusedTargetError(ValueError):
    """The guard does not let the stage be driven to a position."""


class UnansweredCheckError(RefusedTargetError):
    """Nor while the motors cannot be asked whether they may go there; they may be, later."""


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


@dataclass
class Guard:
    """Refuses targets that are not finite, off the grid, off limits, kept out, or measured.

    It fails closed: a check that raises anything refuses the target. Only a person may change it
    while a scan runs, by its ``keep_out``. Zones hold for the way to a target, too.

    Parameters
    ----------
    grid : ScanGrid
    check : callable
        Raises where a position (by axis name, motor units) may not be driven to; a ConnectionError
        or TimeoutError where nobody can say.
    keep_out : sequence of KeepOut or KeepOutPolygon
    largest_step : (2,) tuple of float, optional
        Farthest, in motor units, that the slow and the fast axis may go in one move; inf for any.
    most_dwells : float, optional
        How many nominal dwells at most a target may be counted, where the scan chooses its dwell: a
        measured pixel may then be a target again. Where not given, all targets take just one.
    """

    grid: ScanGrid
    check: Check
    keep_out: Sequence[Zone] = ()
    largest_step: tuple[float, float] | None = None
    most_dwells: float | None = None

    def __post_init__(self) -> None:
        self.keep_out = list(self.keep_out)
        step = self.largest_step
        if step is not None and not (len(step) == 2 and all(length > 0 for length in step)):
            raise ValueError(
                "largest_step takes the longest move of the slow and of the fast axis, each above "
                f"0, but {step} came"
            )

    def vet(
        self,
        suggested: ArrayLike,
        taken: NDArray[np.bool_],
        most: int,
        lengths: ArrayLike | None = None,
        dwells: ArrayLike | None = None,
    ) -> Verdict:
        """Let through at most ``most`` targets of a batch.

        Parameters
        ----------
        suggested : (K, 2) array-like
            Rows and columns as the agent gave them: anything may stand here.
        taken : (M, N) ndarray of bool
            Pixels that are on their way or have a valid observation; these only where
            `repeats` is not true.
        most : int
            What is left of the budget.
        lengths : (S,) array-like of int, optional
            How many of them each segment has: between its ends what is measured may be flown over.
        dwells : (S,) array-like of float, optional
            Nominal dwells for which each segment's pixels are counted; 1 where not given.

        Notes
        -----
        Motors that cannot be reached refuse nothing here: before each move they are asked again.
        """
        batch = np.asarray(suggested, dtype=np.float64).reshape(-1, 2)
        free = ~taken
        parts = np.ones(len(batch), np.int64) if lengths is None else np.array(lengths)
        over = inner(parts)
        times = np.repeat(np.ones(len(parts)) if dwells is None else dwells, parts)
        accepted: list[tuple[int, int]] = []
        index: list[int] = []
        refused: Counter[str] = Counter()
        for k, (row, column) in enumerate(batch):
            why = self._objection(row, column, free, over[k])
            why = why or self._dwell_objection(times[k])
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

    @property
    def repeats(self) -> bool:
        """Whether a measured pixel may be a target again."""
        return self.most_dwells is not None

    def _dwell_objection(self, dwell: float) -> str | None:
        longest = self.most_dwells or 1.0
        return None if 1.0 <= dwell <= longest * (1 + ROUNDING) else "dwell out of range"

    def forbidden(self) -> NDArray[np.bool_]:
        """(M, N) True in the keep-out zones."""
        slow, fast = np.meshgrid(self.grid.slow.setpoints, self.grid.fast.setpoints, indexing="ij")
        zones = np.zeros(self.grid.shape, dtype=bool)
        for zone in self.keep_out:
            zones |= zone.covers(slow, fast)
        return zones

    def _objection(
        self, row: float, column: float, free: NDArray[np.bool_], flown_over: bool
    ) -> str | None:
        if not (math.isfinite(row) and math.isfinite(column)):
            return "not finite"
        if row != int(row) or column != int(column):
            return "no whole pixel"
        if not (0 <= row < self.grid.shape[0] and 0 <= column < self.grid.shape[1]):
            return "off the grid"
        if not (flown_over or free[int(row), int(column)]):
            return "already measured"
        try:
            return self.objection(self.grid.position((int(row), int(column))))
        except UnansweredCheckError:
            return None

    def objection(
        self, position: Mapping[str, float], stands: Mapping[str, float] | None = None
    ) -> str | None:
        """Why the stage may not be driven to a position; None where it may.

        Parameters
        ----------
        position : mapping
            Motor units by axis name.
        stands : mapping, optional
            Where it stands; an axis that is not named here may go any distance.

        Raises
        ------
        UnansweredCheckError
            If the motors cannot be asked.
        """
        slow, fast = there = self._place(position)
        if not (math.isfinite(slow) and math.isfinite(fast)):
            return "not finite"
        if any(zone.covers(slow, fast) for zone in self.keep_out):
            return "kept out"
        if self._too_far(position, stands or {}):
            return "further than the largest step"
        here = self._place(stands or {})
        if np.isfinite(here).all() and not is_clear(self.keep_out, here, there, self._margin):
            return "the way leads through a keep-out zone"
        try:
            self.check(position)
        except UNREACHABLE as error:
            raise UnansweredCheckError(
                f"nobody can say whether it is off limits: {error}"
            ) from error
        except Exception as error:
            return f"off limits ({error})"
        return None

    @property
    def minds_the_way(self) -> bool:
        """Whether it matters where the stage stands."""
        return self.largest_step is not None or bool(self.keep_out)

    def way(
        self, stands: Mapping[str, float], position: Mapping[str, float]
    ) -> list[dict[str, float]]:
        """Positions on the way to a position, none further apart than the largest step.

        Round the keep-out zones; if there is no way round them, the straight way is returned, to
        be refused.

        Parameters
        ----------
        stands : mapping
            Where the stage stands, in motor units by axis name.
        position : mapping
            Where it is to go; the last of the positions returned.

        Raises
        ------
        RefusedTargetError
            If it is not known where the stage stands.
        """
        here, way = stands, list[dict[str, float]]()
        for there in self._round_the_zones(stands, position):
            way += self._steps(here, there)
            here = there
        return way

    def _round_the_zones(
        self, stands: Mapping[str, float], position: Mapping[str, float]
    ) -> list[dict[str, float]]:
        """Where the way turns, and its end."""
        if not self.keep_out:
            return [dict(position)]
        here, names = self._place(stands), [axis.name for axis in self._axes]
        for name, place in zip(names, here, strict=True):
            if not math.isfinite(place):
                raise RefusedTargetError(f"nobody knows where {name} stands: {dict(stands)}")
        places = way_round(
            self.keep_out, here, self._place(position), self._margin, self._is_reachable
        )
        turns = [dict(zip(names, place, strict=True)) for place in (places or ())[:-1]]
        return [*turns, dict(position)]

    def _is_reachable(self, place: tuple[float, float]) -> bool:
        """Whether a way may turn there: by the motors' limits, if need be beside the grid."""
        try:
            self.check(dict(zip((axis.name for axis in self._axes), place, strict=True)))
        except Exception:
            return False
        return True

    @property
    def _margin(self) -> float:
        """How far from a zone a way round it goes, in motor units."""
        return 0.5 * min(abs(axis.pitch) for axis in self._axes)

    def _place(self, position: Mapping[str, float]) -> tuple[float, float]:
        slow, fast = (float(position.get(axis.name, math.nan)) for axis in self._axes)
        return slow, fast

    def _steps(
        self, stands: Mapping[str, float], position: Mapping[str, float]
    ) -> list[dict[str, float]]:
        """Positions on the straight way, the last included."""
        number = 1
        for axis, longest in zip(self._axes, self.largest_step or (), strict=False):
            distance = abs(position[axis.name] - stands.get(axis.name, math.nan))
            if not math.isfinite(distance):
                raise RefusedTargetError(f"nobody knows where {axis.name} stands: {dict(stands)}")
            number = max(number, math.ceil(distance / longest - ROUNDING))
        between = [
            {
                name: stands[name] + (position[name] - stands[name]) * k / number
                for name in (axis.name for axis in self._axes)
            }
            for k in range(1, number)
        ]
        return [*between, dict(position)]

    @property
    def _axes(self) -> tuple[Axis, Axis]:
        return self.grid.slow, self.grid.fast

    def _too_far(self, position: Mapping[str, float], stands: Mapping[str, float]) -> bool:
        return any(
            not abs(position[axis.name] - stands[axis.name]) <= longest * (1 + ROUNDING)
            for axis, longest in zip(self._axes, self.largest_step or (), strict=False)
            if axis.name in stands
        )
