"""Before anything moves: what a scan would take, and what it would refuse."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest
from bluesky.simulators import RunEngineSimulator, check_limits, summarize_plan
from bluesky.utils import Msg
from ophyd import Signal
from ophyd.sim import SynAxis

from skysteer.agent import KeepOut
from skysteer.plans import dry_run


class LimitedAxis(SynAxis):
    """An axis with soft limits, as ophyd's positioners have them."""

    limits = (-1.0, 24.5)

    def check_value(self, value: float) -> None:
        if not self.limits[0] <= value <= self.limits[1]:
            raise ValueError(f"{self.name} = {value} is off limits")


@pytest.fixture
def limited(bench: Any) -> Any:
    bench.x, bench.y = LimitedAxis(name="x"), LimitedAxis(name="y")
    return bench


def targets(messages: list[Msg], bench: Any) -> list[tuple[float, float]]:
    """Where the stage is sent: (y, x) of each point."""
    stands: dict[Any, float] = {}
    points = []
    for message in messages:
        if message.command == "set":
            stands[message.obj] = message.args[0]
        elif message.command == "save":
            points.append((stands[bench.y], stands[bench.x]))
    return points


def test_blueskys_own_limit_check_passes_a_scan_within_the_limits(limited: Any) -> None:
    before = set(psutil.Process().children(recursive=True))
    check_limits(limited.plan("slads", until="points(60)"))
    assert set(psutil.Process().children(recursive=True)) == before, "no worker was started"
    assert limited.runs() == [] and limited.x.position == 0


def test_blueskys_own_limit_check_refuses_a_scan_beyond_them(limited: Any) -> None:
    limited.columns = 26
    with pytest.raises(ValueError, match=r"'x' spans 0 to 25, but the stage's soft limits are -1"):
        check_limits(limited.plan("slads", until="points(60)"))


def test_a_limit_within_the_grid_is_seen_by_the_check_too(limited: Any) -> None:
    limited.x.check_value = lambda value: 1 / (value != 12)  # where no end of the grid lies
    with pytest.raises(ZeroDivisionError):
        check_limits(limited.plan(until="coverage(1)"))


def test_a_scan_can_be_listed_and_simulated(bench: Any, capsys: Any) -> None:
    summarize_plan(bench.plan("slads", until="points(5)"))
    told = capsys.readouterr().out
    assert told.count("Read ['det', 'y', 'x']") == 5 and "x -> " in told
    messages = RunEngineSimulator().simulate_plan(bench.plan("slads", until="coverage(0.1)"))
    points = targets(messages, bench)
    assert len(set(points)) == len(points) == 50
    commands = [message.command for message in messages]
    assert commands.count("open_run") == commands.count("close_run") == 1
    assert commands.count("stage") == commands.count("unstage") == 3


def test_what_is_kept_out_is_not_listed_either(bench: Any) -> None:
    plan = bench.plan(until="coverage(1)", keep_out=[KeepOut((0, 9), (0, 24))])
    points = targets(RunEngineSimulator().simulate_plan(plan), bench)
    assert len(points) == 250 and min(y for y, _ in points) == 10


def test_a_step_of_ones_own_and_the_dwell_are_listed(bench: Any) -> None:
    bench.det.dwell = Signal(name="dwell")

    def step(detectors: Any, position: Any, _: Any) -> Any:
        for axis, value in position.items():
            yield Msg("set", axis, value)
        yield Msg("null", "mine")
        yield Msg("save")

    plan = bench.plan(until="points(7)", dwell=0.1, per_step=step)
    messages = RunEngineSimulator().simulate_plan(plan)
    assert sum(m.command == "null" for m in messages) == 7
    assert [m.args for m in messages if m.obj is bench.det.dwell] == [(0.1,)]


def test_it_still_runs(bench: Any) -> None:
    assert bench.scan(until="points(12)").points == 12


def told(bench: Any, folder: Path, **changes: Any) -> Any:
    return dry_run([bench.det], *bench.axes, **{"folder": folder, **changes})


def test_points_and_bytes_are_those_of_the_scan(bench: Any, tmp_path: Path) -> None:
    options = {"until": "points(100)", "batch": 10, "seed": 3}
    foreseen = told(bench, tmp_path, **options)
    bench.scan("low-discrepancy", **options)
    assert len(foreseen.pixels) == len(bench.events()) == 100
    assert not foreseen.at_most
    written = bench.runs()[-1].stat().st_size
    assert 0.5 * foreseen.size < written < foreseen.size, "half of it is for the catalog"


def test_time_and_travel_are_those_of_the_path(bench: Any, tmp_path: Path) -> None:
    bench.det.dwell = Signal(name="dwell")
    stage = {"speed": (2.0, 4.0)}
    foreseen = told(bench, tmp_path, until="points(60)", dwell=0.5, settle=0.1, stage=stage)
    steps = np.abs(np.diff(foreseen.pixels, axis=0))  # pixels are 1 unit wide
    moving = np.maximum(steps[:, 0] / 2.0, steps[:, 1] / 4.0).sum()
    assert foreseen.seconds == pytest.approx(moving + 60 * (0.5 + 0.1 + 0.01))
    assert foreseen.travel == tuple(steps.sum(axis=0))
    assert foreseen.exposure == 30.0


def test_the_motors_tell_how_fast_they_are(bench: Any, tmp_path: Path) -> None:
    bench.y.velocity.put(0.0)
    assert np.isnan(told(bench, tmp_path).seconds), "one that has no speed says nothing"
    for axis, speed in ((bench.y, 2.0), (bench.x, 4.0)):
        axis.velocity.put(speed)
        axis.acceleration.put(0.0)
    by_the_motors = told(bench, tmp_path).seconds
    assert by_the_motors == told(bench, tmp_path, stage={"speed": (2.0, 4.0)}).seconds


def test_a_time_limit_ends_it_where_the_clock_does(bench: Any, tmp_path: Path) -> None:
    foreseen = told(bench, tmp_path, until="time(30)", stage={"speed": 5.0})
    assert not foreseen.at_most
    assert 30 <= foreseen.seconds < 130 and 50 <= len(foreseen.pixels) < 500
    assert told(bench, tmp_path, until="coverage(0.5) | expected_error(0.1)").at_most
    assert len(told(bench, tmp_path, until="no_improvement(0.01)").pixels) == 500


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"until": "tired"}, "stop rule|coverage"),
        ({"dwell": 0.1}, "no detector has any of dwell"),
        ({"settle": -1.0}, "settle"),
        ({"key": "nothing"}, "no detector has the data key"),
        ({"keep_out": [{"slow": (-1, 99), "fast": (-1, 99)}]}, "all of it is kept out"),
        ({"stage": {"velocity": 3}}, "described by speed"),
    ],
)
def test_what_the_scan_would_refuse_the_dry_run_refuses(
    bench: Any, tmp_path: Path, changes: Any, why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        told(bench, tmp_path, **changes)


def test_limits_are_checked(limited: Any, tmp_path: Path) -> None:
    limited.columns = 26
    with pytest.raises(ValueError, match=r"soft limits are -1 to 24\.5: shorten the grid"):
        told(limited, tmp_path)


def test_a_disk_that_is_too_small_is_said(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = told(bench, tmp_path / "not" / "there").free
    assert free == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.1)
    assert not (tmp_path / "not").exists()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(ValueError, match=r"needs .* MB, but 0.001 MB are free"):
        told(bench, tmp_path)


def test_a_file_is_no_folder(bench: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="can be written to"):
        told(bench, tmp_path / "file")
