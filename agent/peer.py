"""An optimiser of the ecosystem as a sampler: its points, taken to the nearest pixel."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from .grid import ScanGrid
from .sampler import Choice, Request

MOST_KNOWN = 200  # suggestions in a row that are answered from what was measured before
PATIENCE = 5.0  # s that an optimiser with a thread of its own has for its next suggestion
LOOK = 0.005  # s between two questions


class Optimizer(Protocol):
    """What gest-api, Xopt >= 3 and bluesky-adaptive >= 1 have in common."""

    def suggest(self, num_points: int | None = None) -> Sequence[Mapping[str, Any]]:
        """Suggest points by axis name, each with an ``_id``."""
        ...

    def ingest(self, points: Sequence[Mapping[str, Any]]) -> None:
        """Learn the outcome of points, by ``_id``."""
        ...


class Peer:
    """Asks an optimiser where to measure; what it wants to know again is answered from the map.

    It is not a fold as our own samplers are: what the optimiser has heard it cannot unlearn, and a
    scan that is resumed begins with a new one. Its last word is a free pixel near to where it goes.

    Parameters
    ----------
    optimizer : Optimizer
        Its parameters bear the names of the grid's axes.
    grid : ScanGrid
    outcome : str
        What the optimiser calls the value.
    """

    start = 0.0
    ordered = True

    def __init__(self, optimizer: Optimizer, grid: ScanGrid, outcome: str = "value") -> None:
        self._optimizer, self._grid, self._outcome = optimizer, grid, outcome
        self._asked: dict[Any, tuple[int, int]] = {}

    def choose(self, request: Request) -> Choice:
        """Choose pixels that are neither measured nor on their way."""
        free = ~request.taken
        known = {
            (int(row), int(column)): float(value)
            for (row, column), value in zip(request.scan.pixels, request.scan.values, strict=True)
        }
        chosen: list[tuple[int, int]] = []
        for _ in range(MOST_KNOWN):
            self._tell(known)
            suggested = self._suggested(request.num)
            chosen = [pixel for pixel in dict.fromkeys(suggested) if free[pixel]]
            if chosen or not any(pixel in known for pixel in suggested):
                break
        else:
            suggested = list(known)[-1:]
        return Choice(np.array(chosen or _nearest(free, suggested), np.int64).reshape(-1, 2))

    def _tell(self, known: Mapping[tuple[int, int], float]) -> None:
        """Tell the outcome of what was suggested, and is known by now."""
        heard = {key: pixel for key, pixel in self._asked.items() if pixel in known}
        if heard:
            self._optimizer.ingest(
                [{"_id": key, self._outcome: known[pixel]} for key, pixel in heard.items()]
            )
        for key in heard:
            del self._asked[key]

    def _suggested(self, num: int) -> list[tuple[int, int]]:
        """Pixels that it suggests, in its order; what lies off the grid is left out."""
        deadline = time.monotonic() + PATIENCE
        points = self._optimizer.suggest(num)
        while not points and time.monotonic() < deadline:
            time.sleep(LOOK)
            points = self._optimizer.suggest(num)
        pixels = {point["_id"]: self._grid.pixel(point) for point in points}
        self._asked |= {key: pixel for key, pixel in pixels.items() if pixel is not None}
        return [pixel for pixel in pixels.values() if pixel is not None]


def _nearest(free: np.ndarray, to: Sequence[tuple[int, int]]) -> np.ndarray:
    """(1, 2) the free pixel nearest to the first one given, or the first; none where none is."""
    pixels = np.argwhere(free)
    if not len(pixels) or not to:
        return pixels[:1]
    distance = ((pixels - np.array(to[0])) ** 2).sum(axis=1)
    return pixels[[int(distance.argmin())]]
