"""What people say to a running scan, taken between two points and written down."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import bluesky.plan_stubs as bps

from ..agent import Message
from .advisor import Advisor
from .batch import Batch
from .decider import INJECTED, Decider
from .inbox import Inbox, Pixel, Said
from .logbook import Logbook, Plan
from .measurement import Measurement
from .point import move_to
from .request import keep_out_zones
from .waiting import wait_for_future

logger = logging.getLogger(__name__)

LOOK = 0.1  # s between two looks at the inbox while the scan waits for something else
REFUSED = "refused"  # the kind of the event that a message leaves which is not obeyed
MOVED = "moved"  # and that of the stage's last way


@dataclass(frozen=True)
class Ears:
    """What hears people in a run, and makes what they say count.

    Attributes
    ----------
    inbox : Inbox
    logbook : Logbook
    decider : Decider
    advisor : Advisor
    approval : bool
        Whether each batch waits for a person.
    patience : float
        Seconds that an agent may take to be built.
    pending : list of (row, column)
        What is left of the present batch.
    """

    inbox: Inbox
    logbook: Logbook
    decider: Decider
    advisor: Advisor
    approval: bool = False
    patience: float = 120.0
    pending: list[Pixel] = field(default_factory=list)


def attend(ears: Ears, pending: Sequence[Pixel] | None = None, *kinds: str) -> Plan:
    """Take what has been said since: an event for each message, and its answer.

    Parameters
    ----------
    ears : Ears
    pending : sequence of (row, column), optional
        What is left of the present batch, where that has changed.
    *kinds : str
        Of the messages that are taken; all where none is given.
    """
    if pending is not None:
        ears.pending[:] = pending
    said = ears.inbox.take(*kinds)
    for each in said:
        yield from _hear(ears, each, ears.pending)
    if said:
        ears.decider.reconsider(ears.pending)


def await_approval(ears: Ears, batch: Batch) -> Plan:
    """Wait, where approval is asked for, until a person has approved of a batch or rejected it."""
    pixels = [(int(row), int(column)) for row, column in batch.decision.pixels]
    if not ears.approval or not pixels or batch.decision.source == INJECTED:
        return
    number = batch.decision.number
    logger.warning("decision %d, %d points, waits for approval", number, len(pixels))
    while number not in ears.decider.orders.approved:
        if ears.decider.stop_reason() or ears.decider.orders.rejected.issuperset(pixels):
            return
        yield from bps.sleep(LOOK)
        yield from bps.checkpoint()  # else a rewind would sleep through it all again
        yield from attend(ears, pixels)


def move_at_the_end(ears: Ears, scan: Measurement, then: Mapping[str, Any] | None) -> Plan:
    """Go where people, or the plan's ``then``, want the stage to be at the end."""
    goal = ears.decider.orders.goal or then
    pixel = ears.decider.place(goal) if goal else None
    if pixel is None:
        return
    refused = ears.decider.objections([pixel], again=True)
    if refused:
        yield from ears.logbook.record(REFUSED, "guard", what="move", why=refused[0])
        return
    failed = yield from move_to(scan, ears.decider.grid.position(pixel))
    if failed:
        yield from ears.logbook.record(REFUSED, "policy", what="move", why=failed)
        return
    detail = {**(goal or {}), "row": pixel[0], "column": pixel[1]}
    yield from ears.logbook.record(MOVED, "then", **detail)


def _hear(ears: Ears, said: Said, pending: Sequence[Pixel]) -> Plan:
    message, objection = said.message, said.objection
    detail: dict[str, Any] = dict(message.detail)
    if not objection:
        described = yield from _started(ears, message)
        try:  # with no message to the RunEngine within: its ways to end a plan are exceptions too
            detail.update(described() if described else _completed(ears, message, pending))
        except Exception as error:
            objection = " ".join(str(error).split()) or "it took too long"
    if objection:
        yield from ears.logbook.record(REFUSED, message.by, what=message.kind, why=objection[:300])
    else:
        yield from ears.logbook.record(message.kind, message.by, **detail)
    said.reply(not objection, objection)
    if message.kind == "pause" and not objection:
        yield from wait_for_a_person(ears)


def wait_for_a_person(ears: Ears) -> Plan:
    """Pause until somebody resumes the RunEngine."""
    ears.inbox.paused = True
    try:
        yield from bps.pause()
    finally:
        ears.inbox.paused = False
    said = ears.inbox.take()
    if not any(each.message.kind == "resume" for each in said):
        yield from ears.logbook.record("resume", ears.inbox.by)
    for each in said:
        if each.message.kind == "resume":
            yield from ears.logbook.record("resume", each.message.by)
            each.reply(True, "")
        else:
            yield from _hear(ears, each, ())


def _completed(ears: Ears, message: Message, pending: Sequence[Pixel]) -> dict[str, Any]:
    """What a message leaves out, so that its event says it all; raises where it makes no sense."""
    detail, decider = message.detail, ears.decider
    match message.kind:
        case "resume":
            raise ValueError("the scan is not paused")
        case "approve" | "reject":
            return _about_a_batch(ears, message, pending)
        case "forbid":
            keep_out_zones([detail])
        case "allow":
            if detail["number"] not in decider.orders.zones:
                standing = ", ".join(map(str, decider.orders.zones)) or "none"
                raise ValueError(f"no forbid has number {detail['number']}: there is {standing}")
        case "inject":
            _check(ears, detail["pixels"])
        case "move":
            if "row" in detail:
                _check(ears, [(detail["row"], detail["column"])], again=True)
    return {}


def _about_a_batch(ears: Ears, message: Message, pending: Sequence[Pixel]) -> dict[str, Any]:
    batch, detail = ears.decider.batch, message.detail
    present = batch.decision.number if batch else None
    if present is None or detail.get("decision", present) != present:
        raise ValueError(f"decision {detail.get('decision')} is not the present one, {present}")
    if message.kind == "approve":
        if not ears.approval or present in ears.decider.orders.approved:
            raise ValueError(f"decision {present} waits for no approval")
        return {"decision": present}
    for pixel in detail.get("pixels", ()):
        _on_the_grid(ears, pixel)
    return {"decision": present, "pixels": [list(p) for p in detail.get("pixels", pending)]}


def _check(ears: Ears, pixels: Sequence[Sequence[int]], *, again: bool = False) -> None:
    refused = ears.decider.objections(pixels, again=again)
    if refused:
        raise ValueError(f"the guard refuses {len(refused)} of these pixels: {refused[0]}")


def _on_the_grid(ears: Ears, pixel: Sequence[int]) -> None:
    rows, columns = ears.decider.grid.shape
    if not (0 <= pixel[0] < rows and 0 <= pixel[1] < columns):
        raise ValueError(f"pixel {list(pixel)} is off the grid of {rows} x {columns}")


def _started(ears: Ears, message: Message) -> Plan:
    """Start the agent that shall take over, wait until it is built; what gives its description."""
    if message.kind != "agent":
        return None
    described = ears.advisor.prepare(message.detail)
    yield from wait_for_future(described, ears.patience)
    return partial(described.result, timeout=0)
