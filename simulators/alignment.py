"""A mirror, a slit and a focus to align: flux behind them, as four motors have it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

MOTORS = (
    ("pitch", 2.0, 4.0),  # mrad
    ("height", -1.0, 1.0),  # mm
    ("slit", -0.5, 0.5),  # mm, its centre
    ("focus", -20.0, 20.0),  # mm along the beam
)
WIDTHS = (0.15, 0.18, 0.30, 0.22)  # of the flux, in shares of the ranges (standard deviations)
COUPLING = 0.3  # pitch moves the beam on the slit, height shifts the focus, and so on


@dataclass(frozen=True, eq=False)
class Alignment:
    """Flux of a mirror's pitch and height, a slit's centre and a focus: a tilted hill.

    Attributes
    ----------
    top : (4,) ndarray of float64
        Position of the highest flux, in motor units.
    axes : (4, 4) ndarray of float64
        How shares of the ranges off the top add up to its four independent errors.
    peak : float
        Counts at the top.

    Examples
    --------
    >>> alignment = Alignment.random(seed=1)
    >>> float(alignment.flux(alignment.top)[0]) == alignment.peak
    True
    """

    top: Array
    axes: Array
    peak: float = 1e4

    @classmethod
    def random(cls, seed: int, peak: float = 1e4) -> Alignment:
        """Draw where the top is, within the middle 60 % of each range, and how motors couple."""
        rng = np.random.default_rng([seed, 4])
        _, low, high = zip(*MOTORS, strict=True)
        share = 0.2 + 0.6 * rng.random(4)
        turn, _ = np.linalg.qr(rng.standard_normal((4, 4)))
        axes = np.eye(4) + COUPLING * (turn - np.eye(4))
        return cls(np.array(low) + share * np.subtract(high, low), axes, peak)

    @property
    def motors(self) -> list[tuple[str, float, float]]:
        """Name, lower and upper limit of each motor, in its unit."""
        return list(MOTORS)

    def flux(self, positions: ArrayLike) -> Array:
        """(K,) counts expected at (K, 4) positions, in motor units."""
        _, low, high = zip(*MOTORS, strict=True)
        at = np.asarray(positions, dtype=np.float64).reshape(-1, 4)
        off = ((at - self.top) / np.subtract(high, low)) @ self.axes.T / WIDTHS
        return self.peak * np.exp(-0.5 * (off**2).sum(axis=1))


STEEPNESS = np.array([[10, 3, 17, 3.5], [0.05, 10, 17, 0.1], [3, 3.5, 1.7, 10], [17, 8, 0.05, 10]])
CENTRES = 1e-4 * np.array(
    [[1312, 1696, 5569, 124], [2329, 4135, 8307, 3736], [2348, 1451, 3522, 2883],
     [4047, 8828, 8732, 5743]]
)  # fmt: skip
HEIGHTS = np.array([1.0, 1.2, 3.0, 3.2])


def hartmann4(places: ArrayLike) -> Array:
    """(K,) the four-dimensional Hartmann function at (K, 4) places of the unit cube.

    The sum of four hills, without the offset and scale of Picheny et al. (2013); higher is better.
    """
    at = np.asarray(places, dtype=np.float64).reshape(-1, 4)
    squares = (STEEPNESS * (at[:, None] - CENTRES) ** 2).sum(axis=2)
    return np.exp(-squares) @ HEIGHTS
