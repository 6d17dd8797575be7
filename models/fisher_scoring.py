"""Least of a negative log likelihood of a few parameters, by damped Fisher scoring."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Likelihood = Callable[[NDArray[np.float64]], tuple[float, NDArray[np.float64], NDArray[np.float64]]]
FIRST_DAMPING = 1e-2  # share of the information's diagonal that is added to it
SETTLED = 1e-7  # gain that is too small for another step


def fisher_scoring(
    likelihood: Likelihood,
    start: ArrayLike,
    bounds: tuple[ArrayLike, ArrayLike] = (-np.inf, np.inf),
    *,
    steps: int = 40,
) -> NDArray[np.float64]:
    """Minimise by steps of the inverse information, damped until each is a gain.

    Parameters
    ----------
    likelihood : callable
        From (F,) parameters to the value, its (F,) gradient and the (F, F) expected information.
    start : (F,) array-like
    bounds : two array-like
        Least and largest parameters.
    steps : int
        Evaluations, at most.

    Returns
    -------
    (F,) ndarray of float64
        Never worse than the start.

    References
    ----------
    J. Guinness, Stat. Comput. 31, 25 (2021), for Vecchia's likelihood.
    """
    x, damping = np.clip(np.asarray(start, dtype=np.float64), *bounds), FIRST_DAMPING
    value, gradient, information = likelihood(x)
    for _ in range(steps):
        ridge = damping * np.diag(information) + 1e-9
        step = np.linalg.solve(information + np.diag(ridge), -gradient)
        tried = np.clip(x + np.clip(step, -3.0, 3.0), *bounds)
        found = likelihood(tried)
        if not found[0] < value:
            damping *= 8.0
            if damping > 1e6:
                break
            continue
        gain = value - found[0]
        x, (value, gradient, information) = tried, found
        damping = max(damping / 8.0, 1e-8)
        if gain < SETTLED * (1.0 + abs(value)):
            break
    return x
