"""A soft microscope to be flown, whose moves and speeds are written down."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bluesky import RunEngine
from bluesky.utils import RunEngineInterrupted

from skysteer.agent import History, make_sampler
from skysteer.plans import adaptive_scan, resume_scan
from skysteer.simulators import SoftMicroscope
from skysteer.storage import Document, last_wins, read_journal

SAMPLERS = Path(__file__).with_name("samplers.py")
PITCH = 0.1
SETTINGS: dict[str, Any] = {"until": "points(80)", "batch": 30, "seed": 3, "dwell": 0.01}


@dataclass
class Hangar:
    """A RunEngine and a soft microscope, whose moves and speeds are written down."""

    RE: RunEngine
    folder: Path
    microscope: SoftMicroscope
    sent: list[tuple[str, float]] = field(default_factory=list)
    speeds: list[tuple[str, float]] = field(default_factory=list)
    rows: int = 16
    columns: int = 20
    detectors: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.first = (self.microscope.x.velocity.get(), self.microscope.x.acceleration.get())
        for motor in (self.microscope.x, self.microscope.y):
            move, name = motor.set, motor.name

            def spy(value: float, move: Any = move, name: str = name, **options: Any) -> Any:
                self.sent.append((name, value))
                return move(value, **options)

            motor.set = spy
            motor.velocity.subscribe(
                lambda value, name=name, **_: self.speeds.append((name, value)), run=False
            )

    def plan(self, agent: Any = "Segments", **changes: Any) -> Any:
        m = self.microscope
        sampler = make_sampler(f"{SAMPLERS}:{agent}", {}) if isinstance(agent, str) else agent
        y = (m.y, 0, (self.rows - 1) * PITCH, self.rows)
        x = (m.x, 0, (self.columns - 1) * PITCH, self.columns)
        detectors = self.detectors or [m.counter]
        return adaptive_scan(detectors, sampler, *y, *x, **{"fly": True, **SETTINGS, **changes})

    def scan(self, agent: Any = "Segments", **changes: Any) -> Any:
        return self.RE(self.plan(agent, **changes)).plan_result

    def resume(self, documents: Any, agent: str = "Segments", **changes: Any) -> Any:
        m = self.microscope
        sampler = make_sampler(f"{SAMPLERS}:{agent}", {})
        plan = resume_scan(documents, [m.counter], [m.x, m.y], agent=sampler, **changes)
        return self.RE(plan).plan_result

    def start(self, plan: Any) -> None:
        """Run a plan until it is paused or over."""
        with suppress(RunEngineInterrupted):
            self.RE(plan)

    def resume_to_the_end(self) -> int:
        """Go on however often it is paused; how often that was."""
        pauses = 0
        while self.RE.state == "paused":
            pauses += 1
            with suppress(RunEngineInterrupted):
                self.RE.resume()
        return pauses

    def in_mid_air(self, number: int, act: Any) -> None:
        """Do something from another thread while the n-th flight is under way."""
        seen = [0]

        def look(message: Any) -> None:
            mine = (self.microscope.x, self.microscope.y)
            if message.command == "set" and message.obj in mine and not self.full_speed():
                seen[0] += 1
                if seen[0] == number:
                    threading.Timer(0.03, act).start()

        self.RE.msg_hook = look

    def pause_from_afar(self) -> None:
        """Pause at once, as Ctrl-C does."""
        self.RE.request_pause(defer=False)

    def pause(self) -> None:
        """Pause at once: what is under way is interrupted."""
        self.RE.loop.create_task(self.RE._request_pause_coro())

    def full_speed(self) -> bool:
        """Whether both motors have the speeds that they had at first."""
        motors = (self.microscope.x, self.microscope.y)
        return all((m.velocity.get(), m.acceleration.get()) == self.first for m in motors)

    def gets_back_to_full_speed(self) -> bool:
        """Whether they get them back, in a while."""
        deadline = time.monotonic() + 20
        while not self.full_speed() and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.full_speed()

    def documents(self) -> list[Document]:
        runs = sorted(self.folder.glob("*.jsonl"), key=lambda file: file.stat().st_mtime_ns)
        return read_journal(runs[-1])

    def events(self, stream: str = "primary") -> list[dict[str, Any]]:
        return events(self.documents(), stream)

    def pages(self) -> list[dict[str, Any]]:
        return [d for n, d in self.documents() if n == "event_page"]

    def said(self, kind: str) -> list[Any]:
        return [i for i in History.of(self.documents()).interventions if i.kind == kind]


def events(documents: list[Document], stream: str = "primary") -> list[dict[str, Any]]:
    """A stream's events in order, the last of each number."""
    whole = last_wins(documents)
    mine = {d["uid"] for n, d in whole if n == "descriptor" and d["name"] == stream}
    kept = [d for n, d in whole if n == "event" and d["descriptor"] in mine]
    return sorted(kept, key=lambda d: d["seq_num"])
