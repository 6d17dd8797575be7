"""How large the error of a whole map is: a regression on what readings were off before they came.

The intervals' regression is to serve each pixel, and knows readings held out, too.  These lie as
far from each other as readings do, and where an agent put them: of the map as a whole, tests tell
more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .error_estimate import MOST_SPREAD, spread_of
from .forward_log import Tests
from .raster_gp_posterior import TilePosterior
from .raster_gp_scale import BLOCK, log_scales
from .variance_regression import STEEPEST, regress, uncertainty

FRESH = 2.0  # power of a test's freshness, in its weight
# Agents choose where the variance is largest, and only the audits tell of the places between.  A
# Matern 1/2 process' variance grows with the distance to the readings, an image's squared error
# more like the distance squared: hence the variance, over that of the places tested, once more.
NEAREST, FARTHEST = -4.0, 1.0  # bounds of the log of that ratio


def map_error(tests: Tests, audited: NDArray[np.bool_], now: TilePosterior) -> tuple[float, float]:
    """Give the mean squared error expected of a process's mean map, and how sure that is.

    Parameters
    ----------
    tests : Tests
        In the posterior's unit; one or more.
    audited : (P,) ndarray of bool
        Which of the readings so far were drawn at random; empty where none were.
    now : TilePosterior
        The process as it is.

    Returns
    -------
    mean_square : float
        In squares of the posterior's unit.
    spread : float
        Standard deviation of the log of its root.
    """
    weights = tests.counts(audited, FRESH)
    usual = tests.at_once(np.log(tests.variances))
    variances = tests.variances * np.exp(_log_nearness(np.log(tests.variances) - usual))
    means = np.average(tests.features, axis=0, weights=weights)
    design = np.column_stack([np.ones(len(tests)), tests.features - means])
    known = design, tests.errors**2, variances, tests.noise, weights
    found = regress(*known)

    offset = float(found[0] - found[1:] @ means)
    signal = log_scales(now.block_features, found, offset, now.variance.shape)
    np.clip(signal, -STEEPEST, STEEPEST, out=signal)
    signal += _log_nearness(now.log_variance - usual[-1])
    np.exp(signal, out=signal)  # in place: memory takes longer than the sums
    signal *= now.variance
    mean_square = float(signal.mean() + now.carried.mean())
    if not mean_square > 0:
        return mean_square, MOST_SPREAD
    slopes = _slopes(signal, now.block_features, means) / (signal.size * mean_square)
    spread = spread_of(
        0.5 * float(np.sqrt(slopes @ uncertainty(found, *known) @ slopes)),
        tests.audits(audited),
        len(tests),
    )
    return mean_square, spread


def _log_nearness(log_ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(log_ratio, NEAREST, FARTHEST, out=log_ratio)


def _slopes(
    signal: NDArray[np.float64], block_features: NDArray[np.float64], means: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(4,) derivatives of a map's sum by the regression's weights, the features by blocks."""
    rows, columns = (np.arange(0, side, BLOCK) for side in signal.shape)
    sums = np.add.reduceat(np.add.reduceat(signal, rows, axis=0), columns, axis=1)
    features = block_features[: len(rows), : len(columns)] - means
    return np.append(sums.sum(), (sums[..., None] * features).sum(axis=(0, 1)))
