"""Regression of the log of how much larger or smaller than expected squared errors are."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .fisher_scoring import fisher_scoring

STEEPEST = 8.0  # of the log variance's correction

_compiled = njit(cache=True, error_model="numpy")


def regress(
    design: NDArray[np.float64],
    squares: NDArray[np.float64],
    variances: NDArray[np.float64],
    noise: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(F,) weights of a (P, F) design that correct the log of (P,) variances by squared errors."""
    known = design, squares, variances, noise, weights
    return fisher_scoring(lambda b: _deviance(b, *known), np.zeros(design.shape[1]))


def uncertainty(
    found: NDArray[np.float64],
    design: NDArray[np.float64],
    squares: NDArray[np.float64],
    variances: NDArray[np.float64],
    noise: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(F, F) covariance of what ``regress`` found, as the squares scatter and not as a normal's do.

    References
    ----------
    H. White, Econometrica 50, 1 (1982), for the covariance under tails that are not the model's.
    """
    *_, information = _deviance(found, design, squares, variances, noise, weights)
    signal = variances * exponentials(design, found)
    whole = signal + noise
    pulls = (0.5 * weights * (1.0 - squares / whole) * signal / whole)[:, None] * design
    spread = np.linalg.solve(information, pulls.T)
    return spread @ spread.T


@_compiled
def exponentials(design, b):
    """(P,) factors of variances by a (P, F) design and its weights."""
    scales = np.empty(design.shape[0])
    for p in range(design.shape[0]):
        u = 0.0
        for f in range(design.shape[1]):
            u += design[p, f] * b[f]
        scales[p] = math.exp(min(max(u, -STEEPEST), STEEPEST))
    return scales


@_compiled
def _deviance(b, design, e2, v, n, w):
    """Negative log likelihood plus a penalty, gradient and information; sums in a fixed order."""
    most = b.shape[0]
    total, gradient, information = 0.0, 2.0 * b, np.zeros((most, most))
    scales = exponentials(design, b)
    for p in range(design.shape[0]):
        signal = v[p] * scales[p]
        variance = signal + n[p]
        total += 0.5 * w[p] * (math.log(variance) + e2[p] / variance)
        share = signal / variance
        slope = 0.5 * w[p] * (1.0 - e2[p] / variance) * share
        if abs(math.log(scales[p])) < STEEPEST:
            for f in range(most):
                gradient[f] += slope * design[p, f]
                for g in range(most):
                    information[f, g] += 0.5 * w[p] * share * share * design[p, f] * design[p, g]
    for f in range(most):
        total += b[f] * b[f]
        information[f, f] += 2.0
    return total, gradient, information
