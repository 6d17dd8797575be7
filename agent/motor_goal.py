"""What is looked for in a motor space, and the sampler that looks for it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..models import (
    BoundaryGain,
    MotorGP,
    OffHill,
    Search,
    Travel,
    UpperConfidence,
    VarianceReduction,
    choose_with_botorch,
    require_botorch,
)
from .motor_space import MotorSpace

Array = NDArray[np.float64]
Goal = Literal["optimum", "boundary", "map"]

GOALS = ("optimum", "boundary", "map")
INTEGRATED = 512  # points over which boundary and map are judged
FEW_CANDIDATES = 512  # where each one is judged by an integral
SITTING, ON_HILL = 3, 0.5  # points in a row so alike (a correlation) to the best one
EVERY = {"light": 5, "full": 2}  # readings between two fits


@dataclass(frozen=True, eq=False)
class MotorRequest:
    """All that a decision may depend on.

    Attributes
    ----------
    space : MotorSpace
    positions : (P, D) ndarray of float64
        Where has been read, in motor units.
    values : (P,) ndarray of float64
    pending : (Q, D) ndarray of float64
        Positions on their way, in the order of the visit.
    num : int
        How many are wanted.
    number : int
        The decision's own number in the run, from 0.
    seed : int
    """

    space: MotorSpace
    positions: Array
    values: Array
    pending: Array
    num: int
    number: int = 0
    seed: int = 0

    @property
    def rng(self) -> np.random.Generator:
        """A generator that depends on seed and number alone."""
        return np.random.default_rng([self.seed, self.number])

    @property
    def stands(self) -> Array | None:
        """(D,) where the motors will stand when the batch begins, where that is known."""
        ways = np.concatenate([self.positions, self.pending])
        return ways[-1] if len(ways) else None


@dataclass(frozen=True, eq=False)
class MotorChoice:
    """The positions chosen, in the order of the visit.

    Attributes
    ----------
    positions : (K, D) ndarray of float64
    scores : (K,) ndarray of float64
        What each was expected to gain, in the sampler's measure; NaN where it has none.
    best : (D,) ndarray of float64
        The position that is believed to be best so far; empty where there is no idea.
    best_value, best_std : float
        What is expected there, and how sure that is.
    """

    positions: Array
    scores: Array
    best: Array
    best_value: float = math.nan
    best_std: float = math.nan


@runtime_checkable
class MotorSampler(Protocol):
    """Chooses positions from what has been read.

    ``choose_positions`` is a function of the request alone: what a sampler keeps is a cache.  It is
    asked once the ``start`` has been read: (2 D + 2, at least 4) low-discrepancy positions, or as
    many as an attribute ``start`` says.
    """

    def choose_positions(self, request: MotorRequest) -> MotorChoice:
        """Choose ``request.num`` positions."""
        ...


class MotorGoal:
    """Seeks an optimum, a boundary or a map with a Gaussian process.

    Parameters
    ----------
    goal : str
        ``optimum`` finds the best position and comes back to it (on the light path every fourth
        point then looks where another hill may be as high), ``boundary`` finds where
        values cross the threshold, ``map`` lets the mean variance of the space fall.
    threshold : float, optional
        Of the boundary, in the values' unit.
    path : str
        ``light`` decides in milliseconds with numpy alone; ``full`` with botorch's acquisition
        functions (extra ``optimize``).
    find : str
        ``max`` or ``min``: which the optimum is.
    criterion : str, optional
        Of the full path to the optimum: ``noisy-ei`` or ``ucb``.
    noise : float, optional
        Variance of a reading, in squares of the values' unit; learned where not given.
    speeds : sequence of float, optional
        Of each motor, its units/s: gains are then counted by the second.
    exposure : float
        s of a point without the way to it; counts with ``speeds`` only.
    start : int, optional
        Low-discrepancy positions before the first choice.

    Raises
    ------
    ValueError
        For what makes no sense.
    ImportError
        If the full path is wanted without botorch.
    """

    def __init__(
        self,
        goal: Goal = "optimum",
        threshold: float | None = None,
        path: Literal["light", "full"] = "light",
        find: Literal["max", "min"] = "max",
        criterion: Literal["noisy-ei", "ucb"] = "noisy-ei",
        noise: float | None = None,
        speeds: Sequence[float] | None = None,
        exposure: float = 1.0,
        start: int | None = None,
    ) -> None:
        _one_of("goal", goal, GOALS)
        _one_of("path", path, tuple(EVERY))
        _one_of("find", find, ("max", "min"))
        _one_of("criterion", criterion, ("noisy-ei", "ucb"))
        check_threshold(goal, threshold)
        if start is not None and not (isinstance(start, int) and start >= 1):
            raise ValueError(f"start is a number of positions, 1 or more, but {start!r} came")
        if path == "full":
            require_botorch()
        self.goal, self.threshold, self.path = goal, threshold, path
        self.criterion: Literal["noisy-ei", "ucb"] = criterion
        self.noise, self.start = noise, start
        self.sign = -1.0 if find == "min" and goal == "optimum" else 1.0
        self._travel = None if speeds is None else Travel(np.asarray(speeds, float), exposure)
        self._gp: MotorGP | None = None

    def choose_positions(self, request: MotorRequest) -> MotorChoice:
        """Choose ``request.num`` positions; scores are in the goal's own measure."""
        gp = self._followed(request)
        if self.path == "full" and self.goal != "boundary":
            chosen, scores = self._by_botorch(gp, request)
        else:
            chosen, scores = self._by_light_search(gp, request)
        best = gp.best()
        if best is None:
            return MotorChoice(chosen, scores, np.empty(0))
        return MotorChoice(chosen, scores, best[0], self.sign * best[1], best[2])

    def surrogate(self, request: MotorRequest) -> MotorGP:
        """Give the process of these readings; of their negatives where a minimum is sought."""
        low, high = request.space.low, request.space.high
        gp = MotorGP(low, high, noise=self.noise, every=EVERY[self.path], seed=request.seed)
        gp.update(request.positions, self.sign * request.values)
        return gp

    def _by_botorch(self, gp: MotorGP, request: MotorRequest) -> tuple[Array, Array]:
        return choose_with_botorch(
            gp,
            request.space.region(),
            request.num,
            request.pending,
            criterion=self.criterion if self.goal == "optimum" else "integrated-variance",
            seed=int(request.rng.integers(2**31)),
            travel=self._travel,
            start=request.stands,
        )

    def _by_light_search(self, gp: MotorGP, request: MotorRequest) -> tuple[Array, Array]:
        if self.goal != "optimum":
            candidates = FEW_CANDIDATES * (4 if self.path == "full" else 1)
            return self._by_integral(gp, request, request.num, request.pending, candidates)
        return self._climb(gp, request)

    def _climb(self, gp: MotorGP, request: MotorRequest) -> tuple[Array, Array]:
        """Go by the upper confidence; its last point off the hill on which the latest ones are."""
        search = Search(request.space.region(), self._travel, request.stands)
        bound, pending, rng = UpperConfidence(gp), request.pending, request.rng
        top = _hill(gp, request)
        if top is not None:
            away = search.choose(gp, OffHill(bound, top), 1, pending, rng)
            if np.isfinite(away[1]).all():  # else there is no such place
                pending = np.concatenate([pending, away[0]])
                near = search.choose(gp, bound, request.num - 1, pending, rng)
                return np.concatenate([near[0], away[0]]), np.concatenate([near[1], away[1]])
        return search.choose(gp, bound, request.num, pending, rng)

    def _by_integral(
        self, gp: MotorGP, request: MotorRequest, num: int, pending: Array, candidates: int
    ) -> tuple[Array, Array]:
        """Choose by what is learned of all the space."""
        region = request.space.region()
        # the same points in every decision: what was gained before is not asked for again
        over = region.spread(INTEGRATED, request.seed)
        if self.threshold is None:
            acquisition = VarianceReduction(gp, over, pending)
        else:
            acquisition = BoundaryGain(gp, self.threshold, over, pending)
        search = Search(region, self._travel, request.stands, candidates)
        return search.choose(gp, acquisition, num, pending, request.rng)

    def _followed(self, request: MotorRequest) -> MotorGP:
        """Bring the process up to date; anew where the readings do not extend the last ones."""
        gp, values = self._gp, self.sign * request.values
        known = 0 if gp is None else gp.num_readings
        same = gp is not None and (
            np.array_equal(gp.values, values[:known])
            and np.array_equal(gp.low, request.space.low)
            and np.array_equal(gp.high, request.space.high)
            and np.array_equal(gp.positions, request.positions[:known])
        )
        if gp is None or not same or len(values) < known:
            gp = self.surrogate(request)
        elif len(values) > known:
            gp.update(request.positions[known:], values[known:])
        self._gp = gp
        return gp


