"""The guard on every way to a motor: first moves, repeated ones, those of one's own step."""

from __future__ import annotations

import json
import math
import threading
from itertools import pairwise
from typing import Any

import bluesky.plan_stubs as bps
import numpy as np
import pytest

from skysteer.agent import make_sampler

from .faulty import FaultyCounter, FaultyMotor, times
from .test_adaptive_pauses import run_with_pauses

AGENT = make_sampler("low-discrepancy", {})  # an object: it decides in this process
OPTIONS = {"until": "points(40)", "batch": 8, "prefetch": 0}
TRIANGLE = {"polygon": [[2.5, 2.5], [2.5, 20.5], [15.5, 2.5]]}


@pytest.fixture
def guarded(bench: Any) -> Any:
    """The bench with motors that tell what they were sent."""
    bench.x, bench.y = FaultyMotor("x"), FaultyMotor("y")
    bench.det = FaultyCounter(lambda: 1.0 + bench.x.position + 30 * bench.y.position)
    return bench


def in_the_triangle(y: float, x: float) -> bool:
    return y >= 2.5 and x >= 2.5 and (y - 2.5) / 13 + (x - 2.5) / 18 <= 1


def skipped(bench: Any) -> list[dict[str, Any]]:
    return [
        json.loads(e["intervention_detail"])
        for e in bench.events("interventions")
        if e["intervention_kind"] == "skip"
    ]


def test_no_target_lies_in_a_polygon(guarded: Any) -> None:
    outcome = guarded.scan(AGENT, until="coverage(1)", batch=200, keep_out=[TRIANGLE])
    visited = {(e["y"], e["x"]) for e in guarded.events()}
    free = {(y, x) for y in range(20) for x in range(25) if not in_the_triangle(y, x)}
    assert visited == free
    assert outcome.stop_reason == "nothing is left to measure"
    record = json.loads(json.dumps(guarded.documents()[0][1]["skysteer"]))
    assert record["keep_out"] == [TRIANGLE]


def test_a_move_that_is_repeated_after_a_pause_is_asked_for_again(guarded: Any) -> None:
    first = times(1, RuntimeError("on its way"))

    def on_its_way(value: float) -> Exception | None:
        hangs = first(value)
        if hangs is not None:
            threading.Thread(target=guarded.RE.request_pause).start()
        return hangs

    guarded.x.hangs = on_its_way
    guarded.start(guarded.plan(AGENT, **OPTIONS))
    assert guarded.RE.state == "paused"
    (target,) = guarded.x.sent

    asked: list[float] = []

    def check(value: float) -> None:
        asked.append(value)
        if len(asked) == 1:
            raise ValueError("a bracket has been put in the way")

    guarded.x.check_value = check
    guarded.resume_to_the_end()
    assert guarded.result.plan_result.points == 40
    assert asked[0] == target
    where = [(d["row"], d["column"]) for d in skipped(guarded)]
    assert where == [guarded.batches()[0][0]]
    sent = list(zip(guarded.y.sent, guarded.x.sent, strict=True))
    assert sent[0] == where[0], "before the pause"
    assert where[0] not in sent[1:]
    assert "a bracket has been put in the way" in skipped(guarded)[0]["why"]


def way(motor: FaultyMotor) -> list[float]:
    return [abs(b - a) for a, b in pairwise([0.0, *motor.sent])]


def test_a_long_way_is_gone_in_steps(guarded: Any) -> None:
    outcome = guarded.scan(AGENT, largest_step=(3.0, 5.0), **OPTIONS)
    assert outcome.points == 40
    assert max(way(guarded.y)) <= 3.0 + 1e-9
    assert max(way(guarded.x)) <= 5.0 + 1e-9
    assert max(way(guarded.x)) > 3.0
    targets = [(e["y"], e["x"]) for e in guarded.events()]
    assert all(float(v).is_integer() for target in targets for v in target)
    assert guarded.documents()[0][1]["skysteer"]["largest_step"] == [3.0, 5.0]


