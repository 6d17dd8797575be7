"""What a sampler expects to gain by each pixel: what segments are chosen by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..models import ErrorEstimate


@dataclass(frozen=True, eq=False)
class Gains:
    """What a sampler expects of each pixel of a raster.

    Attributes
    ----------
    score : (M, N) ndarray of float32
        Gain of measuring this pixel alone, octaves; minus infinity where measured.  It falls with
        the squared distance as others come near.
    near : (M, N) ndarray of int32
        Squared distance of the nearest measured pixel, 0 where measured.
    estimate : ErrorEstimate
        Of the map as it is.
    unit : float
        2 to the power of score and unit is in squares of the values' unit.
    changes : (I, J) ndarray of int64, optional
        How often each tile of 16 x 16 pixels has changed, where ``score`` and ``near`` are arrays
        that are brought up to date in place: tiles that did not change are then not looked at.
    """

    score: NDArray[np.float32]
    near: NDArray[np.int32]
    estimate: ErrorEstimate
    unit: float = 0.0
    changes: NDArray[np.int64] | None = None
