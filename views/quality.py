"""How near a run's map came to a reference, and how it got there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..models import SparseScan, inverse_distance, nrmse, ssim
from .summary import Image


@dataclass(frozen=True, eq=False)
class QualityCurve:
    """The map's distance from a reference at some moments of a run.

    Attributes
    ----------
    points : (K,) ndarray of int64
        Pixels measured so far.
    nrmse, ssim : (K,) ndarray of float64
        As in `skysteer.models`.
    """

    points: NDArray[np.int64]
    nrmse: NDArray[np.float64]
    ssim: NDArray[np.float64]


def quality_curve(scan: SparseScan, reference: Image, moments: int = 10) -> QualityCurve:
    """Reconstruct a run as it was at some moments, and compare.

    Parameters
    ----------
    scan : SparseScan
        With at least one measured pixel.
    reference : (M, N) ndarray of float64
        Finite; the truth where it is known, or else the final map.
    moments : int
        At most so many, evenly spread over the points, the last of them at the end.
    """
    points = np.unique(np.linspace(0, len(scan.values), moments + 1).round().astype(np.int64)[1:])
    points = points[points > 0]
    maps = [
        inverse_distance(SparseScan(scan.shape, scan.pixels[:n], scan.values[:n])) for n in points
    ]
    return QualityCurve(
        points,
        np.array([nrmse(reference, image) for image in maps]),
        np.array([ssim(reference, image) for image in maps]),
    )
