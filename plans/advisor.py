"""The agent in its worker, and what stands in for it when it fails."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..agent import AgentServer, Decision, Guard, Observation, Zone, dwells_at, kept_lengths
from ..workers import Caller, WorkerDiedError
from .batch import Batch, Pixels

logger = logging.getLogger(__name__)

FALLBACK = "low-discrepancy"


@dataclass(frozen=True, eq=False)
class Question:
    """All that a batch is made from.

    Attributes
    ----------
    log : list of Observation
        What has been observed, revisions included.
    taken : (M, N) ndarray of bool
        Pixels that have been measured (with or without a usable value), are on their way, or have
        been given up; those with a value only where the guard lets none be measured again.
    pending : (Q, 2) ndarray of int64
        Targets on their way, in the order of the visit.
    unavailable : (V, 2) ndarray of int64
        Those and the targets that have been given up.
    num : int
        Points wanted.
    number : int
        The decision's own number.
    told : int
        How many interventions are known.
    zones : tuple of Zone
        Keep-out zones that people have added.
    agent : mapping or None
        ``agent`` and ``options`` of the agent to ask; None for the run's first.
    """

    log: list[Observation]
    taken: NDArray[np.bool_]
    pending: Pixels
    unavailable: Pixels
    num: int
    number: int
    told: int = 0
    zones: tuple[Zone, ...] = ()
    agent: Mapping[str, Any] | None = None


class Advisor:
    """Answers a question with a batch that the guard has let through, in a thread of its own.

    An agent that fails (it raises, gives nothing that may be driven to, or is silent for too
    long) is replaced by low-discrepancy points for the rest of the run; a worker that dies is
    started again once, and hears the whole log.

    Parameters
    ----------
    start_worker : callable
        Makes the worker that holds an agent (an ``AgentServer``), from the agent's description.
    spec : mapping
        The agent's description, as ``AgentServer`` takes it.
    guard : Guard
    timeout : float
        Seconds after which an agent that has not answered counts as failed.
    """

    def __init__(
        self,
        start_worker: Callable[[Mapping[str, Any]], Caller],
        spec: Mapping[str, Any],
        guard: Guard,
        timeout: float = 120.0,
    ) -> None:
        self.agent: str = spec["agent"]
        self._start_worker, self._timeout = start_worker, timeout
        self._first = self._spec = spec
        self._standby: tuple[Mapping[str, Any], Caller] | None = None
        self._guard = guard
        self._fallback: AgentServer | None = None
        self._sent = 0
        self._restarts = 1
        self._closed = False
        self._exchange = threading.Lock()  # a worker that is started while we close would stay
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="advisor")
        self._worker = start_worker(spec)

    def describe_agent(self) -> Future[dict[str, Any]]:
        """What the agent is, from the worker; fails where it cannot be built."""
        return self._worker.call("describe")

    def prepare(self, agent: Mapping[str, Any]) -> Future[dict[str, Any]]:
        """Start another agent beside the one at work, for a question that names it.

        What it is comes by the future, from its worker; fails where it cannot be built.
        """
        spec = {**self._first, **_named(agent)}
        with self._exchange:
            self._drop_standby()
            self._standby = (spec, self._start_worker(spec))
            return self._standby[1].call("describe")

    def guard(self, zones: Sequence[Zone] = ()) -> Guard:
        """The guard, with the keep-out zones that people have added."""
        return replace(self._guard, keep_out=(*self._guard.keep_out, *zones))

    def submit(self, question: Question) -> Future[Batch]:
        """Answer a question, in the background; an empty batch where no pixel is left."""
        return self._thread.submit(self._answer, question)

    def fall_back(self) -> AgentServer:
        """Do without the agent from here on."""
        self._worker.close()
        self._fallback = AgentServer({**self._spec, "agent": FALLBACK, "options": {}})
        return self._fallback

    def close(self) -> None:
        """End the worker; an answer under way fails."""
        with self._exchange:
            self._closed = True
            self._worker.close()
            self._drop_standby()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _answer(self, question: Question) -> Batch:
        failure = ""
        self._take_on(question.agent)
        if self._fallback is None:
            try:
                batch = self.vet(question, self._from_worker(question))
                if self._fell_short(question, batch):
                    raise RuntimeError(batch.note or "it suggested nothing")
                return batch
            except Exception as error:
                if self._closed:
                    raise
                failed = f"agent {self._spec['agent']!r} failed"
                failure = f"{failed}, low-discrepancy points from here: {_why(error)}"
                logger.warning("decision %d: %s", question.number, failure)
                self._fallback = self.fall_back()
        decision = self._fallback.decide(0, *_arguments(question, 0))
        batch = self.vet(question, Decision.from_json(decision))
        return replace(batch, note="; ".join(filter(None, (failure, batch.note))))

    def _from_worker(self, question: Question) -> Decision:
        try:
            decision = self._call_worker(question)
        except WorkerDiedError:
            if not self._restarts:
                raise
            self._restarts -= 1
            self._restart()
            logger.warning("decision %d: the worker died and is started again", question.number)
            decision = self._call_worker(question)
        self._sent = len(question.log)
        return decision

    def _call_worker(self, question: Question) -> Decision:
        if self._sent > len(question.log):  # a question of the past
            self._sent = 0
        reply = self._worker.call("decide", self._sent, *_arguments(question, self._sent))
        try:
            return Decision.from_json(reply.result(self._timeout))
        except TimeoutError:
            raise TimeoutError(f"no answer within {self._timeout:g} s") from None

    def _restart(self) -> None:
        with self._exchange:
            if self._closed:
                raise WorkerDiedError("the scan is over")
            self._worker.close()
            self._worker = self._start_worker(self._spec)
            self._sent = 0

    def _take_on(self, agent: Mapping[str, Any] | None) -> None:
        """Let the agent that a question names answer from here on, and hear the whole log."""
        wanted = self._first if agent is None else {**self._first, **_named(agent)}
        if wanted == self._spec:
            return
        with self._exchange:
            if self._closed:
                raise WorkerDiedError("the scan is over")
            self._worker.close()
            prepared, self._standby = self._standby, None
            if prepared is not None and prepared[0] == wanted:
                self._worker = prepared[1]
            else:
                self._worker = self._start_worker(wanted)
            self._spec, self._sent, self._restarts, self._fallback = wanted, 0, 1, None

    def _drop_standby(self) -> None:
        if self._standby is not None:
            self._standby[1].close()
            self._standby = None

    def vet(self, question: Question, decision: Decision) -> Batch:
        """Let through of a decision what the guard lets through."""
        verdict = self.guard(question.zones).vet(
            decision.pixels, question.taken, question.num, decision.lengths, decision.dwells
        )
        lengths = kept_lengths(decision.lengths, verdict.index)
        vetted = replace(
            decision,
            pixels=verdict.pixels,
            scores=decision.scores[verdict.index],
            lengths=lengths,
            dwells=dwells_at(decision.dwells, decision.lengths, verdict.index, lengths),
        )
        refusals = ", ".join(f"{n} {why}" for why, n in verdict.refused.items())
        note = f"guard refused {refusals}" if refusals else ""
        over = "" if len(vetted.pixels) else note or "nothing is left to measure"
        refused = verdict.refused.total()
        return Batch(
            vetted, question.pending, question.num, refused, note, over, told=question.told
        )

    def _fell_short(self, question: Question, batch: Batch) -> bool:
        forbidden = self.guard(question.zones).forbidden()
        return not len(batch.decision.pixels) and not (question.taken | forbidden).all()


def _named(agent: Mapping[str, Any]) -> dict[str, Any]:
    return {"agent": agent["agent"], "options": dict(agent.get("options") or {})}


def _arguments(question: Question, since: int) -> Sequence[Any]:
    fresh = question.log[since:]
    log, exposures = [_to_json(entry) for entry in fresh], [entry.exposure for entry in fresh]
    differ = any(exposure != 1.0 for exposure in exposures)
    told = exposures if differ else None
    return log, question.num, question.unavailable.tolist(), question.number, told


def _to_json(entry: Observation) -> list[float | None]:
    values = (value if np.isfinite(value) else None for value in entry.values)
    return [entry.id, entry.row, entry.column, *values]


def _why(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
