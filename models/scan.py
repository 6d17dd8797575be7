"""A raster of which only some pixels have been measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class ReadingLog:
    """The readings of a scan whose pixels may be counted again, in their order.

    Attributes
    ----------
    places : (R,) ndarray of int64
        Index of each reading's pixel among those of the scan.
    values : tuple of (R,) ndarray of float64
        What was known of the pixel when the reading had come, of each channel.
    exposures : (R,) ndarray of float64
        How long it had been counted in all by then, in nominal dwells.
    """

    places: NDArray[np.int64]
    values: tuple[NDArray[np.float64], ...]
    exposures: NDArray[np.float64]

    def extends(self, other: ReadingLog) -> bool:
        """Whether these begin with the same readings."""
        known = len(other.places)
        mine, its = (self.places, *self.values), (other.places, *other.values)
        return (
            len(mine) == len(its)
            and all(np.array_equal(a[:known], b) for a, b in zip(mine, its, strict=True))
            and np.array_equal(self.exposures[:known], other.exposures)
        )


@dataclass(frozen=True, eq=False)
class SparseScan:
    """The pixels of a raster that have been measured so far.

    Attributes
    ----------
    shape : (2,) tuple of int
        Number of rows ``M`` and of columns ``N`` of the raster.
    pixels : (P, 2) ndarray of int64
        Row and column of each measured pixel, no pixel twice, in the order measured.
    values : (P,) ndarray of float64
        What the detector read there, finite, in its own units.
    others : tuple of (P,) ndarray of float64
        The same of its further channels, where several are to be mapped together.
    exposures : (P,) ndarray of float64, optional
        How long each pixel has been counted in all, in the scan's nominal dwells; 1 everywhere
        where not given.  Values are rates, and do not grow with it.
    log : ReadingLog, optional
        The readings one by one, where a pixel may have several: what learns from their order, and
        not from the pixels alone, then need not begin anew where one was counted again.
    """

    shape: tuple[int, int]
    pixels: NDArray[np.int64]
    values: NDArray[np.float64]
    others: tuple[NDArray[np.float64], ...] = ()
    exposures: NDArray[np.float64] | None = None
    log: ReadingLog | None = None

    @classmethod
    def of(cls, shape: tuple[int, int], pixels: ArrayLike, values: ArrayLike) -> SparseScan:
        """Check and convert what came from outside; of several channels (P, C) values.

        Raises
        ------
        ValueError
            If lengths differ, a pixel lies off the raster or comes twice, or a value is not
            finite.
        """
        where = np.asarray(pixels, dtype=np.int64).reshape(-1, 2)
        what = np.asarray(values, dtype=np.float64)
        what = what if what.ndim == 2 else what.reshape(-1, 1)
        if len(where) != len(what):
            raise ValueError(f"{len(where)} pixels came with {len(what)} values: give one each")
        if not np.isfinite(what).all():
            raise ValueError("every value of a scan must be finite, but NaN or inf came")
        if ((where < 0) | (where >= np.asarray(shape))).any():
            raise ValueError(f"a pixel lies off the {shape[0]} x {shape[1]} raster")
        if len(np.unique(where[:, 0] * shape[1] + where[:, 1])) != len(where):
            raise ValueError("a pixel came twice: keep one value for each")
        first, *others = np.ascontiguousarray(what.T)
        return cls((int(shape[0]), int(shape[1])), where, first, tuple(others))

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(M, N) True where measured."""
        mask = np.zeros(self.shape, dtype=bool)
        mask[self.pixels[:, 0], self.pixels[:, 1]] = True
        return mask

    @property
    def unmeasured(self) -> NDArray[np.int64]:
        """(U, 2) rows and columns not yet measured, in raster order."""
        return np.argwhere(~self.mask)

    @property
    def coverage(self) -> float:
        """Measured share of the raster, 0 to 1."""
        return len(self.pixels) / (self.shape[0] * self.shape[1])

    def first(self, num: int) -> SparseScan:
        """The scan's first ``num`` points, as they are now."""
        others = tuple(values[:num] for values in self.others)
        exposures = None if self.exposures is None else self.exposures[:num]
        return SparseScan(self.shape, self.pixels[:num], self.values[:num], others, exposures)

    @property
    def channels(self) -> tuple[SparseScan, ...]:
        """The scan as each of its channels has it."""
        if not self.others:
            return (self,)
        every = (self.values, *self.others)
        logs: list[ReadingLog | None] = [None] * len(every)
        if self.log is not None:
            known = self.log
            logs = [ReadingLog(known.places, (v,), known.exposures) for v in known.values]
        return tuple(
            SparseScan(self.shape, self.pixels, values, exposures=self.exposures, log=log)
            for values, log in zip(every, logs, strict=True)
        )

    @property
    def readings(self) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64] | None]:
        """(R, 2) pixels, (R,) values and (R,) exposures of the first channel's readings, in order.

        Those of a pixel that was counted again come again, with what was known of it by then;
        where that is not known, each pixel as it is now.
        """
        if self.log is None:
            return self.pixels, self.values, self.exposures
        return self.pixels[self.log.places], self.log.values[0], self.log.exposures

    def continues(self, other: SparseScan) -> bool:
        """Whether this begins with the same readings, some of its pixels counted again maybe."""
        if self.log is None or other.log is None:
            return self.log is other.log and self.extends(other)
        known = len(other.pixels)
        return (
            self.shape == other.shape
            and len(self.pixels) >= known
            and np.array_equal(self.pixels[:known], other.pixels)
            and self.log.extends(other.log)
        )

    @property
    def times(self) -> NDArray[np.float64] | float:
        """(P,) nominal dwells for which each pixel has been counted; 1 where all are alike."""
        return 1.0 if self.exposures is None else self.exposures

    def extends(self, other: SparseScan) -> bool:
        """Whether this begins with the same points, values and exposures, in the same order."""
        known = len(other.values)
        return (
            self.shape == other.shape
            and len(self.values) >= known
            and len(self.others) == len(other.others)
            and np.array_equal(self.values[:known], other.values)
            and all(map(np.array_equal, (v[:known] for v in self.others), other.others))
            and np.array_equal(self.pixels[:known], other.pixels)
            and self._counted_as_long(other)
        )

    def _counted_as_long(self, other: SparseScan) -> bool:
        if self.exposures is None or other.exposures is None:
            return self.exposures is other.exposures
        return np.array_equal(self.exposures[: len(other.exposures)], other.exposures)
