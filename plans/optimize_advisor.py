"""The agent of a motor space in its worker, and what stands in for it when it fails."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..agent import MotorDecision, MotorObservation
from ..workers import Caller, WorkerDiedError
from .optimize_targets import MotorBatch, MotorGuard

logger = logging.getLogger(__name__)

FALLBACK = "low-discrepancy"


@dataclass(frozen=True, eq=False)
class MotorQuestion:
    """All that a batch is made from.

    Attributes
    ----------
    log : list of MotorObservation
    pending : (Q, D) ndarray of float64
        Targets on their way, in the order of the visit.
    num : int
        Points wanted.
    number : int
        The decision's own number.
    told : int
        How many interventions are known.
    """

    log: list[MotorObservation]
    pending: NDArray[np.float64]
    num: int
    number: int
    told: int = 0


class MotorAdvisor:
    """Answers a question with a batch that the guard has let through, in a thread of its own.

    An agent that fails is replaced by low-discrepancy points for the rest of the run; a worker that
    dies is started again once, and hears the whole log.

    Parameters
    ----------
    start_worker : callable
        Makes the worker that holds a ``MotorAgentServer``.
    guard : MotorGuard
    seed : int
        Of the low-discrepancy points.
    timeout : float
        Seconds after which an agent that has not answered counts as failed.
    """

    def __init__(
        self,
        start_worker: Callable[[], Caller],
        guard: MotorGuard,
        seed: int,
        timeout: float = 120.0,
    ) -> None:
        self.agent_guard, self._seed, self._timeout = guard, seed, timeout
        self._start_worker = start_worker
        self._sent, self._restarts = 0, 1
        self._closed = self._failed = False
        self._exchange = threading.Lock()  # a worker that is started while we close would stay
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="advisor")
        self._worker = start_worker()

    def describe_agent(self) -> Future[dict[str, Any]]:
        """What the agent is, from the worker; fails where it cannot be built."""
        return self._worker.call("describe")

    def submit(self, question: MotorQuestion) -> Future[MotorBatch]:
        """Answer a question, in the background."""
        return self._thread.submit(self._answer, question)

    def submit_last(
        self, question: MotorQuestion, reason: str, given_up: bool
    ) -> Future[MotorBatch]:
        """Ask what is best, in the background, for the word that ends a run."""
        return self._thread.submit(lambda: self._answer(question).ends(reason, given_up=given_up))

    def fall_back(self) -> None:
        """Do without the agent from here on."""
        self._failed = True
        self._worker.close()

    def close(self) -> None:
        """End the worker; an answer under way fails."""
        with self._exchange:
            self._closed = True
            self._worker.close()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _answer(self, question: MotorQuestion) -> MotorBatch:
        failure = ""
        if not self._failed:
            try:
                batch = self._vetted(question, self._from_worker(question))
                if len(batch.made.positions):
                    return batch
                raise RuntimeError(batch.note or "it suggested nothing")
            except Exception as error:
                if self._closed:
                    raise
                why = " ".join(str(error).split()) or type(error).__name__
                failure = f"the agent failed, low-discrepancy points from here: {why}"
                logger.warning("decision %d: %s", question.number, failure)
                self.fall_back()
        batch = self._vetted(question, self._instead(question))
        return replace(batch, note="; ".join(filter(None, (failure, batch.note))))

    def _instead(self, question: MotorQuestion) -> MotorDecision:
        """Low-discrepancy points, of which nobody says what is best."""
        first = len(question.log) + len(question.pending)
        region = self.agent_guard.space.region()
        points = region.spread(first + question.num, self._seed)[first:]
        unknown = np.full(points.shape[1], np.nan)
        scores = np.full(len(points), np.nan)
        number, seen = question.number, len(question.log)
        return MotorDecision(number, points, scores, FALLBACK, seen, "", unknown)

    def _vetted(self, question: MotorQuestion, decision: MotorDecision) -> MotorBatch:
        """Let through of a decision what the guard lets through, and no more than was asked for."""
        passed, refused = self.agent_guard.vet(decision.positions)
        kept = np.flatnonzero(passed)[: question.num]
        vetted = replace(decision, positions=decision.positions[kept], scores=decision.scores[kept])
        note = f"guard refused {len(refused)}: {refused[0]}" if refused else ""
        over = "" if len(kept) else note or "nothing is left to measure"
        # positions never run out: what is refused now may be allowed when the run is resumed
        return MotorBatch(
            vetted, question.pending, question.num, tuple(refused), note, over, question.told,
            given_up=bool(over),
        )  # fmt: skip

    def _from_worker(self, question: MotorQuestion) -> MotorDecision:
        try:
            decision = self._call_worker(question)
        except WorkerDiedError:
            with self._exchange:
                if self._closed or not self._restarts:
                    raise
                self._restarts -= 1
                self._worker.close()
                self._worker, self._sent = self._start_worker(), 0
            logger.warning("decision %d: the worker died and is started again", question.number)
            decision = self._call_worker(question)
        self._sent = len(question.log)
        return decision

    def _call_worker(self, question: MotorQuestion) -> MotorDecision:
        if self._sent > len(question.log):  # a question of the past
            self._sent = 0
        log = [_to_json(entry) for entry in question.log[self._sent :]]
        arguments: Sequence[Any] = (log, question.num, question.pending.tolist(), question.number)
        reply = self._worker.call("decide", self._sent, *arguments)
        try:
            return MotorDecision.from_json(reply.result(self._timeout))
        except TimeoutError:
            raise TimeoutError(f"no answer within {self._timeout:g} s") from None

    def prepare(self, agent: Mapping[str, Any]) -> Future[dict[str, Any]]:
        """Refuse another agent: what is learned here is learned for one goal."""
        refused: Future[dict[str, Any]] = Future()
        refused.set_exception(ValueError("an optimisation keeps its goal"))
        return refused


def _to_json(entry: MotorObservation) -> list[Any]:
    usable = entry.usable
    return [entry.id, list(entry.position) if usable else [], entry.value if usable else None]
