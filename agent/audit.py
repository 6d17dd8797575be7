"""A few points of each batch, drawn at random: they find what no agent expects."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .sampler import Choice, Request
from .segment import dwells_at, kept_lengths

SHARE = 0.06  # of the points
STREAM = 0xA0D17  # keeps the draw apart from whatever else the run's seed draws


class Audit:
    """One random order of the raster, in which pixels are drawn that are still free.

    Which points were drawn is no news: all that come first in the order, up to the first that is
    free, are a random sample of the raster, those that the agent chose by itself included.

    Parameters
    ----------
    shape : (2,) tuple of int
        Rows and columns of the raster.
    seed : int
        The run's.
    """

    def __init__(self, shape: tuple[int, int], seed: int) -> None:
        size = shape[0] * shape[1]
        self._order = np.random.default_rng([seed, STREAM]).permutation(size)
        self._columns = shape[1]

    def draw(self, request: Request) -> NDArray[np.int64]:
        """Draw (K, 2) pixels for a batch; how many hangs on how many points there are before it."""
        before = len(request.scan.values) + len(request.pending)
        num = math.floor(SHARE * (before + request.num)) - math.floor(SHARE * before)
        free = ~request.taken.ravel()[self._order]
        return np.column_stack(np.divmod(self._order[free][:num], self._columns))

    def drawn(self, request: Request) -> NDArray[np.bool_]:
        """(P,) whether each point of the scan belongs to the random sample."""
        taken = request.taken.ravel()[self._order]
        first = int(np.argmin(taken)) if not taken.all() else len(taken)
        sample = np.zeros(len(taken), dtype=bool)
        sample[self._order[:first]] = True
        rows, columns = request.scan.pixels.T
        return sample[rows * self._columns + columns]


def with_audits(drawn: NDArray[np.int64], choice: Choice, num: int) -> Choice:
    """Put (K, 2) pixels that were drawn before a choice's own, up to ``num`` in all."""
    pixels = np.concatenate([drawn, choice.pixels])[:num]
    scores = np.concatenate([np.full(len(drawn), np.nan), choice.scores])[:num]
    whole = np.concatenate([np.ones(len(drawn), np.int64), choice.lengths])
    first = np.arange(len(pixels))
    lengths = kept_lengths(whole, first)
    dwells = dwells_at(np.concatenate([np.ones(len(drawn)), choice.dwells]), whole, first, lengths)
    return replace(choice, pixels=pixels, scores=scores, lengths=lengths, dwells=dwells)
