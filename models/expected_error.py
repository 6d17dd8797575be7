"""How wrong is the map?  An estimate from the measured pixels alone."""

from __future__ import annotations

import numpy as np

from .reconstruct import nearest_measured, reconstruct
from .scan import SparseScan

NEIGHBOURS = 10


def expected_nrmse(scan: SparseScan) -> float:
    """Estimate the NRMSE of the inverse-distance map without knowing the truth.

    Each measured pixel is predicted from its neighbours as if it had not been measured; the squares
    of these leave-one-out residuals, interpolated to the unmeasured pixels and scaled by how much
    nearer those have their nearest neighbour, are the squared errors expected there.

    Parameters
    ----------
    scan : SparseScan

    Returns
    -------
    float
        Root of the expected squared errors' sum over the map's norm, as
        ``skimage.metrics.normalized_root_mse`` has it for the truth; NaN with fewer than three
        measured pixels or a map of zeros, where nothing can be said.

    Notes
    -----
    On photographs, textures, flakes and cells, sampled evenly or where the errors are, the estimate
    was 0.8 to 1.4 times the truth from 2 to 20 % coverage.  What no point has met it cannot know:
    sparse particles between the points make it too low.
    """
    if len(scan.values) < 3:
        return float("nan")
    others = nearest_measured(scan, scan.pixels, neighbours=NEIGHBOURS + 1)
    weights = 1.0 / others.distances[:, 1:] ** 2
    neighbours = scan.values[others.indices[:, 1:]]
    predicted = (weights * neighbours).sum(axis=1) / weights.sum(axis=1)
    squared = (scan.values - predicted) ** 2 / others.distances[:, 1]
    whole = reconstruct(scan, neighbours=NEIGHBOURS)
    errors = whole.neighbours.mean_of(squared) * whole.neighbours.distances[:, 0]
    norm = float(np.sqrt((whole.image**2).sum()))
    return float(np.sqrt(errors.sum())) / norm if norm > 0 else float("nan")
