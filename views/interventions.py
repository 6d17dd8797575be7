"""What people said to a run and rules did to it, as a person reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from ..agent import Intervention

AGAIN = ("skip", "retry", "quarantine", "wait", "recover")
"""What rules do so often that only its number is told."""


@dataclass(frozen=True)
class InterventionPoint:
    """One event of the interventions stream.

    Attributes
    ----------
    number : int
        Its place in the run, from 0.
    kind : str
        What was done: ``pause``, ``forbid``, ``skip``, ...
    by : str
        Who did it: a person's name, or the rule's.
    seen : int
        Observations that had been made by then.
    time : float
        Seconds since 1970.
    detail : mapping
        What the kind needs.
    """

    number: int
    kind: str
    by: str
    seen: int
    time: float
    detail: Mapping[str, Any] = field(default_factory=dict)


def intervention_of(event: Mapping[str, Any]) -> InterventionPoint:
    """Read an event of the interventions stream."""
    said = Intervention.from_event(event["data"])
    return InterventionPoint(
        said.number, said.kind, said.by, said.seen, float(event["time"]), said.detail
    )


def in_words(said: InterventionPoint) -> str:
    """What an intervention was, without who and when."""
    if "resumed_from" in said.detail:
        return _resumption(said.detail)
    words, why = _DONE.get(said.kind, said.kind), said.detail.get("why")
    about = ", ".join(_about(name, value) for name, value in said.detail.items() if name != "why")
    return words + (f" ({about})" if about else "") + (f": {why}" if why else "")


def _resumption(detail: Mapping[str, Any]) -> str:
    words = f"went on with run {detail['resumed_from'][:8]} after {detail['events']:,} points"
    if (number := detail.get("differs", -1)) >= 0:
        words += f"; decision {number}, made again, came out with other {detail['what']}"
    return words


def gathered(
    interventions: Sequence[InterventionPoint],
) -> list[tuple[InterventionPoint, str]]:
    """What they were in words, in order; the same done again and again is told once.

    Returns
    -------
    list of (InterventionPoint, str)
        The first of each kind, and the words.
    """
    return [_together(list(alike)) for _, alike in groupby(interventions, _alike)]


def _alike(said: InterventionPoint) -> tuple[Any, ...]:
    if said.kind not in AGAIN:
        return (said.number,)
    return said.kind, said.by, said.detail.get("why")


def _together(alike: Sequence[InterventionPoint]) -> tuple[InterventionPoint, str]:
    first = alike[0]
    if len(alike) == 1:
        return first, in_words(first)
    once = replace(first, detail={k: v for k, v in first.detail.items() if k == "why"})
    return first, f"{in_words(once)}, {len(alike)} times"


_DONE = {
    "pause": "paused",
    "resume": "went on",
    "stop": "stopped",
    "approve": "approved of a batch",
    "reject": "rejected targets",
    "forbid": "kept out of a zone",
    "allow": "took back a zone",
    "inject": "asked for pixels",
    "agent": "switched the agent",
    "move": "set where the stage goes at the end",
    "moved": "moved the stage at the end",
    "quarantine": "took a reading back",
    "skip": "skipped a target",
    "retry": "tried a point again",
    "recover": "ran a recovery plan",
    "wait": "waited",
    "refused": "did not obey",
}


def _about(name: str, value: Any) -> str:
    """A part of the detail as text; of many pixels the first ones."""
    if not isinstance(value, list):
        return f"{name} {value}"
    pairs = any(isinstance(each, list) for each in value)
    some = [",".join(map(str, each)) if pairs else str(each) for each in value]
    told = (" " if pairs else ",").join(some[:3])
    told += f" and {len(some) - 3} more" if len(some) > 3 else ""
    return told if name == "pixels" else f"{name} {told}"
