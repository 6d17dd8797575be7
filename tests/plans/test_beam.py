"""A beam that is lost: what was measured without it is taken back, and measured again."""

from __future__ import annotations

import json
import math
import threading
from typing import Any

import pytest
from bluesky.suspenders import SuspendFloor
from ophyd import Signal

from skysteer.agent import make_sampler, parse
from skysteer.devices import beam_suspender
from skysteer.plans import BadPoints, Inbox, RingCheck, adaptive_scan
from skysteer.plans.request import time_budget

from .faulty import FaultyCounter, FaultyMotor

AGENT = make_sampler("low-discrepancy", {})  # an object: it decides in this process
OPTIONS = {"until": "points(40)", "batch": 8, "prefetch": 0}
CHECK = RingCheck("ring_current", minimum=50.0)


class Ring:
    """A ring current as a detector, with a signal to watch."""

    parent = None
    name = "ring"

    def __init__(self) -> None:
        self.current = Signal(name="ring_current", value=100.0)

    def read(self) -> dict[str, Any]:
        return self.current.read()

    def describe(self) -> dict[str, Any]:
        return self.current.describe()


@pytest.fixture
def lit(bench: Any) -> Any:
    """The bench with a ring; what is counted goes with the current."""
    bench.x, bench.y, bench.ring = FaultyMotor("x"), FaultyMotor("y"), Ring()
    bench.det = FaultyCounter(
        lambda: (1.0 + bench.x.position + 30 * bench.y.position) * bench.ring.current.get() / 100
    )
    return bench


def put(bench: Any, current: float) -> None:
    """Change the current, and wait until all that listen have heard."""
    heard = threading.Event()

    def hear(**_: Any) -> None:
        heard.set()

    bench.ring.current.subscribe(hear, run=False)  # the last to hear
    bench.ring.current.put(current)
    assert heard.wait(60)
    bench.ring.current.clear_sub(hear)


def dump(bench: Any, low: float = 0.0) -> None:
    """Lose the beam for a while."""
    put(bench, low)
    threading.Timer(0.3, bench.ring.current.put, [100.0]).start()


def scan(bench: Any, check: Any = CHECK, **changes: Any) -> Any:
    plan = adaptive_scan(
        [bench.det, bench.ring], AGENT, *bench.axes, **{**OPTIONS, "beam": check, **changes}
    )
    return bench.RE(plan).plan_result


def quarantined(bench: Any) -> list[int]:
    return [
        number
        for e in bench.events("interventions")
        if e["intervention_kind"] == "quarantine"
        for number in json.loads(e["intervention_detail"])["seq_nums"]
    ]


def check_learned(bench: Any) -> None:
    """What is learned was measured with beam, and nothing is missing."""
    reader = bench.reader()
    learned = reader.observations.scan((20, 25))
    assert len(learned.values) == 40
    for (row, column), value in zip(learned.pixels.tolist(), learned.values, strict=True):
        assert value == 1.0 + column + 30 * row


@pytest.mark.parametrize("low", [0.0, 49.9, math.nan])
def test_a_reading_without_beam_is_taken_back_and_made_again(lit: Any, low: float) -> None:
    value = lit.det.value

    def count() -> float:
        if lit.det.counts == 12:
            dump(lit, low)
        return value()

    lit.det.value = count
    outcome = scan(lit)
    assert outcome.points == 40
    assert 12 in quarantined(lit)
    assert set(quarantined(lit)) <= {11, 12}, "that, and at most the one before"
    targets = [(e["y"], e["x"]) for e in lit.events()]
    again = [place for place in targets if targets.count(place) == 2]
    assert len(set(again)) == len(quarantined(lit))
    assert outcome.exposures == len(lit.events()) == 40 + len(quarantined(lit))
    assert targets.index(again[0]) < 12 <= len(targets) - targets[::-1].index(again[0]) - 1 <= 14
    check_learned(lit)


def test_a_current_that_comes_late_takes_the_last_reading_back(lit: Any) -> None:
    """The counts are those of a dying beam already, when the ring still tells the old current."""

    def hear(name: str, document: dict[str, Any]) -> None:
        if name == "event" and document["seq_num"] == 9 and "det" in document["data"]:
            dump(lit)

    lit.RE.subscribe(hear)
    assert scan(lit).points == 40
    assert 9 in quarantined(lit)
    assert set(quarantined(lit)) <= {8, 9}
    check_learned(lit)


