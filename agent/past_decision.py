"""A decision, read back from its event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .decision import NUMBERS, Decision

GIVEN_UP = 2  # the value of decision_stop where the run ended, but not because its rule was met


@dataclass(frozen=True, eq=False)
class PastDecision:
    """A decision as its event recorded it.

    Attributes
    ----------
    decision : Decision
        As the guard let it through.
    pending : (Q, 2) ndarray of int64
        Targets that were on their way when it was made.
    asked : int
        How many points were asked for.
    told : int
        How many interventions were known when it was made.
    heard : int
        Length of the observation log when it was read.
    exposures : int
        How many exposures had been made by then, repeated ones included.
    dose : float
        Their time, in the scan's nominal dwells.
    stop : int
        0 of a batch; 1 where the run was done, 2 where it was given up.
    stop_reason : str
        Why the run ended there.
    """

    decision: Decision
    pending: NDArray[np.int64]
    asked: int
    told: int
    heard: int
    exposures: int
    dose: float
    stop: int
    stop_reason: str

    @property
    def targets(self) -> NDArray[np.int64]:
        """(K, 2) pixels in the order of the visit."""
        return self.decision.pixels

    @classmethod
    def from_event(cls, data: Mapping[str, Any], name: str = "decision") -> PastDecision:
        """Read it from an event's data."""
        said = {key.removeprefix(f"{name}_"): value for key, value in data.items()}
        # 0.1 did not say these yet
        said = {"told": 0, "heard": said["seen"] + said["pending_count"], **said}
        said = {"exposures": said["heard"], **said}
        count = int(said["count"])
        return cls(
            Decision(
                number=int(said["number"]),
                pixels=_pixels(said["rows"], said["columns"], count),
                scores=np.array(said["scores"][:count], dtype=np.float64),
                source=str(said["source"]),
                seen=int(said["seen"]),
                digest=str(said["digest"]),
                lengths=_lengths(said.get("lengths")),
                dwells=_dwells(said.get("dwells"), said.get("lengths")),
                **{key: float(said.get(key, np.nan)) for key in NUMBERS},  # 0.1 had no band
            ),
            pending=_pixels(
                said["pending_rows"], said["pending_columns"], int(said["pending_count"])
            ),
            **{key: int(said[key]) for key in ("asked", "told", "heard", "exposures", "stop")},
            dose=float(said.get("dose", said["exposures"])),
            stop_reason=str(said["stop_reason"]),
        )


def _pixels(rows: Any, columns: Any, count: int) -> NDArray[np.int64]:
    return np.column_stack([rows[:count], columns[:count]]).astype(np.int64).reshape(-1, 2)


def _dwells(padded: Any, lengths: Any) -> Any:
    """Without the padding; None where every segment had the scan's own."""
    return None if padded is None else np.array(padded[: len(_lengths(lengths))], np.float64)


def _lengths(padded: Any) -> Any:
    """Without the padding; None where each pixel is a segment, as it was before there were any."""
    return None if padded is None else [int(length) for length in padded if length > 0]
