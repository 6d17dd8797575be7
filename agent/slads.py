"""SLADS-Net as published: measure next where the network expects to mend the map most."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..models import (
    SparseScan,
    load_slads_net,
    nearest_measured,
    reconstruct,
    rescaled,
    slads_features,
)
from .sampler import Choice, Request


class SladsNet:
    """Chooses the pixels of the highest expected reduction in distortion (ERD).

    As FAST does (Kandel et al., Nat. Commun. 14, 5501 (2023)), on purpose without mending it:
    all the best at once, however close together.  Pixels on their way count as measured with
    the values that the map has there, as FAST does for points that it has chosen already.
    Equal scores go by row, then column.

    Parameters
    ----------
    weights : str, optional
        A safetensors file of weights; the shipped ones where not given.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing, or holds other weights.
    """

    start = 0.01

    def __init__(self, weights: str | None = None) -> None:
        self.weights = weights
        self._network = load_slads_net(weights)

    def choose(self, request: Request) -> Choice:
        """Choose ``request.num`` pixels; scores are ERDs on values rescaled to 0 to 100.

        Raises
        ------
        ValueError
            If nothing has been measured.
        """
        scan = _as_if_measured(rescaled(request.scan), request.taken)
        reconstruction = reconstruct(scan)
        erd = self._network.expected_reduction(slads_features(reconstruction))
        # Single precision keeps the order from hanging on the last bits, which change with the
        # number of pixels and of threads; a stable sort keeps equals in raster order.
        best = np.argsort(-erd.astype(np.float32), kind="stable")[: request.num]
        return Choice(reconstruction.pixels[best], erd[best])


def _as_if_measured(scan: SparseScan, taken: NDArray[np.bool_]) -> SparseScan:
    """Count every taken pixel as measured, those on their way with the value of the map."""
    pending = np.argwhere(taken & ~scan.mask)
    values = nearest_measured(scan, pending).mean_of(scan.values)
    return replace(
        scan,
        pixels=np.concatenate([scan.pixels, pending]),
        values=np.concatenate([scan.values, values]),
        exposures=None,
    )