def test_a_suspender_of_the_profile_holds_the_scan_meanwhile(lit: Any) -> None:
    lit.RE.install_suspender(SuspendFloor(lit.ring.current, 50.0, sleep=0))
    lit.det.seconds = 0.02
    dumps = []

    def hear(name: str, document: dict[str, Any]) -> None:
        number = document["seq_num"] if name == "event" and "det" in document["data"] else 0
        if number in {7, 20} - set(dumps):
            dumps.append(number)
            threading.Timer(0.01, dump, [lit]).start()  # in the next exposure

    lit.RE.subscribe(hear)
    outcome = scan(lit)
    assert dumps == [7, 20]
    assert outcome.points == 40
    assert outcome.exposures >= lit.det.counts
    assert outcome.exposures - outcome.repeated == 40 + len(quarantined(lit))
    check_learned(lit)


def test_a_beam_that_stays_away_ends_the_run_in_order(lit: Any) -> None:
    value = lit.det.value
    lit.det.value = lambda: (lit.det.counts == 5 and put(lit, 0.0)) or value()
    outcome = scan(lit, RingCheck("ring_current", 50.0, patience=0.5))
    assert "no beam for 0.5 s (ring_current)" in outcome.stop_reason
    assert 5 in quarantined(lit)
    assert len(lit.events()) == 5
    assert lit.stop()["exit_status"] == "success"


def test_a_reading_without_beam_is_no_bad_point(lit: Any) -> None:
    """A monitor without beam makes the normalised reading NaN, time and again."""
    value = lit.det.value

    def count() -> float:
        if lit.det.counts == 12:
            dump(lit)
        return value() if lit.ring.current.get() else math.nan

    lit.det.value = count
    policy = BadPoints(unusable=("retry", "stop"), in_a_row=1)
    assert scan(lit, on_bad_point=policy).points == 40
    kinds = {e["intervention_kind"] for e in lit.events("interventions")}
    assert kinds == {"quarantine"}
    check_learned(lit)


def test_a_time_budget_ends_the_wait_for_beam(lit: Any) -> None:
    value = lit.det.value
    lit.det.value = lambda: (lit.det.counts == 5 and put(lit, 0.0)) or value()
    assert scan(lit, until="points(40) | time(1.5)").stop_reason == "time of 1.5 s"


def test_a_stop_is_heard_while_there_is_no_beam(lit: Any) -> None:
    inbox, value = Inbox(by="Ada"), lit.det.value
    lit.det.value = lambda: (lit.det.counts == 5 and put(lit, 0.0)) or value()

    def hear(name: str, document: dict[str, Any]) -> None:
        if name == "event" and "intervention_kind" in document["data"]:
            threading.Timer(0.3, inbox.stop, ["no night shift"]).start()

    token = lit.RE.subscribe(hear)
    outcome = scan(lit, inbox=inbox)
    lit.RE.unsubscribe(token)
    assert outcome.stop_reason == "stopped by Ada: no night shift"


def test_a_suspender_holds_no_run_beyond_its_time(lit: Any) -> None:
    lit.ring.suspenders = []
    suspender = beam_suspender(lit.ring, minimum=50.0, settle=0.0)
    lit.RE.install_suspender(suspender)
    value = lit.det.value
    lit.det.value = lambda: (lit.det.counts == 5 and put(lit, 0.0)) or value()
    assert scan(lit, until="points(40) | time(1.5)").stop_reason == "time of 1.5 s"
    assert suspender in lit.RE.suspenders and suspender.tripped, "it holds what comes next"
    assert 5 in quarantined(lit) and len(lit.events()) <= 6


@pytest.mark.parametrize(
    ("rule", "seconds"),
    [
        ("points(4)", math.inf),
        ("time(1.5)", 1.5),
        ("points(4) | time(7200)", 7200),
        ("points(4) & time(7200)", math.inf),
        ("(time(10) | time(3)) & time(5)", 5),
    ],
)
def test_the_time_that_a_rule_allows_is_found(rule: str, seconds: float) -> None:
    assert time_budget(parse(rule), 500) == pytest.approx(seconds, abs=1e-5)


def test_nothing_listens_to_the_ring_afterwards(lit: Any) -> None:
    before = len(lit.ring.current._callbacks[lit.ring.current._default_sub])
    scan(lit, until="points(3)")
    assert len(lit.ring.current._callbacks[lit.ring.current._default_sub]) == before


def test_the_check_is_in_the_start_document_and_read_from_it(lit: Any) -> None:
    scan(lit, {"key": "ring_current", "minimum": 20}, until="points(3)")
    record = json.loads(json.dumps(lit.documents()[0][1]["skysteer"]))["beam"]
    assert RingCheck(**record) == RingCheck("ring_current", 20)


@pytest.mark.parametrize(
    ("check", "match"),
    [
        ({"key": "ring_voltage"}, "needs the data key 'ring_voltage', but no detector has it"),
        ({"minimum": math.nan}, "a beam check needs a finite minimum"),
        ({"patience": 0}, "a patience above 0 s"),
    ],
)
def test_a_check_that_makes_no_sense_is_refused(lit: Any, check: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        scan(lit, check)
    assert lit.runs() == []
    assert lit.x.sent == []
