"""A process that follows a scan from decision to decision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..models import SparseScan, TestedGP

Process = TypeVar("Process", bound=TestedGP)


class Followed(Generic[Process]):
    """Brings a process up to date with a scan; begins anew where that does not extend the last.

    Parameters
    ----------
    make : callable
        Makes the process of a raster from its shape, before any reading.
    """

    def __init__(self, make: Callable[[tuple[int, int]], Process]) -> None:
        self._make = make
        self._process: Process | None = None
        self._seen: SparseScan | None = None

    def at(self, scan: SparseScan, audited: NDArray[np.bool_]) -> Process:
        """Give the process of a scan, of which some points were drawn at random."""
        if self._process is None or self._seen is None or not scan.extends(self._seen):
            self._process = self.anew(scan)
        elif len(scan.values) > len(self._seen.values):
            known = len(self._seen.values)
            self._process.update(scan.pixels[known:], scan.values[known:])
        self._seen = scan
        self._process.count_as_audits(audited)
        return self._process

    def anew(self, scan: SparseScan) -> Process:
        """Make the process of a scan, and keep nothing of it."""
        process = self._make(scan.shape)
        process.update(scan.pixels, scan.values)
        return process
