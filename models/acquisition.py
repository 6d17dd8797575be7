"""What a further reading would bring, by the aim, and a search for where it brings most."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_ndtr, ndtr, owens_t

from .acquisition_region import SearchRegion, Travel, by_the_second
from .motor_gp import MotorGP
from .motor_gp_posterior import MotorPosterior

Array = NDArray[np.float64]

INTEGRATED = 512  # points over which an integral is taken
OFF_HILL = 0.25  # correlation with its top, at most: at 0.5 the rim was taken time and again
BEST_MEANS, NEAR_MEANS = 5, (0.03, 0.12)  # clouds about the best readings; shares of the ranges
BEST_SCORES, NEAR_SCORES = 8, (0.05, 0.02, 0.007)  # and, after these, about the best scores


class Acquisition(Protocol):
    """Scores positions; higher is better."""

    def gain(self, here: MotorPosterior) -> Array:
        """(K,) what a reading at each of the posterior's positions would bring."""
        ...

    def count(self, positions: ArrayLike) -> None:
        """Take readings at (Q, D) positions for made."""
        ...


class UpperConfidence:
    """Mean plus some deviations, above the best mean so far: how good a position may be.

    Parameters
    ----------
    gp : MotorGP
    deviations : float
    """

    def __init__(self, gp: MotorGP, deviations: float = 2.0) -> None:
        best = gp.best()
        self._best = 0.0 if best is None else best[1]
        self._deviations = deviations

    def gain(self, here: MotorPosterior) -> Array:
        """In the values' unit."""
        return here.mean + self._deviations * here.std - self._best

    def count(self, positions: ArrayLike) -> None:
        """Nothing: the best mean does not change."""


class OffHill:
    """Another acquisition, but nothing on the hill of a position: for a look elsewhere.

    Parameters
    ----------
    acquisition : Acquisition
    top : (D,) array-like
        Whatever is more alike to it than 0.25, as a correlation, gains minus infinity: by the
        length scales, so that to move a motor that hardly matters is no way off.
    """

    def __init__(self, acquisition: Acquisition, top: ArrayLike) -> None:
        self._acquisition, self._top = acquisition, top

    def gain(self, here: MotorPosterior) -> Array:
        """In the other's unit."""
        near = here.likeness(self._top) > OFF_HILL
        return np.where(near, -np.inf, self._acquisition.gain(here))

    def count(self, positions: ArrayLike) -> None:
        """Take them for made in the other one."""
        self._acquisition.count(positions)


class VarianceReduction:
    """Fall of the mean variance over a region: for a map of all of it.

    Parameters
    ----------
    gp : MotorGP
    points : (Q, D) array-like
        Over which the mean is taken.
    pending : (R, D) array-like
        Positions whose readings count as made.
    """

    def __init__(self, gp: MotorGP, points: ArrayLike, pending: ArrayLike = ()) -> None:
        self._there = gp.posterior(points, pending)

    def gain(self, here: MotorPosterior) -> Array:
        """In squares of the values' unit."""
        shared = here.covariance(self._there)
        return (shared**2).mean(axis=1) / (here.variance + here.noise)

    def count(self, positions: ArrayLike) -> None:
        """Take them for made in the integral too."""
        self._there.count(positions)


class BoundaryGain:
    """Expected fall of the doubt about which side of a threshold a region's points lie on.

    The doubt is p (1 - p), with p the probability to lie above, and the expectation is over the
    reading to come: in closed form by Owen's T function.

    Parameters
    ----------
    gp : MotorGP
    threshold : float
        In the values' unit.
    points : (Q, D) array-like
        Over which the mean is taken.
    pending : (R, D) array-like
        Positions whose readings count as made.

    References
    ----------
    J. Bect et al., Stat. Comput. 22, 773 (2012); C. Chevalier et al., Technometrics 56, 455 (2014).
    """

    def __init__(
        self, gp: MotorGP, threshold: float, points: ArrayLike, pending: ArrayLike = ()
    ) -> None:
        first = gp.posterior(points)
        self._h, self._at_first = (threshold - first.mean) / first.std, first.variance
        self._there = gp.posterior(points, pending)

    def gain(self, here: MotorPosterior) -> Array:
        """From 0 to 1/4."""
        there = self._there
        explained = here.covariance(there) ** 2 / (here.variance + here.noise)[:, None]
        return (self._doubt(there.variance) - self._doubt(there.variance - explained)).mean(axis=1)

    def _doubt(self, variance: Array) -> Array:
        """Give what is expected of each point's doubt where so much of the variance is left.

        Whatever is read there: with the mean as it is and the variance alone smaller, readings on
        their way would seem to settle more than they will.
        """
        settled = np.clip(1 - variance / self._at_first, 0.0, 1.0)
        return 2 * owens_t(self._h, np.sqrt((1 - settled) / (1 + settled)))

    def count(self, positions: ArrayLike) -> None:
        """Take them for made in the integral too."""
        self._there.count(positions)


