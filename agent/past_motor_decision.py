"""A decision on motors, read back from its event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .motor_decision import MotorDecision

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PastMotorDecision:
    """A decision of an optimisation as its event recorded it.

    Attributes
    ----------
    decision : MotorDecision
        As the guard let it through.
    pending : (Q, D) ndarray of float64
        Targets that were on their way when it was made, in motor units.
    asked, told, heard, exposures, stop, stop_reason
        As of a `PastDecision`.
    """

    decision: MotorDecision
    pending: Array
    asked: int
    told: int
    heard: int
    exposures: int
    stop: int
    stop_reason: str

    @property
    def targets(self) -> Array:
        """(K, D) positions in the order of the visit."""
        return self.decision.positions

    @property
    def dose(self) -> float:
        """Time of the exposures, in nominal dwells: one of each."""
        return float(self.exposures)

    @classmethod
    def from_event(
        cls, names: Sequence[str], data: Mapping[str, Any], name: str = "decision"
    ) -> PastMotorDecision:
        """Read it from an event's data.

        Parameters
        ----------
        names : sequence of str
            Of the motors, in the order of the space.
        data : mapping
        name : str
            Of the device whose reading it is.
        """
        said = {key.removeprefix(f"{name}_"): value for key, value in data.items()}
        count = int(said["count"])
        decision = MotorDecision(
            number=int(said["number"]),
            positions=_columns(said, "to", names, count),
            scores=np.array(said["scores"][:count], dtype=np.float64),
            best=np.array([said[f"best_{motor}"] for motor in names], dtype=np.float64),
            source=str(said["source"]),
            seen=int(said["seen"]),
            digest=str(said["digest"]),
            **{key: float(said[key]) for key in ("best_value", "best_std", "ms", "cpu_ms")},
        )
        return cls(
            decision,
            _columns(said, "pending", names, int(said["pending_count"])),
            **{key: int(said[key]) for key in ("asked", "told", "heard", "exposures", "stop")},
            stop_reason=str(said["stop_reason"]),
        )


def _columns(said: Mapping[str, Any], kind: str, names: Sequence[str], count: int) -> Array:
    """(count, D) positions out of the padded arrays of the motors."""
    columns = [said[f"{kind}_{motor}"][:count] for motor in names]
    return np.array(columns, dtype=np.float64).reshape(len(names), count).T
