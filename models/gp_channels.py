"""Gaussian processes of several channels: one decision where all of their maps are to be mended."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from .error_estimate import ErrorEstimate
from .raster_gp_batch import choose
from .raster_gp_outlook import STEERING_POWER
from .scan import SparseScan
from .tested_gp import TestedGP
from .value_scale import told_by

Process = TypeVar("Process", bound=TestedGP)


@dataclass(frozen=True, eq=False)
class GPChannels(Generic[Process]):
    """Processes of the channels of a scan, each with hyperparameters and tests of its own.

    What a pixel is worth to a channel counts as a share of the variance of the channel's readings,
    so that neither gain nor offset of a channel matters; one that does not vary is not heard.  A
    single channel keeps its unit.

    Attributes
    ----------
    processes : tuple of TestedGP
        One for each channel.
    scales : (C,) tuple of float
        The unit of each channel: a standard deviation of its readings.
    heard : tuple of int
        Channels that vary; the first alone where none does.
    """

    processes: tuple[Process, ...]
    scales: tuple[float, ...]
    heard: tuple[int, ...]

    @classmethod
    def of(cls, scan: SparseScan, processes: Sequence[Process]) -> GPChannels[Process]:
        """Weigh the processes of a scan's channels, by a prefix of its readings."""
        if len(processes) == 1:
            return cls(tuple(processes), (1.0,), (0,))
        spreads = [_spread(channel.values) for channel in scan.channels]
        heard = tuple(k for k, spread in enumerate(spreads) if spread > 0) or (0,)
        return cls(tuple(processes), tuple(spread or 1.0 for spread in spreads), heard)

    @property
    def first(self) -> Process:
        """The first channel's."""
        return self.processes[0]

    def choose(
        self,
        num: int,
        unavailable: NDArray[np.int64],
        counted: int = 0,
        *,
        power: float = STEERING_POWER,
        emphasis: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Choose up to ``num`` pixels for all maps, as if each were measured before the next.

        Arguments and results are those of `RasterGP.choose`; of several channels scores have no
        unit.
        """
        heard = [self.processes[k] for k in self.heard]
        scales = [self.scales[k] for k in self.heard]
        if len(heard) == 1:
            pixels, scores = heard[0].choose(
                num, unavailable, counted, power=power, emphasis=emphasis
            )
            return pixels, scores / scales[0]
        outlooks = [each.outlook(power=power, emphasis=emphasis) for each in heard]
        shares = [
            (math.sqrt(each.hyperparameters.variance) / scale) ** 2
            for each, scale in zip(heard, scales, strict=True)
        ]
        pixels, squares = choose(outlooks, shares, num, unavailable, counted)
        return pixels, np.sqrt(squares)

    @property
    def std(self) -> NDArray[np.float64]:
        """(M, N) root of the sum of the channels' variances, each as a share."""
        each = [self.processes[k].std / self.scales[k] for k in self.heard]
        return each[0] if len(each) == 1 else np.sqrt(sum(np.square(std) for std in each))

    @property
    def error_estimate(self) -> ErrorEstimate:
        """The error expected of the maps: the mean over the channels that vary."""
        return ErrorEstimate.mean([self.processes[k].error_estimate for k in self.heard])


def _spread(values: NDArray[np.float64]) -> float:
    """Standard deviation of the readings that tell a scan's scale, see `value_scale`."""
    some = values[: told_by(values)]
    apart = some - some[0]
    most = float(np.abs(apart).max())
    return most * float((apart / most).std()) if most > 0 else 0.0
