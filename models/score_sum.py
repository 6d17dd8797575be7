"""The sum over channels of what each would gain by a pixel."""

from __future__ import annotations

import numpy as np
from numba import njit

from .local_features import octaves

LEAST = np.float32(-126.0)  # octaves: the least power of two that is not subnormal


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def power_of_two(x):
    """2 to the power of a number from -126 to 0, to 1e-4 of it, the same on every machine.

    P. Mineiro's fastpow2: the whole part as exponent, a rational function of the rest.
    """
    y = max(np.float32(x), LEAST)
    rest = y - np.float32(np.int32(y)) + np.float32(1.0 if y < 0 else 0.0)
    bits = np.float32(8388608.0) * (
        y
        + np.float32(121.2740575)
        + np.float32(27.7280233) / (np.float32(4.84252568) - rest)
        - np.float32(1.49012907) * rest
    )
    return np.int32(bits).view(np.float32)


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def sum_scores(pixels, scores, weights, score):
    """Sum over the (C, M, N) scores of (U, 2) pixels, shifted by (C,) weights, all in octaves.

    Relative to the largest, so that none overflows.
    """
    for p in range(pixels.shape[0]):
        row, column = pixels[p, 0], pixels[p, 1]
        most = np.float32(-np.inf)
        for c in range(scores.shape[0]):
            most = max(most, scores[c, row, column] + weights[c])
        total = np.float32(0.0)
        for c in range(scores.shape[0]):
            total += power_of_two(scores[c, row, column] + weights[c] - most)
        score[row, column] = most + octaves(total)
