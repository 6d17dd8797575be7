"""From documents to observations: the only way in which an agent hears of a run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .grid import ScanGrid
from .intervention import INTERVENTIONS, Intervention
from .observations import Observation, Observations

SINGLE_NUMBERS = ("number", "integer", "boolean")  # of event-model's dtypes


@dataclass(frozen=True)
class CountedTime:
    """How long a reading was counted, in a scan that chooses its dwell.

    Attributes
    ----------
    key : str
        Data key of the time, s.
    nominal : float
        s of the scan's nominal dwell, above 0.
    """

    key: str
    nominal: float

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> CountedTime | None:
        """Read it from a start document's ``skysteer`` record; None where all dwells are alike."""
        key = record.get("dwell_key")
        return None if key is None else cls(str(key), float(record["dwell"]))


class EventReader:
    """Reads the observations out of a run's documents, as they are emitted.

    Parameters
    ----------
    grid : ScanGrid
        Its axes' names are the data keys of the positions.
    key : str or sequence of str
        Data key of the steering reading; several are taken together, the first of them first.
    stream : str
        Name of the stream to read.
    also : str, optional
        Data key of a further single number, kept in ``beside`` by the observation's number.
    counted : CountedTime, optional
        How long each reading was counted, where readings of one pixel add their counts.

    Raises
    ------
    ValueError
        At the stream's descriptor, if a key is missing or is no single number: before a point
        is wasted.
    """

    def __init__(
        self,
        grid: ScanGrid,
        key: str | Sequence[str],
        stream: str = "primary",
        also: str | None = None,
        counted: CountedTime | None = None,
    ) -> None:
        self.grid = grid
        self.keys = (key,) if isinstance(key, str) else tuple(key)
        self.stream = stream
        self.also = also
        self.beside: dict[int, float] = {}
        self.counted = counted
        self.observations = Observations(adds=counted is not None)
        self.interventions: list[Intervention] = []
        self._descriptors: set[str] = set()
        self._of_interventions: set[str] = set()
        self._before = 0  # events of the runs that this one goes on with

    @property
    def key(self) -> str:
        """The first of the steering keys."""
        return self.keys[0]

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

    def read(self, documents: Iterable[tuple[str, Mapping[str, Any]]]) -> Observations:
        """Take a whole run's documents; returns the observations."""
        for name, doc in documents:
            self(name, doc)
        return self.observations

    def recall(self, log: Iterable[Observation], interventions: Iterable[Intervention]) -> None:
        """Take what earlier runs said; a run that names one as ``resumed_from`` counts on."""
        self.observations.extend(log)
        self.interventions.extend(interventions)

    def _describe(self, doc: Mapping[str, Any]) -> None:
        if doc.get("name") == self.stream:
            self._check(doc["data_keys"])
            self._descriptors.add(doc["uid"])
        elif doc.get("name") == INTERVENTIONS:
            self._of_interventions.add(doc["uid"])

    def _hear(self, descriptor: str, number: int, data: Mapping[str, Any]) -> None:
        if descriptor in self._descriptors:
            self._learn(number, data)
        elif descriptor in self._of_interventions:
            self._take(Intervention.from_event(data))

    def _take(self, intervention: Intervention) -> None:
        """Note an intervention once, though a rewind says it twice; a quarantine takes effect."""
        if intervention.number < len(self.interventions):
            return
        self.interventions.append(intervention)
        if intervention.kind == "quarantine":
            # On no pixel: the reading is neither learned, nor does its pixel count as measured.
            taken_back = intervention.detail["seq_nums"]
            self.observations.extend(Observation(int(n), -1, -1, math.nan) for n in taken_back)

    def _learn(self, number: int, data: Mapping[str, Any]) -> None:
        row, column = self.grid.pixel(data) or (-1, -1)
        place = self._before + int(number)
        if self.also is not None:
            self.beside[place] = float(data[self.also])
        value, *others = (float(data[key]) for key in self.keys)
        of = self.counted
        exposure = 1.0 if of is None else float(data[of.key]) / of.nominal
        self.observations.append(Observation(place, row, column, value, tuple(others), exposure))

    def _check(self, data_keys: Mapping[str, Any]) -> None:
        wanted = (self.grid.slow.name, self.grid.fast.name, *self.keys)
        wanted += () if self.also is None else (self.also,)
        wanted += () if self.counted is None else (self.counted.key,)
        missing = [key for key in wanted if key not in data_keys]
        if missing:
            raise ValueError(
                f"stream {self.stream!r} has no data key {', '.join(map(repr, missing))}; "
                f"it has {', '.join(sorted(data_keys))}"
            )
        for key in wanted:
            kind, shape = data_keys[key]["dtype"], tuple(data_keys[key].get("shape") or ())
            if shape or kind not in SINGLE_NUMBERS:
                raise ValueError(
                    f"key {key!r} is of type {kind} and shape {shape}, but a scan is steered by "
                    "single numbers: choose a reduced one, such as a total"
                )
