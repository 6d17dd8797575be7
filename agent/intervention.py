"""What happened to a run beside its plan: said by a person, or done by a rule."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

INTERVENTIONS = "interventions"


@dataclass(frozen=True)
class Intervention:
    """One thing that somebody, or a rule, did to a run.

    Attributes
    ----------
    number : int
        Its place in the run, from 0.
    kind : str
        What was done: ``quarantine``, ``skip``, ``forbid``, ...
    by : str
        Who did it: a person's name, or the rule's.
    seen : int
        Length of the observation log when it took effect: a catalog keeps no order between streams.
    detail : mapping
        What the kind needs, JSON-able.
    """

    number: int
    kind: str
    by: str
    seen: int
    detail: Mapping[str, Any] = field(default_factory=dict)

    def data(self) -> dict[str, Any]:
        """What its event says, without the device's name."""
        detail = json.dumps(dict(self.detail), sort_keys=True)
        return {
            "number": self.number,
            "kind": self.kind,
            "by": self.by,
            "seen": self.seen,
            "detail": detail,
        }

    @classmethod
    def from_event(cls, data: Mapping[str, Any], name: str = "intervention") -> Intervention:
        """Read it from an event's data."""
        return cls(
            int(data[f"{name}_number"]),
            str(data[f"{name}_kind"]),
            str(data[f"{name}_by"]),
            int(data[f"{name}_seen"]),
            json.loads(data[f"{name}_detail"]),
        )
