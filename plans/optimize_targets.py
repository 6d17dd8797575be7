"""Targets of a motor space under the names that the run loop knows: decision and place in it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from event_model import DataKey
from numpy.typing import NDArray

from ..agent import GIVEN_UP, UNREACHABLE, MotorDecision, MotorSpace, UnansweredCheckError

Array = NDArray[np.float64]
Name = tuple[int, int]


class TargetBook:
    """Positions by name, as a grid knows them by pixel: a decision's number, and the place in it.

    Parameters
    ----------
    space : MotorSpace
    batch : int
        Points of the largest decision.
    """

    size = 2**53  # a motor space has no pixels to run out of

    def __init__(self, space: MotorSpace, batch: int) -> None:
        self.space, self._batch = space, batch
        self._positions: dict[Name, Array] = {}
        self._decisions = 0

    @property
    def shape(self) -> tuple[int, int]:
        """Names that there may be: decisions, and places in each."""
        return self._decisions, self._batch

    def enter(self, number: int, positions: Array) -> None:
        """Enter the targets of a decision, in the order of the visit."""
        self._decisions = max(self._decisions, number + 1)
        self._positions.update(((number, k), where) for k, where in enumerate(positions))

    def position(self, name: Name) -> dict[str, float]:
        """Motor units, by motor."""
        return self.space.position(self._positions[name])

    def positions(self, names: Sequence[Name]) -> Array:
        """(K, D) the same as an array."""
        found = [self._positions[name] for name in names]
        return np.array(found, dtype=np.float64).reshape(-1, len(self.space.names))


@dataclass
class MotorGuard:
    """Refuses targets that are not finite, off limits, beyond a constraint, or kept out.

    It fails closed: a check that raises anything refuses the target.  Motors that cannot be reached
    when a batch is decided cost none of its targets: they are asked again before each move.
    Targets are vetted, not the ways between them: motors of a space like this have no common stage
    that could say them.

    Parameters
    ----------
    space : MotorSpace
    check : callable
        Raises where a position (motor units by name) may not be driven to.
    """

    space: MotorSpace
    check: Callable[[Mapping[str, float]], None]
    minds_the_way = False
    largest_step = None

    def objection(
        self, position: Mapping[str, float], stands: Mapping[str, float] | None = None
    ) -> str | None:
        """Why the motors may not be driven to a position; None where they may.

        Raises
        ------
        UnansweredCheckError
            If the motors cannot be asked.
        """
        try:
            why = self.space.objection(position)
            if why is None:
                self.check(position)
        except UNREACHABLE as error:
            raise UnansweredCheckError(
                f"nobody can say whether it is off limits: {error}"
            ) from error
        except Exception as error:
            return f"off limits ({error})"
        return why

    def vet(self, positions: Array) -> tuple[NDArray[np.bool_], list[str]]:
        """(K,) which of (K, D) positions it lets through, and why not the others."""
        reasons = [self._of_a_batch(self.space.position(where)) for where in positions]
        return np.array([why is None for why in reasons], bool), [why for why in reasons if why]

    def _of_a_batch(self, position: Mapping[str, float]) -> str | None:
        try:
            return self.objection(position)
        except UnansweredCheckError:
            return None


@dataclass(frozen=True, eq=False)
class MotorBatch:
    """A decision that has passed the guard, or the word that the run ends.

    Attributes
    ----------
    made : MotorDecision
    pending : (Q, D) ndarray of float64
        Targets that were on their way when it was made.
    asked : int
        How many points were asked for.
    refused : tuple of str
        Why the guard refused targets.
    note : str
        Why the agent did not choose by itself, or what the guard refused.
    stop_reason : str
        Why the run ends here; empty while it goes on.
    told : int
        How many interventions were known when it was made.
    given_up : bool
        The run ends, but not because its stop rule is met.
    at : float
        When it was ready, seconds since 1970.
    """

    made: MotorDecision
    pending: Array
    asked: int = 0
    refused: tuple[str, ...] = ()
    note: str = ""
    stop_reason: str = ""
    told: int = 0
    given_up: bool = False
    at: float = field(default_factory=time.time)

    @property
    def decision(self) -> MotorDecision:
        """The decision, under the name that the run loop knows."""
        return self.made

    def ends(self, reason: str, *, given_up: bool) -> MotorBatch:
        """Give the last word: the same without its targets."""
        made = replace(self.made, positions=self.made.positions[:0], scores=self.made.scores[:0])
        return replace(
            self, made=replace(made, source=""), asked=0, stop_reason=reason, given_up=given_up
        )

    def data(self, names: Sequence[str], length: int, **moment: Any) -> dict[str, Any]:
        """What the event says; arrays are padded with NaN to ``length``.

        Parameters
        ----------
        names : sequence of str
            Of the motors.
        length : int
        **moment
            What only the plan knows: ``waited_ms``, ``heard``, ``exposures``.
        """
        made = self.made
        whole: dict[str, Any] = {
            "number": made.number,
            "count": len(made.positions),
            "asked": self.asked,
            "refused": len(self.refused),
            "pending_count": len(self.pending),
            "seen": made.seen,
            "told": self.told,
            "stop": (GIVEN_UP if self.given_up else 1) if self.stop_reason else 0,
            "best_value": made.best_value,
            "best_std": made.best_std,
            "ms": made.ms,
            "cpu_ms": made.cpu_ms,
            "scores": _padded(made.scores, length),
            "source": made.source,
            "digest": made.digest,
            "note": self.note,
            "stop_reason": self.stop_reason,
            **moment,
        }
        for k, name in enumerate(names):
            whole[f"to_{name}"] = _padded(made.positions[:, k], length)
            whole[f"pending_{name}"] = _padded(self.pending[:, k], length)
            whole[f"best_{name}"] = float(made.best[k])
        return whole


def motor_data_keys(names: Sequence[str], length: int, source: str) -> dict[str, DataKey]:
    """Describe what ``MotorBatch.data`` gives, as a descriptor does."""
    whole = ("number", "count", "asked", "refused", "pending_count", "seen", "told", "heard")
    numbers = ("best_value", "best_std", "ms", "cpu_ms", "waited_ms")
    arrays = ["scores", *(f"{kind}_{name}" for kind in ("to", "pending") for name in names)]
    integer = DataKey(source=source, dtype="integer", dtype_numpy="<i8", shape=[])
    number = DataKey(source=source, dtype="number", dtype_numpy="<f8", shape=[])
    array = DataKey(source=source, dtype="array", dtype_numpy="<f8", shape=[length])
    text = DataKey(source=source, dtype="string", shape=[])
    return {
        **dict.fromkeys((*whole, "exposures", "stop"), integer),
        **dict.fromkeys((*numbers, *(f"best_{name}" for name in names)), number),
        **dict.fromkeys(arrays, array),
        **dict.fromkeys(("source", "digest", "note", "stop_reason"), text),
    }


def last_motor_word(number: int, dimensions: int, reason: str, seen: int) -> MotorBatch:
    """Make the batch that ends a run of which no agent says what is best."""
    nothing = np.empty((0, dimensions))
    unknown = np.full(dimensions, math.nan)
    made = MotorDecision(number, nothing, np.empty(0), "", seen, "", unknown)
    return MotorBatch(made, nothing, stop_reason=reason)


def _padded(array: Array, length: int) -> Array:
    whole = np.full(length, np.nan)
    whole[: len(array)] = array[:length]
    return whole