def _hill(gp: MotorGP, request: MotorRequest) -> Array | None:
    """(D,) the best position, where the latest points all lie on its hill; else None."""
    best = gp.best()
    latest = np.concatenate([request.positions, request.pending])[-SITTING:]
    if best is None or len(latest) < SITTING:
        return None
    return best[0] if (gp.posterior(latest).likeness(best[0]) > ON_HILL).all() else None


def motor_sampler(agent: str | Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Read a goal: its name, or a mapping with ``goal`` and the options of ``MotorGoal``.

    Returns
    -------
    goal : str
    options : dict

    Raises
    ------
    ValueError
        If it is neither.
    """
    options: dict[str, Any] = {"goal": agent} if isinstance(agent, str) else dict(agent)
    goal = str(options.pop("goal", "none"))
    _one_of("goal", goal, GOALS)
    check_threshold(goal, options.get("threshold"))
    return goal, options


def check_threshold(goal: str, threshold: float | None) -> None:
    """Refuse a boundary without a threshold, and a threshold without a boundary.

    Raises
    ------
    ValueError
        For either.
    """
    if goal == "boundary" and (threshold is None or not math.isfinite(threshold)):
        raise ValueError(f"the goal boundary needs a threshold, but {threshold!r} came: give one")
    if goal != "boundary" and threshold is not None:
        raise ValueError(f"a threshold is for the goal boundary, but the goal is {goal}")


def _one_of(what: str, given: Any, known: Sequence[str]) -> None:
    if given not in known:
        raise ValueError(f"{what} is one of {', '.join(known)}, but {given!r} came")
