"""How much larger or smaller errors are here than a stationary variance says, and their tails.

A regression of the log variance on what the readings around a place say, fitted to the readings
held out.  It scales the signal's variance only, never the counting noise that a mean carries.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import gammaln, stdtrit

from .raster_gp_neighbours import TILE, select
from .variance_regression import STEEPEST, exponentials, regress

BLOCK = 4  # pixels: features are computed at the centres of such squares, and interpolated
WIDE, NEAR, CLOSE = 16, 6, 8  # readings that the features look at
FEATURES = 4
PRIOR_WEIGHT = 1.0  # readings that a ratio of 1 counts for
LEAST_RATIO = 0.01
BACKGROUND = 0.05  # of the held-out variance, added to the variance of the readings around
FEWEST = 16  # readings held out, for a regression
MOST = 1500  # readings that it is fitted to
AREA_POWER = 0.75  # of the area that a reading stands for: the area itself is uncertain
SETTLED = 1e-6  # of the width squared of the tails
TAILS = np.array(
    [1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0, 11.0, 16.0, 30.0, 100.0]
)  # degrees of freedom

_compiled = njit(cache=True, error_model="numpy")


@dataclass(frozen=True)
class LocalScale:
    """Correction of the log variance, and the distribution of what is left.

    Attributes
    ----------
    weights : (5,) tuple of float
        Of 1 and of the four features, less their means.
    means : (4,) tuple of float
    freedom : float
        Degrees of freedom of Student's t.
    width : float
        Of that distribution, in standard deviations.
    """

    weights: tuple[float, ...] = (0.0,) * (FEATURES + 1)
    means: tuple[float, ...] = (0.0,) * FEATURES
    freedom: float = 100.0
    width: float = math.sqrt(0.98)

    @property
    def offset(self) -> float:
        """The correction where all features are 0."""
        return self.weights[0] - sum(
            w * m for w, m in zip(self.weights[1:], self.means, strict=True)
        )

    def logs(
        self, block_features: NDArray[np.float64], log_variance: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(M, N) correction of the log variance, from the blocks' features and the latter."""
        if not any(self.weights):
            return np.zeros(log_variance.shape)
        logs = log_scales(block_features, np.array(self.weights), self.offset, log_variance.shape)
        _add_within(logs, self.weights[-1], log_variance, STEEPEST)
        return logs

    def half_width(self, level: float) -> float:
        """Half the interval that holds a value with a probability, in standard deviations."""
        return self.width * float(stdtrit(self.freedom, 0.5 + 0.5 * level))

    def log_density(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log of the probability density of errors in standard deviations."""
        df = self.freedom
        norm = gammaln((df + 1) / 2) - gammaln(df / 2) - 0.5 * math.log(df * math.pi)
        return norm - math.log(self.width) - (df + 1) / 2 * np.log1p((z / self.width) ** 2 / df)


def judges(variances: NDArray[np.float64]) -> NDArray[np.int64]:
    """Indices of readings held out that a local scale is fitted to; none where there are few."""
    known = np.flatnonzero(np.isfinite(variances))
    return known[:: -(-len(known) // MOST)] if len(known) >= FEWEST else known[:0]


def fit_local_scale(
    errors: NDArray[np.float64],
    variances: NDArray[np.float64],
    noise: NDArray[np.float64],
    features: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> LocalScale:
    """Fit the correction of the log variance to readings held out, none of a NaN variance.

    Parameters
    ----------
    errors, variances, noise : (P,) ndarray of float64
        What each was off; the signal's variance expected; noise of reading and mean.
    features : (P, 3) ndarray of float64
        As ``describe`` gives them; the fourth is the log of the variance itself.
    weights : (P,) ndarray of float64
        How much each counts.
    """
    e2, v, n, w = errors**2, variances, noise, weights
    columns = np.column_stack([features, np.log(v)])
    means = columns.mean(axis=0)
    design = np.column_stack([np.ones(len(v)), columns - means])
    found = regress(design, e2, v, n, w)
    scaled = v * exponentials(design, found) + n
    freedom, width = _tails(e2 / scaled, w, TAILS)
    return LocalScale(tuple(found.tolist()), tuple(means.tolist()), freedom, width)


def area_weights(areas: NDArray[np.float64]) -> NDArray[np.float64]:
    """(P,) weights of readings that stand for so large areas, 1 in the mean of these."""
    return (areas / areas.mean()) ** AREA_POWER


def expected_squares(
    scale: LocalScale,
    variances: NDArray[np.float64],
    noise: NDArray[np.float64],
    features: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(P,) expected squares of errors by a local scale; arguments as ``fit_local_scale``'s."""
    columns = np.column_stack([features, np.log(variances)]) - np.array(scale.means)
    design = np.column_stack([np.ones(len(variances)), columns])
    return variances * exponentials(design, np.array(scale.weights)) + noise


@_compiled
def _tails(squares, weights, tails):
    """Most likely degrees of freedom and width of Student's t for squared residuals."""
    least, freedom, width = np.inf, 100.0, 1.0
    total = weights.sum()
    for df in tails:
        width2, before = 1.0, 0.0
        for _ in range(20):  # expectation maximisation; from 1 it mostly settles well before
            if abs(width2 - before) <= SETTLED * width2:
                break
            pulled, before = 0.0, width2
            for p in range(squares.shape[0]):
                pulled += weights[p] * squares[p] / (df + squares[p] / width2)
            width2 = max((df + 1.0) * pulled / total, 1e-6)
        loss = total * (
            math.lgamma(0.5 * df) - math.lgamma(0.5 * df + 0.5) + 0.5 * math.log(df * width2)
        )
        for p in range(squares.shape[0]):
            loss += weights[p] * 0.5 * (df + 1.0) * math.log1p(squares[p] / (df * width2))
        if loss < least:
            least, freedom, width = loss, df, math.sqrt(width2)
    return freedom, width


@_compiled
def describe_points(chosen, lists, ratio, points, held_out, features, areas):
    """Write the (C, 3) features of chosen points, from others, and the (C,) area of each."""
    where = points[0]
    near, far = np.empty(WIDE, np.int32), np.empty(WIDE)
    for k in range(chosen.shape[0]):
        p = chosen[k]
        i, j = where[p, 0] // TILE, where[p, 1] // TILE
        row, column = where[p]
        count = select(lists, i, j, where, ratio, row, column, p, near, far)
        _describe(near, count, points, held_out, features[k])
        areas[k] = far[min(NEAR, count) - 1] if count else 1.0


@_compiled
def describe_blocks(tiles, lists, ratio, points, held_out, features):
    """Write (B, C, 3) features of the blocks of (T, 2) tiles."""
    near, far = np.empty(WIDE, np.int32), np.empty(WIDE)
    each = TILE // BLOCK
    middle = 0.5 * (BLOCK - 1)
    for t in range(tiles.shape[0]):
        i, j = tiles[t]
        for a in range(i * each, (i + 1) * each):
            for b in range(j * each, (j + 1) * each):
                row, column = a * BLOCK + middle, b * BLOCK + middle
                count = select(lists, i, j, points[0], ratio, row, column, -1, near, far)
                _describe(near, count, points, held_out, features[a, b])


@_compiled
def _describe(near, count, points, held_out, features):
    values, noise = points[1], points[2]
    error, variance, carried = held_out
    weight, total = PRIOR_WEIGHT, PRIOR_WEIGHT
    features[1] = 0.0
    for k in range(count):
        p = near[k]
        if variance[p] > 0:  # not NaN
            v, n = variance[p], noise[p] + carried[p]
            w = 1.0 / (1.0 + n / v) ** 2
            weight += w
            total += w * (error[p] ** 2 - n) / v
        if k == min(NEAR, count) - 1:
            features[1] = math.log(max(total / weight, LEAST_RATIO))
    features[0] = math.log(max(total / weight, LEAST_RATIO))
    features[2] = _roughness(near, min(count, CLOSE), values, noise, variance)


@_compiled
def _roughness(near, count, values, noise, variance):
    """Log of the variance of readings around, less their noise, in held-out variances."""
    if count == 0:
        return 0.0
    mean = square = counting = expected = 0.0
    known = 0
    for k in range(count):
        p = near[k]
        mean += values[p] / count
        counting += noise[p] / count
        if variance[p] > 0:
            expected += variance[p]
            known += 1
    for k in range(count):
        square += (values[near[k]] - mean) ** 2 / count
    background = BACKGROUND * expected / known if known else 1.0
    return math.log(max(square - counting, 0.0) + background)


@_compiled
def _add_within(logs, weight, more, bound):
    """Add a map, weighted, and keep the sum within bounds; in place, as memory takes longest."""
    for row in range(logs.shape[0]):
        for column in range(logs.shape[1]):
            whole = logs[row, column] + weight * more[row, column]
            logs[row, column] = min(max(whole, -bound), bound)


@_compiled
def log_scales(features, weights, offset, shape):
    """(M, N) correction of the log variance by the first three features, interpolated."""
    rows, columns = shape
    high, wide = features.shape[0], features.shape[1]
    knots = np.empty((high, wide))
    for a in range(high):
        for b in range(wide):
            knots[a, b] = offset
            for f in range(features.shape[2]):
                knots[a, b] += weights[f + 1] * features[a, b, f]
    out = np.empty((rows, columns))
    last = wide - 1
    left = np.empty(columns, np.int64)
    share = np.empty(columns)
    for column in range(columns):
        b = min(max((column - 0.5 * (BLOCK - 1)) / BLOCK, 0.0), float(last))
        left[column] = min(int(b), max(last - 1, 0))
        share[column] = b - left[column]
    line = np.empty(wide)
    for row in range(rows):
        a = min(max((row - 0.5 * (BLOCK - 1)) / BLOCK, 0.0), float(high - 1))
        top = min(int(a), max(high - 2, 0))
        below = min(top + 1, high - 1)
        for b in range(wide):
            line[b] = knots[top, b] + (a - top) * (knots[below, b] - knots[top, b])
        for column in range(columns):
            b = left[column]
            out[row, column] = line[b] + share[column] * (line[min(b + 1, last)] - line[b])
    return out
