"""What goes wrong in mid-air: nothing recorded is lost, no speed stays changed, nothing hangs."""

from __future__ import annotations

import math
import threading
import time
from typing import Any

import numpy as np
import pytest
from ophyd.status import Status

from skysteer.agent import History, KeepOut
from skysteer.plans import BadPoints, Inbox, RingCheck

from .hangar import PITCH, Hangar

IN_TIME = {"real_time": True, "time_scale": 4.0, "velocity": 10.0, "ramp": 0.1}
SHORT: dict[str, Any] = {"dwell": 0.1, "until": "points(45)"}


class Flies:
    """A detector in flight that hands on to another, and can be told to fail."""

    def __init__(self, counter: Any) -> None:
        self._counter, self.name = counter, counter.name
        self.loses: Any = lambda bins: bins  # what becomes of the bins

    def prepare(self, axis: str, **flight: Any) -> Any:
        return self._counter.prepare(axis, **flight)

    def complete(self) -> Any:
        return self._counter.complete()

    def bins(self) -> Any:
        return self.loses(dict(self._counter.bins()))

    def stop(self, *, success: bool = False) -> None:
        self._counter.stop(success=success)


def first(number: int, change: Any) -> Any:
    """Change the bins of so many flights, then no more."""
    left = [number]

    def loses(bins: Any) -> Any:
        left[0] -= 1
        return change(bins) if left[0] >= 0 else bins

    return loses


def half(bins: dict[str, list[float]]) -> dict[str, list[float]]:
    return {key: values[: len(values) // 2] for key, values in bins.items()}


def targets(at: Hangar) -> list[tuple[int, int]]:
    made = History.of(at.documents()).made
    return [(row, column) for each in made for row, column in each.decision.pixels.tolist()]


def measured(at: Hangar) -> list[tuple[int, int]]:
    return [(entry.row, entry.column) for entry in History.of(at.documents()).log]


def test_what_a_flight_has_counted_counts_and_the_rest_is_flown_again(hangar: Any) -> None:
    at = hangar()
    flies = Flies(at.microscope.counter)
    flies.loses = first(1, half)
    at.scan(fly=flies)
    assert measured(at) == targets(at)
    assert [i.detail["why"] for i in at.said("retry")] == ["counter told 3 bins of 6"]
    assert [len(p["seq_num"]) for p in at.pages()][:2] == [3, 3]


def test_a_flight_that_never_gets_through_is_given_up_pixel_by_pixel(hangar: Any) -> None:
    at = hangar()
    flies = Flies(at.microscope.counter)
    flies.loses = first(2, lambda bins: {key: [] for key in bins})
    at.scan(fly=flies)
    skipped = [(i.detail["row"], i.detail["column"]) for i in at.said("skip")]
    lost = next(d for d in History.of(at.documents()).made if d.decision.lengths.max() > 1)
    first_segment = next(s for s in lost.decision.segments() if len(s) > 1)
    assert skipped == [tuple(pixel) for pixel in first_segment.tolist()]
    assert not set(skipped) & set(measured(at))
    documents, whole = at.documents(), measured(at)
    begun = documents[: next(k for k, (n, _) in enumerate(documents) if n == "event_page") + 1]
    at.resume(begun)
    again = History.of([*begun, *at.documents()])
    assert [(e.row, e.column) for e in again.log] == whole


def test_a_motor_that_stalls_in_mid_air_costs_only_what_it_has_not_passed(hangar: Any) -> None:
    at = hangar()
    x = at.microscope.x
    go, left = x.set, [1]

    def stalls(value: float, **options: Any) -> Any:
        if x.velocity.get() == at.first[0] or left[0] == 0:
            return go(value, **options)
        left[0] -= 1
        go((x.position + value) / 2)
        status = Status(obj=x)
        status.set_exception(RuntimeError("stalled half way"))
        return status

    x.set = stalls
    at.scan()
    (said,) = at.said("retry")
    assert said.detail["why"] == "x: stalled half way"
    assert measured(at) == targets(at)
    assert len(at.pages()[0]["seq_num"]) < 6
    assert at.full_speed()


def test_a_flight_that_never_began_says_nothing_of_the_one_before(hangar: Any) -> None:
    at = hangar()
    x, failing = at.microscope.x, []
    go = x.set

    def fails(value: float, **options: Any) -> Any:
        if len(at.pages()) != 1 or len(failing) == 2:
            return go(value, **options)
        failing.append(value)
        raise ConnectionError("x is away")

    x.set = fails
    at.scan(on_bad_point=BadPoints(lost=("wait", "wait", "stop")))
    assert len(failing) == 2 == len(at.said("wait"))
    assert measured(at) == targets(at)


def test_without_a_policy_the_first_error_ends_the_run_with_the_speeds_put_back(
    hangar: Any,
) -> None:
    at = hangar()
    flies = Flies(at.microscope.counter)
    flies.loses = half
    with pytest.raises(RuntimeError, match=r"counter told 3 bins of 6: see that its trigger"):
        at.scan(fly=flies, on_bad_point=None)
    assert at.full_speed()


def test_six_bad_flights_in_a_row_end_the_run_in_order(hangar: Any) -> None:
    at = hangar()
    flies = Flies(at.microscope.counter)
    flies.loses = lambda bins: {key: [] for key in bins}
    assert at.scan(fly=flies).stop_reason.startswith("stopped by policy: 6 bad points in a row")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda bins: {k: v for k, v in bins.items() if k != "x"}, r"counter.bins\(\) must tell x"),
        (lambda bins: {**bins, "x": bins["x"][:1]}, r"as many values of each key, at most 6"),
    ],
)
def test_an_adapter_that_tells_nonsense_is_told_so(hangar: Any, change: Any, said: str) -> None:
    at = hangar()
    flies = Flies(at.microscope.counter)
    flies.loses = change
    with pytest.raises(ValueError, match=said):
        at.scan(fly=flies, on_bad_point=None, keep_out=())


