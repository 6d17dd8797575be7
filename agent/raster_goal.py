"""What a raster is measured for: its whole map, its highest pixels, or where it crosses a level."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..models import doubt, improvement
from .motor_goal import GOALS, check_threshold

Array = NDArray[np.float64]
RasterAim = Literal["map", "optimum", "boundary"]

SHARPNESS = 1.0  # of the boundary's doubt: higher stays closer to the level


def check_goal(goal: str, threshold: float | None) -> None:
    """Refuse an unknown goal, and a threshold that is missing or has no use.

    Raises
    ------
    ValueError
        For either.
    """
    if goal not in GOALS:
        raise ValueError(f"goal is one of {', '.join(GOALS)}, but {goal!r} came")
    check_threshold(goal, threshold)


def emphasis(
    goal: RasterAim, mean: Array, std: Array, best: float, threshold: float | None
) -> Array | None:
    """(M, N) what each pixel's deviation counts for; None where all count alike.

    Parameters
    ----------
    goal : str
        ``map`` counts all alike; ``optimum`` by the expected improvement over ``best``, in
        deviations; ``boundary`` by the doubt about the side of the threshold.
    mean, std : (M, N) ndarray of float64
    best : float
        Highest mean among the pixels measured.
    threshold : float or None
    """
    if goal == "map":
        return None
    sure = np.maximum(std, 1e-12 * max(float(std.max()), math.ulp(0.0)))
    if goal == "optimum":
        return improvement(mean, sure, best) / sure
    return (4 * doubt((float(threshold or 0.0) - mean) / sure)) ** SHARPNESS
