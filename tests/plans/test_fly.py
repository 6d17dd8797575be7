"""Segments are flown over: what is counted, where, how fast, and what becomes of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from skysteer.agent import History, KeepOut, asks_after

from .hangar import PITCH


def test_each_bin_is_an_event_where_it_was_measured_and_says_what_stands_there(
    hangar: Any,
) -> None:
    at = hangar()
    outcome = at.scan()
    assert outcome.points == 80 and outcome.exposures == len(at.events()) >= 80
    beam = at.microscope.chain.beam
    for event in at.events():
        data = event["data"]
        along = np.linspace(-PITCH / 2, PITCH / 2, 101)
        flown = data["x"] + along, data["y"] + along
        possible = [
            beam.rate(data["x"], data["y"])[0],
            beam.rate(flown[0], data["y"])[0].mean(),
            beam.rate(data["x"], flown[1])[0].mean(),
        ]
        assert np.isclose(data["counter"], possible, rtol=2e-3).any()
        assert abs(data["x"] - data["x_user_setpoint"]) < 1e-6
        assert data["counter_dwell"] == pytest.approx(0.01)


def test_points_and_bins_share_a_stream_and_its_numbers(hangar: Any) -> None:
    at = hangar()
    at.scan()
    documents = at.documents()
    primary = [d for n, d in documents if n == "descriptor" and d["name"] == "primary"]
    assert len(primary) == 1 and at.pages()
    assert any(n == "event" and d["descriptor"] == primary[0]["uid"] for n, d in documents)
    assert [e["seq_num"] for e in at.events()] == list(range(1, len(at.events()) + 1))
    assert documents[-1][1]["num_events"]["primary"] == len(at.events())


def test_the_readings_are_in_the_order_of_the_decisions(hangar: Any) -> None:
    at = hangar()
    at.scan()
    targets = [
        tuple(pixel)
        for each in History.of(at.documents()).made
        for pixel in each.decision.pixels.tolist()
    ]
    assert [(e.row, e.column) for e in History.of(at.documents()).log] == targets
    flown = [n for each in History.of(at.documents()).made for n in each.decision.lengths if n > 1]
    assert [len(page["seq_num"]) for page in at.pages()] == flown


def test_a_flight_has_its_speed_and_afterwards_the_motors_have_theirs(hangar: Any) -> None:
    at = hangar()
    at.scan()
    assert {round(v, 6) for _, v in at.speeds} == {PITCH / 0.01, 100.0}
    lowered = [v for _, v in at.speeds].count(100.0)
    assert lowered == len(at.pages())
    m = at.microscope
    assert [m.x.velocity.get(), m.y.velocity.get()] == [100.0, 100.0]
    assert [m.x.acceleration.get(), m.y.acceleration.get()] == [0.1, 0.1]


def test_the_run_up_suffices_for_a_constant_speed(hangar: Any) -> None:
    at = hangar(velocity=20.0, ramp=0.2)  # 10 um/s are reached in 0.1 s and 0.5 um
    at.scan()
    dwells = [v for page in at.pages() for v in page["data"]["counter_dwell"]]
    assert np.allclose(dwells, 0.01)
    lines = [page["data"]["x_user_setpoint"] for page in at.pages()]
    flown = [(x[0], x[-1], np.sign(x[1] - x[0])) for x in lines if x[0] != x[-1]]
    out = PITCH / 2 + 0.5 + 0.002
    ends = {round(end, 9) for a, b, way in flown for end in (a - way * out, b + way * out)}
    assert ends and ends <= {round(value, 9) for name, value in at.sent if name == "x"}


def test_where_there_is_less_room_it_flies_slower_and_where_there_is_none_it_steps(
    hangar: Any,
) -> None:
    slower = hangar(velocity=20.0, ramp=0.2, x_limits=(-0.1, 2.3))
    slower.scan()
    assert {10.0, 7.0, 20.0} <= {round(v, 4) for n, v in slower.speeds if n == "x"}
    dwells = {round(v, 6) for page in slower.pages() for v in page["data"]["counter_dwell"]}
    assert dwells >= {0.01, round(0.01 / 0.7, 6)}
    assert all(-0.1 <= value <= 2.3 for name, value in slower.sent if name == "x")

    stepped = hangar(velocity=20.0, ramp=2.0, x_limits=(-0.01, 1.91), y_limits=(-0.01, 1.51))
    stepped.scan()
    said = [i.detail["why"] for i in stepped.said("refused")]
    assert not stepped.pages() and len(said) == 1
    assert said[0].startswith("no room to gather speed: measured point by point (off limits")
    assert all(-0.01 <= value <= 1.91 for _, value in stepped.sent)
    assert len(stepped.events()) == 80


def test_no_flight_leads_through_a_keep_out_zone(hangar: Any) -> None:
    at = hangar()
    zone = KeepOut((0.58, 0.82), (0.68, 1.02))
    at.scan(keep_out=[zone], until="points(120)")
    assert at.pages()
    stands, along = {"x": 0.0, "y": 0.0}, np.linspace(0, 1, 100)
    for name, value in at.sent:
        goes = {**stands, name: value}
        y, x = (stands[axis] + along * (goes[axis] - stands[axis]) for axis in "yx")
        assert not zone.covers(y, x).any()
        stands = goes


def test_an_agent_that_asks_for_points_alone_gets_points(hangar: Any) -> None:
    at = hangar()
    at.scan("Steepest", until="points(30)")
    assert not at.pages() and len(at.events()) == 30


def test_without_fly_segments_are_stepped(hangar: Any) -> None:
    at = hangar()
    at.scan(fly=False)
    assert not at.pages() and len(at.events()) == 80
    assert at.documents()[0][1]["skysteer"]["fly"] is None


@pytest.mark.parametrize("prefetch", [8, pytest.param(0, marks=pytest.mark.soak)])
def test_wherever_it_was_cut_off_the_points_are_those_of_the_whole_scan(
    hangar: Any, prefetch: int
) -> None:
    at = hangar()
    at.scan(prefetch=prefetch)
    whole = at.documents()
    path = [entry[:3] for entry in History.of(whole).log]
    for place in range(20, len(whole) - 3, 13):
        begun = whole[:place]
        at.resume(begun)
        again = History.of([*begun, *at.documents()])
        assert [entry[:3] for entry in again.log] == path, place
        assert [i.detail["differs"] for i in again.interventions if i.kind == "resume"] == [-1]


def test_a_scan_killed_in_mid_air_gets_the_motors_speeds_back(hangar: Any) -> None:
    at = hangar()
    at.scan()
    begun = at.documents()[:30]
    at.microscope.x.velocity.set(10.0).wait(5)
    at.microscope.x.acceleration.set(0.01).wait(5)
    at.resume(begun)
    assert at.documents()[0][1]["skysteer"]["fly"]["speeds"]["x"]["velocity"] == 100.0
    assert at.microscope.x.velocity.get() == 100.0
    assert at.microscope.x.acceleration.get() == 0.1


def test_what_makes_no_sense_is_refused_before_anything_moves(hangar: Any) -> None:
    at = hangar()
    with pytest.raises(ValueError, match="fly needs dwell"):
        at.scan(dwell=None)
    with pytest.raises(ValueError, match="fly and per_step exclude each other"):
        at.scan(per_step=lambda *_: None)
    with pytest.raises(ValueError, match=r"prepare.*complete.*bins.*ring has not"):
        at.scan(fly=at.microscope.ring)
    del at.microscope.y.velocity
    with pytest.raises(ValueError, match="fly needs motors whose speed can be set, but 'y' has"):
        at.scan(stage={"speed": 100})
    assert not at.sent


def test_the_next_decision_is_never_asked_for_within_a_segment() -> None:
    assert asks_after([1] * 8, 3) == 5
    assert asks_after([4, 4], 4) == 4
    assert asks_after([4, 4], 3) == 4
    assert asks_after([4, 4], 5) == 0
    assert asks_after([3], 9) == 0
    assert asks_after([], 2) == 0
