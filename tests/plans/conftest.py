"""A RunEngine with its journal, and soft devices over a known specimen."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from bluesky import RunEngine
from bluesky.utils import RunEngineInterrupted
from ophyd.sim import SynAxis, SynSignal

from skysteer.agent import CountedTime, EventReader, ScanGrid, make_sampler
from skysteer.plans import adaptive_scan
from skysteer.simulators import SoftMicroscope
from skysteer.storage import Document, Journal, last_wins, read_journal

from .hangar import Hangar
from .mirror import mirror_devices

SAMPLERS = Path(__file__).with_name("samplers.py")


def specimen(x: float, y: float) -> float:
    """A hill and a step: repeatable readings."""
    return float(10 * np.exp(-((x - 15) ** 2 + (y - 6) ** 2) / 40) + (x > 8) * 3.0)


@dataclass
class Bench:
    """A RunEngine of its own, two axes, a detector, and what was written down."""

    RE: RunEngine
    x: Any
    y: Any
    det: Any
    folder: Path
    rows: int = 20
    columns: int = 25
    result: Any = None

    @property
    def axes(self) -> tuple[Any, ...]:
        return (self.y, 0, self.rows - 1, self.rows, self.x, 0, self.columns - 1, self.columns)

    def own(self, name: str) -> str:
        """The name of an agent from samplers.py, for a worker."""
        return f"{SAMPLERS}:{name}"

    def sampler(self, name: str, **options: Any) -> Any:
        """The same as an object of this process."""
        return make_sampler(self.own(name), options)

    def plan(self, agent: Any = "low-discrepancy", **changes: Any) -> Any:
        return adaptive_scan([self.det], agent, *self.axes, **changes)

    def scan(self, agent: Any = "low-discrepancy", **changes: Any) -> Any:
        """Run it; what the plan returned."""
        return self.RE(self.plan(agent, **changes)).plan_result

    def start(self, plan: Any) -> None:
        """Run a plan until it is paused or over."""
        with suppress(RunEngineInterrupted):
            self.result = self.RE(plan)

    def resume_to_the_end(self) -> int:
        """Go on however often it is paused; how often that was."""
        pauses = 0
        while self.RE.state == "paused":
            pauses += 1
            with suppress(RunEngineInterrupted):
                self.result = self.RE.resume()
        return pauses

    def runs(self) -> list[Path]:
        return sorted(self.folder.glob("*.jsonl"), key=lambda file: file.stat().st_mtime_ns)

    def documents(self, number: int = -1) -> list[Document]:
        """Of the latest run, or that with a number, as the journal holds them."""
        return read_journal(self.runs()[number])

    def events(self, stream: str = "primary", number: int = -1) -> list[dict[str, Any]]:
        """Data of a stream's events in order, the last of each number."""
        documents = last_wins(self.documents(number))
        mine = {d["uid"] for n, d in documents if n == "descriptor" and d["name"] == stream}
        kept = [d for n, d in documents if n == "event" and d["descriptor"] in mine]
        return [d["data"] for d in sorted(kept, key=lambda d: d["seq_num"])]

    def raw_events(self) -> list[dict[str, Any]]:
        """Events of the latest run's readings as they were emitted, twice where rewound."""
        documents = self.documents()
        mine = {d["uid"] for n, d in documents if n == "descriptor" and d["name"] == "primary"}
        return [d for n, d in documents if n == "event" and d["descriptor"] in mine]

    def decisions(self, number: int = -1) -> list[dict[str, Any]]:
        """Events of the decisions, without the prefix, arrays cut to their count."""
        cut = {
            "rows": "count",
            "columns": "count",
            "scores": "count",
            "pending_rows": "pending_count",
            "pending_columns": "pending_count",
        }
        plain = [
            {key.removeprefix("decision_"): value for key, value in data.items()}
            for data in self.events("decisions", number)
        ]
        return [
            {k: list(v[: data[cut[k]]]) if k in cut else v for k, v in data.items()}
            for data in plain
        ]

    def batches(self, number: int = -1) -> list[list[tuple[int, int]]]:
        return [list(zip(d["rows"], d["columns"], strict=True)) for d in self.decisions(number)]

    def reader(self, number: int = -1) -> EventReader:
        """What an agent learns from the documents."""
        documents = self.documents(number)
        record = documents[0][1]["skysteer"]
        grid = ScanGrid.from_description(record["grid"])
        reader = EventReader(grid, record["key"], counted=CountedTime.of(record))
        reader.read(documents)
        return reader

    def stop(self) -> dict[str, Any]:
        name, document = self.documents()[-1]
        assert name == "stop"
        return document


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    RE = RunEngine({}, call_returns_result=True)
    RE.subscribe(Journal(tmp_path / "journal"))
    x, y = SynAxis(name="x"), SynAxis(name="y")
    det = SynSignal(name="det", func=lambda: specimen(x.position, y.position))
    det.kind = "hinted"
    yield Bench(RE, x, y, det, tmp_path / "journal")
    if RE.state != "idle":
        RE.halt()
    RE.loop.call_soon_threadsafe(RE.loop.stop)


@pytest.fixture
def mirror(bench: Bench) -> Any:
    """The bench with a mirror's pitch and height, and the flux behind it."""
    pitch, height, detector = mirror_devices()
    beside: Any = bench
    beside.pitch, beside.height, bench.det = pitch, height, detector
    return beside


@pytest.fixture
def hangar(tmp_path: Path) -> Iterator[Callable[..., Hangar]]:
    """Make one: ``hangar(velocity=..., ramp=...)``."""
    engines: list[RunEngine] = []

    def make(**options: Any) -> Hangar:
        chosen = {"velocity": 100.0, "ramp": 0.1, "noise": "none", **options}
        RE = RunEngine({}, call_returns_result=True)
        RE.subscribe(Journal(tmp_path / "journal"))
        engines.append(RE)
        microscope = SoftMicroscope(kind="gradients", shape=(16, 20), **chosen)
        return Hangar(RE, tmp_path / "journal", microscope)

    yield make
    for RE in engines:
        if RE.state != "idle":
            RE.halt()
        RE.loop.call_soon_threadsafe(RE.loop.stop)


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """No scan leaves a process or a thread of its own behind."""
    before = set(psutil.Process().children(recursive=True))
    yield
    deadline = time.monotonic() + 20
    while (left := _left(before)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not left


def _left(before: set[psutil.Process]) -> list[Any]:
    ours = ("worker", "advisor", "local-worker")
    threads = [t for t in threading.enumerate() if t.name.startswith(ours) and not t.daemon]
    return [*(set(psutil.Process().children(recursive=True)) - before), *threads]
