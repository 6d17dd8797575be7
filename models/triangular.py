"""Cholesky factors of small matrices, and solving with them, many columns at a time.

Four rows are taken off another at once, which halves the time of a plain loop; LAPACK's calls cost
more than the work, and its sums hang on the number of threads.
"""

from __future__ import annotations

import math

from numba import njit

LEAST_PIVOT = 1e-14  # of a covariance whose diagonal is about 1: below is rounding

# Sums may be fused, but not reordered: they shall not depend on what else is computed.
_compiled = njit(cache=True, error_model="numpy", fastmath={"contract"})


@_compiled
def cholesky(upper, n):
    """Overwrite the upper triangle of an (n, n) matrix by its factor U, U'U."""
    for i in range(n):
        _take_earlier_rows(upper, i, upper, i, n)
        scale = 1.0 / math.sqrt(max(upper[i, i], LEAST_PIVOT))
        for x in range(i, n):
            upper[i, x] *= scale


@_compiled
def forward(upper, n, columns, first, last):
    """Overwrite some columns of an (n, C) matrix by the solution X of U'X = columns."""
    for i in range(n):
        _take_earlier_rows(upper, i, columns, first, last)
        scale = 1.0 / upper[i, i]
        for x in range(first, last):
            columns[i, x] *= scale


@_compiled
def _take_earlier_rows(upper, i, rows, first, last):
    j = 0
    while j + 4 <= i:
        f, g, h, k = upper[j, i], upper[j + 1, i], upper[j + 2, i], upper[j + 3, i]
        for x in range(first, last):
            rows[i, x] -= (
                f * rows[j, x] + g * rows[j + 1, x] + h * rows[j + 2, x] + k * rows[j + 3, x]
            )
        j += 4
    while j < i:
        f = upper[j, i]
        for x in range(first, last):
            rows[i, x] -= f * rows[j, x]
        j += 1


@_compiled
def backward(upper, n, columns, first, last):
    """Overwrite some columns of an (n, C) matrix by the solution X of U X = columns."""
    for i in range(n - 1, -1, -1):
        j = n
        while j - 4 > i:
            j -= 4
            f, g, h, k = upper[i, j], upper[i, j + 1], upper[i, j + 2], upper[i, j + 3]
            for x in range(first, last):
                columns[i, x] -= (
                    f * columns[j, x]
                    + g * columns[j + 1, x]
                    + h * columns[j + 2, x]
                    + k * columns[j + 3, x]
                )
        while j - 1 > i:
            j -= 1
            f = upper[i, j]
            for x in range(first, last):
                columns[i, x] -= f * columns[j, x]
        scale = 1.0 / upper[i, i]
        for x in range(first, last):
            columns[i, x] *= scale
