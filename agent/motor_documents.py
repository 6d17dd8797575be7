"""From documents to the observations of a motor space."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from .documents import SINGLE_NUMBERS
from .intervention import INTERVENTIONS, Intervention
from .motor_observations import MotorObservation, MotorObservations
from .motor_space import MotorSpace


class Targets(Protocol):
    """Where targets are, by the names that they bear in a run."""

    def position(self, name: tuple[int, int]) -> dict[str, float]:
        """Motor units, by motor."""
        ...


class MotorReader:
    """Reads the observations out of a run's documents, as they are emitted.

    Parameters
    ----------
    space : MotorSpace
        Its names are the data keys of the positions.
    key : str
        Data key of the steering reading.
    grid : Targets, optional
        Where the run's targets are; only the plan needs it.

    Raises
    ------
    ValueError
        At the stream's descriptor, if a key is missing or is no single number: before a point
        is wasted.
    """

    stream = "primary"

    def __init__(self, space: MotorSpace, key: str, grid: Targets | None = None) -> None:
        self.space, self.key, self.grid = space, key, grid
        self.beside: dict[int, float] = {}  # nothing is read beside
        self.observations = MotorObservations()
        self.interventions: list[Intervention] = []
        self._streams: dict[str, str] = {}
        self._before = 0  # events of the runs that this one goes on with

    def __call__(self, name: str, doc: Mapping[str, Any]) -> None:
        """Take one document."""
        if name == "start" and doc.get("resumed_from"):
            self._before = self.observations.next_id - 1
        elif name == "descriptor":
            self._describe(doc)
        elif name == "event":
            self._hear(doc["descriptor"], doc["seq_num"], doc["data"])
        elif name == "event_page":
            for k, number in enumerate(doc["seq_num"]):
                data = {key: column[k] for key, column in doc["data"].items()}
                self._hear(doc["descriptor"], number, data)

    def read(self, documents: Iterable[tuple[str, Mapping[str, Any]]]) -> MotorObservations:
        """Take a whole run's documents; returns the observations."""
        for name, doc in documents:
            self(name, doc)
        return self.observations

    def recall(
        self, log: Iterable[MotorObservation], interventions: Iterable[Intervention]
    ) -> None:
        """Take what earlier runs said; a run that names one as ``resumed_from`` counts on."""
        self.observations.extend(log)
        self.interventions.extend(interventions)

    def _describe(self, doc: Mapping[str, Any]) -> None:
        self._streams[doc["uid"]] = doc.get("name", "")
        if doc.get("name") != self.stream:
            return
        keys = doc["data_keys"]
        wanted = (*self.space.names, self.key)
        for key in wanted:
            if key not in keys:
                raise ValueError(
                    f"stream {self.stream!r} has no data key {key!r}; it has "
                    f"{', '.join(sorted(keys))}"
                )
            kind, shape = keys[key]["dtype"], tuple(keys[key].get("shape") or ())
            if shape or kind not in SINGLE_NUMBERS:
                raise ValueError(
                    f"key {key!r} is of type {kind} and shape {shape}, but motors are steered by "
                    "single numbers: choose a reduced one, such as a total"
                )

    def _hear(self, descriptor: str, number: int, data: Mapping[str, Any]) -> None:
        stream = self._streams.get(descriptor)
        if stream == self.stream:
            position, value = self.space.vector(data), float(data[self.key])
            entry = MotorObservation(self._before + int(number), position, value)
            self.observations.extend([entry])
        elif stream == INTERVENTIONS:
            self._take(Intervention.from_event(data))

    def _take(self, intervention: Intervention) -> None:
        """Note an intervention once, though a rewind says it twice; a quarantine takes effect."""
        if intervention.number < len(self.interventions):
            return
        self.interventions.append(intervention)
        if intervention.kind == "quarantine":
            numbers = map(int, intervention.detail["seq_nums"])
            self.observations.extend(MotorObservation(n, (), math.nan) for n in numbers)
