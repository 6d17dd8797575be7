"""Mean and variance of a raster's pixels, tile by tile, and each reading held out.

The 64 pixels of a tile are conditioned on the same neighbours, so that one Cholesky factor serves
them all.  Variances are in units of the smooth part's.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .raster_gp_neighbours import TILE, select
from .triangular import backward, cholesky, forward

PIXELS = TILE * TILE
LEAST_VARIANCE = 1e-12  # of a reading held out, in units of the smooth part's

_compiled = njit(cache=True, error_model="numpy", fastmath={"contract"})


@_compiled
def condition(tiles, lists, points, table, floor, maps, held_out):
    """Condition (T, 2) tiles on their neighbours.

    Parameters
    ----------
    tiles : (T, 2)
    lists : (R, C, K), (R, C)
        Neighbours of each tile, and how many.
    points : (P, 2), (P,), (P,), (M, N)
        Where, values less the mean, variances of the readings, index by pixel (-1 unmeasured).
    table : (M, N)
        Correlation of the smooth part by rows and columns apart.
    floor : float
    maps : (M, N), (M, N), (M, N)
        Written: mean; variance less the counting noise that it carries; that noise.
    held_out : (P,), (P,), (P,)
        Written for the points in the tiles: what each reading would have been off, had it not
        been taken; the variance of that, less own and carried noise, NaN where a point is not
        among its tile's neighbours; the carried noise.
    """
    where, values, noise = points[0], points[1], points[2]
    most = lists[0].shape[2]
    factor, out = np.empty((most, most)), np.zeros((3, PIXELS))
    columns = np.empty((most, PIXELS + 1 + PIXELS))  # pixels, values, readings held out
    own = np.empty(PIXELS, np.int64)
    for t in range(tiles.shape[0]):
        i, j = tiles[t]
        near, n = lists[0][i, j], lists[1][i, j]
        inside = _inside(i, j, near, n, where, own)
        width = PIXELS + 1 + inside
        columns[:n, PIXELS:width] = 0.0
        noisy = _covariances(i, j, near, n, where, noise, table, floor, factor, columns)
        for a in range(n):
            columns[a, PIXELS] = values[near[a]]
        for k in range(inside):
            columns[own[k], PIXELS + 1 + k] = 1.0
        cholesky(factor, n)
        forward(factor, n, columns, 0, width)
        _mean_and_variance(n, columns, floor, out)
        if noisy:
            backward(factor, n, columns, 0, width)
            _carried(near, n, noise, columns, out)
        else:
            backward(factor, n, columns, PIXELS, width)
        _write(i, j, near, n, points, out, maps, noisy)
        _hold_out(i, j, near, n, points, own[:inside], columns, held_out)


@_compiled
def mean_around(chosen, lists, where, values, ratio, around, means):
    """Write the (P,) mean of the readings nearest to each chosen point, itself included."""
    near, far = np.empty(around, np.int32), np.empty(around)
    for k in range(chosen.shape[0]):
        p = chosen[k]
        row, column = where[p]
        i, j = row // TILE, column // TILE
        count = select(lists[0][i, j], lists[1][i, j], where, ratio, row, column, -1, near, far)
        means[p] = 0.0
        for a in range(count):
            means[p] += values[near[a]] / count


@_compiled
def _inside(i, j, near, n, where, own):
    """List which of a tile's neighbours lie in it; return how many."""
    inside = 0
    for a in range(n):
        if where[near[a], 0] // TILE == i and where[near[a], 1] // TILE == j:
            own[inside] = a
            inside += 1
    return inside


@_compiled
def _covariances(i, j, near, n, where, noise, table, floor, factor, columns):
    """Fill the covariances of neighbours, and of neighbours and pixels; tell if there is noise."""
    noisy = False
    top, left = i * TILE, j * TILE
    rows, wide = table.shape
    for a in range(n):
        p = near[a]
        row, column = where[p]
        noisy |= noise[p] > 0
        factor[a, a] = 1.0 + floor + noise[p]
        for b in range(a + 1, n):
            q = near[b]
            factor[a, b] = table[abs(row - where[q, 0]), abs(column - where[q, 1])]
        for y in range(TILE):
            apart = min(abs(row - top - y), rows - 1)  # a last tile may stand out of the raster
            for x in range(TILE):
                columns[a, y * TILE + x] = table[apart, min(abs(column - left - x), wide - 1)]
        if top <= row < top + TILE and left <= column < left + TILE:
            columns[a, (row - top) * TILE + column - left] += floor
    return noisy


@_compiled
def _mean_and_variance(n, columns, floor, out):
    """Write the pixels' mean and variance into the first two rows."""
    out[0] = 0.0
    out[1] = 1.0 + floor
    for a in range(n):
        f = columns[a, PIXELS]
        for x in range(PIXELS):
            out[0, x] += f * columns[a, x]
            out[1, x] -= columns[a, x] * columns[a, x]


@_compiled
def _carried(near, n, noise, columns, out):
    """Write the counting noise that the pixels' means carry into the third row."""
    out[2] = 0.0
    for a in range(n):
        own = noise[near[a]]
        for x in range(PIXELS):
            out[2, x] += own * columns[a, x] * columns[a, x]


@_compiled
def _write(i, j, near, n, points, out, maps, noisy):
    """Write a tile into the maps; a reading that is not in the list is taken in where it stands."""
    values, noise, index = points[1], points[2], points[3]
    mean, variance, carried = maps
    for row in range(i * TILE, min((i + 1) * TILE, mean.shape[0])):
        for column in range(j * TILE, min((j + 1) * TILE, mean.shape[1])):
            x = (row - i * TILE) * TILE + column - j * TILE
            m, v, c = out[0, x], max(out[1, x], 0.0), out[2, x] if noisy else 0.0
            p = index[row, column]
            if p >= 0 and noise[p] == 0:
                m, v, c = values[p], 0.0, 0.0  # known; what is left is rounding
            elif p >= 0 and not _among(p, near, n):
                gain = v / (v + noise[p])
                m += gain * (values[p] - m)
                v *= 1.0 - gain
                c = c * (1.0 - gain) ** 2 + gain * gain * noise[p]
            mean[row, column] = m
            variance[row, column] = max(v - c, 0.0)
            carried[row, column] = c


@_compiled
def _among(p, near, n):
    for a in range(n):
        if near[a] == p:
            return True
    return False


@_compiled
def _hold_out(i, j, near, n, points, own, columns, held_out):
    """Hold out each reading of the tile, by the inverse: O. Dubrule, Math. Geol. 15, 687 (1983)."""
    noise, index = points[2], points[3]
    error, variance, carried = held_out
    for row in range(i * TILE, min((i + 1) * TILE, index.shape[0])):
        for column in range(j * TILE, min((j + 1) * TILE, index.shape[1])):
            if index[row, column] >= 0:
                variance[index[row, column]] = np.nan
    for k in range(own.shape[0]):
        a, x = own[k], PIXELS + 1 + k
        p, diagonal = near[a], columns[a, x]
        error[p] = columns[a, PIXELS] / diagonal
        others = 0.0
        for b in range(n):
            if b != a:
                others += noise[near[b]] * (columns[b, x] / diagonal) ** 2
        carried[p] = others
        variance[p] = max(1.0 / diagonal - noise[p] - others, LEAST_VARIANCE)
