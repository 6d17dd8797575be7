"""What the readings of a raster say of its pixels, for given hyperparameters, tile by tile."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .raster_gp_fit import AROUND, variance_of_counts
from .raster_gp_kernel import GPHyperparameters
from .raster_gp_neighbours import TILE, TileNeighbours
from .raster_gp_readings import Readings
from .raster_gp_scale import BLOCK, describe_blocks, describe_points, judges
from .raster_gp_seams import WINDOW, around, blend
from .raster_gp_tiles import condition, mean_around

NEIGHBOURS = 76  # of a tile, at least


class TilePosterior:
    """Posterior of a raster's pixels, brought up to date where readings came.

    Values are less the process's mean, in its standard deviations; variances in its variances.

    Parameters
    ----------
    readings : Readings
        One or more.  They are looked at again when ``extend`` is called.
    hyperparameters : GPHyperparameters
    counts_per_unit : float, optional
        Of readings whose variance is that of counts (NaN in the readings).
    described : bool
        Whether blocks are described for the local scale.

    Attributes
    ----------
    readings, hyperparameters
        As given.
    sd : float
        Of the process, in the values' unit.
    floor, ratio : float
        The pixels' own variance; weight of row distances squared.
    correlation : (M, N) ndarray of float64
        Of the smooth part, by rows and columns apart.
    mean, variance, log_variance, carried : (M, N) ndarray of float64
        Of each pixel: expected value; variance, less the counting noise that the mean carries;
        its logarithm, which is kept as it takes long for a whole raster; that noise.
    noise : (P,) ndarray of float64
        Variance of each reading, in squares of the values' unit.
    held_out : tuple of three (P,) ndarrays of float64
        What each reading would have been off, had it not been taken; the variance of that, less
        the reading's noise and that which the mean carries; the latter.
    block_features : (B, C, 3) ndarray of float64
        What the readings around each block say of the local scale.
    neighbours : TileNeighbours
    """

    def __init__(
        self,
        readings: Readings,
        hyperparameters: GPHyperparameters,
        counts_per_unit: float | None,
        *,
        described: bool,
    ) -> None:
        h, shape = hyperparameters, readings.shape
        self.readings, self.hyperparameters = readings, h
        self._counts_per_unit, self._described = counts_per_unit, described
        self.sd = math.sqrt(h.variance)
        self.floor = h.floor / h.variance
        self.ratio = (h.lengths[1] / h.lengths[0]) ** 2
        beyond = h.correlation((shape[0] + WINDOW, shape[1] + WINDOW))  # tiles may stand out
        self.correlation = np.ascontiguousarray(beyond[: shape[0], : shape[1]])
        self._table = np.pad(beyond, [(side - 1, 0) for side in beyond.shape], "reflect")
        self.neighbours = TileNeighbours(shape, NEIGHBOURS)
        tiles = self.neighbours.counts.shape
        self._windows = np.zeros((*tiles, WINDOW, WINDOW))
        self.mean, self.variance, self.carried = (np.zeros(shape) for _ in range(3))
        self.log_variance = np.zeros(shape)
        self.block_features = np.zeros((*(side * TILE // BLOCK for side in tiles), 3))
        self.noise, self._around = np.empty(0), np.empty(0)
        self.held_out = (np.empty(0),) * 3
        self._make_room()
        self.neighbours.fill(readings.where, self.ratio)
        self._condition(np.ones(tiles, dtype=bool), np.zeros(len(readings), dtype=bool))

    def extend(self, known: int, again: NDArray[np.int32]) -> None:
        """Compute what the readings from an index on, and those replaced, change."""
        where = self.readings.where
        self._make_room()
        stale = self.neighbours.insert(where, known, self.ratio)
        stale[where[known:, 0] // TILE, where[known:, 1] // TILE] = True
        changed = np.zeros(len(where), dtype=bool)
        changed[again] = True
        self._condition(stale, changed)

    def scaled(self) -> tuple[NDArray[Any], ...]:
        """Where, values and noise in standard deviations, and index by pixel."""
        h, r = self.hyperparameters, self.readings
        return r.where, (r.values - h.mean) / self.sd, self.noise / h.variance, r.index

    def tests_held_out(self) -> tuple[NDArray[np.float64], ...]:
        """Errors, variances, noise, features and areas of some readings held out, scaled."""
        chosen, points = judges(self.held_out[1]), self.scaled()
        features, areas = np.empty((len(chosen), 3)), np.empty(len(chosen))
        lists = self.neighbours.all
        describe_points(chosen, lists, self.ratio, points, self.held_out, features, areas)
        errors, variances, carried = (each[chosen] for each in self.held_out)
        return errors, variances, points[2][chosen] + carried, features, areas

    def _make_room(self) -> None:
        """Make room for the readings that came."""
        more = np.full(len(self.readings) - len(self.noise), np.nan)
        self.noise = np.concatenate([self.noise, more])
        self._around = np.concatenate([self._around, more])
        self.held_out = tuple(np.concatenate([each, more]) for each in self.held_out)

    def _condition(self, stale: NDArray[np.bool_], changed: NDArray[np.bool_]) -> None:
        """Bring stale tiles up to date, and those that have a changed reading in their lists."""
        lists = self.neighbours.all
        if changed.any():
            stale |= self.neighbours.users(changed)
        stale |= self._renew_noise(stale)
        points, maps = self.scaled(), (self.variance, self.log_variance, self.carried)
        condition(
            np.argwhere(stale), lists, points, self._table, self.floor, maps, self._windows,
            self.held_out,
        )  # fmt: skip
        blend(
            np.argwhere(around(stale)), self._windows, self._reaches(), points, self.floor,
            self.mean,
        )  # fmt: skip
        if self._described:
            held_out_anew = stale[points[0][:, 0] // TILE, points[0][:, 1] // TILE]
            tiles = np.argwhere(stale | self.neighbours.users(held_out_anew))
            describe_blocks(tiles, lists, self.ratio, points, self.held_out, self.block_features)

    def _reaches(self) -> NDArray[np.float64]:
        """(R, C, 2) how far tiles' readings go beyond them, along rows and columns."""
        across = self.neighbours.reaches
        return np.stack([across / math.sqrt(self.ratio), across], axis=2)

    def _renew_noise(self, stale: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Set the readings' noise; tell which tiles have one in their lists whose noise changed."""
        r, noise = self.readings, self.readings.variances
        if self._counts_per_unit is not None:
            chosen = np.flatnonzero(stale[r.where[:, 0] // TILE, r.where[:, 1] // TILE])
            lists = self.neighbours.all
            mean_around(chosen, lists, r.where, r.values, self.ratio, AROUND, self._around)
            counted = variance_of_counts(self._around, self._counts_per_unit) / r.exposures
            noise = np.where(np.isnan(noise), counted, noise)
        changed = noise != self.noise
        self.noise = noise
        return self.neighbours.users(changed) if changed.any() else np.zeros_like(stale)
