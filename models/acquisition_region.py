"""Where motors may go: a box, less what constraints, fixed values and zones take away."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Allowed = Callable[[Array], NDArray[np.bool_]]

MOST_DRAWN = 2**17  # points, before a region counts as empty
ROUNDING = 1e-9  # of the ranges: so far a point may lie beyond a constraint


@dataclass(frozen=True, eq=False)
class SearchRegion:
    """Positions that may be chosen.

    Attributes
    ----------
    low, high : (D,) ndarray of float64
        Ends of the ranges, in motor units.
    inequalities : sequence of ((D,) array-like, float)
        Coefficients and bound: coefficients . position <= bound.
    fixed : mapping of int to float
        Motors that stay where they are, and where that is.
    allowed : callable, optional
        Takes (K, D) positions, says which may be chosen: keep-out zones.
    """

    low: Array
    high: Array
    inequalities: Sequence[tuple[ArrayLike, float]] = ()
    fixed: Mapping[int, float] = field(default_factory=dict)
    allowed: Allowed | None = None

    def contains(self, positions: ArrayLike) -> NDArray[np.bool_]:
        """(K,) whether (K, D) positions may be chosen."""
        at = np.asarray(positions, dtype=np.float64)
        span = self.high - self.low
        near = ROUNDING * span
        within = (at >= self.low - near) & (at <= self.high + near)
        inside = np.asarray(within.all(axis=1), dtype=np.bool_)
        for coefficients, bound in self.inequalities:
            steep = np.asarray(coefficients, dtype=np.float64)
            inside &= at @ steep <= bound + ROUNDING * float(np.abs(steep) @ span)
        for motor, value in self.fixed.items():
            inside &= np.abs(at[:, motor] - value) <= near[motor]
        if self.allowed is not None and inside.any():
            inside[inside] = self.allowed(at[inside])
        return inside

    def spread(self, num: int, seed: int | np.random.Generator) -> Array:
        """(num, D) scrambled Sobol points of the region, the same for the same seed.

        Raises
        ------
        ValueError
            If there are not so many among 131,072 points of the box.
        """
        from scipy.stats.qmc import Sobol  # slow to load, and past runs are read without it

        sequence = Sobol(len(self.low), rng=seed)
        found = np.empty((0, len(self.low)))
        size, drawn = 2 ** max(int(np.ceil(np.log2(max(num, 1)))), 3), 0
        while len(found) < num:
            if drawn >= MOST_DRAWN:
                raise ValueError(
                    f"of {drawn} positions within the limits {len(found)} obey the constraints and "
                    f"keep-out zones, but {num} are needed: relax them"
                )
            points = self.place(self.low + sequence.random(size) * (self.high - self.low))
            found = np.concatenate([found, points[self.contains(points)]])
            drawn, size = drawn + size, max(size, drawn)
        return found[:num]

    def clouds(self, centres: Array, width: float, each: int, rng: np.random.Generator) -> Array:
        """(K, D) allowed points around (C, D) centres; ``width`` is a share of the ranges."""
        span = self.high - self.low
        off = rng.standard_normal((len(centres), each, len(self.low))) * width * span
        points = (centres[:, None] + off).reshape(-1, len(self.low))
        points = self.place(np.clip(points, self.low, self.high))
        return points[self.contains(points)]

    def place(self, positions: Array) -> Array:
        """Set the motors that stay to where they are."""
        for motor, value in self.fixed.items():
            positions[:, motor] = value
        return positions


@dataclass(frozen=True, eq=False)
class Travel:
    """What a choice costs in time: gains are then counted by the second.

    Attributes
    ----------
    speeds : (D,) ndarray of float64
        Of each motor, its units/s; all move at once, the longest way counts.
    exposure : float
        s of a point, without the way to it; above 0.
    """

    speeds: Array
    exposure: float = 1.0

    def __post_init__(self) -> None:
        speeds = np.atleast_1d(np.asarray(self.speeds, dtype=np.float64))
        if not ((speeds > 0).all() and 0 < self.exposure < np.inf):
            raise ValueError(
                f"speeds and the exposure must be above 0, but {self.speeds} and "
                f"{self.exposure} came"
            )
        object.__setattr__(self, "speeds", speeds)

    def seconds(self, start: Array, positions: Array) -> Array:
        """(K,) s to go from (D,) to each of (K, D) positions, and measure there."""
        return self.exposure + np.abs((positions - start) / self.speeds).max(axis=1)


def by_the_second(gain: Array, seconds: Array) -> Array:
    """(K,) gains for each second; what is lost is lost the more, the longer it takes."""
    return np.where(gain > 0, gain / seconds, gain * seconds)
