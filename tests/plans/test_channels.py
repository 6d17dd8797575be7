"""A map of elements: several keys steer a scan together, and its documents tell of all."""

from __future__ import annotations

import json
import logging
import math
from typing import Any

import numpy as np
import pytest
from ophyd.sim import SynSignal

from skysteer.agent import History, LowDiscrepancy, Slads
from skysteer.models import inverse_distance
from skysteer.plans import adaptive_scan, decide_again, dry_run, resume_scan
from skysteer.rehearsal import read_past_scan, replay

KEYS = ["det", "zinc"]
SETTINGS = {"until": "points(90)", "batch": 12, "seed": 3, "key": KEYS}


@pytest.fixture
def elements(bench: Any) -> Any:
    """The bench with a second detector, over something that the first does not see."""
    here = bench.x, bench.y
    bench.zinc = SynSignal(
        name="zinc", func=lambda: 40.0 * ((here[0].position - 5) ** 2 + here[1].position ** 2 < 30)
    )
    return bench


def plan(bench: Any, agent: Any = "slads", **changes: Any) -> Any:
    return adaptive_scan([bench.det, bench.zinc], agent, *bench.axes, **{**SETTINGS, **changes})


def scanned(bench: Any, agent: Any = "slads", **changes: Any) -> Any:
    return bench.RE(plan(bench, agent, **changes)).plan_result


def measured(*runs: Any) -> list[tuple[float, ...]]:
    log = History.of([d for run in runs for d in run]).log
    return [(*entry[:3], *np.nan_to_num(entry.values, nan=-1.0)) for entry in log]


@pytest.mark.parametrize("agent", ["slads", "gp", "hybrid"])
def test_the_documents_say_all_keys_and_every_decision_comes_out_of_them(
    elements: Any, agent: str
) -> None:
    assert scanned(elements, agent).points == 90
    documents = elements.documents()
    record = json.loads(json.dumps(documents[0][1]["skysteer"]))
    assert (record["key"], record["steered_by"]) == (KEYS, KEYS)
    past = History.of(documents)
    assert len(past.log[0].others) == 1
    assert [what for _, what in decide_again(past)] == [""] * len(past.made)


def test_the_second_element_draws_points_to_it(elements: Any) -> None:
    def near_zinc() -> int:
        log = History.of(elements.documents()).log
        return sum(abs(math.hypot(o.column - 5, o.row) - math.sqrt(30)) < 2 for o in log)

    scanned(elements, Slads())
    together = near_zinc()
    scanned(elements, Slads(), key="det")
    assert together > 1.3 * near_zinc()


def test_a_scan_of_elements_that_was_cut_off_goes_on_as_if_it_had_not_been(elements: Any) -> None:
    scanned(elements, Slads())
    whole = elements.documents()
    begun = whole[: len(whole) // 2]
    devices = [elements.det, elements.zinc], [elements.x, elements.y]
    elements.RE(resume_scan(begun, *devices, agent=Slads()))
    assert measured(begun, elements.documents()) == measured(whole)
    assert elements.documents()[0][1]["skysteer"]["key"] == KEYS


def test_a_channel_that_gives_nothing_leaves_the_scan_to_the_others(elements: Any) -> None:
    """No point is tried again, none is given up; the other element is mapped as if alone."""
    elements.det.sim_set_func(lambda: math.nan)
    result = scanned(elements)
    assert (result.points, len(elements.events())) == (90, 90)
    past = History.of(elements.documents())
    assert not past.interventions
    assert [what for _, what in decide_again(past)] == [""] * len(past.made)


def test_a_point_without_any_reading_is_tried_again(elements: Any) -> None:
    elements.det.sim_set_func(lambda: math.nan)
    elements.zinc.sim_set_func(lambda: math.nan if elements.x.position % 4 == 3 else 1.0)
    policy = {"unusable": ["retry", "keep"]}
    scanned(elements, Slads(), until="points(40)", on_bad_point=policy)
    assert "retry" in {each.kind for each in History.of(elements.documents()).interventions}


def test_a_saturated_second_channel_is_noticed(elements: Any) -> None:
    policy = {"saturation": 39.0, "saturated": ["quarantine"]}
    scanned(elements, Slads(), until="points(60)", on_bad_point=policy)
    said = History.of(elements.documents()).interventions
    taken_back = [each for each in said if each.kind == "quarantine"]
    assert taken_back and all("saturated" in each.detail["why"] for each in taken_back)


def test_an_agent_of_one_channel_says_that_the_first_alone_steers(
    elements: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        scanned(elements, "low-discrepancy", until="points(20)")
    assert "'low-discrepancy' takes one channel: 'det' alone steers it" in caplog.text
    assert elements.documents()[0][1]["skysteer"]["steered_by"] == ["det"]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (["det", "iron"], "no detector has the data key 'iron' to steer by"),
        (["det", "det"], "key takes a data key, or several different ones"),
    ],
)
def test_keys_that_make_no_sense_are_refused_before_anything_moves(
    elements: Any, key: list[str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        scanned(elements, key=key)
    with pytest.raises(ValueError, match=message):
        dry_run([elements.det, elements.zinc], *elements.axes, until="points(9)", key=key)
    assert not elements.runs()


def test_agents_replay_a_map_of_elements_by_all_of_its_channels(elements: Any) -> None:
    elements.rows, elements.columns = 9, 10
    scanned(elements, LowDiscrepancy(), until="coverage(1.0)")
    past = read_past_scan(elements.documents())
    assert past.truth.shape == (2, elements.rows, elements.columns)
    for truth, channel in zip(past.truth, past.scan.channels, strict=True):
        np.testing.assert_array_equal(truth, inverse_distance(channel))
    both = next(iter(replay(past, ["spread"], [0.2])))["nrmse"]
    only = read_past_scan(elements.documents(), "zinc")
    assert only.truth.shape == (elements.rows, elements.columns)
    assert 0 < both < 1
