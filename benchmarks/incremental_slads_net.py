"""SLADS-Net as published, recomputed only where something changed: for long comparisons.

Features, weights and choice are those of ``skysteer.agent.SladsNet``, which looks at the whole
raster for every decision, as the original does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from skysteer.agent import halton_pixels
from skysteer.models import SparseScan, load_slads_net, rescaled
from skysteer.models.neighbour_tables import NOBODY, NeighbourTables
from skysteer.models.slads_features import DENSITY_SHARE

Image = NDArray[np.float64]


class IncrementalSladsNet:
    """The expected reduction in distortion of every pixel, kept up to date."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape
        self._network = load_slads_net()
        self._tables = NeighbourTables(shape)
        self._values = np.zeros(shape)
        self._image = np.zeros(shape)
        self._erd = np.full(shape, -np.inf, dtype=np.float32)
        self._mask = np.zeros(shape, dtype=bool)
        self._span = (0.0, 0.0)

    def measure(self, pixels: NDArray[np.int64], scan: SparseScan) -> None:
        """Take in new pixels; ``scan`` is all that has been measured, they included."""
        at = (pixels[:, 0], pixels[:, 1])
        self._mask[at] = True
        self._tables.flags[:] = 0
        self._tables.clear()
        self._tables.insert(pixels)
        span = (float(scan.values.min()), float(scan.values.max()))
        changed = self._tables.flags > 0
        if span != self._span:
            changed[:] = True
            self._span = span
        self._values[tuple(scan.pixels.T)] = rescaled(scan).values
        self._image[self._mask] = self._values[self._mask]
        rows, columns = np.nonzero(changed & ~self._mask)
        self._image[rows, columns] = self._estimates(rows, columns)[0]
        rows, columns = np.nonzero(binary_dilation(changed) & ~self._mask)
        self._erd[self._mask] = -np.inf
        self._erd[rows, columns] = self._network.expected_reduction(self._features(rows, columns))

    def choose(self, num: int) -> NDArray[np.int64]:
        """(K, 2) pixels of the highest reduction; equals in raster order."""
        best = np.argsort(-self._erd.ravel(), kind="stable")[:num]
        return np.column_stack(np.divmod(best, self.shape[1]))

    def _estimates(self, rows, columns):
        entries = self._tables.neighbours[rows, columns]
        there = entries != NOBODY
        r, c = entries >> 16, entries & 0xFFFF
        squared = np.where(there, (r - rows[:, None]) ** 2 + (c - columns[:, None]) ** 2, np.inf)
        values = self._values[np.where(there, r, 0), np.where(there, c, 0)]
        weights = squared[:, :1] / squared
        weights /= weights.sum(axis=1, keepdims=True)
        return (weights * values).sum(axis=1), weights, values, np.sqrt(squared)

    def _features(self, rows, columns):
        estimates, weights, values, distances = self._estimates(rows, columns)
        differences = np.where(weights > 0, np.abs(values - estimates[:, None]), 0.0)
        radius = np.ceil(np.sqrt(DENSITY_SHARE * self._image.size / np.pi))
        inside = (distances <= radius).sum(axis=1)
        along = [self._gradient(axis, rows, columns) for axis in (0, 1)]
        return np.column_stack(
            [
                (weights * differences).sum(axis=1),
                np.sqrt(np.square(differences).sum(axis=1)),
                distances[:, 0],
                (1 + np.pi * radius**2) / (1 + inside),
                along[1],
                along[0],
            ]
        )

    def _gradient(self, axis: int, rows, columns):
        step = np.array([[1 - axis], [axis]])
        most = np.array(self.shape)[:, None] - 1
        here = np.array([rows, columns])
        after, before = np.minimum(here + step, most), np.maximum(here - step, 0)
        apart = np.maximum((after - before)[axis], 1)
        return np.abs(self._image[tuple(after)] - self._image[tuple(before)]) / apart


def slads_net_pixels(truth: Image, num: int, batch: int, seed: int) -> NDArray[np.int64]:
    """(num, 2) pixels that SLADS-Net measures, from 1 % of low-discrepancy points on."""
    sampler = IncrementalSladsNet(truth.shape)
    pixels = fresh = halton_pixels(truth.shape, max(10, round(0.01 * truth.size)), seed)
    while True:
        sampler.measure(fresh, SparseScan(truth.shape, pixels, truth[tuple(pixels.T)]))
        if len(pixels) >= num:
            return pixels[:num]
        fresh = sampler.choose(min(batch, num - len(pixels)))
        pixels = np.concatenate([pixels, fresh])
