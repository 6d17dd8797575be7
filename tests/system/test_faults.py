"""Devices that fail while a scan runs: it goes on, or ends in order; it never hangs or strays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .programs import BENCHMARKS, benchmark

PROGRAM = BENCHMARKS / "reliability.py"
CLIENT = Path(__file__).with_name("lost_ioc_client.py")


def run(script: Path, *arguments: object, timeout: float, layer: str = "pyepics") -> list[Any]:
    """What a script says in JSON; one that hangs fails here, or by its own watchdog."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EPICS_")}
    done = subprocess.run(
        [sys.executable, str(script), *map(str, arguments)],
        env={**kept, "OPHYD_CONTROL_LAYER": layer},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert done.returncode == 0, (said[-1:], done.stderr[-3000:])
    return said


def check(outcomes: list[Any], number: int) -> None:
    assert len(outcomes) == number
    for outcome in outcomes:
        assert outcome["good"], outcome
        assert outcome["end"] in {"goal", "in order"}
        assert outcome["reason"]
        assert outcome["unguarded"] == outcome["wrong"] == []
        assert outcome["exposures"] >= max(outcome["counted"], outcome["points"])
    assert any(outcome["faults"] for outcome in outcomes)


def test_faults_at_random_end_no_scan_otherwise_than_in_order() -> None:
    chosen = ("--no-singles", "--no-pairs", "--random", 3, "--kills", 0, "--json")
    check(run(PROGRAM, *chosen, timeout=160), 3)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("layer", ["pyepics", "caproto"])
def test_nor_do_100_schedules_singles_and_pairs(layer: str) -> None:
    chosen = ("--random", 100, "--kills", 0, "--seed", 2, "--json")
    outcomes = run(PROGRAM, *chosen, timeout=3500, layer=layer)
    check(outcomes, 24 + 66 + 100)
    ends = [outcome["end"] for outcome in outcomes]
    assert ends.count("goal") > 80


@pytest.mark.parametrize("layer", ["pyepics", pytest.param("caproto", marks=pytest.mark.soak)])
def test_an_ioc_that_dies_and_comes_back_costs_no_point(layer: str) -> None:
    (said,) = run(CLIENT, timeout=160, layer=layer)
    assert (said["points"], said["reason"]) == (30, "30 points")
    assert said["readings"] == 30
    assert "wait" in said["kinds"]
    assert set(said["kinds"]) <= {"wait", "retry"}
    assert said["dwells"] == [0.02], "the new IOC was told the dwell again"


def test_the_judge_of_these_scans_finds_what_is_wrong() -> None:
    judge = benchmark("reliability_judge")
    in_the_zone, off_the_grid = [("y", 0.5), ("x", 0.65)], [("y", 0.0), ("x", 1.2)]
    free = [("y", 0.0), ("x", 0.0), ("y", 0.5), ("x", 0.1)]
    assert list(judge.unguarded(in_the_zone)) == [(0.5, 0.65)]
    assert list(judge.unguarded([*free, *off_the_grid])) == [(0.0, 1.2)]
    assert list(judge.unguarded([("x", float("nan"))]))
    assert not list(judge.unguarded(free))
    grid = {"axes": [{"name": n, "start": 0, "stop": 1, "num": 2} for n in ("y", "x")]}
    start = ("start", {"skysteer": {"grid": grid, "key": "det"}})
    keys = {key: {"dtype": "number", "shape": []} for key in ("y", "x", "det")}
    described = ("descriptor", {"uid": "d", "name": "primary", "data_keys": keys})
    data = {"y": 0.0, "x": 0.0, "det": 1.0}
    events = [("event", {"descriptor": "d", "seq_num": n, "data": data}) for n in (1, 3)]
    outcome = judge.Outcome(end="in order", exposures=4, repeated=1, counted=5)
    judge.examine(outcome, [start, described, *events, ("stop", {"exit_status": "fail"})], [])
    assert len(outcome.wrong) == 4
    assert not outcome.good
