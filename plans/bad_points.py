"""What to do about a point that goes wrong, by what went wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from ..agent import Observation
from .logbook import Plan

AGAIN = ("retry", "wait", "recover", "pause")  # after which the point is tried once more
END_OF_MOVE = ("skip", "stop")
END_OF_READING = ("keep", "quarantine", "stop")

Steps = tuple[str, ...]


@dataclass(frozen=True)
class Trouble:
    """What went wrong with a point.

    Attributes
    ----------
    kind : str
        ``stalled``, ``refused``, ``hung``, ``lost``, ``unusable``, ``negative`` or ``saturated``.
    why : str
        In the words of the device, or of the reading.
    reading : int or None
        Number of the observation, where there is one.
    """

    kind: str
    why: str
    reading: int | None = None


@dataclass(frozen=True)
class BadPoints:
    """What to do about a point that goes wrong: for each kind, one step after the other.

    The first time that a point goes wrong in some way, the first step of that kind is taken, then
    the second, and so on; the last one ends the matter. ``retry`` tries again, ``wait`` when the
    devices answer again, ``recover`` after the recovery plan, ``pause`` when a person resumes;
    ``skip`` gives the target up; of a reading, ``keep`` leaves it as it is (a pixel without a
    usable value is not tried again), ``quarantine`` keeps it in the data only; ``stop`` ends the
    run in order. Each is an event of the stream ``interventions``.

    Parameters
    ----------
    stalled : tuple of str
        A move that fails, or does not end in time.
    refused : tuple of str
        A target that the guard or the motor does not take.
    hung : tuple of str
        A detector that fails, or does not end in time.
    lost : tuple of str
        A device that cannot be reached.
    unusable : tuple of str
        A reading that is NaN or infinite.
    negative, saturated : tuple of str
        A reading below 0, or from ``saturation`` on.
    saturation : float, optional
        In the units of the reading that steers.
    recover : callable, optional
        ``recover()`` gives a plan that brings the devices back; the guard watches its moves too.
    patience : float
        Seconds to wait for devices, or for beam, to come back.
    in_a_row, in_all : int
        Bad points after which the run ends in order, with the reason: a dead device must not
        keep it busy for ever.

    Raises
    ------
    ValueError
        For steps that make no sense.

    Examples
    --------
    >>> BadPoints(stalled=("retry", "retry", "pause", "skip"), in_a_row=10).steps("stalled")
    ('retry', 'retry', 'pause', 'skip')
    """

    stalled: Steps = ("retry", "skip")
    refused: Steps = ("skip",)
    hung: Steps = ("retry", "skip")
    lost: Steps = ("wait", "wait", "stop")
    unusable: Steps = ("keep",)
    negative: Steps = ("keep",)
    saturated: Steps = ("quarantine",)
    saturation: float | None = None
    recover: Callable[[], Plan] | None = None
    patience: float = 3600.0
    in_a_row: int = 6
    in_all: int = 100

    def __post_init__(self) -> None:
        for kind in OF_MOVES:
            self._check(kind, END_OF_MOVE)
        for kind in OF_READINGS:
            self._check(kind, END_OF_READING)
        if not self.patience >= 0:
            raise ValueError(f"patience is seconds, 0 or more, but {self.patience} came")
        if not (self.in_a_row >= 1 and self.in_all >= 1):
            raise ValueError(
                "in_a_row and in_all are numbers of bad points from 1, but "
                f"{self.in_a_row} and {self.in_all} came"
            )

    def _check(self, kind: str, ends: Steps) -> None:
        steps = self.steps(kind)
        if not steps or steps[-1] not in ends or not set(steps[:-1]) <= set(AGAIN):
            raise ValueError(
                f"{kind} takes steps such as {(*AGAIN[:1], ends[0])}: any of {', '.join(AGAIN)}, "
                f"and at the end one of {', '.join(ends)}; {steps!r} came"
            )
        if "recover" in steps and self.recover is None:
            raise ValueError(f"{kind} has the step 'recover', but no recover=plan was given")

    def steps(self, kind: str) -> Steps:
        """What is done about one kind of trouble."""
        given = getattr(self, kind)
        return (given,) if isinstance(given, str) else tuple(given)

    def step(self, kind: str, before: int) -> str:
        """What is done next, where a point has gone wrong in this way ``before`` times."""
        steps = self.steps(kind)
        return steps[min(before, len(steps) - 1)]

    def judge(self, observation: Observation) -> Trouble | None:
        """What is wrong with a reading, if anything is to be done about it.

        Of several channels it is unusable where none gave a number; else each is looked at.
        """
        known = [value for value in observation.values if math.isfinite(value)]
        troubles = [("unusable", f"the reading is {observation.value}")] if not known else []
        troubles += [("negative", f"the reading {v:g} is below 0") for v in known if v < 0]
        troubles += [("saturated", why) for v in observation.values if (why := self._too_much(v))]
        for kind, why in troubles:
            if self.steps(kind) != ("keep",):
                return Trouble(kind, why, observation.id)
        return None

    def _too_much(self, value: float) -> str | None:
        if self.saturation is None or not value >= self.saturation:
            return None
        return f"the reading {value:g} is saturated (from {self.saturation:g} on)"

    def describe(self) -> dict[str, Any]:
        """JSON-able form, the recovery plan by its name."""
        described: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        described |= {kind: list(self.steps(kind)) for kind in (*OF_MOVES, *OF_READINGS)}
        recover = self.recover
        described["recover"] = recover and getattr(recover, "__qualname__", repr(recover))
        return described


OF_MOVES = ("stalled", "refused", "hung", "lost")
OF_READINGS = ("unusable", "negative", "saturated")


def bad_points(policy: BadPoints | Mapping[str, Any] | None) -> BadPoints | None:
    """Read a policy, from its JSON form too.

    A recovery plan has only a name there: its step is left out, and so are those points given up
    sooner, unless ``recover`` is a plan.
    """
    if policy is None or isinstance(policy, BadPoints):
        return policy
    given = dict(policy)
    if not callable(given.get("recover")):
        given["recover"] = None
        for kind in (kind for kind in (*OF_MOVES, *OF_READINGS) if kind in given):
            given[kind] = tuple(step for step in given[kind] if step != "recover")
    try:
        return BadPoints(**given)
    except TypeError as error:
        known = ", ".join(f.name for f in fields(BadPoints))
        raise ValueError(f"a bad-point policy has {known}, but {policy!r} came") from error


TRY_AGAIN = BadPoints()
"""What is done where nothing else is asked for."""


class Tally:
    """Counts bad points against the policy's budgets.

    Attributes
    ----------
    in_a_row : int
        Bad points since the last good one.
    """

    def __init__(self, policy: BadPoints | None) -> None:
        self._policy = policy
        self.in_a_row = self._in_all = 0

    def good(self) -> None:
        """A point has been measured."""
        self.in_a_row = 0

    def bad(self, why: str) -> str | None:
        """Count one; why the run must end now, if it must."""
        self.in_a_row += 1
        self._in_all += 1
        policy = self._policy
        if policy is not None and self.in_a_row >= policy.in_a_row:
            return f"{self.in_a_row} bad points in a row, the last one: {why}"
        if policy is not None and self._in_all >= policy.in_all:
            return f"{self._in_all} bad points in all, the last one: {why}"
        return None
