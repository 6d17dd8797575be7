"""The unit in which a scan's values are compared: told from a prefix, so that it seldom changes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FIRST_PREFIX = 16  # values, all of which set the scale; of more, a power of 2


def prefix_of(num: int) -> int:
    """How many of so many values set the scale: it then changes a dozen times in a run."""
    return num if num < FIRST_PREFIX else 1 << (num.bit_length() - 1)


def told_by(values: NDArray[np.float64]) -> int:
    """How many values tell what stands until the prefix grows: more where that is constant."""
    some = values[: prefix_of(len(values))]
    if (some != values[0]).any():
        return len(some)
    return int(np.argmax(values != values[0])) + 1


def scale_of(values: NDArray[np.float64]) -> tuple[tuple[int, float, float], bool]:
    """Binary exponent of the values' spread, first value in its units, range squared in them.

    From a prefix; a longer one where that is constant.  And whether the prefix was varied: then it
    stands for all scans that begin with it.
    """
    some = values[: prefix_of(len(values))]
    varied = bool((some != values[0]).any())
    some = values[: told_by(values)]
    exponent = int(np.frexp(np.abs(some).max())[1])
    units = np.ldexp(some, -exponent)
    apart = float(np.abs(units - units[0]).mean())
    if apart == 0:
        return (exponent, float(units[0]), 1.0), varied
    finer = int(np.frexp(apart)[1])
    reach = float(np.ldexp(np.ptp(units), -finer))
    return (exponent + finer, float(np.ldexp(values[0], -exponent - finer)), reach * reach), varied