def doubt(h: Array) -> Array:
    """Product p (1 - p) for a threshold h deviations above the mean."""
    return ndtr(h) * ndtr(-h)


def improvement(mean: Array, std: Array, best: float) -> Array:
    """Expected improvement over a value; J. Mockus (1975).

    Examples
    --------
    >>> float(improvement(np.array([1.0]), np.array([1.0]), 1.0)[0].round(4))  # 1 / sqrt(2 pi)
    0.3989
    """
    z = (mean - best) / std
    density = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    return std * np.maximum(density + z * np.exp(log_ndtr(z)), 0.0)


def straddle(here: MotorPosterior, threshold: float) -> Array:
    """B. Bryan et al. (2005): 1.96 deviations less the distance from the threshold."""
    return 1.96 * here.std - np.abs(here.mean - threshold)


@dataclass(frozen=True, eq=False)
class Search:
    """Looks for the best positions among Sobol points and clouds about the good ones.

    Attributes
    ----------
    region : SearchRegion
    travel : Travel or None
        Where given, gains are counted by the second.
    start : (D,) ndarray of float64 or None
        Where the motors stand; needed with ``travel``.
    candidates : int
        Sobol points of the first round.
    """

    region: SearchRegion
    travel: Travel | None = None
    start: Array | None = None
    candidates: int = 2048

    def choose(
        self,
        gp: MotorGP,
        acquisition: Acquisition,
        num: int,
        pending: ArrayLike,
        rng: np.random.Generator,
    ) -> tuple[Array, Array]:
        """Choose positions one after the other, each as if those before had been read.

        Parameters
        ----------
        gp : MotorGP
        acquisition : Acquisition
            Counts ``pending`` already.
        num : int
        pending : (Q, D) array-like
            Positions on their way, whose readings count as made.
        rng : numpy.random.Generator

        Returns
        -------
        positions : (num, D) ndarray of float64
        scores : (num,) ndarray of float64
        """
        counted = np.asarray(pending, dtype=np.float64).reshape(-1, len(self.region.low))
        if not num:
            return counted[:0], np.empty(0)
        points = self._first_round(gp, rng)
        here = gp.posterior(points, counted)
        stands = self.start
        chosen: list[Array] = []
        scores: list[float] = []
        for _ in range(num):
            score = self.score(acquisition, here, points, stands)
            near = self._near(points[np.argsort(-score, kind="stable")[:BEST_SCORES]], rng)
            close = self.score(acquisition, gp.posterior(near, counted), near, stands)
            everywhere, both = np.concatenate([points, near]), np.concatenate([score, close])
            best = int(np.argmax(both))
            chosen.append(everywhere[best])
            scores.append(float(both[best]))
            stands = everywhere[best] if stands is not None else None
            counted = np.concatenate([counted, everywhere[best : best + 1]])
            here.count(everywhere[best : best + 1])
            acquisition.count(everywhere[best : best + 1])
        return np.array(chosen).reshape(-1, len(self.region.low)), np.array(scores)

    def score(
        self, acquisition: Acquisition, here: MotorPosterior, points: Array, stands: Array | None
    ) -> Array:
        """(K,) gains, by the second where travel counts."""
        gain = acquisition.gain(here)
        if self.travel is None or stands is None:
            return gain
        return by_the_second(gain, self.travel.seconds(stands, points))

    def _first_round(self, gp: MotorGP, rng: np.random.Generator) -> Array:
        centres = gp.positions[np.argsort(-gp.predict(gp.positions)[0])[:BEST_MEANS]]
        each = self.candidates // (4 * BEST_MEANS)
        clouds = [self.region.clouds(centres, width, each, rng) for width in NEAR_MEANS]
        return np.concatenate([self.region.spread(self.candidates, rng), *clouds])

    def _near(self, centres: Array, rng: np.random.Generator) -> Array:
        each = self.candidates // 128
        return np.concatenate(
            [centres, *(self.region.clouds(centres, width, each, rng) for width in NEAR_SCORES)]
        )
