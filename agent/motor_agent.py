"""The agent of a motor space: what has been read, and a sampler that chooses what is next."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .motor_decision import MotorDecision, or_nan
from .motor_goal import MotorChoice, MotorGoal, MotorRequest, MotorSampler
from .motor_observations import MotorObservation, MotorObservations
from .motor_space import MotorSpace

Array = NDArray[np.float64]
LEAST_START = 4  # positions


class MotorAgent:
    """Decides where in a motor space to measure next.

    Its decisions are a fold over the observation log: with the same log, pending targets, number
    and seed, a new agent decides as the old one.

    Parameters
    ----------
    space : MotorSpace
    sampler : MotorSampler
    name : str
        As it stands in the documents.
    seed : int
    """

    def __init__(
        self, space: MotorSpace, sampler: MotorSampler, *, name: str = "", seed: int = 0
    ) -> None:
        self.space, self.sampler, self.seed = space, sampler, int(seed)
        self.name = name or type(sampler).__name__
        self.observations = MotorObservations()
        given = getattr(sampler, "start", None)
        self._start = max(2 * len(space.names) + 2, LEAST_START) if given is None else int(given)

    def observe(self, entries: Iterable[Sequence[Any]]) -> None:
        """Append observations (id, position, value) to the log; None is no usable value."""
        self.observations.extend(
            MotorObservation(int(number), tuple(map(or_nan, position)), or_nan(value))
            for number, position, value in entries
        )

    def decide(self, num: int, pending: ArrayLike = (), number: int = 0) -> MotorDecision:
        """Decide on the next batch.

        Parameters
        ----------
        num : int
            Points wanted, 1 or more; during the start no more than are left of it.
        pending : (Q, D) array-like
            Targets on their way, in motor units.
        number : int
            The decision's own number.
        """
        wall, cpu = time.perf_counter(), time.process_time()
        request = self._request(num, pending, number)
        source, choice = self._choose(request)
        dimensions = len(self.space.names)
        return MotorDecision(
            number=int(number),
            positions=_checked(choice.positions, dimensions),
            scores=np.asarray(choice.scores, dtype=np.float64).reshape(-1),
            source=source,
            seen=len(self.observations),
            digest=self._digest(request),
            best=choice.best if len(choice.best) else np.full(dimensions, np.nan),
            best_value=float(choice.best_value),
            best_std=float(choice.best_std),
            ms=(time.perf_counter() - wall) * 1e3,
            cpu_ms=(time.process_time() - cpu) * 1e3,
        )

    def _request(self, num: int, pending: ArrayLike, number: int) -> MotorRequest:
        if num < 1:
            raise ValueError(f"a batch has 1 point or more, but {num} were asked for")
        dimensions = len(self.space.names)
        waiting = np.asarray(pending, dtype=np.float64).reshape(-1, dimensions)
        positions, values = self.observations.learned()
        positions = positions.reshape(-1, dimensions)
        return MotorRequest(
            self.space, positions, values, waiting, int(num), int(number), self.seed
        )

    def _choose(self, request: MotorRequest) -> tuple[str, MotorChoice]:
        """Take the start first; a reading that failed counts as one, its neighbours will do."""
        done = self.observations.next_id - 1 + len(request.pending)
        if done < self._start or not len(request.values):
            most = max(self._start, done + request.num)
            points = request.space.region().spread(most, self.seed)
            chosen = points[done : min(done + request.num, max(self._start, done + 1))]
            return "start", MotorChoice(chosen, np.full(len(chosen), np.nan), np.empty(0))
        choice = self.sampler.choose_positions(request)
        if not isinstance(choice, MotorChoice):
            came = type(choice).__name__
            raise TypeError(f"choose_positions() must return a MotorChoice, but a {came} came")
        return self.name, choice

    def _digest(self, request: MotorRequest) -> str:
        whole = hashlib.sha256()
        numbers = (request.num, request.number, self.seed)
        whole.update(repr((self.name, self.space.describe(), numbers)).encode())
        whole.update(np.ascontiguousarray(request.pending).tobytes())
        whole.update(self.observations.fingerprint())
        return whole.hexdigest()[:16]


class MotorAgentServer:
    """A motor agent behind JSON: what a worker runs.

    Parameters
    ----------
    spec : mapping
        ``goal`` and ``options`` (of `MotorGoal`), ``space`` (``MotorSpace.describe()``), ``seed``.
    sampler : MotorSampler, optional
        One built already, in place of ``goal`` and ``options``.
    """

    def __init__(self, spec: Mapping[str, Any], sampler: MotorSampler | None = None) -> None:
        self._spec = spec
        self._sampler = sampler or MotorGoal(spec["goal"], **(spec.get("options") or {}))
        self._reset()

    def _reset(self) -> None:
        spec = self._spec
        space = MotorSpace.from_description(spec["space"])
        self._agent = MotorAgent(space, self._sampler, name=spec["goal"], seed=spec.get("seed", 0))

    def describe(self) -> dict[str, Any]:
        """Goal and options, as they stand in the start document."""
        self._agent.space.region().spread(1, 0)  # raises where nothing is allowed
        return {"goal": self._spec["goal"], "options": dict(self._spec.get("options") or {})}

    def decide(
        self,
        since: int,
        entries: list[list[Any]],
        num: int,
        pending: list[list[float]],
        number: int,
    ) -> dict[str, Any]:
        """Learn the log from position ``since`` on, then decide; 0 begins anew."""
        if since == 0:
            self._reset()
        if since != len(self._agent.observations):
            raise ValueError(f"the log goes on at {len(self._agent.observations)}, not at {since}")
        self._agent.observe(entries)
        return self._agent.decide(num, pending, number).to_json()


def _checked(positions: ArrayLike, dimensions: int) -> Array:
    where = np.asarray(positions, dtype=np.float64)
    if where.ndim != 2 or where.shape[1] != dimensions:
        raise ValueError(f"positions have shape (K, {dimensions}), but {where.shape} came")
    return where
