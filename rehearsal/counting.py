"""What a detector that counts photons reads of an image, for however long it counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Counting:
    """Poisson counts of an image's values.

    Attributes
    ----------
    counts_per_unit : float
        Counts in a nominal dwell where the image is 1, above 0; below 0 it counts nothing.
    seed : int
        The same seed, reading and dwell give the same counts.

    Raises
    ------
    ValueError
        If ``counts_per_unit`` is not above 0.
    """

    counts_per_unit: float
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.counts_per_unit < np.inf:
            raise ValueError(f"counts_per_unit must be above 0, but {self.counts_per_unit} came")

    def read(self, values: ArrayLike, dwell: float, number: int) -> NDArray[np.float64]:
        """Count (C,) values for so many nominal dwells: the rates that the counts tell.

        Parameters
        ----------
        values : (C,) array-like of float
            Those of the image.
        dwell : float
            In nominal dwells.
        number : int
            Which reading of the scan it is.
        """
        counts = self.counts_per_unit * dwell
        rng = np.random.default_rng([self.seed, number])
        return rng.poisson(np.maximum(np.atleast_1d(values), 0.0) * counts) / counts
