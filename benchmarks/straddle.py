"""Straddle on an exact Gaussian process: what the goal boundary is measured against.

Bryan et al. (2005) measure where 1.96 deviations less the distance from the level are most.  Mean
and deviation are those of one Cholesky factor of all readings, with the hyperparameters that
RasterGP fits.  The noise of counts is known in either of two forms: one variance for all, that of
the mean count, as the paper has it; or one for each reading, as RasterGP has it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skysteer.agent import halton_pixels
from skysteer.models import GPHyperparameters, RasterGP
from skysteer.models.raster_gp_fit import counting_noise, variance_of_counts

Array = NDArray[np.float64]
Pixels = NDArray[np.int64]
BATCH = 20
CONFIDENCE = 1.96  # deviations, from the paper


class ExactProcess:
    """Mean and variance of all pixels by one Cholesky factor, which grows reading by reading.

    ``_rows`` is L^-1 K(readings, all pixels): a further reading is a further row, so that no
    reading that came before costs anything again.
    """

    def __init__(self, shape: tuple[int, int], h: GPHyperparameters, room: int) -> None:
        size = shape[0] * shape[1]
        self._table, self._h = h.variance * h.correlation(shape), h
        self._where = np.argwhere(np.ones(shape))
        self._rows, self._steps = np.empty((room, size)), np.empty(room)
        self._places: list[int] = []
        self._off = np.empty(room)
        self._known = 0
        self.mean, self.variance = np.full(size, h.mean), np.full(size, h.variance + h.floor)

    def count(self, place: int, noise: float) -> None:
        """Take a pixel for read, with that variance: all variances fall."""
        num = len(self._places)
        away = np.abs(self._where - self._where[place])
        shared = self._table[away[:, 0], away[:, 1]]
        shared[place] += self._h.floor
        shared -= self._rows[:num, place] @ self._rows[:num]
        self._steps[num] = np.sqrt(max(shared[place] + noise, 1e-12))
        self._rows[num] = shared / self._steps[num]
        self.variance = np.maximum(self.variance - self._rows[num] ** 2, 1e-12)
        self._places.append(place)

    def learn(self, values: Array) -> None:
        """Take in what was read at the pixels counted; the mean follows."""
        for k in range(self._known, len(self._places)):
            expected = self._h.mean + self._off[:k] @ self._rows[:k, self._places[k]]
            self._off[k] = (values[k] - expected) / self._steps[k]
            self.mean = self.mean + self._off[k] * self._rows[k]
        self._known = len(self._places)


def of_readings(
    flat: Pixels, values: Array, noise: Array, shape: tuple[int, int], h: GPHyperparameters,
    room: int,
) -> ExactProcess:  # fmt: skip
    """Process that knows some readings."""
    process = ExactProcess(shape, h, room)
    for place, variance in zip(flat, noise, strict=True):
        process.count(int(place), float(variance))
    process.learn(values)
    return process


def noise_of(flat: Pixels, values: Array, shape: tuple[int, int], peak: int, apart: bool) -> Array:
    """Variances of readings: none, that of the mean count, or each by the nine readings around."""
    if not peak:
        return np.zeros(len(flat))
    if not apart:
        return np.full(len(flat), float(np.mean(values)) / peak)
    where = np.column_stack(np.divmod(flat, shape[1])).astype(np.int32)
    return counting_noise(shape, where, values, peak)


def exact_map(
    shape: tuple[int, int], pixels: Pixels, values: Array, peak: int, apart: bool = False
) -> Array:
    """Mean of the exact process of some readings."""
    gp = RasterGP(shape, counts_per_unit=peak or None, local_scale=False)
    gp.update(pixels, values)
    flat = pixels @ (shape[1], 1)
    noise = noise_of(flat, values, shape, peak, apart)
    process = of_readings(flat, values, noise, shape, gp.hyperparameters, len(flat))
    return process.mean.reshape(shape)


def straddled(
    readings: Array, level: float, num: int, peak: int, seed: int = 0, apart: bool = False
) -> tuple[Pixels, Array]:
    """Let straddle measure, batch by batch, with a fit wherever RasterGP has one.

    ``peak`` counts stand for a value of 1; 0 is without noise.  With ``apart`` each reading has a
    variance of its own.
    """
    shape: tuple[int, int] = (readings.shape[0], readings.shape[1])
    flat = halton_pixels(shape, 41, seed=seed) @ (shape[1], 1)
    gp = RasterGP(shape, counts_per_unit=peak or None, local_scale=False)
    process, known, h, own = None, 0, None, np.empty(0)
    while len(flat) < num:
        values = readings.ravel()[flat]
        gp.update(np.column_stack(np.divmod(flat[known:], shape[1])), values[known:])
        known = len(flat)
        if process is None or gp.hyperparameters != h:
            h = gp.hyperparameters
            own = noise_of(flat, values, shape, peak, apart)
            process = of_readings(flat, values, own, shape, h, num)
        process.learn(values)
        free = np.ones(readings.size, dtype=bool)
        free[flat] = False
        noise = np.full(readings.size, own.mean())
        if peak and apart:
            noise = variance_of_counts(process.mean, peak)
        for _ in range(min(BATCH, num - known)):
            score = CONFIDENCE * np.sqrt(process.variance) - np.abs(process.mean - level)
            place = int(np.argmax(np.where(free, score, -np.inf)))
            free[place] = False
            process.count(place, float(noise[place]))
            flat = np.append(flat, place)
    return np.column_stack(np.divmod(flat, shape[1])), readings.ravel()[flat]
