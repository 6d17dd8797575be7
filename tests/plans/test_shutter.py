"""The shutter: open for exposures, closed whenever there are none."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from bluesky.utils import FailedStatus
from ophyd.status import Status

from skysteer.agent import make_sampler
from skysteer.plans import BadPoints, ScanShutter

from .faulty import FaultyCounter, FaultyMotor, times

AGENT = make_sampler("low-discrepancy", {})  # an object: it decides in this process
OPTIONS = {"until": "points(20)", "batch": 5, "prefetch": 0}


class Shutter:
    """A shutter that takes its time to open, and closes at once."""

    parent = None
    name = "shutter"

    def __init__(self) -> None:
        self.state = "close"
        self.was: list[str] = []

    def set(self, state: str) -> Status:
        self.was.append(state)
        status = Status(obj=self)

        def arrive() -> None:
            self.state = state
            status.set_finished()

        threading.Timer(0.02, arrive).start() if state == "open" else arrive()
        return status


@pytest.fixture
def dark(bench: Any) -> Any:
    """The bench with a shutter, which must be open when it counts."""
    bench.x, bench.y, bench.shutter = FaultyMotor("x"), FaultyMotor("y"), Shutter()
    bench.seen = []
    bench.det = FaultyCounter(lambda: bench.seen.append(bench.shutter.state) or 1.0)
    return bench


def test_it_is_opened_once_and_closed_at_the_end(dark: Any) -> None:
    outcome = dark.scan(AGENT, shutter=dark.shutter, **OPTIONS)
    assert dark.seen == ["open"] * 20
    assert dark.shutter.was.count("open") == 1
    assert dark.shutter.state == "close"
    assert outcome.exposures == 20
    assert dark.documents()[0][1]["skysteer"]["shutter"] == "shutter"


@pytest.mark.parametrize("end", ["resume", "abort", "stop", "halt"])
def test_it_is_closed_on_a_pause_and_however_that_ends(dark: Any, end: str) -> None:
    def pause(name: str, document: dict[str, Any]) -> None:
        if name == "event" and document["data"].get("det") and document["seq_num"] == 7:
            dark.RE.loop.create_task(dark.RE._request_pause_coro())

    token = dark.RE.subscribe(pause)
    dark.start(dark.plan(AGENT, shutter=dark.shutter, **OPTIONS))
    assert dark.RE.state == "paused"
    assert dark.shutter.state == "close"
    dark.RE.unsubscribe(token)
    if end == "resume":
        dark.resume_to_the_end()
        assert dark.result.plan_result.points == 20
    else:
        getattr(dark.RE, end)()
    assert dark.shutter.state == "close"
    assert set(dark.seen) == {"open"}


def test_it_is_closed_while_a_decision_takes_long(dark: Any) -> None:
    def look(name: str, document: dict[str, Any]) -> None:
        if name == "event" and "decision_number" in document["data"]:
            during.append((document["data"]["decision_number"], dark.shutter.state))

    during: list[tuple[int, str]] = []
    dark.RE.subscribe(look)
    agent = dark.sampler("Waits", seconds=1.5, number=5)
    shutter = ScanShutter(dark.shutter, patience=0.5)
    outcome = dark.scan(agent, shutter=shutter, until="points(40)", batch=5, prefetch=0)
    assert outcome.points == 40
    assert dict(during)[5] == "close"
    assert set(dark.seen) == {"open"}


def test_it_is_closed_when_something_fails(dark: Any) -> None:
    dark.x.fails = times(3, RuntimeError("the motor stalled"))
    failing = []
    fails = dark.x.fails
    dark.x.fails = lambda x: failing.append(dark.shutter.state) or fails(x)
    dark.det.seconds = 0.001
    outcome = dark.scan(AGENT, shutter=dark.shutter, **OPTIONS)
    assert outcome.points == 20
    assert failing[:4] == ["close"] * 4, "nothing has been exposed yet"
    dark.det.fails = lambda _: RuntimeError("no gate pulse") if dark.det.counts == 30 else None
    with pytest.raises(FailedStatus):
        dark.scan(AGENT, shutter=dark.shutter, **{**OPTIONS, "on_bad_point": None})
    assert dark.shutter.state == "close"


def test_it_is_closed_while_a_person_is_waited_for(dark: Any) -> None:
    dark.det.silent = times(1, ConnectionError("the network is gone"))
    policy = BadPoints(lost=("pause", "stop"))
    dark.start(dark.plan(AGENT, shutter=dark.shutter, on_bad_point=policy, **OPTIONS))
    assert dark.shutter.state == "close"
    dark.resume_to_the_end()
    assert dark.result.plan_result.points == 20
    assert set(dark.seen) == {"open"}


def test_other_words_for_open_and_closed_are_taken(dark: Any) -> None:
    dark.shutter.was = []
    dark.scan(AGENT, shutter=ScanShutter(dark.shutter, opened=1, closed=0), **OPTIONS)
    assert set(dark.shutter.was) == {0, 1}


def test_what_is_no_shutter_is_refused(dark: Any) -> None:
    with pytest.raises(ValueError, match="shutter takes a device that can be set"):
        dark.scan(AGENT, shutter="front end", **OPTIONS)
    assert dark.runs() == []
