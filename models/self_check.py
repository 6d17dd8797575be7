"""How far the errors around a point tell its own: a scan's check of its own predictions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .reconstruct import Neighbours, nearest_measured
from .scan import SparseScan

NEIGHBOURS = 10
CLOSE = 6  # neighbours whose errors foretell a point's own
FLOOR = 1e-4  # of the mean squared error: what is flat shall not count by its logarithm alone
DOUBT = 50.0  # points' worth of belief, before any is seen, that errors are where they are foretold
UNTOLD, TOLD = 0.15, 0.70  # slopes up to which nothing is trusted, from which on all is
STEPS = 16.0  # of the answer, so that the last bits of sums decide nothing


@dataclass(frozen=True)
class SelfCheck:
    """What the measured points say of their own predictability.

    Attributes
    ----------
    trust : float
        How far large errors stand beside large ones, 0 to 1 in sixteenths.
    square : float
        Mean squared error of a point's prediction from the others, in squares of the values' unit.
    """

    trust: float
    square: float


def self_check(scan: SparseScan) -> SelfCheck:
    """Predict every measured point from its neighbours, and compare.

    Every measured point is predicted from its ten neighbours, and the square of what is left from
    the squares left at the nearest six of them: errors grow with the prediction to the power of
    the slope between their logarithms.  Where structure has borders it is near 1; in an even
    texture errors tell nothing of each other, it is near 0, and only an even grid is better than
    chance.  Slopes of 0.15 and less are not trusted at all, those of 0.70 and more wholly.

    Parameters
    ----------
    scan : SparseScan
        With a measured pixel or more; its squared values are finite.  Of ten or fewer, which are
        trusted, the square is the values' variance.
    """
    values = scan.values - scan.values[0]  # so that a constant leaves nothing
    if len(values) <= NEIGHBOURS:
        return SelfCheck(1.0, float(values.var()))
    around = nearest_measured(scan, scan.pixels, neighbours=NEIGHBOURS + 1)
    others = Neighbours(around.indices[:, 1:], around.distances[:, 1:])
    near = slice(1, CLOSE + 1)
    close = Neighbours(around.indices[:, near], around.distances[:, near])
    squares = np.square(values - others.mean_of(values))
    square = float(squares.mean())
    if square == 0:
        return SelfCheck(1.0, square)
    return SelfCheck(_trust(close.mean_of(squares), squares, FLOOR * square), square)


def _trust(foretold: NDArray[np.float64], found: NDArray[np.float64], floor: float) -> float:
    x, y = np.log2(foretold + floor), np.log2(found + floor)
    x -= x.mean()
    slope = (x @ y + DOUBT) / (x @ x + DOUBT)
    return round(STEPS * min(max((slope - UNTOLD) / (TOLD - UNTOLD), 0.0), 1.0)) / STEPS
