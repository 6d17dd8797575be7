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

    All begin anew where it does not go on from the last one.

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
        if self._seen is None or not scan.continues(self._seen):
            self._processes = tuple(self.anew(channel) for channel in scan.channels)
        else:
            known = len(self._seen.readings[1])
            for process, channel in zip(self._processes, scan.channels, strict=True):
                _learn(process, channel, known)
        self._seen = scan
        for process in self._processes:
            process.count_as_audits(audited)
        return GPChannels.of(scan, self._processes)

    def anew(self, scan: SparseScan) -> Process:
        """Make the process of a scan's first channel, and keep nothing of it."""
        process = self._make(scan.shape)
        _learn(process, squarable(scan), 0)
        return process


def _learn(process: TestedGP, scan: SparseScan, known: int) -> None:
    """Take the readings of a channel in, from an index on."""
    pixels, values, exposures = scan.readings
    if len(values) > known:
        times = None if exposures is None else exposures[known:]
        process.update(pixels[known:], values[known:], exposures=times)


def squarable(scan: SparseScan) -> SparseScan:
    """The scan with values that may be squared in any unit: a process leaves out what may not."""
    most = max(float(np.abs(v).max(initial=0.0)) for v in (scan.values, *scan.others))
    if most <= LARGEST:
        return scan
    values, *others = (np.clip(v, -LARGEST, LARGEST) for v in (scan.values, *scan.others))
    log = scan.log and replace(
        scan.log, values=tuple(np.clip(v, -LARGEST, LARGEST) for v in scan.log.values)
    )
    return replace(scan, values=values, others=tuple(others), log=log)
