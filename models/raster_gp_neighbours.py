"""The measured points nearest to each tile of a raster, kept up to date as points come.

Nearest to the tile's edge, in units of the length scales: those within are at no distance.  Equals
go by row, then column, so that the lists hang on the points alone and not on the order in which
they came.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

TILE = 8  # pixels
MOST = 128  # neighbours of a tile
CLOSE = 4.0  # pixels beyond a tile, within which readings are neighbours as far as there is room
HALF = 0.5 * (TILE - 1)
PER_CELL = 4.0  # points, on average, in a cell of the grid in which bulk filling searches

Cells = tuple[NDArray[np.int64], NDArray[np.int64], int, tuple[int, int]]


class TileNeighbours:
    """For every tile the points nearest to it.

    As many as lie within `CLOSE` of its edge, but ``least`` to `MOST` of them.

    Parameters
    ----------
    shape : (2,) tuple of int
        Rows and columns of the raster.
    least : int
        Neighbours of a tile where there are so many points, at most `MOST`.

    Attributes
    ----------
    points : (R, C, K) ndarray of int32
        Indices of the points, nearest first.
    distances : (R, C, K) ndarray of float64
        Squared distances from the tile's edge, in columns.
    counts : (R, C) ndarray of int32
        How many there are.
    least : int
    """

    def __init__(self, shape: tuple[int, int], least: int) -> None:
        tiles = (-(-shape[0] // TILE), -(-shape[1] // TILE))
        self._shape = shape
        self.least = least
        self.points = np.zeros((*tiles, MOST), dtype=np.int32)
        self.distances = np.zeros((*tiles, MOST))
        self.counts = np.zeros(tiles, dtype=np.int32)

    def fill(self, where: NDArray[np.int32], ratio: float) -> None:
        """Make the lists for (P, 2) points; row distances squared are weighted by ``ratio``."""
        _fill(where, cells_of(where, self._shape), ratio, self.least, self.all)

    def insert(self, where: NDArray[np.int32], since: int, ratio: float) -> NDArray[np.bool_]:
        """Take the points from index ``since`` on in; tell (R, C) whose lists changed."""
        changed = np.zeros(self.counts.shape, dtype=np.bool_)
        _insert(where, since, ratio, self.least, self.all, changed)
        return changed

    def nearest(self, num: int) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.int32]]:
        """Give ``num`` points of each tile, their distances, and how many: views, but the last."""
        return self.points[..., :num], self.distances[..., :num], np.minimum(self.counts, num)

    @property
    def reaches(self) -> NDArray[np.float64]:
        """(R, C) how far the points of each tile go beyond it, in columns; no end if all do."""
        last = np.maximum(self.counts - 1, 0)[..., None]
        reaches = np.sqrt(np.take_along_axis(self.distances, last, axis=2)[..., 0])
        return np.where(self.counts < self.least, np.inf, reaches)

    def users(self, marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(R, C) tiles that have one of the (P,) marked points in their lists."""
        return _users(marked, self.points, self.counts)

    @property
    def all(self) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.int32]]:
        """Points, distances and counts."""
        return self.points, self.distances, self.counts


