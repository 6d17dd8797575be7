"""Ended by hand while something is being put right: all is put away, and nothing hangs."""

from __future__ import annotations

import threading
import time
from typing import Any

import psutil
import pytest
from ophyd.utils import DisconnectedError

from skysteer.agent import make_sampler
from skysteer.plans import BadPoints

from .faulty import FaultyCounter, FaultyMotor

AGENT = make_sampler("low-discrepancy", {})  # an object: it decides in this process
STATUS = {"abort": "abort", "stop": "success", "halt": "abort"}


@pytest.fixture
def troubled(bench: Any) -> Any:
    """The bench with a detector that is lost from its tenth count on, and tells if it is staged."""
    bench.x, bench.y = FaultyMotor("x"), FaultyMotor("y")
    bench.det = FaultyCounter(lambda: 1.0 + bench.x.position + 30 * bench.y.position)
    bench.staged = []
    bench.det.stage = lambda: bench.staged.append("staged") or [bench.det]
    bench.det.unstage = lambda: bench.staged.append("unstaged") or [bench.det]

    def lost(_: float) -> Exception | None:
        gone = bench.det.counts >= 10 and not bench.det.connected
        return DisconnectedError("det is not connected") if gone else None

    bench.det.silent = lost
    bench.det.connected = True
    return bench


def lose(bench: Any, at: int = 10) -> None:
    def hear(name: str, document: dict[str, Any]) -> None:
        if name == "event" and "det" in document["data"] and document["seq_num"] == at - 1:
            bench.det.connected = False

    bench.RE.subscribe(hear)


def wait_for(bench: Any, kind: str) -> None:
    """Until the run has recorded an intervention of a kind."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if bench.runs() and kind in [
            event["intervention_kind"] for event in bench.events("interventions")
        ]:
            return
        time.sleep(0.01)


@pytest.mark.parametrize("end", ["abort", "stop", "halt"])
def test_while_a_lost_device_is_waited_for(troubled: Any, end: str) -> None:
    before = psutil.Process().children(recursive=True)
    lose(troubled)

    def pause() -> None:
        wait_for(troubled, "wait")
        troubled.RE.request_pause()

    other = threading.Thread(target=pause)
    other.start()
    troubled.start(troubled.plan(AGENT, until="points(40)", batch=8))
    other.join()
    assert troubled.RE.state == "paused"
    getattr(troubled.RE, end)()
    assert troubled.stop()["exit_status"] == STATUS[end]
    assert troubled.staged == ["staged", "unstaged"]
    assert len(troubled.events()) == 9
    assert set(psutil.Process().children(recursive=True)) <= set(before)
    troubled.det.connected = True
    assert troubled.scan(AGENT, until="points(5)").points == 5


def test_pauses_while_a_lost_device_is_waited_for_repeat_nothing(troubled: Any) -> None:
    lose(troubled)
    pauses = [0]

    def pause() -> None:
        wait_for(troubled, "wait")
        for _ in range(3):
            while troubled.RE.state != "running":
                time.sleep(0.005)
            time.sleep(0.1)
            troubled.RE.request_pause()
            pauses[0] += 1
        troubled.det.connected = True

    other = threading.Thread(target=pause)
    other.start()
    troubled.start(troubled.plan(AGENT, until="points(40)", batch=8))
    assert troubled.resume_to_the_end() == 3
    other.join()
    assert troubled.result.plan_result.points == 40
    assert len(troubled.events()) == 40
    assert [e["seq_num"] for e in troubled.raw_events()] == list(range(1, 41))
    kinds = [event["intervention_kind"] for event in troubled.events("interventions")]
    assert kinds == ["wait"]


@pytest.mark.parametrize("end", ["abort", "stop", "halt"])
def test_while_a_person_is_waited_for(troubled: Any, end: str) -> None:
    lose(troubled)
    policy = BadPoints(lost=("pause", "stop"))
    troubled.start(troubled.plan(AGENT, until="points(40)", batch=8, on_bad_point=policy))
    assert troubled.RE.state == "paused"
    getattr(troubled.RE, end)()
    assert troubled.stop()["exit_status"] == STATUS[end]
    assert troubled.staged == ["staged", "unstaged"]
