"""Where Gaussian processes are least sure, pixel by pixel, each chosen one counted as measured.

The variance of a Gaussian process does not hang on the value that will be read, so that a whole
batch can be chosen as if its pixels were measured one after the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .raster_gp_neighbours import TILE, insert_one
from .triangular import backward, cholesky, forward

WIDEST = 48  # pixels around a chosen one whose variance is renewed, at most
REACH = 0.5  # of the distance to the last neighbour: beyond, a point matters no more

_compiled = njit(cache=True, error_model="numpy")


@dataclass(frozen=True, eq=False)
class Outlook:
    """What a process says of a raster's pixels: where it would have them measured, and why.

    Attributes
    ----------
    variance : (M, N) ndarray of float64
        Of each pixel, in the process's own unit.
    weight : (M, N) ndarray of float64
        What it counts for.
    lists : (R, C, K), (R, C, K), (R, C) ndarrays
        Neighbours of the tiles, their distances, and how many.
    where, noise : (P, 2) ndarray of int32, (P,) ndarray of float64
        Of the readings.
    table : (M, N) ndarray of float64
        Correlations by rows and columns apart.
    floor, ratio : float
        Of the covariance; weight of row distances squared.
    """

    variance: NDArray[np.float64]
    weight: NDArray[np.float64]
    lists: tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.int32]]
    where: NDArray[np.int32]
    noise: NDArray[np.float64]
    table: NDArray[np.float64]
    floor: float
    ratio: float


def choose(
    outlooks: Sequence[Outlook],
    shares: Sequence[float],
    num: int,
    unavailable: NDArray[np.int64],
    counted: int = 0,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Choose the pixels where the variances, times weights and shares, sum up to most.

    Parameters
    ----------
    outlooks : sequence of Outlook
        Of processes that have readings at the same pixels, one or more.
    shares : sequence of float
        What each of them counts for.
    num : int
    unavailable : (Q, 2) ndarray of int64
        Pixels that may not be chosen; the last ``counted`` of them count as measured.
    counted : int

    Returns
    -------
    pixels : (K, 2) ndarray of int64
        Best first; fewer than ``num`` where no more are left.
    scores : (K,) ndarray of float64
        Of each at the moment of its choice, when those before it counted as measured.
    """
    first, free = outlooks[0], np.ones(outlooks[0].variance.shape, dtype=bool)
    free[first.where[:, 0], first.where[:, 1]] = False
    on_the_way = unavailable[max(len(unavailable) - counted, 0) :]
    on_the_way = np.unique(on_the_way[free[on_the_way[:, 0], on_the_way[:, 1]]], axis=0)
    free[unavailable[:, 0], unavailable[:, 1]] = False
    weight = np.stack([share * o.weight for share, o in zip(shares, outlooks, strict=True)])
    weight[:, ~free] = -np.inf
    more = len(on_the_way) + num
    return _choose(
        num,
        on_the_way,
        np.stack([o.variance for o in outlooks]),
        weight,
        tuple(np.stack(each) for each in zip(*(o.lists for o in outlooks), strict=True)),
        room_for(first.where, more),
        np.stack([room_for(o.noise, more) for o in outlooks]),
        (
            np.stack([o.table for o in outlooks]),
            np.array([o.floor for o in outlooks]),
            np.array([o.ratio for o in outlooks]),
        ),
        len(first.where),
    )


@_compiled
def _choose(num, counted, variance, weight, lists, places, noise, processes, known):
    """Choose the pixels of the largest sum of variance x weight, one after the other.

    Of L processes, whose arrays stand one above the other; `variance` (L, M, N), `weight`, `lists`
    and `noise` (L, P + Q + num) are overwritten, `places` has room for as many.
    """
    columns = variance.shape[2]
    down, across = lists[2].shape[1:]
    best, place = np.empty((down, across)), np.empty((down, across), np.int64)
    pixels, scores = np.empty((num, 2), np.int64), np.empty(num)
    for q in range(counted.shape[0]):
        places[known] = counted[q]
        _count_in_all(known, variance, lists, places, noise, processes)
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
        weight[:, row, column] = -np.inf
        radius = _count_in_all(known, variance, lists, places, noise, processes)
        known += 1
        for i in range(max(row - radius, 0) // TILE, min((row + radius) // TILE + 1, down)):
            first, last = max(column - radius, 0) // TILE, (column + radius) // TILE + 1
            for j in range(first, min(last, across)):
                _refresh(i, j, variance, weight, best, place)
    return pixels[:chosen], scores[:chosen]


@_compiled
def _refresh(i, j, variance, weight, best, place):
    channels, rows, columns = variance.shape
    most, where = -np.inf, 0
    for row in range(i * TILE, min((i + 1) * TILE, rows)):
        for column in range(j * TILE, min((j + 1) * TILE, columns)):
            if weight[0, row, column] == -np.inf:
                continue
            score = 0.0
            for c in range(channels):
                score += variance[c, row, column] * weight[c, row, column]
            if score > most:
                most, where = score, row * columns + column
    best[i, j], place[i, j] = most, where


@_compiled
def _count_in_all(q, variance, lists, places, noise, processes):
    """Count point q as measured in every process; return how far that goes."""
    most, radius = lists[0].shape[3], 0
    factor, solved = np.empty((most, most)), np.empty((most, 1))
    for c in range(variance.shape[0]):
        own = (lists[0][c], lists[1][c], lists[2][c])
        process = (processes[0][c], processes[1][c], processes[2][c])
        reach = _count(q, variance[c], own, places, noise[c], process, factor, solved)
        radius = max(radius, reach)
    return radius


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
        reach = math.sqrt(far * max(1.0, 1.0 / ratio)) + TILE // 2
        radius = min(int(REACH * reach) + 2, WIDEST)
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
