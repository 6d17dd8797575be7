"""Hyperparameters of a raster's Gaussian process from its readings."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .fisher_scoring import fisher_scoring
from .raster_gp_kernel import GPHyperparameters, vecchia
from .raster_gp_neighbours import cells_of, nearest

TARGETS = 500
CONDITIONED = 32  # neighbours of a target
SKETCH = 100  # targets that choose among the starts
MOST = 20_000  # readings looked at
FEWEST = 8  # readings, for a fit
MEAN_STEPS = 256  # in a unit: adding it to a whole number of counts then rounds nothing away
AROUND = 9  # readings whose mean is a reading's expected count

# Weak log-normal priors; with some hundred targets they hardly matter.
LENGTH = 30.0  # pixels
FLOOR = 0.003  # of the variance
SPREADS = np.array([1.5, math.log(4.5), 0.7, 3.0])
PRIORS = np.array([  # log variance, mean log length, log ratio of lengths, log floor over variance
    [1.0, 0.0, 0.0, 0.0, 0.0],
    [0.0, 0.5, 0.5, 0.0, 0.0],
    [0.0, 1.0, -1.0, 0.0, 0.0],
    [-1.0, 0.0, 0.0, 1.0, 0.0],
]) / SPREADS[:, None]  # fmt: skip
STARTS = [(length, floor) for length in (4.0, 15.0, 60.0, 250.0) for floor in (0.003, 0.1)]
LOWEST, HIGHEST = (-7.0, -1.5, -1.5, -18.0, -10.0), (9.0, 9.5, 9.5, 3.0, 10.0)


def unit_of(values: NDArray[np.float64]) -> int:
    """Binary exponent of the values' spread; of their size where they are all equal.

    All that is computed in this unit hangs on the values' ratios alone, to the last bit.
    """
    spread = float(np.abs(values - values[0]).mean())
    if spread > 0:
        return int(np.frexp(spread)[1])
    return int(np.frexp(float(np.abs(values[0])) or 1.0)[1]) - 10


def counting_noise(
    shape: tuple[int, int],
    where: NDArray[np.int32],
    values: NDArray[np.float64],
    counts_per_unit: float,
) -> NDArray[np.float64]:
    """(P,) variances of counts: from the mean of nine readings, not from a count itself."""
    means = np.empty(len(values))
    _mean_around(where, cells_of(where, shape), values, means)
    return variance_of_counts(means, counts_per_unit)


def variance_of_counts(means: NDArray[np.float64], counts_per_unit: float) -> NDArray[np.float64]:
    """Variances of counts, from the mean of nine readings; half a count is added to their sum.

    In quarters of an octave, as they then seldom change as readings come.
    """
    counts = np.maximum(means * counts_per_unit, 0.0) + 0.5 / AROUND
    return np.exp2(np.rint(4 * np.log2(counts)) / 4) / counts_per_unit**2


def guess_hyperparameters(
    values: NDArray[np.float64], smoothness: float = 0.5
) -> GPHyperparameters:
    """Hyperparameters by rule of thumb, for the first few readings."""
    exponent = unit_of(values)
    scaled = np.ldexp(values - values[0], -exponent)
    variance = max(float(scaled.var()), 0.25)
    return _in_units(
        np.array([math.log(variance), math.log(LENGTH), math.log(LENGTH),
                  math.log(FLOOR * variance), float(scaled.mean())]),
        exponent, float(values[0]), smoothness,
    )  # fmt: skip


def fit_hyperparameters(
    shape: tuple[int, int],
    where: NDArray[np.int32],
    values: NDArray[np.float64],
    noise: NDArray[np.float64] | None = None,
    *,
    smoothness: float = 0.5,
    targets: int = TARGETS,
) -> GPHyperparameters:
    """Fit variance, lengths, floor and mean by Vecchia's likelihood in a random order.

    Parameters
    ----------
    shape : (2,) tuple of int
    where : (P, 2) ndarray of int32
        Pixels.
    values : (P,) ndarray of float64
    noise : (P,) ndarray of float64, optional
        Variance of each reading; none where not given.
    smoothness : float
    targets : int
        Readings whose conditional likelihoods are summed up.

    Notes
    -----
    Started from the best of eight rough guesses, never from an earlier fit: the result is a
    function of the readings.  With fewer than eight, or equal ones, a rule of thumb.
    """
    if len(values) < FEWEST or not np.ptp(values):
        return guess_hyperparameters(values, smoothness)
    order = np.random.default_rng(len(values)).permutation(len(values))[:MOST]
    exponent, zero = unit_of(values), float(values[0])
    y = np.ldexp(values[order] - zero, -exponent)
    n = np.zeros(len(y)) if noise is None else np.ldexp(noise[order], -2 * exponent)
    places = where[order]
    sample = max(float(y.var() - n.mean()), 0.1 * float(y.var()))
    some = np.unique(np.linspace(0, len(y) - 1, min(targets, len(y))).astype(np.int64))
    near, counts = _earlier(shape, places, some)

    def likelihood(x: NDArray[np.float64], every: int = 1) -> Any:
        part = slice(None, None, every)
        found = vecchia(x, places, y, n, some[part], near[part], counts[part], smoothness)
        return tuple(a + b for a, b in zip(found, _prior(x, sample), strict=True))

    every = max(1, len(some) // SKETCH)
    starts = [
        np.array([math.log(sample), math.log(length), math.log(length),
                  math.log(floor * sample), float(y.mean())])
        for length, floor in STARTS
    ]  # fmt: skip
    best = min(starts, key=lambda x: likelihood(x, every)[0])
    found = fisher_scoring(likelihood, best, (LOWEST, HIGHEST))
    return _in_units(found, exponent, zero, smoothness)


def _in_units(
    x: NDArray[np.float64], exponent: int, zero: float, smoothness: float
) -> GPHyperparameters:
    variance, rows, columns, floor = np.exp(x[:4]).tolist()
    return GPHyperparameters(
        variance=float(np.ldexp(variance, 2 * exponent)),
        lengths=(rows, columns),
        floor=float(np.ldexp(floor, 2 * exponent)),
        mean=float(np.ldexp(np.rint(x[4] * MEAN_STEPS) / MEAN_STEPS, exponent)) + zero,
        smoothness=smoothness,
    )


def _prior(
    x: NDArray[np.float64], sample: float
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Half the squared distances from what is likely, gradient and second derivatives."""
    middle = np.array([math.log(sample), math.log(LENGTH), 0.0, math.log(FLOOR)])
    z = PRIORS @ x - middle / SPREADS
    return 0.5 * float((z * z).sum()), PRIORS.T @ z, PRIORS.T @ PRIORS


def _earlier(
    shape: tuple[int, int], where: NDArray[np.int32], targets: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """(T, K) the nearest of those that come before each target, and (T,) how many."""
    found = np.zeros((len(targets), CONDITIONED), np.int32)
    counts = np.zeros(len(targets), np.int64)
    _nearest_earlier(where, cells_of(where, shape), targets, found, counts)
    return found, counts


@njit(cache=True)
def _nearest_earlier(where, cells, targets, found, counts):
    far = np.empty(found.shape[1])
    for t in range(targets.shape[0]):
        p = targets[t]
        counts[t] = nearest(where, cells, 1.0, where[p, 0], where[p, 1], 0.0, p, found[t], far)


@njit(cache=True)
def _mean_around(where, cells, values, out):
    found, far = np.empty(AROUND, np.int32), np.empty(AROUND)
    for p in range(where.shape[0]):
        row, column = where[p]
        n = nearest(where, cells, 1.0, row, column, 0.0, where.shape[0], found, far)
        out[p] = 0.0
        for k in range(n):
            out[p] += values[found[k]]
        out[p] /= n
