"""The measured points nearest to each tile of a raster, kept up to date as points come.

Nearest in units of the length scales; equals go by row, then column, so that the lists hang on the
points alone and not on the order in which they came.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

TILE = 8  # pixels
PER_CELL = 4.0  # points, on average, in a cell of the grid in which bulk filling searches

Cells = tuple[NDArray[np.int64], NDArray[np.int64], int, tuple[int, int]]


class TileNeighbours:
    """For every tile the points nearest to its centre.

    Parameters
    ----------
    shape : (2,) tuple of int
        Rows and columns of the raster.
    num : int
        Neighbours ``K`` of a tile, at most.

    Attributes
    ----------
    points : (R, C, K) ndarray of int32
        Indices of the points, nearest first.
    counts : (R, C) ndarray of int32
        How many there are.
    """

    def __init__(self, shape: tuple[int, int], num: int) -> None:
        tiles = (-(-shape[0] // TILE), -(-shape[1] // TILE))
        self._shape = shape
        self.points = np.zeros((*tiles, num), dtype=np.int32)
        self.counts = np.zeros(tiles, dtype=np.int32)
        self._far = np.zeros((*tiles, num))

    def fill(self, where: NDArray[np.int32], ratio: float) -> None:
        """Make the lists for (P, 2) points; row distances squared are weighted by ``ratio``."""
        _fill(where, cells_of(where, self._shape), ratio, self.points, self._far, self.counts)

    def insert(self, where: NDArray[np.int32], since: int, ratio: float) -> NDArray[np.bool_]:
        """Take the points from index ``since`` on in; tell (R, C) whose lists changed."""
        changed = np.zeros(self.counts.shape, dtype=np.bool_)
        _insert(where, since, ratio, self.points, self._far, self.counts, changed)
        return changed

    @property
    def arrays(self) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.int32]]:
        """Points, distances (in columns, squared) and counts: to look at, not to change."""
        return self.points, self._far, self.counts

    def users(self, marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(R, C) tiles that have one of the (P,) marked points in their lists."""
        return _users(marked, self.points, self.counts)


def cells_of(where: NDArray[np.int32], shape: tuple[int, int]) -> Cells:
    """Sort (P, 2) points into square cells: indices, cells' starts, side, (rows, columns)."""
    side = max(1, int(math.sqrt(PER_CELL * shape[0] * shape[1] / max(len(where), 1))))
    cells = (-(-shape[0] // side), -(-shape[1] // side))
    own = (where[:, 0] // side).astype(np.int64) * cells[1] + where[:, 1] // side
    order = np.argsort(own, kind="stable")
    return order, np.searchsorted(own[order], np.arange(cells[0] * cells[1] + 1)), side, cells


@njit(cache=True)
def nearest(where, cells, ratio, row, column, below, points, far):
    """Find the points of an index under ``below`` nearest to a place; return how many."""
    order, starts, side, number = cells
    most, count = points.shape[0], 0
    a, b = int(row // side), int(column // side)
    last = max(a, number[0] - 1 - a, b, number[1] - 1 - b)
    for ring in range(last + 1):
        beyond = (ring - 1) * side  # nothing in this ring is nearer
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
                        count = _place(order[k], where, ratio, row, column, points, far, count)
    return count


@njit(cache=True)
def _place(p, where, ratio, row, column, points, far, count):
    """Put a point in its place in a sorted list, if it has one; return the list's length."""
    d2 = ratio * (where[p, 0] - row) ** 2 + (where[p, 1] - column) ** 2
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
    return i * TILE + 0.5 * (TILE - 1)


@njit(cache=True)
def _fill(where, cells, ratio, points, far, counts):
    for i in range(counts.shape[0]):
        for j in range(counts.shape[1]):
            counts[i, j] = nearest(
                where, cells, ratio, _centre(i), _centre(j), len(where), points[i, j], far[i, j]
            )


@njit(cache=True)
def _insert(where, since, ratio, points, far, counts, changed):
    most = points.shape[2]
    for i in range(counts.shape[0]):
        for j in range(counts.shape[1]):
            row, column = _centre(i), _centre(j)
            for p in range(since, len(where)):
                d2 = ratio * (where[p, 0] - row) ** 2 + (where[p, 1] - column) ** 2
                if counts[i, j] == most and d2 > far[i, j, most - 1]:
                    continue
                before = points[i, j, most - 1]
                full = counts[i, j] == most
                counts[i, j] = _place(
                    p, where, ratio, row, column, points[i, j], far[i, j], counts[i, j]
                )
                changed[i, j] |= not full or points[i, j, most - 1] != before


@njit(cache=True)
def insert_one(p, where, ratio, lists):
    """Put one point into the lists of tiles (points, distances, counts)."""
    points, far, counts = lists
    most = points.shape[2]
    for i in range(counts.shape[0]):
        down = ratio * (where[p, 0] - _centre(i)) ** 2
        for j in range(counts.shape[1]):
            n = counts[i, j]
            if n == most and down > far[i, j, most - 1]:
                continue
            counts[i, j] = _place(
                p, where, ratio, _centre(i), _centre(j), points[i, j], far[i, j], n
            )


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
def select(listed, number, where, ratio, row, column, but, near, far):
    """Select the points nearest to a place from a list, without one; return how many."""
    most, count = near.shape[0], 0
    for a in range(number):
        p = listed[a]
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
