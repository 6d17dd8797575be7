"""What people said to a run and rules did to it, as a person reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..agent import Intervention

RULES = ("policy", "guard", "then", "resume")
"""Who acts in a run besides people."""


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
    words, why = _DONE.get(said.kind, said.kind), said.detail.get("why")
    about = ", ".join(
        f"{name} {_short(value)}" for name, value in said.detail.items() if name != "why"
    )
    return words + (f" ({about})" if about else "") + (f": {why}" if why else "")


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


def _short(value: Any) -> str:
    """A value as text; of many pixels the first ones."""
    if isinstance(value, list) and len(value) > 3:
        return f"{', '.join(map(str, value[:3]))} and {len(value) - 3} more"
    return str(value)
