"""The documents of runs, parted by run, and told to a reader in the order of the agent's log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sized
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from event_model import EventPage, unpack_event_page

from .intervention import INTERVENTIONS, Intervention

Documents = Iterable[tuple[str, Mapping[str, Any]]]
PRIMARY = "primary"


class Reader(Protocol):
    """Makes observations of documents."""

    @property
    def observations(self) -> Sized:
        """What it has heard."""
        ...

    def __call__(self, name: str, doc: Mapping[str, Any]) -> None:
        """Take one document."""
        ...


@dataclass(eq=False)
class RunDocuments:
    """One run's documents, stream by stream."""

    start: Mapping[str, Any]
    stop: Mapping[str, Any] | None = None
    descriptors: list[Mapping[str, Any]] = field(default_factory=list)
    events: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """From its start to its last document."""
        times = [doc["time"] for doc in (*self.events, self.stop or {}) if "time" in doc]
        return max(times, default=self.start["time"]) - self.start["time"]

    def of(self, stream: str) -> list[Mapping[str, Any]]:
        """A stream's events, as they were emitted."""
        mine = {each["uid"] for each in self.descriptors if each.get("name") == stream}
        return [event for event in self.events if event["descriptor"] in mine]

    def data(self, stream: str) -> list[Mapping[str, Any]]:
        """Give what a stream's events say."""
        return [event["data"] for event in self.of(stream)]


def by_run(documents: Documents) -> list[RunDocuments]:
    """Part documents by their runs.

    Parameters
    ----------
    documents : iterable of (name, document)
        Of each run its start first.

    Raises
    ------
    ValueError
        If something comes before the first start.
    """
    runs: list[RunDocuments] = []
    for name, doc in documents:
        if name == "start":
            runs.append(RunDocuments(doc))
        elif not runs:
            raise ValueError(f"a run's documents begin with its start, but a {name} came first")
        elif name == "stop":
            runs[-1].stop = doc
        elif name == "descriptor":
            runs[-1].descriptors.append(doc)
        elif name == "event":
            runs[-1].events.append(doc)
        elif name == "event_page":
            runs[-1].events.extend(unpack_event_page(cast(EventPage, doc)))
    return runs


def relive(run: RunDocuments, reader: Reader) -> None:
    """Tell a reader a run, each intervention where the log stood when it took effect."""
    reader("start", run.start)
    for descriptor in run.descriptors:
        reader("descriptor", descriptor)
    said = [(Intervention.from_event(each["data"]).seen, each) for each in run.of(INTERVENTIONS)]
    for event in run.of(PRIMARY):
        _tell(said, reader)
        reader("event", event)
    _tell(said, reader)


def _tell(said: list[tuple[int, Mapping[str, Any]]], reader: Reader) -> None:
    while said and said[0][0] <= len(reader.observations):
        reader("event", said.pop(0)[1])
