"""Mean and variance of a raster's pixels, tile by tile, and each reading held out.

The 64 pixels of a tile are conditioned on the same neighbours, so that one Cholesky factor serves
them all.  Variances are in units of the smooth part's.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from .raster_gp_neighbours import TILE, select
from .raster_gp_seams import MARGIN, WINDOW
from .triangular import backward, backward_one, eliminate

PIXELS = TILE * TILE
LEAST_VARIANCE = 1e-12  # of a logarithm or a reading held out, in units of the smooth part's

_unsigned = np.uint64  # of a signed index numba asks whether it counts from the end
_compiled = njit(cache=True, error_model="numpy", fastmath={"contract"})


@_compiled
def condition(tiles, lists, points, table, floor, maps, windows, held_out):
    """Condition (T, 2) tiles on their neighbours.

    Parameters
    ----------
    tiles : (T, 2)
    lists : (R, C, K), (R, C, K), (R, C)
        Neighbours of each tile, their distances, and how many.
    points : (P, 2), (P,), (P,), (M, N)
        Where, values less the mean, variances of the readings, index by pixel (-1 unmeasured).
    table : (2 M' - 1, 2 N' - 1)
        Correlation of the smooth part by rows and columns apart, from the middle on.
    floor : float
    maps : (M, N), (M, N), (M, N)
        Written: variance less the counting noise that the mean carries; its logarithm; that noise.
    windows : (R, C, 16, 16)
        Written: mean of the smooth part in and around each tile.
    held_out : (P,), (P,), (P,)
        Written for the points in the tiles: what each reading would have been off, had it not
        been taken; the variance of that, less own and carried noise; the carried noise.
    """
    most = lists[0].shape[2]
    work, out = np.empty(most * (most + 2 * PIXELS + 1)), np.zeros((2, PIXELS))
    own, places = np.empty(PIXELS, np.int64), np.empty(most, np.int64)
    weights = np.empty(most)
    for t in range(tiles.shape[0]):
        i, j = tiles[t]
        near = lists[0][i, j, : lists[2][i, j]]
        n, inside = near.shape[0], _inside(i, j, near, points[0], own)
        values, width = n + PIXELS + inside, n + PIXELS + inside + 1
        rows = work[: n * width].reshape(n, width)
        _places(near, points[0], table, places)
        noisy = _covariances(i, j, near, points, table, floor, own[:inside], places, rows)
        eliminate(rows, n, width)
        backward_one(rows, n, values)
        _variance(n, rows, floor, out[0])
        for a in range(n):
            weights[a] = rows[a, values]
        _window(i, j, places, weights[:n], table, windows[i, j])
        if noisy:
            backward(rows, n, rows, n, values)
            _carried(near, points[2], rows, out[1])
        _write(i, j, points, out, maps, noisy)
        _hold_out(near, points[2], own[:inside], rows, noisy, held_out)


@_compiled
def mean_around(chosen, lists, where, values, ratio, around, means):
    """Write the (P,) mean of the readings nearest to each chosen point, itself included."""
    near, far = np.empty(around, np.int32), np.empty(around)
    for k in range(chosen.shape[0]):
        p = chosen[k]
        row, column = where[p]
        i, j = row // TILE, column // TILE
        count = select(lists, i, j, where, ratio, row, column, -1, near, far)
        means[p] = 0.0
        for a in range(count):
            means[p] += values[near[a]] / count


@_compiled
def _inside(i, j, near, where, own):
    """List which of a tile's neighbours lie in it; return how many."""
    inside = 0
    for a in range(near.shape[0]):
        if where[near[a], 0] // TILE == i and where[near[a], 1] // TILE == j:
            own[inside] = a
            inside += 1
    return inside


