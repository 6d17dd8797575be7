"""Cholesky factors of small matrices, and solving with them, many columns at a time.

Four rows are taken off another one or four at once, which halves the time of a plain loop; LAPACK's
calls cost more than the work, and its sums hang on the number of threads.
"""

from __future__ import annotations

import math

from numba import njit

LEAST_PIVOT = 1e-14  # of a covariance whose diagonal is about 1: below is rounding

# Sums may be fused, but not reordered: they shall not depend on what else is computed.
_compiled = njit(cache=True, error_model="numpy", fastmath={"contract"})


@_compiled
def eliminate(rows, n, width):
    """Overwrite (n, width) rows [K, columns] by [U, X]: U'U is K, and U'X the columns.

    Of K the upper triangle is looked at.  All that is right of a row's diagonal is worked on in one
    run, four rows at a time: a third of the time that factor and columns take one after the other.
    """
    for i in range(0, n - 3, 4):
        _take_off_four(rows, i, width)
        _finish_four(rows[i : i + 4, i:width])
    for i in range(n // 4 * 4, n):
        one = rows[i, i:width]
        for j in range(i):
            f, p = rows[j, i], rows[j, i:width]
            for x in range(one.shape[0]):
                one[x] -= f * p[x]
        scale = 1.0 / math.sqrt(max(one[0], LEAST_PIVOT))
        for x in range(one.shape[0]):
            one[x] *= scale


@_compiled
def _take_off_four(rows, i, width):
    """Take the rows before i off the four from there; slices, as indices are not vectorised."""
    one, two = rows[i, i:width], rows[i + 1, i:width]
    three, four = rows[i + 2, i:width], rows[i + 3, i:width]
    for j in range(0, i, 4):
        p, q = rows[j, i:width], rows[j + 1, i:width]
        r, s = rows[j + 2, i:width], rows[j + 3, i:width]
        p0, p1, p2, p3 = p[0], p[1], p[2], p[3]
        q0, q1, q2, q3 = q[0], q[1], q[2], q[3]
        r0, r1, r2, r3 = r[0], r[1], r[2], r[3]
        s0, s1, s2, s3 = s[0], s[1], s[2], s[3]
        for x in range(one.shape[0]):
            one[x] -= p0 * p[x] + q0 * q[x] + r0 * r[x] + s0 * s[x]
            two[x] -= p1 * p[x] + q1 * q[x] + r1 * r[x] + s1 * s[x]
            three[x] -= p2 * p[x] + q2 * q[x] + r2 * r[x] + s2 * s[x]
            four[x] -= p3 * p[x] + q3 * q[x] + r3 * r[x] + s3 * s[x]


@_compiled
def _finish_four(rows):
    """Eliminate four rows, the first columns of which are their diagonal block."""
    p, q, r, s = rows[0], rows[1], rows[2], rows[3]
    scale = 1.0 / math.sqrt(max(p[0], LEAST_PIVOT))
    pq, pr, ps = p[1] * scale, p[2] * scale, p[3] * scale
    second = 1.0 / math.sqrt(max(q[1] - pq * pq, LEAST_PIVOT))
    qr, qs = (q[2] - pq * pr) * second, (q[3] - pq * ps) * second
    third = 1.0 / math.sqrt(max(r[2] - pr * pr - qr * qr, LEAST_PIVOT))
    rs = (r[3] - pr * ps - qr * qs) * third
    fourth = 1.0 / math.sqrt(max(s[3] - ps * ps - qs * qs - rs * rs, LEAST_PIVOT))
    for x in range(p.shape[0]):
        p[x] *= scale
        q[x] = (q[x] - pq * p[x]) * second
        r[x] = (r[x] - pr * p[x] - qr * q[x]) * third
        s[x] = (s[x] - ps * p[x] - qs * q[x] - rs * r[x]) * fourth


@_compiled
def backward_one(rows, n, column):
    """Overwrite one column of the rows [U, columns] by x of U x = column."""
    for i in range(n - 1, -1, -1):
        one, two, three, four = rows[i, column], 0.0, 0.0, 0.0
        j = i + 1
        while j + 4 <= n:
            one -= rows[i, j] * rows[j, column]
            two -= rows[i, j + 1] * rows[j + 1, column]
            three -= rows[i, j + 2] * rows[j + 2, column]
            four -= rows[i, j + 3] * rows[j + 3, column]
            j += 4
        while j < n:
            one -= rows[i, j] * rows[j, column]
            j += 1
        rows[i, column] = ((one + two) + (three + four)) / rows[i, i]


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
