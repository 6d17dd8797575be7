"""The inbox of a scan: what people say to it, from this process or by way of its folder."""

from __future__ import annotations

import getpass
import os
import socket
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from ..agent import Message

Pixel = tuple[int, int]


class Letter(Protocol):
    """A message from outside, as ``storage.Mailbox`` gives it."""

    @property
    def content(self) -> Mapping[str, Any]: ...
    @property
    def objection(self) -> str: ...
    @property
    def reply(self) -> Callable[[bool, str], None]: ...


class Source(Protocol):
    """Where messages come from, besides this process."""

    def collect(self) -> Sequence[Letter]:
        """Take the messages that have come; costs microseconds where there are none."""
        ...


@dataclass(frozen=True)
class Said:
    """A message that waits for the plan, or one that may not be obeyed.

    Attributes
    ----------
    message : Message
    objection : str
        Why it is refused; empty where it is not.
    reply : callable
        Takes whether it was obeyed, and why not.
    """

    message: Message
    objection: str
    reply: Callable[[bool, str], None]


class Inbox:
    """Takes messages for one scan, from any thread; the plan obeys them between two points.

    Give it to ``adaptive_scan(..., inbox=inbox)``. Each method returns a future: its result is
    ``"taken"`` as soon as the scan has recorded the message, or a ValueError says why it was
    refused. While the RunEngine is paused only ``resume`` and ``stop`` have a meaning.

    Parameters
    ----------
    source : Source, optional
        Brings messages from elsewhere: ``storage.Mailbox(folder)`` those of ``skysteer tell``.
    by : str, optional
        Who speaks here; user@host.

    Examples
    --------
    >>> from bluesky import RunEngine
    >>> from ophyd.sim import det4, motor1, motor2
    >>> from skysteer.plans import adaptive_scan
    >>> inbox, RE = Inbox(by="Ada"), RunEngine(call_returns_result=True)
    >>> told = inbox.stop("seen enough")
    >>> plan = adaptive_scan([det4], "uniform", motor1, -1, 1, 9, motor2, -1, 1, 9, inbox=inbox)
    >>> RE(plan).plan_result.stop_reason, told.result()
    ('stopped by Ada: seen enough', 'taken')
    """

    def __init__(self, source: Source | None = None, by: str | None = None) -> None:
        self.by = by or me()
        self.paused = False  # by a message: the plan says so, for whoever resumes the RunEngine
        self._source = source
        self._waiting: deque[Said] = deque()

    # What people say.

    def stop(self, why: str = "") -> Future[str]:
        """End the run in order, before the next point."""
        return self.say("stop", why=why)

    def pause(self, why: str = "") -> Future[str]:
        """Pause the RunEngine before the next point."""
        return self.say("pause", why=why)

    def resume(self) -> Future[str]:
        """Go on after a pause (in IPython, ``RE.resume()`` does)."""
        return self.say("resume")

    def approve(self, decision: int | None = None) -> Future[str]:
        """Let a batch be measured; the one that waits, unless its number is given."""
        return self.say("approve", decision=decision)

    def reject(
        self, decision: int | None = None, pixels: Sequence[Pixel] | None = None
    ) -> Future[str]:
        """Leave out what is left of the present batch, or some pixels; none is suggested again."""
        return self.say("reject", decision=decision, pixels=pixels)

    def forbid(
        self,
        slow: tuple[float, float] | None = None,
        fast: tuple[float, float] | None = None,
        *,
        polygon: Sequence[tuple[float, float]] | None = None,
    ) -> Future[str]:
        """Keep out of a rectangle, or of a polygon of (slow, fast) corners, in motor units."""
        return self.say("forbid", slow=slow, fast=fast, polygon=polygon)

    def allow(self, number: int) -> Future[str]:
        """Take back the ``forbid`` that bears this number in the stream ``interventions``."""
        return self.say("allow", number=number)

    def inject(self, pixels: Sequence[Pixel]) -> Future[str]:
        """Measure these pixels next, when the present batch is done."""
        return self.say("inject", pixels=pixels)

    def agent(self, agent: str, options: Mapping[str, Any] | None = None) -> Future[str]:
        """Let another agent, or the same with other options, decide from here on."""
        return self.say("agent", agent=agent, options=options)

    def move(self, to: str | Pixel = "best") -> Future[str]:
        """At the end of the run, go to the best pixel, or to the one given."""
        if isinstance(to, str):
            return self.say("move", to=to)
        return self.say("move", row=to[0], column=to[1])

    def say(self, kind: str, **detail: Any) -> Future[str]:
        """Say any of these; what is None is left out.

        Raises
        ------
        ValueError
            For a message that makes no sense, at once.
        """
        given = {key: value for key, value in detail.items() if value is not None}
        message = Message.from_json({"kind": kind, "by": self.by, "detail": given})
        told: Future[str] = Future()
        self._waiting.append(Said(message, "", lambda taken, why: _tell(told, taken, why)))
        return told

    # What the plan asks.

    def take(self, *kinds: str) -> list[Said]:
        """Take all that has been said since, or what is of these kinds; the rest waits."""
        self._collect()
        taken: list[Said] = []
        left: list[Said] = []
        for _ in range(len(self._waiting)):
            said = self._waiting.popleft()
            (taken if not kinds or said.message.kind in kinds else left).append(said)
        self._waiting.extendleft(reversed(left))
        return taken

    def wakes(self) -> bool:
        """Whether somebody wants a paused scan to go on, or to stop."""
        self._collect()
        return any(said.message.kind in ("resume", "stop") for said in self._waiting)

    def _collect(self) -> None:
        if self._source is not None:
            self._waiting.extend(_read(letter) for letter in self._source.collect())


def me() -> str:
    """Name the person at this keyboard, as far as the machine knows."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def _read(letter: Letter) -> Said:
    """Validate what came from outside; what may not be obeyed is still reported."""
    objection = letter.objection
    if not objection:
        try:
            return Said(Message.from_json(letter.content), "", letter.reply)
        except ValueError as error:
            objection = str(error)
    return Said(Message("?", "unknown"), objection, letter.reply)


def _tell(told: Future[str], taken: bool, why: str) -> None:
    if not told.set_running_or_notify_cancel():  # whoever said it does not care any more
        return
    if taken:
        told.set_result("taken")
    else:
        told.set_exception(ValueError(why))
