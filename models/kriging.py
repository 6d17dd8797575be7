"""Kriging between the measured pixels: a finer map than inverse distances give, with its error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .reconstruct import Neighbours, nearest_measured
from .scan import SparseScan

NEIGHBOURS = 8
POWERS = (1.0, 1.5)  # of the distance in the variogram: rougher, smoother
TRIED_ON = 1500  # measured pixels on which the ways are compared
BLOCK = 4096  # systems solved at a time, to bound the memory


@dataclass(frozen=True, eq=False)
class KrigedMap:
    """A map made by kriging.

    Attributes
    ----------
    image : (M, N) ndarray of float64
        In the units of the values, which it keeps where there are any.
    sigma : (M, N) ndarray of float64
        Root of the squared error expected; 0 where measured.
    """

    image: NDArray[np.float64]
    sigma: NDArray[np.float64]


def kriged(scan: SparseScan) -> KrigedMap:
    """Estimate every unmeasured pixel by ordinary kriging from the eight nearest.

    The variogram is ``b h^p`` with p 1 or 1.5, whichever tells measured pixels better from their
    neighbours; where inverse distances tell them better still, as among noisy values, these make
    the image.  b, which only ``sigma`` needs, is the restricted maximum likelihood of the eight
    values (N. Cressie, Statistics for Spatial Data, Wiley 1993, sections 2.6 and 3.2).

    Parameters
    ----------
    scan : SparseScan
        With a measured pixel or more.

    Raises
    ------
    ValueError
        If nothing has been measured.
    """
    pixels = scan.unmeasured
    image, variance = np.empty(scan.shape), np.zeros(scan.shape)
    image[tuple(scan.pixels.T)] = scan.values
    image[tuple(pixels.T)], variance[tuple(pixels.T)] = kriged_at(scan, pixels)
    return KrigedMap(image, np.sqrt(variance))


def kriged_at(
    scan: SparseScan, pixels: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(U,) estimates at (U, 2) unmeasured pixels as `kriged` makes them, and (U,) variances.

    Raises
    ------
    ValueError
        If nothing has been measured.
    """
    nearest = nearest_measured(scan, pixels, neighbours=NEIGHBOURS)
    power, better = _best_way(scan)
    values, variances = _krige(scan, nearest, power)
    return values if better else nearest_measured(scan, pixels).mean_of(scan.values), variances


def _best_way(scan: SparseScan) -> tuple[float, bool]:
    """Power by which measured pixels are best told from others; whether that beats distances."""
    if len(scan.values) < 3:
        return POWERS[0], True
    some = np.arange(0, len(scan.values), -(-len(scan.values) // TRIED_ON))
    around = nearest_measured(scan, scan.pixels[some], neighbours=NEIGHBOURS + 1)
    others = Neighbours(around.indices[:, 1:], around.distances[:, 1:])

    def error(told: NDArray[np.float64]) -> float:
        return float(np.square(told - scan.values[some]).sum())

    errors = {power: error(_krige(scan, others, power)[0]) for power in POWERS}
    best = min(POWERS, key=errors.__getitem__)
    return best, errors[best] < error(others.mean_of(scan.values))


def _krige(
    scan: SparseScan, nearest: Neighbours, power: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(U,) estimates and (U,) variances from each pixel's (U, K) neighbours."""
    first = scan.values[0]  # taken off and put back, so that an offset costs no digits
    parts = [
        _krige_block(
            scan.pixels[nearest.indices[k : k + BLOCK]],
            scan.values[nearest.indices[k : k + BLOCK]] - first,
            nearest.distances[k : k + BLOCK] ** power,
            power,
        )
        for k in range(0, len(nearest.indices), BLOCK)
    ]
    made = np.concatenate([np.empty((2, 0)), *parts], axis=1)
    return first + made[0], made[1]


def _krige_block(
    pixels: NDArray[np.int64],
    values: NDArray[np.float64],
    away: NDArray[np.float64],
    power: float,
) -> NDArray[np.float64]:
    """(2, B) estimates and variances, from (B, K, 2) pixels, (B, K) values, (B, K) variogram."""
    num = values.shape[1]
    between = np.square(pixels[:, :, None] - pixels[:, None]).sum(axis=-1) ** (power / 2)
    system = np.ones((len(values), num + 1, num + 1))
    system[:, :num, :num], system[:, num, num] = between, 0.0
    sides = np.ones((len(values), num + 1, 2))
    sides[:, :num, 0] = away
    sides[:, :num, 1], sides[:, num, 1] = values, 0.0
    solved = np.linalg.solve(system, sides)
    weights = solved[:, :num, 0]
    # v' G^-1 v is negative, as is the variogram on contrasts.
    slope = -(solved[:, :num, 1] * values).sum(axis=1) / max(num - 1, 1)
    spread = (weights * away).sum(axis=1) + solved[:, num, 0]
    return np.array([(weights * values).sum(axis=1), np.maximum(slope * spread, 0.0)])
