"""A raster's map, and how wrong it is expected to be at each pixel, at the price of the change.

What is computed depends on the measured pixels and values alone: a map that was brought up to date
a thousand times equals one made at once, to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .best_first import BestFirst
from .error_channel import NO_LAYERS, SILENT, ErrorChannel, Scoring
from .local_features import FEATURES, UNAVAILABLE, describe_pixels
from .measuring_gain import gains_of
from .neighbour_tables import TILE, NeighbourTables
from .scan import SparseScan
from .score_sum import sum_scores

LEAST_EMPHASIS = 2.0**-50  # so that no pixel that is free is out of the question
BLOCK = 1 << 18  # pixels scored at a time where all are, to bound the memory


class ErrorMap:
    """Estimates, expected squared errors and scores of all pixels, incrementally.

    Of several channels each has its own; what is chosen follows the sum of their scores, each a
    share of the channel's variance, so that neither scale nor offset of a channel counts, and one
    that is constant is not heard.

    Parameters
    ----------
    shape : (2,) tuple of int
        Rows and columns.
    layers : sequence of 6 ndarray of float32, optional
        Weights (F, H1), (H1,), (H1, H2), (H2,), (H2, 2), (2,) of a network that corrects the
        expected error and the expected gain, in octaves; none where not given.
    power : float
        Scores grow with the distance to the nearest measured pixel to this power.
    flatness : float
        Scores are divided by the neighbours' variance to this power: 0 seeks the least square
        error, 0.25 evens out the error relative to the structure, as the SSIM does.
    gain_share : float
        Weight of the network's correction of the gain against that of the pixel's own error in
        the logarithm of the score, 0 to 1.
    checked : int
        Errors count in the score no more than the scan's own bear out, see `self_check`, which is
        told by every so manyth point, 1 or more: where lines were flown, points next to each other
        on them tell too much of each other.  With 0 errors count whatever they are.

    Attributes
    ----------
    channels : tuple of ErrorChannel
        What each channel says; the map's own ``image``, errors, features and gains are the first's.
    """

    FEATURES = FEATURES

    def __init__(
        self,
        shape: tuple[int, int],
        layers: Sequence[NDArray[np.float32]] | None = None,
        *,
        power: float = 2.0,
        flatness: float = 0.0,
        gain_share: float = 0.0,
        checked: int = 0,
    ) -> None:
        weights = NO_LAYERS if layers is None else tuple(layers)
        self._scoring = Scoring(weights, float(power), float(flatness), float(gain_share), checked)
        self._reset(shape, 1)

    def _reset(self, shape: tuple[int, int], channels: int) -> None:
        self._tables = NeighbourTables(shape)
        self._scan = SparseScan(shape, np.empty((0, 2), np.int64), np.empty(0))
        self._measured = np.zeros(shape, dtype=np.bool_)
        self._near = np.zeros(shape, dtype=np.int32)
        self._scores = np.full((channels, *shape), UNAVAILABLE, dtype=np.float32)
        self.channels = tuple(
            ErrorChannel(self._scoring, score, weighed=channels > 1) for score in self._scores
        )
        self._score = self._scores[0] if channels == 1 else self._scores[0].copy()
        self._best = BestFirst(self._score, self._near, self._scoring.power)
        self._changes = np.zeros(self._tables.tiles, dtype=np.int64)

    def update(self, scan: SparseScan) -> None:
        """Bring everything up to date with a scan of a point or more.

        Cheap where it extends the last one; where it does not, all begins anew.
        """
        known, its = len(self._scan.values), scan.channels
        fits = self._scan.shape == scan.shape and len(its) == len(self.channels)
        if not (fits and _begins(scan.pixels, self._scan.pixels)):
            self._reset(scan.shape, len(its))
            known = 0
        fresh = scan.pixels[known:]
        before = zip(its, self._scan.channels, strict=False)
        extends = known > 0 and all(_begins(new.values, old.values) for new, old in before)
        stands = [c.take_scale(s, extends) for c, s in zip(self.channels, its, strict=True)]
        self._scan = scan
        self._measured[fresh[:, 0], fresh[:, 1]] = True
        if len(fresh) > known:
            self._tables.fill(scan.pixels)
            self._revalue()
        elif not all(stands):
            self._tables.insert(fresh)
            self._revalue()
        elif len(fresh):
            self._extend(fresh, known)

    def choose(
        self,
        num: int,
        unavailable: NDArray[np.int64],
        counted: int = 0,
        *,
        emphasis: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Choose up to ``num`` (K, 2) pixels, best first, with their scores.

        The last ``counted`` of the (Q, 2) unavailable pixels count as measured, as do those chosen
        before in the batch.  By the (M, N) emphasis, 0 or more, each expected error is multiplied
        where given.  Scores are in squares of the values' unit; of several channels they are
        shares of their variances.
        """
        best = self._best
        if emphasis is not None:
            stressed = self._score + 2.0 * np.log2(np.maximum(emphasis, LEAST_EMPHASIS))
            best = BestFirst(stressed.astype(np.float32), self._near, self._scoring.power)
        pixels, octaves = best.choose(num, unavailable, counted)
        with np.errstate(over="ignore", under="ignore"):
            return pixels, np.exp2(octaves.astype(np.float64) + self.unit)

    @property
    def unit(self) -> float:
        """Octaves by which scores lie below those in squares of the values' unit.

        0 of several channels, whose scores are relative to their mean errors.
        """
        return 2.0 * self._first.scale[0] if len(self.channels) == 1 else 0.0

    @property
    def expected_nrmse(self) -> float:
        """Root of the squared errors expected over the map's norm; NaN for a map of zeros.

        Of several channels the mean over those that vary.
        """
        found = [self.channels[k].expected_nrmse for k in self.heard]
        return sum(found) / len(found)

    @property
    def heard(self) -> tuple[int, ...]:
        """Which channels have a say: those that vary; the first alone where none does."""
        varied = (k for k, channel in enumerate(self.channels) if channel.weight != SILENT)
        return tuple(varied) or (0,)

    @property
    def _first(self) -> ErrorChannel:
        return self.channels[0]

    @property
    def image(self) -> NDArray[np.float64]:
        """(M, N) inverse-distance map, in the units of the values."""
        return self._first.estimates

    @property
    def score(self) -> NDArray[np.float32]:
        """(M, N) scores, octaves of an arbitrary unit; minus infinity where measured."""
        return self._score

    @property
    def near(self) -> NDArray[np.int32]:
        """(M, N) squared distances of the nearest measured pixel, 0 where measured."""
        return self._near

    @property
    def changes(self) -> NDArray[np.int64]:
        """(I, J) how often scores and distances of each tile of 16 x 16 pixels have changed."""
        return self._changes

    @property
    def squared_error(self) -> NDArray[np.float64]:
        """(M, N) squared error expected at each pixel, 0 where measured; units of the values^2."""
        return self._first.squared_error

    def foretold(self) -> tuple[NDArray[np.float64], NDArray[np.float32], tuple[int, float]]:
        """The first channel's, see `ErrorChannel.foretold`."""
        return self._first.foretold()

    def features(
        self, pixels: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """(U, 24) features and (U,) first-sight squared errors of unmeasured pixels.

        The latter in squares of the values' unit.
        """
        features, energies = describe_pixels(
            pixels, self._tables.neighbours, self._first.image, self._first.residuals
        )
        return features, self._first.in_squares(energies)

    def gains(self, pixels: NDArray[np.int64], truth: NDArray[np.float64]) -> NDArray[np.float64]:
        """(U,) squared error that measuring each of some pixels would take off the whole map.

        Below 0 where it would mislead.  ``truth`` is the (M, N) image that is being scanned; the
        result is in squares of its unit.
        """
        tables = self._tables
        found = gains_of(
            pixels,
            tables.neighbours,
            tables.reach,
            self._measured,
            self._first.image,
            self._first.scaled(truth),
        )
        return self._first.in_squares(found)

    def _extend(self, fresh: NDArray[np.int64], known: int) -> None:
        tables = self._tables
        for channel, scan in zip(self.channels, self._scan.channels, strict=True):
            channel.write(fresh, scan.values[known:])
        tables.insert(fresh)
        measured, _ = _flagged(tables.touched, tables.flags, self._measured)
        changed = [c.renew_residuals(measured, tables.neighbours) for c in self.channels]
        tables.flag_users(measured[np.logical_or.reduce(changed)])
        touched = tables.touched
        measured, unmeasured = _flagged(touched, tables.flags, self._measured)
        self._clear(measured)
        self._rescore(unmeasured)
        self._settle(touched)
        tables.clear()

    def _revalue(self) -> None:
        """Compute all that depends on values, for every pixel."""
        self._tables.clear()
        pixels = self._scan.pixels
        for channel, scan in zip(self.channels, self._scan.channels, strict=True):
            channel.write(pixels, scan.values)
            channel.renew_residuals(pixels, self._tables.neighbours)
        self._clear(pixels)
        rows = max(1, BLOCK // self._scan.shape[1])
        for first in range(0, self._scan.shape[0], rows):
            block = np.argwhere(~self._measured[first : first + rows])
            block[:, 0] += first
            self._rescore(block)
        self._settle(np.argwhere(np.ones(self._tables.tiles, dtype=bool)))

    def _clear(self, measured: NDArray[np.int64]) -> None:
        for channel in self.channels:
            channel.clear(measured, self._near)
        if len(self.channels) > 1:
            self._score[measured[:, 0], measured[:, 1]] = UNAVAILABLE

    def _rescore(self, pixels: NDArray[np.int64]) -> None:
        for channel in self.channels:
            channel.rescore(pixels, self._tables.neighbours, self._near)
        if len(self.channels) > 1:
            sum_scores(pixels, self._scores, self._weights(), self._score)

    def _weights(self) -> NDArray[np.float32]:
        """Octaves by which the channels' scores are shifted; of the first alone if none varies."""
        weights = np.array([channel.weight for channel in self.channels], dtype=np.float32)
        weights[0] = 0.0 if self.heard == (0,) else weights[0]
        return weights

    def _settle(self, tiles: NDArray[np.int64]) -> None:
        for channel in self.channels:
            channel.settle(tiles, self._tables.flags)
        self._changes[tiles[:, 0], tiles[:, 1]] += 1
        self._best.refresh(tiles)


def _begins(whole: NDArray[np.generic], part: NDArray[np.generic]) -> bool:
    return len(whole) >= len(part) and np.array_equal(whole[: len(part)], part)


@njit(cache=True, error_model="numpy")
def _flagged(tiles, flags, measured):
    """(P, 2) measured and (U, 2) unmeasured pixels with a flag, in these tiles."""
    rows, columns = flags.shape
    yes = np.empty((tiles.shape[0] * TILE * TILE, 2), np.int64)
    p = u = 0
    for t in range(tiles.shape[0]):
        i, j = tiles[t]
        for row in range(i * TILE, min((i + 1) * TILE, rows)):
            for column in range(j * TILE, min((j + 1) * TILE, columns)):
                if not flags[row, column]:
                    continue
                if measured[row, column]:
                    yes[p, 0], yes[p, 1] = row, column
                    p += 1
                else:  # from the other end
                    u += 1
                    yes[-u, 0], yes[-u, 1] = row, column
    return yes[:p], yes[yes.shape[0] - u :]
