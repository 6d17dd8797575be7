"""How wrong a map is expected to be, how sure that is, and what it would cost to be surer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

BAND = 0.8  # probability of the band from low to high
LEAST_SPREAD = 0.13  # of the log of an estimate, however many tests it rests on
AUDIT_SPREAD = 0.7  # where it rests on a single audit
USUAL_AUDITS = 20  # tests that tell as much as one audit does
MOST_SPREAD = 1.0
EXPONENTS = (0.3, 0.5, 1.5)  # least, usual, most power of the points by which errors fall


@dataclass(frozen=True)
class ErrorEstimate:
    """The error expected of a map after some points.

    Attributes
    ----------
    points : int
        Readings that the map rests on.
    nrmse : float
        Root mean square error over the map's root mean square; NaN where nothing is known.
    low, high : float
        Four times in five the true one lies between.
    rms : float
        Root mean square error, in the readings' unit.
    """

    points: int
    nrmse: float = math.nan
    low: float = math.nan
    high: float = math.nan
    rms: float = math.nan

    @classmethod
    def of(cls, points: int, error: float, square: float, spread: float) -> ErrorEstimate:
        """From the mean squared error, the map's mean square, and the spread of the log.

        Parameters
        ----------
        points : int
        error, square : float
            In squares of the readings' unit; the truth's mean square is expected to be their sum.
        spread : float
            Standard deviation of the log of the root mean square error.
        """
        if not error >= 0 or not error + square > 0:
            return cls(points)
        nrmse = math.sqrt(error / (error + square))
        reach = math.exp(float(ndtri(0.5 + 0.5 * BAND)) * min(spread, MOST_SPREAD))
        return cls(points, nrmse, nrmse / reach, nrmse * reach, math.sqrt(error))

    @classmethod
    def mean(cls, each: Sequence[ErrorEstimate]) -> ErrorEstimate:
        """Of the channels of a map: means over those that are known; the RMS is the first's."""
        known = [e for e in each if not math.isnan(e.nrmse)] or each[:1]
        nrmse, low, high = (
            sum(getattr(e, name) for e in known) / len(known) for name in ("nrmse", "low", "high")
        )
        return cls(each[0].points, nrmse, low, high, each[0].rms)

    @property
    def spread(self) -> float:
        """Standard deviation of the log; 0 where there is no band."""
        if not (self.high > self.nrmse > 0):
            return 0.0
        return math.log(self.high / self.nrmse) / float(ndtri(0.5 + 0.5 * BAND))

    def factor(self, sure: float) -> float:
        """What the error is multiplied by to be that sure (0 to 1) that the true one is smaller."""
        return math.exp(float(ndtri(sure)) * self.spread)

    def sureness(self, ratio: float) -> float:
        """How sure it is (0 to 1) that the true error is less than ``ratio`` times the expected."""
        return float(ndtr(math.log(ratio) / self.spread)) if self.spread else float(ratio > 1)


def spread_of(fitted: float, audits: int, tests: int) -> float:
    """Spread of the log of an error that tests have calibrated, some of them audits.

    What the map is off where no agent would look is known by the audits alone.

    Parameters
    ----------
    fitted : float
        What of it is the tests' own scatter.
    audits, tests : int
    """
    seen = max(audits, tests / USUAL_AUDITS, 1.0)
    return math.hypot(LEAST_SPREAD, AUDIT_SPREAD / math.sqrt(seen), fitted)


def points_for(estimates: Sequence[ErrorEstimate], factor: float) -> int:
    """How many more points take the expected error to ``factor`` (under 1) times what it is.

    By the power of the points with which it has fallen over the latter half of the run.
    """
    known = [e for e in estimates if e.nrmse > 0 and e.points > 0]
    if not known:
        return 0
    last = known[-1]
    half = [e for e in known if 2 * e.points >= last.points]
    power = EXPONENTS[1]
    if half[0].points < 0.8 * last.points:
        x = np.log([e.points for e in half])
        y = np.log([e.nrmse for e in half])
        power = float(np.clip(-np.polyfit(x, y, 1)[0], EXPONENTS[0], EXPONENTS[2]))
    return max(0, math.ceil(last.points * (factor ** (-1.0 / power) - 1.0)))