@_compiled
def _places(near, where, table, out):
    """Write where to look in the table for the covariance of each neighbour and pixel (0, 0)."""
    wide = table.shape[1]
    for a in range(near.shape[0]):
        row, column = where[near[a]]
        out[a] = (wide // 2 - column) + (table.shape[0] // 2 - row) * wide


@_compiled
def _covariances(i, j, near, points, table, floor, own, places, rows):
    """Fill rows: neighbours, pixels, readings to hold out, values; tell if there is noise."""
    where, values, noise = points[0], points[1], points[2]
    n, noisy, wide, flat = near.shape[0], False, table.shape[1], table.ravel()
    top, left, inside = i * TILE, j * TILE, own.shape[0]
    for a in range(n):
        p, line, pixels = near[a], rows[a], rows[a, n : n + PIXELS]
        row, column = where[p]
        noisy |= noise[p] > 0
        line[a & ~3 : a] = 0.0  # below the diagonal; looked at, but for nothing
        line[a] = 1.0 + floor + noise[p]
        here = row * wide + column
        for b in range(a + 1, n):
            line[b] = flat[_unsigned(places[b] + here)]
        at = places[a] + top * wide + left
        for y in range(TILE):
            for x in range(TILE):
                pixels[y * TILE + x] = flat[_unsigned(at + x)]
            at += wide
        if top <= row < top + TILE and left <= column < left + TILE:
            pixels[(row - top) * TILE + column - left] += floor
        line[n + PIXELS : n + PIXELS + inside] = 0.0
        line[n + PIXELS + inside] = values[p]
    for k in range(inside):
        rows[own[k], n + PIXELS + k] = 1.0
    return noisy


@_compiled
def _variance(n, rows, floor, out):
    """Write the pixels' variance."""
    out[:] = 1.0 + floor
    for a in range(n):
        line = rows[a, n : n + PIXELS]
        for x in range(PIXELS):
            out[x] -= line[x] * line[x]


@_compiled
def _window(i, j, places, weights, table, window):
    """Write the mean of the smooth part in and around a tile, from the readings' weights."""
    n, wide, flat = weights.shape[0], table.shape[1], table.ravel()
    for y in range(WINDOW):
        line = window[y]
        line[:] = 0.0
        at = (i * TILE - MARGIN + y) * wide + j * TILE - MARGIN
        a = 0
        while a + 4 <= n:
            p, q = _unsigned(at + places[a]), _unsigned(at + places[a + 1])
            r, s = _unsigned(at + places[a + 2]), _unsigned(at + places[a + 3])
            f, g, h, k = weights[a], weights[a + 1], weights[a + 2], weights[a + 3]
            for x in range(WINDOW):
                u = _unsigned(x)
                line[u] += f * flat[p + u] + g * flat[q + u] + h * flat[r + u] + k * flat[s + u]
            a += 4
        while a < n:
            p = _unsigned(at + places[a])
            for x in range(WINDOW):
                line[_unsigned(x)] += weights[a] * flat[p + _unsigned(x)]
            a += 1


@_compiled
def _carried(near, noise, rows, out):
    """Write the counting noise that the pixels' means carry."""
    out[:] = 0.0
    n = near.shape[0]
    for a in range(n):
        own, line = noise[near[a]], rows[a, n : n + PIXELS]
        for x in range(PIXELS):
            out[x] += own * line[x] * line[x]


@_compiled
def _write(i, j, points, out, maps, noisy):
    """Write a tile into the maps."""
    noise, index = points[2], points[3]
    variance, log_variance, carried = maps
    for row in range(i * TILE, min((i + 1) * TILE, variance.shape[0])):
        for column in range(j * TILE, min((j + 1) * TILE, variance.shape[1])):
            x = (row - i * TILE) * TILE + column - j * TILE
            v, c = max(out[0, x], 0.0), out[1, x] if noisy else 0.0
            p = index[row, column]
            if p >= 0 and noise[p] == 0:
                v, c = 0.0, 0.0  # known; what is left is rounding
            variance[row, column] = max(v - c, 0.0)
            log_variance[row, column] = math.log(max(v - c, LEAST_VARIANCE))
            carried[row, column] = c


@_compiled
def _hold_out(near, noise, own, rows, noisy, held_out):
    """Hold out each reading of the tile, by the inverse: O. Dubrule, Math. Geol. 15, 687 (1983)."""
    error, variance, carried = held_out
    n = near.shape[0]
    values = n + PIXELS + own.shape[0]
    for k in range(own.shape[0]):
        a, x = own[k], n + PIXELS + k
        p, diagonal, others = near[a], 0.0, 0.0
        if noisy:
            diagonal = rows[a, x]
            for b in range(n):
                if b != a:
                    others += noise[near[b]] * (rows[b, x] / diagonal) ** 2
        else:  # no column of the inverse is needed, only its diagonal
            for b in range(a, n):
                diagonal += rows[b, x] * rows[b, x]
        error[p] = rows[a, values] / diagonal
        carried[p] = others
        variance[p] = max(1.0 / diagonal - noise[p] - others, LEAST_VARIANCE)
