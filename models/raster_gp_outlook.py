"""What each pixel of a raster is worth measuring for, to one Gaussian process."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .raster_gp_batch import Outlook
from .raster_gp_posterior import TilePosterior
from .raster_gp_scale import STEEPEST, log_scales

# A reading takes about its variance, times the local scale, off the area that it stands for.  The
# variance of a Matern 1/2 process grows with the distance to the readings, the area with its
# square: where the cube of the variance times the scale is largest, so is variance times scale^1/3.
STEERING_POWER = 1.0 / 3.0
CHOSEN_BY = 64  # neighbours of a tile, by which its pixels are chosen one after the other


def outlook(
    posterior: TilePosterior,
    log_scale: NDArray[np.float64],
    power: float,
    emphasis: NDArray[np.float64] | None,
) -> Outlook:
    """Weigh the pixels by local scale, share of the variance that a reading explains, emphasis.

    Parameters
    ----------
    posterior : TilePosterior
    log_scale : (M, N) ndarray of float64
        Log of what the signal's variance is multiplied by.
    power : float
        Of the local scale of the standard deviation; 0 leaves it out.
    emphasis : (M, N) ndarray of float64, optional
        What each pixel's score is multiplied by, 0 or more; where not given, all alike.
    """
    noise = posterior.noise / posterior.hyperparameters.variance
    variance = posterior.variance + posterior.carried
    weight = np.exp(power * _steering_scale(posterior, log_scale))
    if noise.any():
        weight *= variance / (variance + noise.mean())
    if emphasis is not None:
        weight *= emphasis**2
    return Outlook(
        variance,
        weight,
        posterior.neighbours.nearest(CHOSEN_BY),
        posterior.readings.where,
        noise,
        posterior.correlation,
        posterior.floor,
        posterior.ratio,
    )


def _steering_scale(
    posterior: TilePosterior, log_scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(M, N) log of the local scale that points follow.

    Among noisy readings the plain ratio of the sixteen nearest: the regression, fitted to
    points that it chose itself, led to crowds of points at 100 counts.
    """
    if not posterior.noise.any():
        return log_scale
    plain = log_scales(posterior.block_features, np.eye(5)[1], 0.0, log_scale.shape)
    return np.clip(plain, -STEEPEST, STEEPEST)
