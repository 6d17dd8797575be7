"""What matters where a raster is measured for more than its map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models import SparseScan


def goal_scores(
    truth: NDArray[np.float64],
    scan: SparseScan,
    reconstruction: NDArray[np.float64],
    options: Mapping[str, Any] | None,
) -> dict[str, float]:
    """Score an agent's goal against the truth.

    Parameters
    ----------
    truth, reconstruction : (M, N) ndarray of float64
    scan : SparseScan
        What has been measured.
    options : mapping or None
        The agent's; ``goal`` and ``threshold`` among them.

    Returns
    -------
    dict
        ``best_found``: the highest true value measured over the highest there is, for the goal
        ``optimum``; ``f1`` of the pixels above the threshold on the map, for ``boundary``.

    Examples
    --------
    >>> image = np.arange(6.0).reshape(2, 3)
    >>> scan = SparseScan((2, 3), np.array([[1, 1]]), np.array([4.0]))
    >>> goal_scores(image, scan, image, {"goal": "optimum"})
    {'best_found': 0.8}
    >>> goal_scores(image, scan, image, {"goal": "boundary", "threshold": 2.5})
    {'f1': 1.0}
    """
    given = options or {}
    if given.get("goal") == "optimum":
        return {"best_found": float(truth[tuple(scan.pixels.T)].max() / truth.max())}
    if given.get("goal") == "boundary":
        true, said = truth > given["threshold"], reconstruction > given["threshold"]
        both = int(true.sum() + said.sum())
        return {"f1": float(2 * (true & said).sum() / both) if both else 1.0}
    return {}
