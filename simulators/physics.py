"""What the microscope sees: probe, ring current and counting, with no I/O and no clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.special import gammainc

from .specimen import Specimen

SIGMA_PER_FWHM = 1 / np.sqrt(8 * np.log(2))
Noise = Literal["poisson", "none"]


class Beam:
    """A Gaussian probe over a specimen.

    The centre of pixel (row, column) lies at ``x = origin[0] + column * pixel_size`` and
    ``y = origin[1] + row * pixel_size``.  Between centres the rate is interpolated linearly; half
    a pixel beyond the outermost centres the specimen ends, and there is nothing to count but what
    the probe's own tail still reaches.

    Parameters
    ----------
    specimen : Specimen
        What is measured.
    fwhm : float
        Full width at half maximum of the probe in um; 0 is a point.
    origin : (float, float)
        x and y of pixel (0, 0) in um.

    Raises
    ------
    ValueError
        When the width is negative or not finite.
    """

    def __init__(
        self, specimen: Specimen, *, fwhm: float = 0.0, origin: tuple[float, float] = (0.0, 0.0)
    ) -> None:
        if not 0 <= fwhm < np.inf:
            raise ValueError(f"the probe's FWHM is {fwhm} um: expected a number >= 0")
        self.specimen = specimen
        self.fwhm = float(fwhm)
        self.origin = (float(origin[0]), float(origin[1]))
        sigma = fwhm * SIGMA_PER_FWHM / specimen.pixel_size
        self._pad = int(np.ceil(4 * sigma))
        pad = ((0, 0), (self._pad, self._pad), (self._pad, self._pad))
        self._blurred = gaussian_filter(
            np.pad(specimen.rates, pad), sigma, mode="constant", axes=(1, 2)
        )

    def _coordinates(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        x, y = np.broadcast_arrays(np.asarray(x, dtype=float), np.asarray(y, dtype=float))
        return np.stack([y - self.origin[1], x - self.origin[0]]) / self.specimen.pixel_size

    def rate(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """Counts/s of each channel, (C, ...), with the stage at x and y in um, broadcast."""
        where = self._coordinates(x, y) + self._pad
        shape, where = where.shape[1:], where.reshape(2, -1)
        last = np.array(self._blurred.shape[1:])[:, None] - 1
        inside = ((where >= -0.5) & (where <= last + 0.5)).all(axis=0)
        where = np.clip(where, 0, last)
        rates = [map_coordinates(plane, where, order=1, mode="nearest") for plane in self._blurred]
        return np.where(inside, np.stack(rates), 0.0).reshape(len(rates), *shape)

    def truth(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """(C, M, N) counts/s on the raster of the N positions `x` and the M positions `y`."""
        return self.rate(np.asarray(x, dtype=float)[None, :], np.asarray(y, dtype=float)[:, None])

    def pixel(self, x: ArrayLike, y: ArrayLike) -> tuple[int, int]:
        """Row and column of the specimen pixel nearest to x and y; it may lie outside."""
        row, column = np.floor(self._coordinates(x, y) + 0.5)
        return int(row), int(column)


@dataclass(frozen=True)
class Ring:
    """The storage ring's current as a function of time.

    Attributes
    ----------
    current : float
        mA at time 0 and after each top-up.
    lifetime : float
        s, in which the current falls to 1/e; inf for a constant current.
    top_up : float
        s between two top-ups; inf for none.
    dump_at : float
        s, when the beam is lost; inf for never.
    """

    current: float = 100.0
    lifetime: float = np.inf
    top_up: float = np.inf
    dump_at: float = np.inf

    def __post_init__(self) -> None:
        if not 0 <= self.current < np.inf:
            raise ValueError(f"the ring current is {self.current} mA: expected a number >= 0")
        if not (self.lifetime > 0 and self.top_up > 0):
            raise ValueError(
                f"lifetime {self.lifetime} s and top-up period {self.top_up} s: expected both > 0"
            )

    @property
    def steady(self) -> bool:
        """True when the current never changes."""
        return np.isinf(self.lifetime) and np.isinf(self.dump_at)

    def at(self, time: float) -> float:
        """MA at `time` in s, 0 or later."""
        if time >= self.dump_at:
            return 0.0
        since = time if np.isinf(self.top_up) else time % self.top_up
        return float(self.current * np.exp(-since / self.lifetime))


@dataclass(frozen=True, eq=False)
class Exposure:
    """What one exposure counted.

    Attributes
    ----------
    counts : (C,) ndarray of float64
        Counts of each detector channel.
    i0 : float
        Counts of the incident-beam monitor.
    dwell : float
        s.
    """

    counts: NDArray[np.float64]
    i0: float
    dwell: float


@dataclass(eq=False)
class CountingChain:
    """Detectors and incident-beam monitor behind one beam.

    With Poisson noise, the counts of a pixel's k-th exposure depend on the seed, the pixel and k
    alone (given dwell, position and current), so that the order of a scan changes nothing.

    Attributes
    ----------
    beam : Beam
        Gives the rates at `full_current`.
    seed : int
        0 or more.
    noise : {"poisson", "none"}
        "none" gives the exact expectation, which need not be a whole number.
    dead_time : float
        s, non-paralysable, of the detector channels; the monitor has none.
    i0_rate : float
        Counts/s of the monitor at `full_current`.
    full_current : float
        mA at which the beam has the specimen's rates.
    """

    beam: Beam
    seed: int = 0
    noise: Noise = "poisson"
    dead_time: float = 0.0
    i0_rate: float = 1e7
    full_current: float = 100.0
    _exposures: dict[tuple[int, int], int] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.noise not in ("poisson", "none"):
            raise ValueError(f"noise {self.noise!r}: expected 'poisson' or 'none'")
        if not 0 <= self.dead_time < np.inf:
            raise ValueError(f"the dead time is {self.dead_time} s: expected a number >= 0")

    def expose(
        self, x: ArrayLike, y: ArrayLike, dwell: float, current: float | None = None
    ) -> Exposure:
        """Count for `dwell` s.

        Parameters
        ----------
        x, y : float or (T,) array_like
            Where the stage is, in um; several positions are a path, each held equally long.
        dwell : float
            s, 0 or more.
        current : float, optional
            Ring current in mA; `full_current` if not given.
        """
        x, y = np.atleast_1d(np.asarray(x, float)), np.atleast_1d(np.asarray(y, float))
        if not (np.ptp(x) or np.ptp(y)):  # else the mean of equal rates may differ in its last bit
            x, y = x[:1], y[:1]
        rates = self.beam.rate(x, y).mean(axis=1)
        return self._count(rates, self.beam.pixel(x.mean(), y.mean()), dwell, current)

    def expose_bins(
        self,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        dwell: NDArray[np.float64],
        current: NDArray[np.float64],
    ) -> list[Exposure]:
        """Count bin after bin, as `expose` would.

        Parameters
        ----------
        x, y : (K, T) ndarray
            Paths in um, one a bin, each place held equally long.
        dwell : (K,) ndarray
            s.
        current : (K,) ndarray
            Ring current in mA.
        """
        rates = self.beam.rate(x, y).mean(axis=2).T
        pixels = map(self.beam.pixel, x.mean(axis=1), y.mean(axis=1))
        each = zip(rates, pixels, map(float, dwell), map(float, current), strict=True)
        return [self._count(*of_one) for of_one in each]

    def _count(
        self,
        rates: NDArray[np.float64],
        pixel: tuple[int, int],
        dwell: float,
        current: float | None,
    ) -> Exposure:
        flux = 1.0 if current is None else current / self.full_current
        rates, i0 = rates * flux, self.i0_rate * flux * dwell
        rng = self._next_generator(*pixel)
        if self.noise == "none":
            return Exposure(rates * dwell / (1 + rates * self.dead_time), i0, dwell)
        counts = [draw_counts(rng, rate, dwell, self.dead_time) for rate in rates]
        return Exposure(np.array(counts, dtype=float), float(rng.poisson(i0)), dwell)

    def _next_generator(self, row: int, column: int) -> np.random.Generator:
        k = self._exposures.get((row, column), 0)
        self._exposures[row, column] = k + 1
        beyond = 2**32  # off the specimen rows and columns are negative, which a seed cannot be
        return np.random.default_rng([self.seed, row % beyond, column % beyond, k])


def draw_counts(
    rng: np.random.Generator, rate: float, dwell: float, dead_time: float = 0.0
) -> float:
    """Draw what a non-paralysable counter reads in `dwell` s at a true `rate` in counts/s.

    The counter reads at least k where the k-th recorded arrival, a sum of k exponential waiting
    times and k - 1 dead times, comes before the end: ``P(k) = gammainc(k, rate * (dwell - (k - 1)
    * dead_time))``.  The distribution is inverted by bisection [1]_, exactly; without dead time it
    is Poisson's.

    References
    ----------
    .. [1] J. W. Mueller, "Dead-time problems", Nucl. Instrum. Methods 112 (1973) 47, section 3.
    """
    if dead_time == 0 or rate == 0:
        return float(rng.poisson(rate * dwell))
    u = rng.random()
    low, high = 0, int(dwell / dead_time) + 2  # at most one arrival for each dead time, and one
    while high - low > 1:
        k = (low + high) // 2
        if gammainc(k, rate * max(dwell - (k - 1) * dead_time, 0.0)) > u:
            low = k
        else:
            high = k
    return float(low)
