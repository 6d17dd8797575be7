"""Segments: stretches of a batch's pixels that the stage flies over without a stop.

A batch is the list of its pixels in the order of the visit, and the lengths of the segments that
it falls into; a point is a segment of one pixel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def segment_lengths(lengths: ArrayLike | None, pixels: NDArray[np.int64]) -> NDArray[np.int64]:
    """(S,) lengths of the segments of (K, 2) pixels: checked; of one pixel each where not given.

    Raises
    ------
    ValueError
        If they do not add up to K, or the pixels of one are not neighbours on a straight line
        along an axis.
    """
    if lengths is None:
        return np.ones(len(pixels), dtype=np.int64)
    found = np.asarray(lengths, dtype=np.int64).reshape(-1)
    if (found < 1).any() or found.sum() != len(pixels):
        raise ValueError(
            f"segments of 1 pixel or more that make {len(pixels)} pixels are expected, but their "
            f"lengths are {found.tolist()}"
        )
    if not _straight(pixels, found):
        raise ValueError(
            "a segment's pixels are neighbours on a line along an axis, but segments of "
            f"{found[:9].tolist()} of the pixels {pixels[:9].tolist()} came"
        )
    return found


def _straight(pixels: NDArray[np.int64], lengths: NDArray[np.int64]) -> bool:
    if len(lengths) == len(pixels):  # as of most batches
        return True
    segment = np.repeat(np.arange(len(lengths)), lengths)
    steps, inside = np.diff(pixels, axis=0), np.diff(segment) == 0
    turns = (steps[1:] != steps[:-1]).any(axis=1) & inside[1:] & inside[:-1]
    return not turns.any() and bool((np.abs(steps[inside]).sum(axis=1) == 1).all())


def segments_of(
    pixels: NDArray[np.int64], lengths: NDArray[np.int64], since: int = 0
) -> list[NDArray[np.int64]]:
    """(L, 2) pixels of each segment, in order; without the first ``since`` pixels of the batch.

    Examples
    --------
    >>> pixels = np.array([[0, 4], [2, 1], [2, 2], [2, 3]])
    >>> [segment.tolist() for segment in segments_of(pixels, np.array([1, 3]), since=2)]
    [[[2, 2], [2, 3]]]
    """
    ends = np.cumsum(lengths)
    begins = np.maximum(ends - lengths, since)
    return [pixels[a:b] for a, b in zip(begins, ends, strict=True) if a < b]


def kept_lengths(lengths: NDArray[np.int64], index: NDArray[np.int64]) -> NDArray[np.int64]:
    """(T,) lengths of what is left of the segments where only some pixels are kept.

    Parameters
    ----------
    lengths : (S,) ndarray of int64
        As they were.
    index : (K,) ndarray of int64
        Where the pixels that are kept stood in the batch, growing.

    Examples
    --------
    >>> kept_lengths(np.array([1, 4]), np.array([0, 1, 3, 4])).tolist()
    [1, 1, 2]
    """
    if not len(index):
        return np.empty(0, dtype=np.int64)
    segment = np.repeat(np.arange(len(lengths)), lengths)[index]
    broken = np.flatnonzero((np.diff(index) != 1) | (np.diff(segment) != 0)) + 1
    return np.diff(np.concatenate([[0], broken, [len(index)]]))


def segment_dwells(dwells: ArrayLike | None, lengths: NDArray[np.int64]) -> NDArray[np.float64]:
    """(S,) dwells of segments; 1 each where not given.  Whether they make sense the guard says.

    Raises
    ------
    ValueError
        If there is not one for each segment.
    """
    if dwells is None:
        return np.ones(len(lengths))
    found = np.asarray(dwells, dtype=np.float64).reshape(-1)
    if len(found) != len(lengths):
        raise ValueError(f"{len(lengths)} segments came with {len(found)} dwells: give one each")
    return found


def dwells_at(
    dwells: NDArray[np.float64],
    lengths: NDArray[np.int64],
    index: NDArray[np.int64],
    kept: NDArray[np.int64],
) -> NDArray[np.float64]:
    """(T,) dwells of the segments of what is kept of a batch, or of its pixels in another order.

    Parameters
    ----------
    dwells, lengths : (S,) ndarray
        As they were.
    index : (K,) ndarray of int64
        Where the pixels stood in the batch.
    kept : (T,) ndarray of int64
        The lengths of their segments now.

    Examples
    --------
    >>> lengths, index = np.array([1, 4]), np.array([0, 1, 3, 4])
    >>> dwells_at(np.array([2.0, 8.0]), lengths, index, kept_lengths(lengths, index)).tolist()
    [2.0, 8.0, 8.0]
    """
    return np.repeat(dwells, lengths)[index][np.cumsum(kept) - kept]


def inner(lengths: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(K,) True of the pixels between the ends of a segment, which are flown over in any case."""
    ends = np.cumsum(lengths)
    between = np.ones(int(lengths.sum()), dtype=bool)
    between[ends - 1] = between[ends - lengths] = False
    return between
