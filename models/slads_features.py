"""What SLADS-Net sees of a pixel, and what it learns to foretell.

Features and target as FAST has them (Zhang et al. 2018, arXiv:1803.02972; Kandel et al. 2023,
doi:10.1038/s41467-023-40339-1), with their weaknesses: the six features have six different
units and sizes, and the density depends on the size of the image.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from .reconstruct import Reconstruction
from .scan import SparseScan

DENSITY_SHARE = 0.0025  # of the image's area lies in the circle in which neighbours are counted


def rescaled(scan: SparseScan) -> SparseScan:
    """Rescale the values so that the measured ones span 0 to 100; to 0 where all are equal."""
    half = scan.values / 2  # as the span of finite values can overflow
    low = half.min(initial=np.inf)
    span = half.max(initial=-np.inf) - low
    values = (half - low) / span * 100 if span > 0 else np.zeros_like(half)
    return replace(scan, values=values)


def slads_features(reconstruction: Reconstruction) -> NDArray[np.float64]:
    """Describe each unmeasured pixel by six numbers.

    Parameters
    ----------
    reconstruction : Reconstruction
        By inverse squared distance over ten neighbours, of values as they are to be seen:
        SLADS-Net wants them `rescaled`.

    Returns
    -------
    (U, 6) ndarray of float64
        For each of ``reconstruction.pixels``: mean absolute difference of the neighbours' values
        from the estimate, weighted by inverse squared distance; root of the sum of squares of
        these differences; distance to the nearest; area of a circle over the number of
        neighbours in it (both plus 1); absolute gradient of the map along columns; along rows.
        In units of the values and of pixels.
    """
    nearest = reconstruction.neighbours
    values = reconstruction.scan.values[nearest.indices]
    differences = np.abs(values - reconstruction.estimates[:, None])
    along_rows, along_columns = _absolute_gradient(reconstruction.image)
    at = (reconstruction.pixels[:, 0], reconstruction.pixels[:, 1])
    return np.column_stack(
        [
            (nearest.weights() * differences).sum(axis=1),
            np.sqrt(np.square(differences).sum(axis=1)),
            nearest.distances[:, 0],
            _sparseness(nearest.distances, reconstruction.image.shape),
            along_columns[at],
            along_rows[at],
        ]
    )


def reduction_in_distortion(
    reconstruction: Reconstruction, truth: NDArray[np.floating], *, c: float = 2.0
) -> NDArray[np.float64]:
    """How much of the map's error each unmeasured pixel would mend: what SLADS-Net learns.

    The absolute error of the map around the pixel, summed with Gaussian weights (1 at the pixel
    itself) of sigma ``d / c``, where ``d`` is the distance to the nearest measured pixel; cut in
    a square at 3 sigma, rounded up; no error outside the image.

    Parameters
    ----------
    reconstruction : Reconstruction
        The map.
    truth : (M, N) ndarray
        The whole image, in the map's units.
    c : float
        How narrow the Gaussian is, above 0.

    Returns
    -------
    (U,) ndarray of float64
        For each of ``reconstruction.pixels``, in the map's units.

    Raises
    ------
    ValueError
        If the image's shape is another than the map's.
    """
    if truth.shape != reconstruction.image.shape:
        raise ValueError(
            f"the map is {reconstruction.image.shape}, but the image {truth.shape}: crop one"
        )
    error = np.abs(truth - reconstruction.image)
    rows, columns = reconstruction.pixels.T
    nearest = reconstruction.neighbours.distances[:, 0]
    reduction = np.empty(len(nearest))
    for distance in np.unique(nearest):
        there = nearest == distance
        reduction[there] = _gaussian_sum(error, distance / c)[rows[there], columns[there]]
    return reduction


def _sparseness(distances: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    radius = np.ceil(np.sqrt(DENSITY_SHARE * shape[0] * shape[1] / np.pi))
    inside = (distances <= radius).sum(axis=1)
    return (1 + np.pi * radius**2) / (1 + inside)


def _absolute_gradient(image: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Absolute gradients along rows and along columns; 0 across an axis of one pixel."""
    return tuple(
        np.abs(np.gradient(image, axis=axis)) if image.shape[axis] > 1 else np.zeros(image.shape)
        for axis in (0, 1)
    )


def _gaussian_sum(error: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    radius = int(np.ceil(3 * sigma))
    window = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    along = correlate1d(error, window, axis=0, mode="constant")
    return correlate1d(along, window, axis=1, mode="constant")