def cells_of(where: NDArray[np.int32], shape: tuple[int, int]) -> Cells:
    """Sort (P, 2) points into square cells: indices, cells' starts, side, (rows, columns)."""
    side = max(1, int(math.sqrt(PER_CELL * shape[0] * shape[1] / max(len(where), 1))))
    cells = (-(-shape[0] // side), -(-shape[1] // side))
    own = (where[:, 0] // side).astype(np.int64) * cells[1] + where[:, 1] // side
    order = np.argsort(own, kind="stable")
    return order, np.searchsorted(own[order], np.arange(cells[0] * cells[1] + 1)), side, cells


@njit(cache=True)
def nearest(where, cells, ratio, row, column, half, below, points, far):
    """Find the points of an index under ``below`` nearest to a square; return how many.

    It goes ``half`` from its centre to each side; 0 is a place.
    """
    order, starts, side, number = cells
    most, count = points.shape[0], 0
    a, b = int(row // side), int(column // side)
    last = max(a, number[0] - 1 - a, b, number[1] - 1 - b)
    for ring in range(last + 1):
        beyond = max((ring - 1) * side - half, 0.0)  # nothing in this ring is nearer
        if count == most and ring > 1 and min(ratio, 1.0) * beyond * beyond > far[most - 1]:
            break
        for i in range(max(a - ring, 0), min(a + ring, number[0] - 1) + 1):
            step = 1 if abs(i - a) == ring else 2 * ring  # else only the two ends are new
            for j in range(b - ring, b + ring + 1, max(step, 1)):
                if j < 0 or j >= number[1]:
                    continue
                own = i * number[1] + j
                for k in range(starts[own], starts[own + 1]):
                    if order[k] < below:
                        p = order[k]
                        d2 = _apart(where[p, 0] - row, where[p, 1] - column, half, ratio)
                        if count < most or d2 <= far[most - 1]:
                            count = _place(p, d2, where, points, far, count)
    return count


@njit(cache=True)
def _apart(down, across, half, ratio):
    """Squared distance from a square."""
    down, across = max(abs(down) - half, 0.0), max(abs(across) - half, 0.0)
    return ratio * down * down + across * across


@njit(cache=True)
def _place(p, d2, where, points, far, count):
    """Put a point in its place in a sorted list, if it has one; return the list's length."""
    k = count
    while k > 0:
        q = points[k - 1]
        if far[k - 1] < d2 or (
            far[k - 1] == d2
            and (
                where[q, 0] < where[p, 0]
                or (where[q, 0] == where[p, 0] and where[q, 1] < where[p, 1])
            )
        ):
            break
        if k < points.shape[0]:
            points[k], far[k] = q, far[k - 1]
        k -= 1
    if k < points.shape[0]:
        points[k], far[k] = p, d2
        return min(count + 1, points.shape[0])
    return count


@njit(cache=True)
def _centre(i):
    return i * TILE + HALF


@njit(cache=True)
def _fill(where, cells, ratio, least, lists):
    points, far, counts = lists
    for i in range(counts.shape[0]):
        for j in range(counts.shape[1]):
            row, column = _centre(i), _centre(j)
            n = nearest(where, cells, ratio, row, column, HALF, len(where),
                        points[i, j, :least], far[i, j, :least])  # fmt: skip
            if n == least and far[i, j, n - 1] < _close(ratio):
                n = nearest(where, cells, ratio, row, column, HALF, len(where),
                            points[i, j], far[i, j])  # fmt: skip
            counts[i, j] = _enough(far[i, j], n, least, ratio)


@njit(cache=True)
def _close(ratio):
    """Square of the distance that is close along rows and along columns."""
    return CLOSE * CLOSE * max(ratio, 1.0)


@njit(cache=True)
def _enough(far, count, least, ratio):
    """How many of a list's points are needed."""
    n = min(least, count)
    while n < count and (n == 0 or far[n - 1] < _close(ratio)):
        n += 1
    return n


@njit(cache=True)
def _insert(where, since, ratio, least, lists, changed):
    points, far, counts = lists
    for i in range(counts.shape[0]):
        for j in range(counts.shape[1]):
            row, column = _centre(i), _centre(j)
            for p in range(since, len(where)):
                n = counts[i, j]
                d2 = _apart(where[p, 0] - row, where[p, 1] - column, HALF, ratio)
                satisfied = n == MOST or (n >= least and far[i, j, n - 1] >= _close(ratio))
                if satisfied and d2 > far[i, j, n - 1]:
                    continue
                n = _place(p, d2, where, points[i, j], far[i, j], n)
                n = _enough(far[i, j], n, least, ratio)
                counts[i, j] = n
                for k in range(n):
                    changed[i, j] |= points[i, j, k] == p


@njit(cache=True)
def insert_one(p, where, ratio, lists):
    """Put one point into the lists of tiles (points, distances, counts)."""
    points, far, counts = lists
    most = points.shape[2]
    for i in range(counts.shape[0]):
        for j in range(counts.shape[1]):
            n = counts[i, j]
            d2 = _apart(where[p, 0] - _centre(i), where[p, 1] - _centre(j), HALF, ratio)
            if n < most or d2 <= far[i, j, most - 1]:
                counts[i, j] = _place(p, d2, where, points[i, j], far[i, j], n)


@njit(cache=True)
def _users(marked, points, counts):
    found = np.zeros(counts.shape, dtype=np.bool_)
    for i in range(counts.shape[0]):
        for j in range(counts.shape[1]):
            for k in range(counts[i, j]):
                if marked[points[i, j, k]]:
                    found[i, j] = True
                    break
    return found


@njit(cache=True)
def select(lists, i, j, where, ratio, row, column, but, near, far):
    """Select the points nearest to a place in a tile from its list, but one; return how many."""
    listed, edge, number = lists[0][i, j], lists[1][i, j], lists[2][i, j]
    most, count = near.shape[0], 0
    for a in range(number):
        p = listed[a]
        if count == most and edge[a] >= far[most - 1]:
            break  # what follows is no nearer
        d2 = ratio * (where[p, 0] - row) ** 2 + (where[p, 1] - column) ** 2
        if p == but or (count == most and d2 >= far[most - 1]):
            continue
        k = min(count, most - 1)
        while k > 0 and far[k - 1] > d2:
            near[k], far[k] = near[k - 1], far[k - 1]
            k -= 1
        near[k], far[k] = p, d2
        count = min(count + 1, most)
    return count
