"""A batch of targets, and the event that it becomes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from event_model import DataKey, Dtype
from numpy.typing import NDArray

from ..agent import EXPECTATION, GIVEN_UP, Decision

Pixels = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Batch:
    """A decision that has passed the guard, or the word that the run ends.

    Attributes
    ----------
    decision : Decision
    pending : (Q, 2) ndarray of int64
        Targets that were on their way when it was made.
    asked : int
        How many points were asked for.
    refused : int
        How many targets the guard refused.
    note : str
        Why the agent did not choose by itself, or what the guard refused.
    stop_reason : str
        Why the run ends here; empty while it goes on.
    told : int
        How many interventions were known when it was made.
    given_up : bool
        The run ends, but not because its stop rule is met or nothing is left: it may be resumed.
    at : float
        When it was ready, seconds since 1970.
    """

    decision: Decision
    pending: Pixels
    asked: int = 0
    refused: int = 0
    note: str = ""
    stop_reason: str = ""
    told: int = 0
    given_up: bool = False
    at: float = field(default_factory=time.time)

    def data(
        self, length: int, waited_ms: float, heard: int, exposures: int, dose: float
    ) -> dict[str, Any]:
        """What the event says: what was chosen, why, from what, how long it took.

        Parameters
        ----------
        length : int
            Length of the arrays, the shorter ones padded with -1, 0 and NaN: an event's shapes are
            fixed.
        waited_ms : float
            How long the scan stood still for it.
        heard : int
            Length of the observation log when it was read: a catalog keeps no order of streams.
        exposures : int
            How many exposures had been made by then, repeated ones included.
        dose : float
            Their time, in the scan's nominal dwells.
        """
        decision = self.decision
        return {
            "number": decision.number,
            "rows": _padded(decision.pixels[:, 0], length, -1),
            "columns": _padded(decision.pixels[:, 1], length, -1),
            "scores": _padded(decision.scores, length, np.nan),
            "lengths": _padded(decision.lengths, length, 0),
            "dwells": _padded(decision.dwells, length, np.nan),
            "count": len(decision.pixels),
            "asked": self.asked,
            "refused": self.refused,
            "pending_rows": _padded(self.pending[:, 0], length, -1),
            "pending_columns": _padded(self.pending[:, 1], length, -1),
            "pending_count": len(self.pending),
            "source": decision.source,
            "seen": decision.seen,
            "told": self.told,
            "heard": heard,
            "exposures": exposures,
            "dose": dose,
            "digest": decision.digest,
            **{key: getattr(decision, key) for key in EXPECTATION},
            "ms": decision.ms,
            "cpu_ms": decision.cpu_ms,
            "waited_ms": waited_ms,
            "note": self.note,
            "stop": (GIVEN_UP if self.given_up else 1) if self.stop_reason else 0,
            "stop_reason": self.stop_reason,
        }


def last_word(
    number: int, reason: str, *, seen: int, expected_error: float, given_up: bool = False
) -> Batch:
    """Make the empty batch that ends a run."""
    nothing = Decision(
        number=number,
        pixels=np.empty((0, 2), np.int64),
        scores=np.empty(0),
        source="",
        seen=seen,
        digest="",
        expected_error=expected_error,
        ms=0.0,
        cpu_ms=0.0,
    )
    return Batch(nothing, np.empty((0, 2), np.int64), stop_reason=reason, given_up=given_up)


def data_keys(length: int, source: str) -> dict[str, DataKey]:
    """Describe what ``Batch.data`` gives, as a descriptor does."""
    kinds: dict[tuple[Dtype, str, int], tuple[str, ...]] = {
        ("integer", "<i8", 0): (
            "number",
            "count",
            "asked",
            "refused",
            "pending_count",
            "seen",
            "told",
            "heard",
            "exposures",
            "stop",
        ),
        ("number", "<f8", 0): (*EXPECTATION, "dose", "ms", "cpu_ms", "waited_ms"),
        ("array", "<i8", 1): (
            "rows",
            "columns",
            "lengths",
            "pending_rows",
            "pending_columns",
        ),
        ("array", "<f8", 1): ("scores", "dwells"),
    }
    text = DataKey(source=source, dtype="string", shape=[])
    numbers = {
        key: DataKey(source=source, dtype=dtype, dtype_numpy=width, shape=[length] * dimensions)
        for (dtype, width, dimensions), keys in kinds.items()
        for key in keys
    }
    return {**numbers, **dict.fromkeys(("source", "digest", "note", "stop_reason"), text)}


def _padded(array: NDArray[Any], length: int, filler: float) -> NDArray[Any]:
    whole = np.full(length, filler, dtype=array.dtype)
    whole[: len(array)] = array[:length]
    return whole
