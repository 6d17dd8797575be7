"""The sampling network: where the map is most likely to be wrong, learnt from other images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..models import ErrorMap, SparseScan, TestedMap, load_error_network
from .flown_start import EVERY
from .gains import Gains
from .sampler import Choice, Request
from .spread import (
    checked_counts,
    checked_flatness,
    choose_from,
    gains_from,
    map_of,
    rehearse,
)

POWER = 2.1  # of the distance to the nearest point
GAIN_SHARE = 0.5  # of the expected gain against the pixel's own expected error, in the exponent


class Slads:
    """Chooses pixels by the squared error that a small network expects there, and around them.

    The network sees 24 numbers of a pixel's neighbourhood that neither scale nor offset of the
    values changes.  It corrects the first-sight error of `Spread` twice: to the pixel's own error,
    and to what measuring it takes off the whole map.  The score is the geometric mean of both.
    Where the scan's own errors tell nothing of each other, as in an even texture, the distance
    alone counts.  Pixels on their way, and those chosen before in the batch, count as measured.
    Several channels are mapped together: the scores are summed, each on its channel's own scale.

    Parameters
    ----------
    weights : str, optional
        A safetensors file of weights; the shipped ones where not given.
    flatness : float
        The score is divided by the neighbours' variance to this power, 0 to 1: more serves the
        SSIM at the price of the NRMSE.
    counts_per_unit : float, optional
        How many detector counts a value of 1 stands for, above 0: the map is then that of the rate
        behind the counts.  Where not given, readings are taken as they are.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing or holds other weights, or a number lies elsewhere.
    """

    start = 0.01
    large_batches = True
    several_channels = True

    def __init__(
        self,
        weights: str | None = None,
        flatness: float = 0.0,
        counts_per_unit: float | None = None,
    ) -> None:
        self.weights = weights
        self.flatness = checked_flatness(flatness)
        self.counts_per_unit = checked_counts(counts_per_unit)
        self._layers, self._sha256 = load_error_network(weights)
        self._map: TestedMap | None = None
        self._flown: TestedMap | None = None

    def provenance(self) -> dict[str, str]:
        """SHA-256 of the weights."""
        return {"weights_sha256": self._sha256}

    def warm_up(self) -> None:
        """Compile what is compiled when first used."""
        rehearse(Slads(self.weights, self.flatness))

    def choose(self, request: Request) -> Choice:
        """Choose ``request.num`` pixels; scores are in squares of the values' unit.

        ``expected_error`` is the NRMSE that the network expects of the inverse-distance map.  Of
        several channels scores have no unit, and the error is the mean over those that vary.
        """
        return choose_from(self._tested(request), request)

    def gains(self, request: Request) -> Gains:
        """Give what each pixel is expected to gain, for `SegmentSampler`: at first sight.

        What the network learnt from points does not hold where lines were flown.  In an even
        texture the distance alone counts, as with points.
        """
        if self._flown is None:
            error_map = ErrorMap(request.scan.shape, flatness=self.flatness, checked=EVERY)
            self._flown = TestedMap(error_map)
        return gains_from(self._flown, request)

    def _tested(self, request: Request) -> TestedMap:
        if self._map is None:
            error_map = ErrorMap(
                request.scan.shape,
                self._layers,
                power=POWER,
                flatness=self.flatness,
                gain_share=GAIN_SHARE,
                checked=1,
            )
            self._map = TestedMap(error_map)
        return self._map

    def reconstruct(self, scan: SparseScan) -> NDArray[np.float64]:
        """(M, N) map of the first channel, as `map_of` makes it."""
        return map_of(scan, self.counts_per_unit)