def test_bins_land_on_the_pixels_where_they_were_measured(hangar: Any) -> None:
    """Readbacks that jitter by half a pixel: each bin teaches the pixel that it says."""
    at, chance = hangar(), np.random.default_rng(1)
    flies = Flies(at.microscope.counter)

    def jitter(bins: Any) -> Any:
        return {**bins, "x": [x + chance.normal(0, PITCH / 2) for x in bins["x"]]}

    flies.loses = jitter
    outcome = at.scan(fly=flies)
    log = History.of(at.documents()).log
    for event, entry in zip(at.events(), log, strict=True):
        where = round(event["data"]["y"] / PITCH), round(event["data"]["x"] / PITCH)
        on_the_grid = 0 <= where[1] < at.columns
        assert (entry.row, entry.column) == (where if on_the_grid else (-1, -1))
    assert outcome.points == len({(e.row, e.column) for e in log if e.usable}) >= 80


def test_readings_that_are_no_numbers_are_measured_again_as_points(hangar: Any) -> None:
    at = hangar()
    flies = Flies(at.microscope.counter)

    def no_number(bins: Any) -> Any:
        steering = bins["counter"]
        return {**bins, "counter": [math.nan, *steering[1:-1], math.nan]}

    flies.loses = first(1, no_number)
    at.scan(fly=flies, on_bad_point=BadPoints(unusable=("retry", "keep")))
    (said,) = at.said("quarantine")
    page = at.pages()[0]["seq_num"]
    assert said.detail["seq_nums"] == [page[0], page[-1]]
    again = [tuple(pixel) for pixel in said.detail["again"]]
    log = {entry.id: entry for entry in History.of(at.documents()).log}
    after = [(log[n].row, log[n].column) for n in (page[-1] + 1, page[-1] + 2)]
    assert after == again and log[page[0]].row == -1


def test_a_flight_without_beam_is_taken_back_and_measured_again(hangar: Any) -> None:
    at = hangar()
    ring, counter = at.microscope.ring, at.microscope.counter
    flies = Flies(counter)

    def dump(bins: Any) -> Any:
        ring.current.put(0.0)
        threading.Timer(0.5, ring.current.put, (100.0,)).start()
        return bins

    flies.loses = first(1, dump)
    at.detectors = [counter, ring]
    at.scan(fly=flies, beam=RingCheck("ring_current"))
    (said,) = at.said("quarantine")
    page = at.pages()[0]["seq_num"]
    assert set(page) <= set(said.detail["seq_nums"])  # and what was read just before
    events = at.events()
    assert all(events[n - 1]["data"]["ring_current"] == 0.0 for n in page)
    log = {e.id: e for e in History.of(at.documents()).log}
    following = range(page[-1] + 1, page[-1] + 1 + len(said.detail["again"]))
    assert [[log[n].row, log[n].column] for n in following] == said.detail["again"]


