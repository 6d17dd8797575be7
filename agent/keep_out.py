"""Regions, in motor units, that no target may lie in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Place = tuple[float, float]

ON_EDGE = 1e-9  # of the polygon's extent: a target so near to an edge lies on it


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

    def meets(self, low: Place, high: Place) -> bool:
        """Whether it has a place in common with the rectangle between two places."""
        mine = zip(low, high, (self.slow, self.fast), strict=True)
        return all(below <= max(ends) and above >= min(ends) for below, above, ends in mine)

    @property
    def corners(self) -> list[Place]:
        """(slow, fast) of each; one of a half plane may be infinite."""
        return [(slow, fast) for slow in self.slow for fast in self.fast]

    def outline_near(self, slow: float, fast: float) -> list[Place]:
        """The nearest place of each edge to a place inside."""
        places = [*((end, fast) for end in self.slow), *((slow, end) for end in self.fast)]
        return [place for place in places if np.isfinite(place).all()]


@dataclass(frozen=True)
class KeepOutPolygon:
    """A polygon, in motor units, that no target may lie in; its edges belong to it.

    Where its edges cross, all that they enclose is kept out (the winding number is not zero).

    Parameters
    ----------
    polygon : (C, 2) sequence of (float, float)
        Corners (slow, fast), three or more; the last is joined to the first.

    Raises
    ------
    ValueError
        For corners that are not finite, or that enclose nothing.
    """

    polygon: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        corners = np.asarray(self.polygon, dtype=np.float64)
        if corners.ndim != 2 or corners.shape[1:] != (2,) or not np.isfinite(corners).all():
            raise ValueError(f"a polygon needs corners (slow, fast), but {self.polygon!r} came")
        if len(corners) < 3 or np.linalg.matrix_rank(corners - corners[0]) < 2:
            raise ValueError(
                f"a polygon needs three corners that are not in line, but {self.polygon!r} came"
            )
        object.__setattr__(self, "polygon", tuple((float(s), float(f)) for s, f in corners))

    def covers(self, slow: ArrayLike, fast: ArrayLike) -> NDArray[np.bool_]:
        """Whether positions lie in it, or on its edges."""
        slow, fast = np.broadcast_arrays(np.asarray(slow, float), np.asarray(fast, float))
        corners = np.asarray(self.polygon)
        near = ON_EDGE * float(np.ptp(corners, axis=0).max())
        winding = np.zeros(slow.shape, dtype=np.int64)
        touched = np.zeros(slow.shape, dtype=bool)
        for one, other in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            along, across = other - one, np.stack([slow - one[0], fast - one[1]], axis=-1)
            left = along[0] * across[..., 1] - along[1] * across[..., 0]
            upward = (one[1] <= fast) & (fast < other[1]) & (left < 0)
            downward = (other[1] <= fast) & (fast < one[1]) & (left > 0)
            winding += upward.astype(np.int64) - downward
            touched |= _distance(across, along) <= near
        return (winding != 0) | touched

    def meets(self, low: Place, high: Place) -> bool:
        """Whether it has a place in common with the rectangle between two places."""
        corners = np.asarray(self.polygon)
        near = ON_EDGE * float(np.ptp(corners, axis=0).max())
        box = np.array([[s, f] for s in (low[0], high[0]) for f in (low[1], high[1])])
        if self.covers(box[:, 0], box[:, 1]).any():
            return True
        ends = np.stack([corners, np.roll(corners, -1, axis=0)])
        overlap = (ends.max(axis=0) >= np.array(low) - near).all(axis=1)
        overlap &= (ends.min(axis=0) <= np.array(high) + near).all(axis=1)
        # an edge goes past where all corners of the rectangle lie on one side of its line
        along = ends[1] - ends[0]
        across = box[None] - ends[0][:, None]
        side = along[:, None, 0] * across[..., 1] - along[:, None, 1] * across[..., 0]
        slack = near * np.hypot(*along.T)
        past = (side > slack[:, None]).all(axis=1) | (side < -slack[:, None]).all(axis=1)
        return bool((overlap & ~past).any())

    @property
    def corners(self) -> list[Place]:
        """(slow, fast) of each."""
        return list(self.polygon)

    def outline_near(self, slow: float, fast: float) -> list[Place]:
        """The nearest place of each edge to a place."""
        corners = np.asarray(self.polygon)
        along = np.roll(corners, -1, axis=0) - corners
        length = (along**2).sum(axis=1)
        across = np.array([slow, fast]) - corners
        share = np.clip((across * along).sum(axis=1) / np.where(length > 0, length, 1), 0, 1)
        return [(float(s), float(f)) for s, f in corners + share[:, None] * along]


Zone = KeepOut | KeepOutPolygon


def keep_out_zone(zone: Zone | Mapping[str, Any]) -> Zone:
    """Read a zone from its JSON form: ``slow`` and ``fast``, or ``polygon``.

    Raises
    ------
    ValueError
        For anything else.

    Examples
    --------
    >>> keep_out_zone({"slow": [0, 1], "fast": [2, 3]})
    KeepOut(slow=(0.0, 1.0), fast=(2.0, 3.0))
    """
    if isinstance(zone, KeepOut | KeepOutPolygon):
        return zone
    try:
        if "polygon" in zone:
            return KeepOutPolygon(_corners(zone["polygon"]))
        (slow_low, slow_high), (fast_low, fast_high) = zone["slow"], zone["fast"]
        return KeepOut((float(slow_low), float(slow_high)), (float(fast_low), float(fast_high)))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"a keep-out zone has 'slow' and 'fast', each a lower and an upper end, or 'polygon', "
            f"a list of corners (slow, fast), but {zone!r} came"
        ) from error


def _corners(pairs: Sequence[Sequence[float]]) -> tuple[tuple[float, float], ...]:
    return tuple((float(slow), float(fast)) for slow, fast in pairs)


def _within(position: ArrayLike, ends: tuple[float, float]) -> NDArray[np.bool_]:
    return (np.asarray(position) >= min(ends)) & (np.asarray(position) <= max(ends))


def _distance(across: NDArray[np.float64], along: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far positions, given from an edge's first corner, lie from the edge."""
    length = float(along @ along)
    share = np.clip(across @ along / length, 0, 1) if length else np.zeros(across.shape[:-1])
    return np.hypot(across[..., 0] - share * along[0], across[..., 1] - share * along[1])
