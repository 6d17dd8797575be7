"""How much squared error measuring a pixel would take off an inverse-distance map: for teaching."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from .neighbour_tables import NEIGHBOURS, NOBODY


@njit(cache=True, error_model="numpy")
def gains_of(pixels, neighbours, reach, measured, image, truth):
    """(U,) gains of measuring (U, 2) unmeasured pixels, one alone each time.

    The pixel joins the neighbours of those whose tenth is farther away, in the tenth's place.
    """
    rows, columns = image.shape
    radius = min(int(math.sqrt(reach.max())), max(rows, columns))
    gains = np.zeros(pixels.shape[0])
    for u in range(pixels.shape[0]):
        r, c = pixels[u]
        pixel = np.int32(r << 16 | c)
        for row in range(max(r - radius, 0), min(r + radius + 1, rows)):
            for column in range(max(c - radius, 0), min(c + radius + 1, columns)):
                d2 = (row - r) ** 2 + (column - c) ** 2
                nearest = neighbours[row, column]
                if d2 > reach[row, column] or measured[row, column]:
                    continue
                if d2 == reach[row, column] and nearest[NEIGHBOURS - 1] < pixel:
                    continue
                before = truth[row, column] - image[row, column]
                after = 0.0
                if d2 > 0:
                    made = _with(truth[r, c], d2, row, column, nearest, image)
                    after = truth[row, column] - made
                gains[u] += before * before - after * after
    return gains


@njit(cache=True, error_model="numpy")
def _with(value, d2, row, column, nearest, image):
    """Estimate of a pixel with one more point, at squared distance d2, among its nearest nine."""
    total, weighted = 1.0 / d2, value / d2
    for k in range(NEIGHBOURS - 1):
        if nearest[k] == NOBODY:
            break
        a, b = nearest[k] >> 16, nearest[k] & 0xFFFF
        w = 1.0 / ((a - row) ** 2 + (b - column) ** 2)
        total += w
        weighted += w * image[a, b]
    return weighted / total
