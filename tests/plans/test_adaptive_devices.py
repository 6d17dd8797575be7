"""Devices of every kind, and the RunEngine of an existing profile, used as they are."""

from __future__ import annotations

import asyncio
from typing import Any

import bluesky.preprocessors as bpp
import pytest
from ophyd_async.core import StandardReadable, init_devices, set_mock_value, soft_signal_rw
from ophyd_async.core import StandardReadableFormat as Format
from ophyd_async.epics.motor import Motor
from ophyd_async.sim import SimMotor

from skysteer.plans import adaptive_scan


class SoftDetector(StandardReadable):
    def __init__(self, name: str = "") -> None:
        with self.add_children_as_readables(Format.HINTED_SIGNAL):
            self.counts = soft_signal_rw(float, 7.0)
        with self.add_children_as_readables(Format.CONFIG_SIGNAL):
            self.dwell = soft_signal_rw(float, 1.0)
        super().__init__(name)


def test_ophyd_async_devices_are_taken_alike(bench: Any) -> None:
    async def build() -> tuple[Any, Any, Any]:
        async with init_devices():
            x, y, det = SimMotor(instant=True), SimMotor(instant=True), SoftDetector()
        return x, y, det

    x, y, det = _in_the_loop(bench, build())
    outcome = bench.RE(
        adaptive_scan([det], "uniform", y, 0, 4, 5, x, 0, 5, 6, until="points(12)", dwell=0.02)
    )
    assert outcome.plan_result.points == len(bench.events()) == 12
    assert set(bench.events()[0]) == {"det-counts", "x", "y"}
    assert bench.documents()[0][1]["skysteer"]["key"] == "det-counts"
    assert _in_the_loop(bench, det.dwell.get_value()) == 0.02


def test_ophyd_async_limits_are_asked_before_anything_moves(bench: Any) -> None:
    async def build() -> Any:
        async with init_devices(mock=True):
            x = Motor("NO:SUCH:PV")
        set_mock_value(x.velocity, 1.0)
        set_mock_value(x.low_limit_travel, 0.0)
        set_mock_value(x.high_limit_travel, 3.0)
        set_mock_value(x.dial_low_limit_travel, 0.0)
        set_mock_value(x.dial_high_limit_travel, 3.0)
        return x

    bench.x = _in_the_loop(bench, build())
    with pytest.raises(ValueError, match=r"axis 'x' spans 0 to 24.*shorten the grid"):
        bench.scan()
    assert bench.runs() == []


def test_a_profiles_run_engine_is_used_as_it_is(bench: Any) -> None:
    heard: list[str] = []
    bench.RE.md.update(proposal="42", scan_id=100)
    bench.RE.subscribe(lambda name, document: heard.append(name))
    bench.RE.preprocessors.append(bpp.SupplementalData(baseline=[bench.x]))
    before = (bench.RE.md, list(bench.RE.preprocessors), bench.RE.suspenders)
    bench.scan(until="points(5)")
    start = bench.documents()[0][1]
    assert (start["proposal"], start["scan_id"]) == ("42", 101)
    assert len(bench.events("baseline")) == 2
    assert heard.count("start") == 1
    assert (bench.RE.md, list(bench.RE.preprocessors), bench.RE.suspenders) == before
    heard.clear()
    bench.scan(until="points(5)")
    assert heard.count("start") == 1, "the scan's own subscriptions went with it"


def test_an_agent_of_the_notebook_decides_as_one_of_a_worker(bench: Any) -> None:
    options = {"until": "points(60)", "batch": 10, "seed": 2}
    bench.scan(bench.sampler("Steepest"), **options)
    bench.scan(bench.own("Steepest"), **options)
    assert bench.batches(0) == bench.batches(1)


def _in_the_loop(bench: Any, coroutine: Any) -> Any:
    return asyncio.run_coroutine_threadsafe(coroutine, bench.RE.loop).result(20)
