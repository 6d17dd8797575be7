"""Network and Gaussian process in one agent, each heard as far as it foretells the errors."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..models import (
    STEERING_POWER,
    BlendedGP,
    ErrorMap,
    GPChannels,
    SparseScan,
    TestedMap,
    Voices,
    load_error_network,
)
from .error_sampler import GAIN_SHARE, POWER
from .followed import Followed, squarable
from .gains import Gains
from .gp import checked_power, gains_of
from .low_discrepancy import LowDiscrepancy
from .raster_goal import RasterAim, RasterGoal
from .sampler import Choice, Request
from .spread import FEWEST_COUNTED, checked_counts, rehearse


class Hybrid:
    """Chooses some pixels of a batch as `Slads` does and some as `GaussianProcess`.

    Every reading is a test before it is learnt: how far off was the map, and who had foretold that
    better, the network, the process, or one who expects the same error everywhere?  Their parts of
    the next batch follow from the latest four hundred tests.  A network that does worse than one
    who knows nothing is not heard, so that outside of its domain the process chooses alone; where
    that knows nothing either, low-discrepancy points are taken.

    The map is the process's mean, blended pixel by pixel with the network's own (kriged; of counts
    the noise-aware one) as it would have served best on the tests.

    Several channels are mapped together: either chooses by all of them, and their voices are the
    mean over the channels.

    Parameters
    ----------
    counts_per_unit : float, optional
        How many detector counts a value of 1 stands for, above 0: the map is then that of the rate
        behind the counts.  Where not given, readings are taken as they are.
    power : float
        Of the process's local scale, 0 to 1.
    weights : str, optional
        A safetensors file of the network's weights; the shipped ones where not given.
    goal : str
        ``map`` for all of it, ``optimum`` for its highest pixels, ``boundary`` for where it
        crosses the threshold: the process then chooses as `GaussianProcess` does, the network
        where its own score times the same emphasis is highest; of the first channel alone.
    threshold : float, optional
        Of the boundary, in the values' unit.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing or holds other weights, or a number lies elsewhere.
    """

    start = 0.01
    large_batches = True

    def __init__(
        self,
        counts_per_unit: float | None = None,
        power: float = STEERING_POWER,
        weights: str | None = None,
        goal: RasterAim = "map",
        threshold: float | None = None,
    ) -> None:
        self._goal = RasterGoal(goal, threshold)
        self.counts_per_unit = checked_counts(counts_per_unit)
        self.power = checked_power(power)
        self.weights = weights
        self._layers, self._sha256 = load_error_network(weights)
        self._followed = Followed(self._process)
        self._foretold: TestedMap | None = None

    @property
    def several_channels(self) -> bool:
        """Whether it decides on all channels together: for their maps."""
        return self._goal.aim == "map"

    def provenance(self) -> dict[str, str]:
        """SHA-256 of the weights."""
        return {"weights_sha256": self._sha256}

    def warm_up(self) -> None:
        """Compile what is compiled when first used."""
        rehearse(Hybrid(self.counts_per_unit or 1.0, self.power, self.weights))

    def choose(self, request: Request) -> Choice:
        """Choose ``request.num`` pixels; scores are in the values' unit, NaN of low-discrepancy.

        Those of the process are doubts for a boundary without counting noise, see
        `GaussianProcess.choose`.  The estimate is of the blended map.  Of several channels scores
        have no unit, and the estimate is the mean over those that vary.
        """
        if not len(request.scan.values):
            return LowDiscrepancy().choose(request)
        gps = self._followed.at(request.scan, request.audited)
        foretold = self._network(request.scan)
        parts = _parts(_voices(gps, foretold), request)
        counted = max(request.num, FEWEST_COUNTED)
        stressed = self._goal.emphasis(gps.first, request.scan) if parts[0] else None
        pixels, scores = foretold.map.choose(parts[0], request.pending, counted, emphasis=stressed)
        scores = np.sqrt(scores)
        if parts[1]:
            even = LowDiscrepancy().choose(_beside(pixels, request, parts[1]))
            pixels = np.concatenate([pixels, even.pixels])
            scores = np.concatenate([scores, even.scores])
        if left := request.num - len(pixels):
            pending = _beside(pixels, request, left).pending
            mine = self._goal.choose(
                gps, request.scan, left, pending, counted,
                power=self.power, noisy=self.counts_per_unit is not None,
            )  # fmt: skip
            pixels = np.concatenate([pixels, mine[0]])
            scores = np.concatenate([scores, mine[1]])
        return Choice.estimated(pixels, scores, gps.error_estimate)

    def gains(self, request: Request) -> Gains:
        """Give what each pixel is to gain, for `SegmentSampler`, by the process alone.

        What the network learnt from points does not hold where lines were flown.
        """
        gps = self._followed.at(request.scan, request.audited)
        return gains_of(gps, request, self._goal.emphasis(gps.first, request.scan))

    def surrogate(self, scan: SparseScan) -> BlendedGP:
        """Give the blended process that this scan's first channel makes.

        Mean, deviation and intervals; of any channel by ``surrogate(scan.channels[k])``.
        """
        return self._followed.anew(scan)

    def reconstruct(self, scan: SparseScan) -> NDArray[np.float64]:
        """(M, N) blended map of the first channel."""
        return self.surrogate(scan).mean

    def voices(self, scan: SparseScan) -> Voices:
        """Tell how much each is heard in the choice that follows a scan."""
        gps = self._followed.at(scan, np.empty(0, dtype=bool))
        return _voices(gps, self._network(scan))

    def _process(self, shape: tuple[int, int]) -> BlendedGP:
        return BlendedGP(shape, counts_per_unit=self.counts_per_unit)

    def _network(self, scan: SparseScan) -> TestedMap:
        """What the network foretells of all channels, brought up to date."""
        if self._foretold is None:
            error_map = ErrorMap(
                scan.shape, self._layers, power=POWER, gain_share=GAIN_SHARE, checked=True
            )
            self._foretold = TestedMap(error_map)
        self._foretold.update(squarable(scan))
        return self._foretold


def _voices(gps: GPChannels[BlendedGP], network: TestedMap) -> Voices:
    return Voices.mean([gps.processes[k].voices(network.tests_of(k)) for k in gps.heard])


def _parts(voices: Voices, request: Request) -> tuple[int, int]:
    """Points of the network, and of low discrepancy; over the batches they even out."""
    before = len(request.scan.values) + len(request.pending)
    network, nobody = (
        math.floor(share * (before + request.num)) - math.floor(share * before)
        for share in (voices.network, voices.nobody)
    )
    return network, min(nobody, request.num - network)


def _beside(pixels: NDArray[np.int64], request: Request, num: int) -> Request:
    """The same with pixels on their way that were chosen already."""
    return replace(request, pending=np.concatenate([request.pending, pixels]), num=num)
