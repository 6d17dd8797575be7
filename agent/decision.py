"""One batch of targets, with all that it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models import ErrorEstimate
from .segment import segment_dwells, segment_lengths, segments_of

EXPECTATION = ("expected_error", "error_low", "error_high", "error_rms")
NUMBERS = (*EXPECTATION, "ms", "cpu_ms")


@dataclass(frozen=True, eq=False)
class Decision:
    """A batch that an agent decided on.

    Attributes
    ----------
    number : int
        Its place in the run, from 0.
    pixels : (K, 2) ndarray of int64
        Targets in the order of the visit.
    scores : (K,) ndarray of float64
        What each was expected to gain, in the sampler's measure; NaN where it has none.
    source : str
        Who chose: ``start``, or the sampler's name.
    seen : int
        Length of the observation log that it was made from, revisions included.
    digest : str
        Fingerprint (SHA-256, 16 hexadecimal digits) of everything that it was made from.
    expected_error : float
        The NRMSE that the agent expects of its map; NaN where it has no idea.
    ms, cpu_ms : float
        Wall and processor time that it took, milliseconds.
    error_low, error_high : float
        Four times in five the map's NRMSE lies between; NaN where that is not known.
    error_rms : float
        Root mean square error expected of the map, in the readings' unit; NaN likewise.
    lengths : (S,) ndarray of int64
        How many pixels each segment has that is flown over; all 1, unless given, where the stage
        stops at every pixel.
    dwells : (S,) ndarray of float64
        How long each of its pixels is counted, in the scan's nominal dwells (the unit of
        `SparseScan.exposures`: a decision then depends on ratios alone); all 1 unless given.

    Raises
    ------
    ValueError
        If the segments are not the pixels' own, or not straight, or there is not a dwell for each.
    """

    number: int
    pixels: NDArray[np.int64]
    scores: NDArray[np.float64]
    source: str
    seen: int
    digest: str
    expected_error: float
    ms: float
    cpu_ms: float
    error_low: float = float("nan")
    error_high: float = float("nan")
    error_rms: float = float("nan")
    lengths: NDArray[np.int64] = None  # pyright: ignore[reportAssignmentType]
    dwells: NDArray[np.float64] = None  # pyright: ignore[reportAssignmentType]

    def __post_init__(self) -> None:
        object.__setattr__(self, "lengths", segment_lengths(self.lengths, self.pixels))
        object.__setattr__(self, "dwells", segment_dwells(self.dwells, self.lengths))

    def segments(self, since: int = 0) -> list[NDArray[np.int64]]:
        """(L, 2) pixels of each segment, without the first ``since`` pixels of the batch."""
        return segments_of(self.pixels, self.lengths, since)

    @property
    def estimate(self) -> ErrorEstimate:
        """What it says of the map's error."""
        return ErrorEstimate(
            self.seen, self.expected_error, self.error_low, self.error_high, self.error_rms
        )

    def to_json(self) -> dict[str, Any]:
        """JSON-able form; what is not finite becomes None, and NaN when it is read again."""
        numbers = {k: _or_none(getattr(self, k)) for k in NUMBERS}
        return {
            "number": self.number,
            "pixels": self.pixels.tolist(),
            "scores": [_or_none(s) for s in self.scores],
            "lengths": self.lengths.tolist(),
            "dwells": [_or_none(t) for t in self.dwells],
            "source": self.source,
            "seen": self.seen,
            "digest": self.digest,
            **numbers,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Decision:
        """Rebuild from ``to_json()``."""
        numbers = {k: _or_nan(data[k]) for k in NUMBERS}
        return cls(
            number=data["number"],
            pixels=np.array(data["pixels"], dtype=np.int64).reshape(-1, 2),
            scores=np.array([_or_nan(s) for s in data["scores"]], dtype=np.float64),
            source=data["source"],
            seen=data["seen"],
            digest=data["digest"],
            lengths=data["lengths"],
            dwells=np.array([_or_nan(t) for t in data["dwells"]], dtype=np.float64),
            **numbers,
        )


def _or_none(number: float) -> float | None:
    return float(number) if np.isfinite(number) else None


def _or_nan(number: float | None) -> float:
    return float("nan") if number is None else float(number)
