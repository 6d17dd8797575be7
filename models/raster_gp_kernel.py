"""The covariance of a raster's pixels, and Vecchia's likelihood of its parameters with gradient.

A pixel's value is ``mean + s(pixel) + t(pixel)``: ``s`` has a Matern covariance of distances in
length scales, ``t`` (the floor) is the pixel's own texture, independent from pixel to pixel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .triangular import backward, cholesky, forward

SMOOTHNESSES = (0.5, 1.5, 2.5)
PARAMETERS = 5  # of the likelihood: log variance, log lengths of rows, columns, log floor, mean


@dataclass(frozen=True)
class GPHyperparameters:
    """Parameters of a raster's Gaussian process.

    Attributes
    ----------
    variance : float
        Of the smooth part, in squares of the values' unit, above 0.
    lengths : (2,) tuple of float
        Length scales along rows and columns, pixels, above 0.
    floor : float
        Variance of each pixel's own texture, in squares of the values' unit, 0 or more.
    mean : float
        Values far from any reading.
    smoothness : float
        Of the Matern covariance: 0.5, 1.5 or 2.5.

    Raises
    ------
    ValueError
        If one lies elsewhere.
    """

    variance: float
    lengths: tuple[float, float]
    floor: float = 0.0
    mean: float = 0.0
    smoothness: float = 0.5

    def __post_init__(self) -> None:
        checked_smoothness(self.smoothness)
        rows, columns = self.lengths
        if not (self.variance > 0 and rows > 0 and columns > 0 and self.floor >= 0):
            raise ValueError(
                "variance and lengths must be above 0 and the floor 0 or more, but "
                f"variance={self.variance}, lengths={self.lengths}, floor={self.floor} came"
            )
        if not np.isfinite([self.variance, rows, columns, self.floor, self.mean]).all():
            raise ValueError(f"hyperparameters must be finite, but {self} came")

    def correlation(self, shape: tuple[int, int]) -> NDArray[np.float64]:
        """(M, N) correlation of the smooth part by rows and columns apart."""
        rows, columns = np.arange(shape[0])[:, None], np.arange(shape[1])
        r = np.sqrt((rows / self.lengths[0]) ** 2 + (columns / self.lengths[1]) ** 2)
        a = math.sqrt(2 * self.smoothness) * r
        polynomial = {0.5: 1.0, 1.5: 1 + a, 2.5: 1 + a + a * a / 3}[self.smoothness]
        return polynomial * np.exp(-a)


def checked_smoothness(smoothness: float) -> float:
    """Refuse what is no smoothness that there are closed forms for."""
    if smoothness not in SMOOTHNESSES:
        raise ValueError(f"the smoothness must be one of 0.5, 1.5 and 2.5, but {smoothness} came")
    return float(smoothness)


@njit(cache=True, error_model="numpy")
def _matern(r2, smoothness):
    """Correlation, and minus its derivative by log r, over r squared."""
    if smoothness == 0.5:
        r = math.sqrt(r2)
        value = math.exp(-r)
        return value, value / r
    a = math.sqrt(2.0 * smoothness * r2)
    e = math.exp(-a)
    if smoothness == 1.5:
        return (1.0 + a) * e, 3.0 * e
    return (1.0 + a + a * a / 3.0) * e, 5.0 / 3.0 * (1.0 + a) * e


@njit(cache=True, error_model="numpy")
def vecchia(parameters, where, values, noise, targets, found, counts, smoothness):
    """Negative log likelihood of the targets given their neighbours, gradient and information.

    Parameters
    ----------
    parameters : (5,) ndarray of float64
        Logarithms of variance, row and column length and floor, and the mean.
    where, values, noise : (P, 2), (P,), (P,)
        Points, what was read, variance of each reading.
    targets, found, counts : (T,), (T, K), (T,)
        Indices of points, of the neighbours that each is conditioned on, and their number.
    smoothness : float

    Notes
    -----
    A. V. Vecchia, J. R. Stat. Soc. B 50, 297 (1988); expected information as in J. Guinness, Stat.
    Comput. 31, 25 (2021).  With the weights w = K^-1 k a target's mean is
    mu + w (y - mu) and its variance k0 - w k, so that their derivatives need no further factors.
    """
    variance, floor = math.exp(parameters[0]), math.exp(parameters[3])
    per_row, per_column = math.exp(-2.0 * parameters[1]), math.exp(-2.0 * parameters[2])
    mean = parameters[4]
    most = found.shape[1]
    factor, slope_rows, slope_columns = (
        np.empty((most, most)),
        np.empty((most, most)),
        np.empty((most, most)),
    )
    k, k_rows, k_columns = np.empty(most), np.empty(most), np.empty(most)
    solved = np.empty((most, 2))
    w, alpha = solved[:, 0], solved[:, 1]
    total, gradient, information = 0.0, np.zeros(PARAMETERS), np.zeros((PARAMETERS, PARAMETERS))
    d_mean, d_variance = np.empty(PARAMETERS), np.empty(PARAMETERS)
    for t in range(targets.shape[0]):
        target, n = targets[t], counts[t]
        for a in range(n):
            p = found[t, a]
            rows = (where[p, 0] - where[target, 0]) ** 2 * per_row
            columns = (where[p, 1] - where[target, 1]) ** 2 * per_column
            value, slope = _matern(rows + columns, smoothness)
            k[a] = variance * value
            k_rows[a], k_columns[a] = variance * slope * rows, variance * slope * columns
            w[a], alpha[a] = k[a], values[p] - mean
            factor[a, a] = variance + floor + noise[p]
            slope_rows[a, a] = slope_columns[a, a] = 0.0
            for b in range(a):
                q = found[t, b]
                rows = (where[p, 0] - where[q, 0]) ** 2 * per_row
                columns = (where[p, 1] - where[q, 1]) ** 2 * per_column
                value, slope = _matern(rows + columns, smoothness)
                factor[b, a] = variance * value
                slope_rows[b, a] = variance * slope * rows
                slope_columns[b, a] = variance * slope * columns
        cholesky(factor, n)
        forward(factor, n, solved, 0, 2)
        backward(factor, n, solved, 0, 2)
        own = floor + noise[target]
        guess, spread = mean, variance + own
        d_mean[4], d_variance[4] = 1.0, 0.0
        d_mean[1] = d_mean[2] = d_variance[1] = d_variance[2] = 0.0
        d_mean[3], d_variance[3] = 0.0, floor
        d_mean[0], d_variance[0] = 0.0, variance
        for a in range(n):
            p = found[t, a]
            residual = values[p] - mean
            guess += w[a] * residual
            spread -= w[a] * k[a]
            d_mean[4] -= w[a]
            d_mean[0] += (floor + noise[p]) * w[a] * alpha[a]
            d_variance[0] -= w[a] * k[a] + (floor + noise[p]) * w[a] * w[a]
            d_mean[3] -= floor * w[a] * alpha[a]
            d_variance[3] += floor * w[a] * w[a]
            d_mean[1] += k_rows[a] * alpha[a]
            d_mean[2] += k_columns[a] * alpha[a]
            d_variance[1] -= 2.0 * w[a] * k_rows[a]
            d_variance[2] -= 2.0 * w[a] * k_columns[a]
            for b in range(a):
                cross = w[b] * alpha[a] + w[a] * alpha[b]
                pair = 2.0 * w[a] * w[b]
                d_mean[1] -= slope_rows[b, a] * cross
                d_mean[2] -= slope_columns[b, a] * cross
                d_variance[1] += slope_rows[b, a] * pair
                d_variance[2] += slope_columns[b, a] * pair
        spread = max(spread, 1e-300)
        error = values[target] - guess
        total += 0.5 * (math.log(2.0 * math.pi * spread) + error * error / spread)
        for i in range(PARAMETERS):
            gradient[i] += (
                0.5 * d_variance[i] * (1.0 - error * error / spread) - error * d_mean[i]
            ) / spread
            for j in range(PARAMETERS):
                information[i, j] += (
                    d_mean[i] * d_mean[j] + 0.5 * d_variance[i] * d_variance[j] / spread
                ) / spread
    return total, gradient, information
