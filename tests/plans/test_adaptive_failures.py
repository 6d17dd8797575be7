"""Agents, workers and detectors that fail: the scan goes on, or ends with its reason."""

from __future__ import annotations

import logging
import math
import os
import signal
from typing import Any

import psutil
import pytest

BATCH = {"until": "points(60)", "batch": 10, "prefetch": 0}


def fell_back(bench: Any, number: int) -> str:
    """The note of the decision at which low-discrepancy points took over, once and for all."""
    decisions = bench.decisions()
    assert {d["source"] for d in decisions[number:-1]} == {"low-discrepancy"}
    assert "low-discrepancy" not in {d["source"] for d in decisions[:number]}
    assert not any("low-discrepancy points" in d["note"] for d in decisions[number + 1 :])
    return decisions[number]["note"]


@pytest.mark.parametrize(
    ("agent", "why"),
    [
        ("Raises", "ZeroDivisionError: no such luck"),
        ("RaisesLines", "ValueError: expected this but that came"),
        ("ChoosesAList", "choose() must return a Choice, but a list came"),
        ("SaysNothing", "it suggested nothing"),
        ("OffTheGrid", "guard refused 10 off the grid"),
        ("Measured", "guard refused 10 already measured"),
        ("NotFinite", ""),
        ("Exits", "SystemExit: 3"),
    ],
)
def test_an_agent_that_fails_is_replaced_by_low_discrepancy_points(
    bench: Any, agent: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    outcome = bench.scan(bench.sampler(agent), **BATCH)
    note = fell_back(bench, 4)
    assert f"{agent}' failed, low-discrepancy points from here" in note
    assert why in note
    assert outcome.points == len(bench.events()) == 60
    assert outcome.stop_reason == "60 points"
    assert [r.message for r in caplog.records if r.levelno == logging.WARNING] == [
        f"decision 4: {note}"
    ]


def test_so_is_one_in_a_worker(bench: Any) -> None:
    assert bench.scan(bench.own("Raises"), **BATCH).points == 60
    assert "no such luck" in fell_back(bench, 4)


def test_one_that_asks_for_what_is_under_way_loses_only_that(bench: Any) -> None:
    outcome = bench.scan(bench.sampler("Pending"), until="points(60)", batch=10, prefetch=3)
    pixels = [pixel for batch in bench.batches() for pixel in batch]
    assert outcome.points == 60 == len(set(pixels)) == len(pixels)
    assert any("already measured" in d["note"] for d in bench.decisions())
    assert {d["source"] for d in bench.decisions()[4:-1]} == {bench.decisions()[4]["source"]}


@pytest.mark.parametrize("in_process", [True, False])
def test_an_agent_that_hangs_is_given_up(bench: Any, in_process: bool) -> None:
    agent = bench.sampler("Hangs") if in_process else bench.own("Hangs")
    # generous to the worker's imports on a busy machine
    outcome = bench.scan(agent, decision_timeout=1.0 if in_process else 15.0, **BATCH)
    assert outcome.points == 60
    assert "no answer within" in fell_back(bench, 4)


def test_a_worker_that_keeps_dying_is_given_up(bench: Any) -> None:
    assert bench.scan(bench.own("Exits"), **BATCH).points == 60
    assert "the worker's process ended" in fell_back(bench, 4)


def test_what_an_agent_prints_is_no_answer(bench: Any) -> None:
    bench.scan(bench.own("Talks"), **BATCH)
    bench.scan(bench.sampler("Steepest"), **BATCH)
    assert bench.batches(0) == bench.batches(1)


def test_a_worker_killed_in_mid_decision_changes_no_decision(
    bench: Any, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    options = {"until": "points(60)", "batch": 10, "prefetch": 4}
    mortal = {"agent": bench.own("DiesOnce"), "options": {"trace": str(tmp_path / "died")}}
    bench.scan(mortal, **options)
    assert "decision 4: the worker died and is started again" in caplog.messages
    assert not any(d["note"] for d in bench.decisions())
    bench.scan(bench.sampler("Steepest"), **options)
    assert bench.batches(0) == bench.batches(1)


@pytest.mark.parametrize("after", [0, 17])
def test_a_worker_killed_while_it_waits_changes_no_decision(bench: Any, after: int) -> None:
    seen = []

    def kill(name: str, document: dict[str, Any]) -> None:
        if name == "event":
            seen.append(document)
        if name in {"start", "event"} and len(seen) == after and not killed:
            (worker,) = psutil.Process().children()
            os.kill(worker.pid, signal.SIGKILL)
            killed.append(worker.pid)

    killed: list[int] = []
    agent = bench.own("Steepest")
    bench.scan(bench.sampler("Steepest"), **BATCH)
    token = bench.RE.subscribe(kill)
    bench.scan(agent, **BATCH)
    bench.RE.unsubscribe(token)
    assert killed
    assert not any(d["note"] for d in bench.decisions())
    assert bench.batches(0) == bench.batches(1)


def test_the_guard_keeps_every_target_out_of_a_zone(bench: Any) -> None:
    zone = {"slow": [5, 12], "fast": [3, 20]}
    outcome = bench.scan(bench.sampler("Steepest"), until="coverage(1)", batch=50, keep_out=[zone])
    kept_out = [e for e in bench.events() if 5 <= e["y"] <= 12 and 3 <= e["x"] <= 20]
    assert kept_out == []
    assert outcome.points == 500 - 8 * 18
    assert outcome.stop_reason == "nothing is left to measure"
    assert not any("failed" in d["note"] for d in bench.decisions()), "it did what it could"


def test_a_grid_that_may_not_be_entered_is_left_alone(bench: Any) -> None:
    zone = {"slow": [-1, 99], "fast": [-1, 99]}
    outcome = bench.scan(keep_out=[zone])
    assert (outcome.points, outcome.stop_reason) == (0, "nothing is left to measure")
    assert bench.events() == []


def test_a_target_that_the_motor_refuses_is_not_driven_to(bench: Any) -> None:
    def check(value: float) -> None:
        if value == 7:
            raise ValueError("a bracket is in the way")

    bench.x.check_value = check
    outcome = bench.scan("raster", until="points(250)", batch=25)
    assert 7 not in {e["x"] for e in bench.events()}
    assert any("off limits (a bracket is in the way)" in d["note"] for d in bench.decisions())
    assert outcome.points > 100


def test_single_unusable_readings_cost_no_point_of_the_budget(bench: Any) -> None:
    bench.det.sim_set_func(
        lambda: math.nan if bench.x.position % 5 == 3 else float(bench.x.position)
    )
    outcome = bench.scan(bench.sampler("Steepest"), until="points(60)", batch=10)
    usable = {(e["y"], e["x"]) for e in bench.events() if math.isfinite(e["det"])}
    assert outcome.points == len(usable) == 60
    assert len(bench.events()) > 60
    targets = [(e["y_setpoint"], e["x_setpoint"]) for e in bench.events()]
    assert len(set(targets)) == len(targets), "a pixel without a reading is not tried again"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_detector_that_gives_nothing_ends_the_run(bench: Any, value: float) -> None:
    bench.det.sim_set_func(lambda: value)
    outcome = bench.scan(bench.sampler("Steepest"), batch=5)
    assert outcome.points == 0
    assert "check the detector" in outcome.stop_reason
    assert 10 <= len(bench.events()) <= 30
    assert bench.decisions()[-1]["stop_reason"] == outcome.stop_reason
    assert bench.stop()["exit_status"] == "success"


def test_a_reading_counts_where_it_was_taken(bench: Any) -> None:
    bench.x._readback_func = lambda value: min(value + 1.0, 24.0)  # one pixel beside its target
    outcome = bench.scan(bench.sampler("Steepest"), until="points(60)", batch=10)
    reader = bench.reader()
    where = {(o.row, o.column) for o in reader.observations.log}
    assert where == {(e["y"], e["x"]) for e in bench.events()}
    assert outcome.points == len(where) == 60


def test_a_stage_that_does_not_move_ends_the_run(bench: Any) -> None:
    bench.x._readback_func = lambda value: 3.0
    bench.y._readback_func = lambda value: 3.0
    outcome = bench.scan(bench.sampler("Steepest"), batch=5)
    assert outcome.points == 1
    assert "check the detector and the stage" in outcome.stop_reason


def test_a_stage_off_the_grid_teaches_nothing(bench: Any) -> None:
    bench.x._readback_func = lambda value: value + 100
    outcome = bench.scan(bench.sampler("Steepest"), batch=5)
    assert outcome.points == 0
    assert "check the detector and the stage" in outcome.stop_reason
