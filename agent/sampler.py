"""What a sampler is asked and what it answers: the seam at which new agents are written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..models import ErrorEstimate, SparseScan
from .segment import segment_dwells, segment_lengths


@dataclass(frozen=True, eq=False)
class Request:
    """All that a decision may depend on.

    Attributes
    ----------
    scan : SparseScan
        What has been measured.
    pending : (Q, 2) ndarray of int64
        Pixels on their way: chosen before, not yet measured. None of them may be chosen again.
    num : int
        How many pixels are wanted, 1 or more.
    number : int
        The decision's own number in the run, from 0.
    seed : int
        The run's seed.
    budget : int or None
        Points planned for the whole run, where the stop criterion tells.
    audited : (P,) ndarray of bool
        Which points of the scan belong to a random sample of the raster; empty where none was
        drawn.
    """

    scan: SparseScan
    pending: NDArray[np.int64]
    num: int
    number: int = 0
    seed: int = 0
    budget: int | None = None
    audited: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=bool))

    @property
    def taken(self) -> NDArray[np.bool_]:
        """(M, N) True where measured or on its way."""
        taken = self.scan.mask
        taken[self.pending[:, 0], self.pending[:, 1]] = True
        return taken

    @property
    def exhausted(self) -> bool:
        """Whether no pixel is left that is neither measured nor on its way."""
        rows, columns = self.scan.shape
        known = len(self.scan.pixels) + len(self.pending)
        return known >= rows * columns and bool(self.taken.all())

    @property
    def rng(self) -> np.random.Generator:
        """A generator that depends on seed and number alone."""
        return np.random.default_rng([self.seed, self.number])


@dataclass(frozen=True, eq=False)
class Choice:
    """The pixels chosen, best first.

    Attributes
    ----------
    pixels : (K, 2) ndarray of int64
        Row and column; K is at most the number asked for, fewer only where no more are left.
    scores : (K,) ndarray of float64
        What each is expected to gain, in the sampler's own measure; NaN where it has none.
    expected_error : float
        The NRMSE that the sampler expects of its map at present; NaN where it has no idea.
    error_low, error_high : float
        Four times in five the true one lies between; NaN where that is not known.
    error_rms : float
        Root mean square error expected, in the values' unit; NaN where it has no idea.
    lengths : (S,) ndarray of int64
        How many pixels each segment has, in order, where the stage may fly over them; all 1
        unless given.
    dwells : (S,) ndarray of float64
        How long each of its pixels is counted, in the scan's nominal dwells; all 1 unless given.

    Raises
    ------
    ValueError
        If a pixel is not whole, there are scores for some pixels only or dwells for some segments
        only, or the segments are not the pixels' own, or not straight.
    """

    pixels: NDArray[np.int64]
    scores: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    expected_error: float = float("nan")
    error_low: float = float("nan")
    error_high: float = float("nan")
    error_rms: float = float("nan")
    lengths: NDArray[np.int64] = None  # pyright: ignore[reportAssignmentType]
    dwells: NDArray[np.float64] = None  # pyright: ignore[reportAssignmentType]

    @classmethod
    def estimated(
        cls, pixels: NDArray[np.int64], scores: NDArray[np.float64], estimate: ErrorEstimate
    ) -> Choice:
        """Choose pixels, with the error expected of the map."""
        e = estimate
        return cls(pixels, scores, e.nrmse, e.low, e.high, e.rms)

    def __post_init__(self) -> None:
        given = np.asarray(self.pixels, dtype=np.float64).reshape(-1, 2)
        scores = np.asarray(self.scores, dtype=np.float64).reshape(-1)
        if not (np.isfinite(given) & (given == np.rint(given))).all():
            raise ValueError("an agent chooses whole (row, column) pixels, but others came")
        if len(scores) not in (0, len(given)):
            raise ValueError(f"{len(given)} pixels came with {len(scores)} scores: give one each")
        object.__setattr__(self, "pixels", given.astype(np.int64))
        object.__setattr__(self, "scores", scores if len(scores) else np.full(len(given), np.nan))
        object.__setattr__(self, "lengths", segment_lengths(self.lengths, self.pixels))
        object.__setattr__(self, "dwells", segment_dwells(self.dwells, self.lengths))


@runtime_checkable
class Sampler(Protocol):
    """Chooses pixels of a raster from what has been measured.

    ``choose`` is a function of the request alone: what a sampler keeps from call to call is a
    cache, and a new instance with the same options chooses identically.  A sampler may declare
    ``start``, the share of the raster that low-discrepancy points cover before its first choice
    (0.01 unless it says otherwise), ``ordered``, True where its pixels come in the order of the
    visit, ``large_batches``, True where the points of a batch take each other into account, so
    that it may be as large as suits the stage, ``provenance() -> dict``, JSON-able facts for the
    start document (the SHA-256 of its weights, say), ``warm_up()``, called once before the scan,
    for what takes long when first used, ``reconstruct(scan) -> (M, N)``, where its own map is
    another than the inverse-distance one, ``gains(request) -> Gains``, what it expects of each
    pixel, by which segments are chosen where the stage flies, and ``several_channels``, True where
    it decides on all channels of a scan together; others are given the first one alone.
    """

    def choose(self, request: Request) -> Choice:
        """Choose ``request.num`` pixels that are neither measured nor on their way."""
        ...