def test_a_pause_in_mid_air_loses_and_doubles_nothing(hangar: Any) -> None:
    whole = hangar(**IN_TIME)
    whole.scan(**SHORT)
    path = measured(whole)
    at = hangar(**IN_TIME)
    at.in_mid_air(2, at.pause_from_afar)
    at.start(at.plan(**SHORT))
    assert at.RE.state == "paused" and at.gets_back_to_full_speed()
    at.resume_to_the_end()
    assert measured(at) == path
    assert [e["seq_num"] for e in at.events()] == list(range(1, len(path) + 1))
    assert at.full_speed()


def test_a_pause_between_collecting_and_its_checkpoint_says_the_same_bins_again(
    hangar: Any,
) -> None:
    at = hangar()
    due = [True]

    def pause(name: str, document: Any) -> None:
        if name == "event_page" and due:
            due.clear()
            at.pause()

    at.RE.subscribe(pause)
    at.start(at.plan())
    assert at.RE.state == "paused"
    at.resume_to_the_end()
    first_pages = at.pages()[:2]
    assert first_pages[0]["seq_num"] == first_pages[1]["seq_num"]
    assert first_pages[0]["data"] == first_pages[1]["data"]
    assert [e["seq_num"] for e in at.events()] == list(range(1, len(targets(at)) + 1))


@pytest.mark.parametrize("end", ["abort", "stop", "halt"])
def test_however_it_is_ended_in_mid_air_the_speeds_are_put_back(hangar: Any, end: str) -> None:
    at = hangar(**IN_TIME)
    at.in_mid_air(2, at.pause_from_afar)
    at.start(at.plan(**SHORT))
    assert at.RE.state == "paused"
    getattr(at.RE, end)()
    assert at.gets_back_to_full_speed() and at.RE.state == "idle"


def test_a_region_forbidden_meanwhile_is_left_out_of_a_segment(hangar: Any) -> None:
    at, inbox = hangar(), Inbox(by="Ada")
    forbidden: list[tuple[int, int]] = []

    def forbid(name: str, document: Any) -> None:
        if document.get("data", {}).get("decision_number") == 2:
            data = document["data"]
            lengths = [n for n in data["decision_lengths"] if n > 0]
            place = next(k for k, n in enumerate(lengths) if n >= 5)
            middle = sum(lengths[:place]) + 2
            pixel = int(data["decision_rows"][middle]), int(data["decision_columns"][middle])
            forbidden.append(pixel)
            y, x = pixel[0] * PITCH, pixel[1] * PITCH
            inbox.forbid(slow=(y - 0.02, y + 0.02), fast=(x - 0.02, x + 0.02))

    at.RE.subscribe(forbid)
    at.scan(inbox=inbox)
    assert forbidden and not set(forbidden) & set(measured(at))
    assert (forbidden[0][0], forbidden[0][1]) in [
        (i.detail["row"], i.detail["column"]) for i in at.said("skip")
    ]


@pytest.mark.parametrize("policy", [{}, {"on_bad_point": None}])
def test_a_region_forbidden_in_mid_air_stops_the_stage_before_it(hangar: Any, policy: Any) -> None:
    at, inbox = hangar(**{**IN_TIME, "time_scale": 1.0}), Inbox(by="Ada")
    m, over = at.microscope, threading.Event()
    told: list[Any] = []
    passed: list[tuple[float, float]] = []

    def forbid() -> None:
        begin = m.y.position, m.x.position
        y, x = (next(v for n, v in reversed(at.sent) if n == axis) for axis in "yx")
        dy, dx = y - begin[0], x - begin[1]
        while abs(m.y.position - begin[0]) + abs(m.x.position - begin[1]) < 0.3 * abs(dy + dx):
            time.sleep(0.002)
        middle = begin[0] + 0.85 * dy, begin[1] + 0.85 * dx
        slow, fast = ((place - 0.02, place + 0.02) for place in middle)
        told.append((KeepOut(slow, fast), inbox.forbid(slow=slow, fast=fast)))
        while not over.wait(0.002):
            passed.append((m.y.position, m.x.position))

    at.in_mid_air(3, forbid)  # a long one, and slow: the word travels 0.1 s
    at.scan(inbox=inbox, dwell=0.2, until="points(35)", **policy)
    over.set()
    zone, answer = told[0]
    assert answer.result(timeout=0) == "taken" and len(passed) > 100
    assert not zone.covers(*np.array(passed).T).any()
    path, lengths = measured(at), [len(page["seq_num"]) for page in at.pages()]
    made = History.of(at.documents()).made
    planned = [n for each in made for n in each.decision.lengths if n > 1]
    assert lengths[2] < planned[2]  # what had been counted by then
    assert len(set(path)) == len(path) >= 35
    assert at.full_speed()
