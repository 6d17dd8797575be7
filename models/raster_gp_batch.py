"""Where a Gaussian process is least sure, pixel by pixel, each chosen one counted as measured.

The variance of a Gaussian process does not hang on the value that will be read, so that a whole
batch can be chosen as if its pixels were measured one after the other.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .raster_gp_neighbours import TILE, insert_one
from .triangular import backward, cholesky, forward

WIDEST = 48  # pixels around a chosen one whose variance is renewed, at most
REACH = 0.5  # of the distance to the last neighbour: beyond, a point matters no more

_compiled = njit(cache=True, error_model="numpy")


@_compiled
def choose(num, counted, variance, weight, lists, places, noise, process):
    """Choose the pixels of the largest variance x weight, one after the other.

    Parameters
    ----------
    num : int
    counted : (Q, 2) ndarray of int64
        Pixels on their way, counted as measured first.
    variance, weight : (M, N) ndarray of float64
        Overwritten; a weight of minus infinity where a pixel may not be chosen.
    lists : (R, C, K), (R, C, K), (R, C)
        Neighbours of the tiles, their distances, and how many; overwritten.
    places, noise : (P + Q + num, 2), (P + Q + num,)
        Of the points, and room for those that will be counted.
    process : (M, N) ndarray, float, float, int
        Correlations by rows and columns apart, floor, weight of row distances, P.

    Returns
    -------
    pixels : (K, 2) ndarray of int64
        Fewer than ``num`` where no more may be chosen.
    scores : (K,) ndarray of float64
        Of each at the moment of its choice.
    """
    known = process[3]
    columns = variance.shape[1]
    down, across = lists[2].shape
    best, place = np.empty((down, across)), np.empty((down, across), np.int64)
    pixels, scores = np.empty((num, 2), np.int64), np.empty(num)
    most = lists[0].shape[2]
    factor, solved = np.empty((most, most)), np.empty((most, 1))
    for q in range(counted.shape[0]):
        places[known] = counted[q]
        _count(known, variance, lists, places, noise, process, factor, solved)
        known += 1
    for i in range(down):
        for j in range(across):
            _refresh(i, j, variance, weight, best, place)
    chosen = 0
    while chosen < num:
        tile = np.argmax(best)
        if best.flat[tile] == -np.inf:
            break
        row, column = place.flat[tile] // columns, place.flat[tile] % columns
        pixels[chosen, 0], pixels[chosen, 1] = row, column
        scores[chosen] = best.flat[tile]
        chosen += 1
        places[known, 0], places[known, 1] = row, column
        weight[row, column] = -np.inf
        radius = _count(known, variance, lists, places, noise, process, factor, solved)
        known += 1
        for i in range(max(row - radius, 0) // TILE, min((row + radius) // TILE + 1, down)):
            first, last = max(column - radius, 0) // TILE, (column + radius) // TILE + 1
            for j in range(first, min(last, across)):
                _refresh(i, j, variance, weight, best, place)
    return pixels[:chosen], scores[:chosen]


@_compiled
def _refresh(i, j, variance, weight, best, place):
    rows, columns = variance.shape
    most, where = -np.inf, 0
    for row in range(i * TILE, min((i + 1) * TILE, rows)):
        for column in range(j * TILE, min((j + 1) * TILE, columns)):
            if weight[row, column] == -np.inf:
                continue
            score = variance[row, column] * weight[row, column]
            if score > most:
                most, where = score, row * columns + column
    best[i, j], place[i, j] = most, where


@_compiled
def _count(q, variance, lists, places, noise, process, factor, solved):
    """Take the variance that point q explains from the pixels around; return how far these go."""
    table, floor, ratio = process[0], process[1], process[2]
    row, column = places[q]
    i, j = row // TILE, column // TILE
    near, n = lists[0][i, j], lists[2][i, j]
    noise[q] = noise[near[0]] if n else 0.0
    radius = WIDEST
    if n == near.shape[0]:
        far = lists[1][i, j, n - 1]
        radius = min(int(REACH * math.sqrt(far * max(1.0, 1.0 / ratio))) + 2, WIDEST)
    for a in range(n):
        p = near[a]
        factor[a, a] = 1.0 + floor + noise[p]
        for b in range(a):
            s = near[b]
            factor[b, a] = table[abs(places[p, 0] - places[s, 0]), abs(places[p, 1] - places[s, 1])]
        solved[a, 0] = table[abs(places[p, 0] - row), abs(places[p, 1] - column)]
    cholesky(factor, n)
    forward(factor, n, solved, 0, 1)
    own = 1.0 + floor + noise[q]
    for a in range(n):
        own -= solved[a, 0] * solved[a, 0]
    own = max(own, 1e-12)
    backward(factor, n, solved, 0, 1)
    for y in range(max(row - radius, 0), min(row + radius + 1, variance.shape[0])):
        for x in range(max(column - radius, 0), min(column + radius + 1, variance.shape[1])):
            shared = table[abs(y - row), abs(x - column)]
            for a in range(n):
                p = near[a]
                shared -= solved[a, 0] * table[abs(y - places[p, 0]), abs(x - places[p, 1])]
            if y == row and x == column:
                shared += floor
            variance[y, x] = max(variance[y, x] - shared * shared / own, 0.0)
    insert_one(q, places, ratio, lists)
    return radius


def room_for(array: NDArray[np.generic], num: int) -> NDArray[np.generic]:
    """Copy an array with room for so many more entries, of 0."""
    return np.concatenate([array, np.zeros((num, *array.shape[1:]), dtype=array.dtype)])
