"""Processes that follow the channels of a scan from decision to decision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..models import GPChannels, SparseScan, TestedGP

Process = TypeVar("Process", bound=TestedGP)
LARGEST = 1e100  # of a value


class Followed(Generic[Process]):
    """Brings the process of each channel up to date with a scan.

    All begin anew where it does not extend the last one.

    Parameters
    ----------
    make : callable
        Makes the process of a raster from its shape, before any reading.
    """

    def __init__(self, make: Callable[[tuple[int, int]], Process]) -> None:
        self._make = make
        self._processes: tuple[Process, ...] = ()
        self._seen: SparseScan | None = None

    def at(self, scan: SparseScan, audited: NDArray[np.bool_]) -> GPChannels[Process]:
        """Give the processes of a scan, of which some points were drawn at random."""
        scan = squarable(scan)
        if self._seen is None or not scan.extends(self._seen):
            self._processes = tuple(self.anew(channel) for channel in scan.channels)
        elif len(scan.values) > len(self._seen.values):
            known = len(self._seen.values)
            for process, channel in zip(self._processes, scan.channels, strict=True):
                process.update(channel.pixels[known:], channel.values[known:])
        self._seen = scan
        for process in self._processes:
            process.count_as_audits(audited)
        return GPChannels.of(scan, self._processes)

    def anew(self, scan: SparseScan) -> Process:
        """Make the process of a scan's first channel, and keep nothing of it."""
        process = self._make(scan.shape)
        process.update(scan.pixels, squarable(scan).values)
        return process


def squarable(scan: SparseScan) -> SparseScan:
    """The scan with values that may be squared in any unit: a process leaves out what may not."""
    most = max(float(np.abs(v).max(initial=0.0)) for v in (scan.values, *scan.others))
    if most <= LARGEST:
        return scan
    values, *others = (np.clip(v, -LARGEST, LARGEST) for v in (scan.values, *scan.others))
    return replace(scan, values=values, others=tuple(others))
