"""The map between noisy counts: each reading drawn towards its neighbours as far as noise explains.

An adaptive scan measures where readings differ, and so collects the noisiest of them; kept as they
are, they make its map worse than that of an even grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .reconstruct import Neighbours, nearest_measured
from .scan import SparseScan

NEIGHBOURS = 10
ENERGY_OVER = 21  # readings whose squared deviations are averaged, the reading's own among them
# From a study on other images, at peaks of 10 to 100 counts; not tuned any further.
LEAST_KEPT = 0.15  # of a reading's deviation from its neighbours
NOISE_WEIGHT = 1.15  # a deviation's mean square is underestimated where it is small


@dataclass(frozen=True, eq=False)
class NoiseAwareMap:
    """A map of the rate behind noisy counts.

    Attributes
    ----------
    image : (M, N) ndarray of float64
        In the units of the values; measured pixels too are estimates.
    sigma : (M, N) ndarray of float64
        Root of the squared error expected against the noiseless rate.
    """

    image: NDArray[np.float64]
    sigma: NDArray[np.float64]


def noise_aware(scan: SparseScan, *, counts_per_unit: float = 1.0) -> NoiseAwareMap:
    """Estimate the rate behind counts, by shrinking readings and inverse-distance weighting.

    A reading v among ten neighbours that predict p becomes ``p + k (v - p)``, with
    ``k = max(0.15, 1 - 1.15 s^2 / e^2)``: s^2 is the counting variance and e^2 the mean square of
    v - p over the point and the twenty nearest to it (J.-S. Lee, IEEE Trans. Pattern Anal. Mach.
    Intell. 2, 165 (1980), equation 8, on scattered points).  Twice: the variance of a count is
    its rate, of which the value that has been shrunk once tells more than the readings do.

    Parameters
    ----------
    scan : SparseScan
        With a measured pixel or more.
    counts_per_unit : float
        How many detector counts a value of 1 stands for in a nominal dwell, above 0: 1 for raw
        counts.  A pixel that the scan counted for longer has so many times more.

    Raises
    ------
    ValueError
        If nothing has been measured, or ``counts_per_unit`` is not above 0.
    """
    if not 0 < counts_per_unit < np.inf:
        raise ValueError(f"counts_per_unit must be above 0, but {counts_per_unit} came")
    made = _shrunk(scan, counts_per_unit)
    kept, shrunk, _, variance = made
    pixels = scan.unmeasured
    image, squared = np.empty(scan.shape), np.empty(scan.shape)
    image[tuple(scan.pixels.T)], squared[tuple(scan.pixels.T)] = shrunk, kept * variance
    image[tuple(pixels.T)], squared[tuple(pixels.T)] = _between(scan, pixels, *made)
    return NoiseAwareMap(image, np.sqrt(squared))


def noise_aware_at(
    scan: SparseScan, pixels: NDArray[np.int64], *, counts_per_unit: float = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(U,) estimates at (U, 2) unmeasured pixels as `noise_aware` makes them, and (U,) variances.

    Raises
    ------
    ValueError
        If nothing has been measured.
    """
    return _between(scan, pixels, *_shrunk(scan, counts_per_unit))


def foretold_counts(
    scan: SparseScan, pixels: NDArray[np.int64], *, counts_per_unit: float = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(U,) rates foretold by the neighbours of (U, 2) pixels, and (U,) squares of their error.

    Of a measured pixel, too, by its neighbours alone; the errors are against the noiseless rate.

    Raises
    ------
    ValueError
        If nothing has been measured.
    """
    kept, shrunk, deviation2, variance = _shrunk(scan, counts_per_unit)
    others = _others(nearest_measured(scan, pixels, neighbours=NEIGHBOURS + 1))
    squares = _structure(others, deviation2, variance) + _carried(others, kept**2 * variance)
    return others.mean_of(shrunk), squares


def _others(around: Neighbours) -> Neighbours:
    """One neighbour less of each pixel: itself, where it has been measured; else the farthest."""
    if around.indices.shape[1] < 2:
        return around
    itself = around.distances[:, :1] == 0
    indices = np.where(itself, around.indices[:, 1:], around.indices[:, :-1])
    return Neighbours(indices, np.where(itself, around.distances[:, 1:], around.distances[:, :-1]))


def _between(
    scan: SparseScan,
    pixels: NDArray[np.int64],
    kept: NDArray[np.float64],
    shrunk: NDArray[np.float64],
    deviation2: NDArray[np.float64],
    variance: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(U,) estimates and variances at unmeasured pixels."""
    nearest = nearest_measured(scan, pixels, neighbours=NEIGHBOURS)
    squares = _structure(nearest, deviation2, variance) + _carried(nearest, kept**2 * variance)
    return nearest.mean_of(shrunk), squares


def _structure(
    neighbours: Neighbours, deviation2: NDArray[np.float64], variance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(U,) what noise does not explain; averaged first, as cutting each at 0 would bias it."""
    return np.maximum(neighbours.mean_of(deviation2 - NOISE_WEIGHT * variance), 0.0)


def _shrunk(scan: SparseScan, counts_per_unit: float) -> tuple[NDArray[np.float64], ...]:
    """(P,) share kept, shrunk values, squared deviations from the prediction, variances."""
    values, counts = scan.values, counts_per_unit * scan.times
    if len(values) < 2:
        nothing = np.zeros_like(values)
        return nothing + 1, values, nothing, _variance(values, counts)
    around = nearest_measured(scan, scan.pixels, neighbours=ENERGY_OVER)
    near = slice(1, NEIGHBOURS + 1)
    others = Neighbours(around.indices[:, near], around.distances[:, near])
    predicted = others.mean_of(values)
    deviation2 = (values - predicted) ** 2
    level = values[around.indices[:, : NEIGHBOURS + 1]].mean(axis=1)
    expected = _variance(level, counts)
    energy = deviation2[around.indices].mean(axis=1)
    if scan.exposures is not None:  # the noise of its own time in place of its neighbours'
        shorter = 1.0 - scan.exposures * (1.0 / scan.exposures)[around.indices].mean(axis=1)
        energy += NOISE_WEIGHT * expected * shorter
    rough = predicted + _kept(expected, energy) * (values - predicted)
    variance = _variance(rough, counts)
    kept = _kept(variance, energy)
    return kept, predicted + kept * (values - predicted), deviation2, variance


def _variance(
    level: NDArray[np.float64], counts: NDArray[np.float64] | float
) -> NDArray[np.float64]:
    """(P,) variances of rates told by counts, so many for a rate of 1; at least that of one."""
    return np.maximum(level, 1 / counts) / counts


def _kept(variance: NDArray[np.float64], energy: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = np.where(energy > 0, 1 - NOISE_WEIGHT * variance / energy, 0.0)
    return np.clip(kept, LEAST_KEPT, 1.0)


def _carried(neighbours: Neighbours, variance: NDArray[np.float64]) -> NDArray[np.float64]:
    """(U,) variance of the weighted mean of independent values."""
    return (neighbours.weights() ** 2 * variance[neighbours.indices]).sum(axis=1)
