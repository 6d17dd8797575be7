"""One mean map from the tiles' own, each of which reaches a little beyond its tile.

Where two tiles meet, each has left out readings that the other one knows.  Their means are
therefore averaged with weights that fall off from a tile's centre (a partition of unity), so that
the map has no steps, and what one side has left out counts half.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .raster_gp_neighbours import TILE

MARGIN = TILE // 2  # pixels around a tile, in which its mean is taken in
WINDOW = TILE + 2 * MARGIN

_compiled = njit(cache=True, error_model="numpy", fastmath={"contract"})


@_compiled
def around(stale):
    """(R, C) tiles that are stale, or beside one that is."""
    out = np.zeros_like(stale)
    rows, columns = stale.shape
    for i in range(rows):
        for j in range(columns):
            if stale[i, j]:
                out[max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2] = True
    return out


@_compiled
def blend(tiles, windows, reaches, points, floor, mean):
    """Write the mean of (T, 2) tiles.

    Parameters
    ----------
    tiles : (T, 2)
    windows : (R, C, 16, 16)
        Mean of the smooth part in and around each tile.
    reaches : (R, C, 2)
        How far each tile's readings go beyond it, along rows and along columns, in pixels.
    points : (P, 2), (P,), (P,), (M, N)
        Where, values less the mean, variances of the readings, index by pixel (-1 unmeasured).
    floor : float
    mean : (M, N)
        Written.
    """
    values, noise, index = points[1], points[2], points[3]
    total, sums = np.empty((TILE, TILE)), np.empty((TILE, TILE))
    down, across = np.empty(TILE), np.empty(TILE)
    high, wide = windows.shape[:2]
    for t in range(tiles.shape[0]):
        i, j = tiles[t]
        total[:], sums[:] = 0.0, 0.0
        for a in range(max(i - 1, 0), min(i + 2, high)):
            for b in range(max(j - 1, 0), min(j + 2, wide)):
                _weights(i - a, reaches[a, b, 0], down)
                _weights(j - b, reaches[a, b, 1], across)
                _add(windows[a, b], i - a, j - b, down, across, total, sums)
        for row in range(i * TILE, min((i + 1) * TILE, mean.shape[0])):
            for column in range(j * TILE, min((j + 1) * TILE, mean.shape[1])):
                y, x = row - i * TILE, column - j * TILE
                m, p = sums[y, x] / total[y, x], index[row, column]
                if p >= 0 and noise[p] == 0:
                    m = values[p]
                elif p >= 0:  # what is left of a reading is noise and the pixel's own texture
                    m += floor / (floor + noise[p]) * (values[p] - m)
                mean[row, column] = m


@_compiled
def _weights(away, reach, out):
    """Write a tile's weights for the pixels of one that stands so many tiles on.

    They fall to nothing where the tile's readings end, within the margin.
    """
    half = 0.5 * TILE + min(reach, float(MARGIN))
    for x in range(TILE):
        apart = abs(away * TILE + x - 0.5 * (TILE - 1))
        out[x] = max(1.0 - apart / half, 0.0) ** 2


@_compiled
def _add(window, away, across_tiles, down, across, total, sums):
    """Add the part of a window that lies in a tile."""
    for y in range(TILE):
        if down[y] == 0.0:
            continue
        line = window[away * TILE + MARGIN + y]
        for x in range(TILE):
            weight = down[y] * across[x]
            if weight > 0.0:
                total[y, x] += weight
                sums[y, x] += weight * line[across_tiles * TILE + MARGIN + x]
