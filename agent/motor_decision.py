"""One batch of positions, with all that it was made from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MotorDecision:
    """A batch of positions, with all that it was made from.

    Attributes
    ----------
    number : int
        Its place in the run, from 0.
    positions : (K, D) ndarray of float64
        In motor units, in the order of the visit.
    scores : (K,) ndarray of float64
    source : str
        Who chose: ``start``, or the goal's or sampler's name.
    seen : int
        Length of the observation log that it was made from.
    digest : str
        Fingerprint (SHA-256, 16 hexadecimal digits) of everything that it was made from.
    best : (D,) ndarray of float64
        The position believed to be best so far; NaN where there is no idea.
    best_value, best_std : float
        What is expected there, and how sure that is.
    ms, cpu_ms : float
        Wall and processor time that it took, milliseconds.
    """

    number: int
    positions: Array
    scores: Array
    source: str
    seen: int
    digest: str
    best: Array
    best_value: float = math.nan
    best_std: float = math.nan
    ms: float = 0.0
    cpu_ms: float = 0.0

    @property
    def pixels(self) -> NDArray[np.int64]:
        """(K, 2) the names of its targets: its number, and the place in it."""
        places = np.arange(len(self.positions), dtype=np.int64)
        return np.column_stack([np.full_like(places, self.number), places])

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(K,) ones: each target is a point."""
        return np.ones(len(self.positions), dtype=np.int64)

    @property
    def dwells(self) -> Array:
        """(K,) ones: each is counted as long as the others."""
        return np.ones(len(self.positions))

    def to_json(self) -> dict[str, Any]:
        """JSON-able form; what is not finite becomes None, and NaN when it is read again."""
        numbers = ("best_value", "best_std", "ms", "cpu_ms")
        return {
            **{key: getattr(self, key) for key in ("number", "source", "seen", "digest")},
            **{key: _or_none(getattr(self, key)) for key in numbers},
            "positions": self.positions.tolist(),
            "scores": list(map(_or_none, self.scores)),
            "best": list(map(_or_none, self.best)),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> MotorDecision:
        """Rebuild from ``to_json()``."""
        best = np.array([or_nan(x) for x in data["best"]], dtype=np.float64)
        positions = np.array(data["positions"], dtype=np.float64)
        return cls(
            number=data["number"],
            source=data["source"],
            seen=data["seen"],
            digest=data["digest"],
            **{key: or_nan(data[key]) for key in ("best_value", "best_std", "ms", "cpu_ms")},
            positions=positions.reshape(-1, len(best)),
            scores=np.array([or_nan(x) for x in data["scores"]], dtype=np.float64),
            best=best,
        )


def or_nan(number: float | None) -> float:
    """Read a number in which None stands for what is not finite."""
    return math.nan if number is None else float(number)


def _or_none(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None
