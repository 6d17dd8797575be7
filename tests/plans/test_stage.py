"""A scan that knows how long its stage takes: routes, batches, what is written down."""

from __future__ import annotations

from typing import Any

import bluesky.plan_stubs as bps
import pytest
from ophyd_async.core import init_devices
from ophyd_async.sim import SimMotor

from skysteer.agent import History, StageTime, largest_batch
from skysteer.plans import adaptive_scan, resume_scan

SLOW_ROWS = {"speed": [0.5, 100.0], "settle": 0.05}  # steps/s


def record(bench: Any) -> dict[str, Any]:
    return bench.documents()[0][1]["skysteer"]


def test_batches_are_visited_in_the_order_that_is_quickest_for_the_stage(bench: Any) -> None:
    seconds = []
    for stage in (None, SLOW_ROWS):
        bench.scan(until="points(120)", batch=40, seed=2, stage=stage)
        path = [(e["y"], e["x"]) for e in bench.events()]
        seconds.append(StageTime.of(SLOW_ROWS).travel(path))
    assert seconds[1] < 0.8 * seconds[0]
    assert record(bench)["stage"] == StageTime.of(SLOW_ROWS).describe()


def test_a_free_batch_suits_the_stage_and_grows_with_the_scan(bench: Any) -> None:
    bench.scan("spread", until="points(300)", stage={"speed": 20, "settle": 0.05}, dwell=None)
    stage = StageTime(speed=20, settle=0.05)
    assert record(bench)["batch"] == largest_batch(stage, (20, 25))
    assert record(bench)["batch_grows"]
    assert record(bench)["prefetch"] == 25
    assert bench.events("decisions")[0]["decision_rows"].shape == (record(bench)["batch"],)
    *chosen, _ = [d for d in bench.decisions() if d["source"] == "spread"]
    sizes = [d["count"] for d in chosen]
    assert sizes == [d["seen"] // 4 for d in chosen]
    assert sizes[-1] > 3 * sizes[0]


def test_a_batch_that_is_given_is_kept_to(bench: Any) -> None:
    bench.scan("spread", until="points(120)", batch=30, stage=SLOW_ROWS)
    assert next(d["count"] for d in bench.decisions() if d["source"] == "spread") == 30
    assert not record(bench)["batch_grows"]


def test_motors_are_asked_how_fast_they_are(bench: Any) -> None:
    bench.x.velocity.put(4.0)
    bench.y.velocity.put(2.5)
    bench.y.acceleration.put(0.5)
    bench.scan(until="points(12)", batch=4, settle=0.001, stage="motors")
    known = StageTime((2.5, 4.0), (0.5, 1.0), settle=0.001)
    assert StageTime.of(record(bench)["stage"]) == known


def test_motors_of_ophyd_async_are_asked_too(bench: Any) -> None:
    with init_devices():
        x, y = SimMotor(instant=False), SimMotor(instant=False)
    bench.RE(bps.mv(x.velocity, 1000.0, y.velocity, 500.0))
    axes = (y, 0, 9, 10, x, 0, 9, 10)
    bench.RE(adaptive_scan([bench.det], "raster", *axes, until="points(2)", stage="motors"))
    assert StageTime.of(record(bench)["stage"]) == StageTime((500.0, 1000.0), (0.5, 0.5))


@pytest.mark.parametrize(
    ("stage", "complaint"),
    [
        ("quick", "stage is a description of it, or 'motors' to ask them: 'quick' came"),
        ({"speed": 0}, "a stage's speed is"),
        ({"pace": 3}, "a stage is described by speed"),
    ],
)
def test_what_is_no_stage_is_refused_before_anything_moves(
    bench: Any, stage: Any, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        bench.scan(stage=stage)
    assert not bench.runs()


def test_motors_that_do_not_say_are_named(bench: Any) -> None:
    bench.x.velocity.put(0.0)
    with pytest.raises(ValueError, match=r"needs the speed of 'x' .* but none is there: describe"):
        bench.scan(stage="motors")


def test_a_scan_that_goes_on_keeps_its_stage_and_its_growing_batches(bench: Any) -> None:
    settings = {"until": "points(150)", "stage": SLOW_ROWS, "seed": 3}
    bench.scan("spread", **settings)
    whole = bench.documents()
    for place in (len(whole) // 3, len(whole) // 2):
        begun = whole[:place]
        bench.RE(resume_scan(begun, [bench.det], [bench.x, bench.y]))
        assert record(bench)["stage"] == whole[0][1]["skysteer"]["stage"]
        both = History.of([*begun, *bench.documents()])
        alone = History.of(whole)
        assert [e[:3] for e in both.log] == [e[:3] for e in alone.log]
        assert [d.decision.digest for d in both.decisions] == [
            d.decision.digest for d in alone.decisions
        ]
