"""A kriged map to which each reading is a test before it is learnt."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .forward_log import LATEST, block_end
from .kriging import kriged_at
from .noise_aware import noise_aware_at
from .scan import SparseScan

Both = tuple[NDArray[np.float64], NDArray[np.float64]]


class TestedKriging:
    """What `kriged`, of counts `noise_aware`, was off at readings that it did not know yet.

    Parameters
    ----------
    counts_per_unit : float, optional
        How many detector counts a value of 1 stands for; where not given, readings are exact.

    Notes
    -----
    A function of the readings in their order.  A kriged map hangs on nothing but the readings it
    knows, so that only tests that are looked at are ever made.
    """

    __test__ = False  # no test case, whatever pytest may think of the name

    def __init__(self, counts_per_unit: float | None = None) -> None:
        self._counts_per_unit = counts_per_unit
        self._scan: SparseScan | None = None
        self._blocks: dict[int, Both] = {}
        self._map: Both | None = None

    def update(self, scan: SparseScan) -> None:
        """Take a scan in; all begins anew where it does not extend the last one."""
        if self._scan is None or not scan.extends(self._scan):
            self._blocks = {}
        if self._scan is not scan:
            self._scan, self._map = scan, None

    def tests(self) -> Both:
        """(T,) errors of the latest tests, and (T,) squares expected, up to the last whole block.

        In the values' unit; the same readings as in the log of a `TestedGP` where a block ends.
        """
        num = 0 if self._scan is None else len(self._scan.values)
        bounds = [block_end(0)]
        while block_end(bounds[-1]) <= num:
            bounds.append(block_end(bounds[-1]))
        found = [(np.empty(0), np.empty(0))]
        for begin, end in pairwise(bounds):
            if end > bounds[-1] - LATEST:
                found.append(self._tested(begin, end))
        errors, squares = (np.concatenate(each)[-LATEST:] for each in zip(*found, strict=True))
        return errors, squares

    def map(self) -> Both:
        """(M, N) map and (M, N) squared error expected; where measured, reading and 0."""
        assert self._scan is not None  # noqa: S101  (asked for after a reading)
        if self._map is None:
            scan, pixels = self._scan, self._scan.unmeasured
            image, squares = np.empty(scan.shape), np.zeros(scan.shape)
            image[tuple(scan.pixels.T)] = scan.values
            image[tuple(pixels.T)], squares[tuple(pixels.T)] = self._at(scan, pixels)
            self._map = image, squares
        return self._map

    def _tested(self, begin: int, end: int) -> Both:
        if begin not in self._blocks:
            assert self._scan is not None  # noqa: S101  (it has so many readings)
            told, squares = self._at(self._scan.first(begin), self._scan.pixels[begin:end])
            self._blocks[begin] = self._scan.values[begin:end] - told, squares
        return self._blocks[begin]

    def _at(self, scan: SparseScan, pixels: NDArray[np.int64]) -> Both:
        if self._counts_per_unit is None:
            return kriged_at(scan, pixels)
        return noise_aware_at(scan, pixels, counts_per_unit=self._counts_per_unit)
