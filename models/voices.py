"""Who foretold errors better: the network, the process, or one who expects the same everywhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SHARPNESS = 6.0  # of the voices' parts, per unit of mean log density
FREEDOM = 4.0  # of the residuals' distribution when forecasts of errors are compared
CERTAIN = 3.0  # standard errors below nobody: one who has lost the way
LEAST_SHARE = 0.2  # of a voice that foretells more than nobody does
LEAST_ERROR = 1e-4  # mean square, of that of all residuals


class Voices(NamedTuple):
    """How much each forecast of the errors counts for the next choice; sums to 1."""

    network: float
    process: float
    nobody: float

    @classmethod
    def weigh(
        cls,
        residuals: NDArray[np.float64],
        network: NDArray[np.float64],
        process: NDArray[np.float64],
        noise: NDArray[np.float64],
    ) -> Voices:
        """Compare what two expected the squares of (T,) residuals to be, less the noise."""
        if not residuals.any():
            return cls(0.0, 0.0, 1.0)
        nobody = np.full(len(process), float(process.mean()))
        densities = [_log_density(residuals, each + noise) for each in (network, process, nobody)]
        network_gain, process_gain = (_gain(each, densities[2]) for each in densities[:2])
        if network_gain is None or process_gain is None:  # out of its domain
            heard = (float(network_gain is not None), float(process_gain is not None))
            return cls(*heard, 1.0 - sum(heard))
        share = 1.0 / (1.0 + math.exp(SHARPNESS * (process_gain - network_gain)))
        least = LEAST_SHARE if network_gain >= 0 else 0.0
        most = 1.0 - LEAST_SHARE if process_gain >= 0 else 1.0
        share = min(max(share, least), most)
        return cls(share, 1.0 - share, 0.0)

    @classmethod
    def mean(cls, each: Sequence[Voices]) -> Voices:
        """Of several channels."""
        network, process, nobody = np.mean(each, axis=0).tolist()
        return cls(network, process, nobody)


def _gain(densities: NDArray[np.float64], nobody: NDArray[np.float64]) -> float | None:
    """Mean log density above that of one who knows nothing; None where it is certainly below."""
    gains = densities - nobody
    gain, error = float(gains.mean()), float(gains.std()) / math.sqrt(len(gains))
    return None if gain < -CERTAIN * error else gain


def _log_density(
    residuals: NDArray[np.float64], expected: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(T,) log densities by Student's t, the expected squares times the best factor."""
    squares = residuals**2
    expected = expected / expected.mean() + LEAST_ERROR
    factor = max(float(squares.mean()), 1e-300)
    for _ in range(30):
        weight = (FREEDOM + 1.0) / (FREEDOM + squares / (factor * expected))
        factor = max(float((weight * squares / expected).mean()), 1e-300)
    z2 = squares / (factor * expected)
    return -0.5 * np.log(factor * expected) - 0.5 * (FREEDOM + 1.0) * np.log1p(z2 / FREEDOM)
