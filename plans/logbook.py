"""What is done to a run beside its plan, as events of the stream ``interventions``."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import bluesky.plan_stubs as bps
from bluesky.protocols import Reading
from bluesky.utils import MsgGenerator
from event_model import DataKey

from ..agent import INTERVENTIONS, EventReader, Intervention

Plan = MsgGenerator[Any]


@dataclass(eq=False)  # a device: the RunEngine keeps it in a set
class Logbook:
    """A device whose reading is the latest intervention.

    Parameters
    ----------
    reader : EventReader
        Hears the run's documents, these included: what an intervention changes for the agent
        (a quarantine, say) takes effect when its document is heard.
    name : str
    """

    reader: EventReader
    name: str = "intervention"

    parent = None

    def __post_init__(self) -> None:
        self.hints: dict[str, Any] = {"fields": []}
        self._latest: Intervention | None = None
        self._at = 0.0

    def record(self, kind: str, by: str, **detail: Any) -> Plan:
        """Save an event that says what was done and by whom; ``detail`` is JSON-able."""
        number = len(self.reader.interventions)
        seen = len(self.reader.observations)
        self._latest, self._at = Intervention(number, kind, by, seen, detail), time.time()
        # Replayed after a pause, it reads the same once more.
        yield from bps.trigger_and_read([self], name=INTERVENTIONS)
        yield from bps.checkpoint()

    def read(self) -> dict[str, Reading[Any]]:
        """The latest intervention."""
        if self._latest is None:
            raise RuntimeError("nothing has been recorded yet: the logbook is read by record()")
        data: Mapping[str, Any] = self._latest.data()
        return {f"{self.name}_{k}": Reading(value=v, timestamp=self._at) for k, v in data.items()}

    def describe(self) -> dict[str, DataKey]:
        """Describe the keys of ``read``."""
        text = DataKey(source="plan", dtype="string", shape=[])
        number = DataKey(source="plan", dtype="integer", dtype_numpy="<i8", shape=[])
        kinds = {"number": number, "kind": text, "by": text, "seen": number, "detail": text}
        return {f"{self.name}_{key}": kind for key, kind in kinds.items()}

    def read_configuration(self) -> dict[str, Any]:
        """Nothing: the start document holds it."""
        return {}

    def describe_configuration(self) -> dict[str, Any]:
        """Nothing: the start document holds it."""
        return {}