def test_pauses_make_no_step_longer(guarded: Any) -> None:
    guarded.det.seconds = 0.002
    plan = guarded.plan(AGENT, largest_step=2.0, **OPTIONS)
    assert run_with_pauses(guarded, plan, 20, 0) > 3
    assert guarded.result.plan_result.points == 40
    assert max(*way(guarded.x), *way(guarded.y)) <= 2.0 + 1e-9


def test_no_way_leads_through_a_polygon(guarded: Any) -> None:
    outcome = guarded.scan(AGENT, until="points(60)", batch=8, keep_out=[TRIANGLE])
    assert outcome.points == 60
    sent = [(0.0, 0.0), *zip(guarded.y.sent, guarded.x.sent, strict=True)]
    for (y0, x0), (y1, x1) in pairwise(sent):
        # whatever the axes' speeds: the nearest to the triangle is that corner of what they sweep
        ys, xs = np.linspace(y0, y1, 30), np.linspace(x0, x1, 30)
        assert not any(in_the_triangle(y, x) for y in ys for x in xs)
    assert len(sent) > 62, "round it"


def test_motors_that_are_away_while_a_batch_is_decided_cost_none_of_it(guarded: Any) -> None:
    away = times(10, TimeoutError("Failed to connect to SIM:y.LLM within 1.00 sec"))

    asked: list[float] = []

    def check(value: float) -> None:
        asked.append(value)
        if len(asked) > 2 and (error := away(value)):  # the ends of the grid come first
            raise error

    guarded.y.check_value = check
    outcome = guarded.scan(AGENT, **OPTIONS)
    assert outcome.points == 40
    kinds = [e["intervention_kind"] for e in guarded.events("interventions")]
    assert kinds == ["wait", "wait"], "eight targets of a batch, then two moves"
    assert {d["refused"] for d in guarded.decisions()} == {0}


def test_the_steps_keep_out_of_a_zone_as_well(guarded: Any) -> None:
    guarded.scan(AGENT, until="points(60)", batch=8, largest_step=2.0, keep_out=[TRIANGLE])
    together = list(zip(guarded.y.sent, guarded.x.sent, strict=True))
    assert not any(in_the_triangle(y, x) for y, x in together)
    assert len(together) > 60


def test_a_stage_that_does_not_say_where_it_stands_is_not_moved(guarded: Any) -> None:
    guarded.x.read = lambda: {"x": {"value": math.nan, "timestamp": 0.0}}
    outcome = guarded.scan(AGENT, largest_step=2.0, **OPTIONS)
    assert guarded.x.sent == guarded.y.sent == []
    assert "nobody knows where x stands" in outcome.stop_reason


@pytest.mark.parametrize("astray", [(5.0, 5.0), (1.0, math.nan)])
def test_a_step_of_ones_own_does_not_get_past_the_guard(guarded: Any, astray: Any) -> None:
    strays = []

    def step(detectors: Any, targets: Any, positions: Any) -> Any:
        (y, where_y), (x, where_x) = targets.items()
        if len(strays) == 3:
            where_y, where_x = astray
        strays.append((where_y, where_x))
        yield from bps.mv(y, where_y, x, where_x)
        yield from bps.trigger_and_read([*detectors, *targets])

    outcome = guarded.scan(AGENT, keep_out=[TRIANGLE], per_step=step, **OPTIONS)
    assert outcome.points == 40
    assert len(skipped(guarded)) == 1
    sent = set(zip(guarded.y.sent, guarded.x.sent, strict=False))
    assert astray not in sent
    assert all(math.isfinite(value) for value in guarded.x.sent)


@pytest.mark.parametrize(
    ("step", "match"),
    [
        ((1.0, 2.0, 3.0), "largest_step takes"),
        (0, "largest_step takes"),
        (math.nan, "largest_step"),
    ],
)
def test_a_largest_step_that_is_none_is_refused(guarded: Any, step: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        guarded.scan(AGENT, largest_step=step)
    assert guarded.x.sent == []
