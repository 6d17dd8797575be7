"""An inverse-distance map to which each reading is a test before it is learnt."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .error_channel import ErrorChannel
from .error_estimate import MOST_SPREAD, ErrorEstimate, spread_of
from .error_map import ErrorMap
from .forward_log import Tests, block_end
from .raster_gp_scale import FEWEST
from .scan import SparseScan
from .variance_regression import exponentials, regress, uncertainty

FRESH = 3.0  # power of a test's freshness, in its weight
LEAST_SQUARE = 1e-12  # of a reading's expected error, in squares of the values' spread


class TestedMap:
    """`ErrorMap` whose expected error rests on what readings were off before they were learnt.

    Parameters
    ----------
    error_map : ErrorMap
        Brought up to date by this object alone.

    Notes
    -----
    A function of the readings in their order: however they came in batches, it is the same.
    """

    __test__ = False  # no test case, whatever pytest may think of the name

    def __init__(self, error_map: ErrorMap) -> None:
        self.map = error_map
        self._begin(1)

    def _begin(self, channels: int) -> None:
        self._known = 0  # readings that the forecasts rest on
        self._scan: SparseScan | None = None
        self._tested = [_TestedChannel() for _ in range(channels)]

    def update(self, scan: SparseScan) -> None:
        """Test the readings of a scan that are new, and take them in; anew where it begins else."""
        if self._scan is None or not scan.extends(self._scan):
            self._begin(len(scan.channels))
        num = len(scan.values)
        while (end := block_end(self._known)) <= num:
            self._scan = scan.first(end)
            self.map.update(self._scan)
            for k, tested in enumerate(self._tested):
                tested.foretell(self.map.channels[k], self._scan.channels[k])
            self._known = end
        self._scan = scan
        if num:
            self.map.update(scan)

    @property
    def tests(self) -> Tests:
        """What the first channel's latest readings were off before they were learnt, its unit."""
        return self.tests_of(0)

    def tests_of(self, channel: int) -> Tests:
        """Give the same of any channel, by its number."""
        if self._scan is None:
            return Tests.none()
        return self._tested[channel].tests(self._scan.channels[channel])

    def error_estimate(self, audited: NDArray[np.bool_]) -> ErrorEstimate:
        """The error expected of the inverse-distance map.

        Of several channels the mean over those that vary; its RMS is the first's.

        Parameters
        ----------
        audited : (P,) ndarray of bool
            Which readings of the scan were drawn at random; empty where none were.
        """
        if self._scan is None or not len(self._scan.values):
            return ErrorEstimate(0)
        return ErrorEstimate.mean(
            [
                self._tested[k].error_estimate(
                    self.map.channels[k], self._scan.channels[k], audited
                )
                for k in self.map.heard
            ]
        )


class _TestedChannel:
    """What one channel's readings were off before they were learnt."""

    def __init__(self) -> None:
        self._log = Tests.none()
        self._forecast: tuple[Any, ...] | None = None

    def foretell(self, channel: ErrorChannel, scan: SparseScan) -> None:
        """Keep what the channel says of the readings that follow those of a scan."""
        self._log = self.tests(scan).latest()
        self._forecast = (len(scan.values), *channel.foretold())

    def tests(self, scan: SparseScan) -> Tests:
        """What the latest readings of a scan were off; in the values' unit."""
        if self._forecast is None:
            return self._log
        known, image, squared_error, scale = self._forecast
        pixels, values = scan.pixels[known:], scan.values[known:]
        at = tuple(pixels.T)
        exponent, offset = scale
        num = len(values)
        found = Tests(
            np.ldexp(values, -exponent) - offset - image[at],
            np.maximum(squared_error[at].astype(np.float64), LEAST_SQUARE),
            np.zeros(num),
            np.zeros((num, 3)),
            np.full(num, float(known)),
        )
        return self._log.then(found.in_unit(math.ldexp(1.0, exponent)))

    def error_estimate(
        self, channel: ErrorChannel, scan: SparseScan, audited: NDArray[np.bool_]
    ) -> ErrorEstimate:
        """The error expected of the channel's map, calibrated on the tests where there are some."""
        free = ~scan.mask
        squares = channel.squared_error[free]
        spread, tests = MOST_SPREAD, self.tests(scan).latest()
        if len(tests) >= FEWEST:
            unit = float(np.sqrt(tests.variances.mean()))
            foretold = np.maximum(squares / unit**2, LEAST_SQUARE)
            squares, spread = _calibrated(tests.in_unit(1.0 / unit), audited, foretold)
            squares *= unit**2
        error, square = float(squares.sum()) / free.size, float((channel.estimates**2).mean())
        return ErrorEstimate.of(len(scan.values), error, square, spread)


def _calibrated(
    tests: Tests, audited: NDArray[np.bool_], foretold: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """(U,) squares to expect where (U,) were foretold, and the spread of the log of their root."""
    weights, logs = tests.counts(audited, FRESH), np.log(tests.variances)
    middle = logs.mean()
    design = np.column_stack([np.ones(len(tests)), logs - middle])
    known = design, tests.errors**2, tests.variances, tests.noise, weights
    found = regress(*known)
    places = np.column_stack([np.ones(len(foretold)), np.log(foretold) - middle])
    squares = foretold * exponentials(places, found)
    slopes = squares @ places / max(float(squares.sum()), LEAST_SQUARE)
    fitted = 0.5 * float(np.sqrt(slopes @ uncertainty(found, *known) @ slopes))
    return squares, spread_of(fitted, tests.audits(audited), len(tests))
