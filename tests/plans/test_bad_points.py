"""Points that go wrong: tried again, given up, taken back; and a run that ends in order."""

from __future__ import annotations

import json
import math
import random
import threading
from typing import Any

import bluesky.plan_stubs as bps
import pytest
from ophyd.utils import DisconnectedError, LimitError

from skysteer.agent import make_sampler
from skysteer.plans import BadPoints
from skysteer.plans.bad_points import bad_points

from .faulty import FaultyCounter, FaultyMotor, times
from .test_adaptive_pauses import run_with_pauses

AGENT = make_sampler("low-discrepancy", {})  # an object: it decides in this process
OPTIONS = {"until": "points(40)", "batch": 8, "prefetch": 0}
STALL = RuntimeError("the motor stalled")
PATIENT = {"in_a_row": 1000, "in_all": 1000}


@pytest.fixture
def faulty(bench: Any) -> Any:
    """The bench with devices that can fail."""
    bench.x, bench.y = FaultyMotor("x"), FaultyMotor("y")
    bench.det = FaultyCounter(lambda: 1.0 + bench.x.position + 30 * bench.y.position)
    return bench


def interventions(bench: Any) -> list[tuple[str, dict[str, Any]]]:
    """Kind and detail of each, in order."""
    return [
        (e["intervention_kind"], json.loads(e["intervention_detail"]))
        for e in bench.events("interventions")
    ]


def kinds(bench: Any) -> list[str]:
    return [kind for kind, _ in interventions(bench)]


def check_readings(bench: Any) -> None:
    """What was recorded was measured where it says, once each."""
    events = bench.events()
    assert all(e["det"] == 1.0 + e["x"] + 30 * e["y"] for e in events)
    assert len({(e["y"], e["x"]) for e in events}) == len(events)


@pytest.mark.parametrize("later", [0.0, 0.05])
def test_a_move_that_fails_once_is_tried_again(faulty: Any, later: float) -> None:
    faulty.x.fails, faulty.x.later = times(1, STALL), later
    outcome = faulty.scan(AGENT, **OPTIONS)
    assert (outcome.points, outcome.stop_reason) == (40, "40 points")
    ((kind, detail),) = interventions(faulty)
    assert kind == "retry"
    assert "the motor stalled" in detail["why"]
    row, column = faulty.batches()[0][0]
    assert (detail["row"], detail["column"], detail["attempt"]) == (row, column, 1)
    check_readings(faulty)


def test_a_target_that_keeps_failing_is_given_up_and_not_asked_for_again(faulty: Any) -> None:
    faulty.x.fails = lambda x: STALL if x > 15 else None
    policy = BadPoints(**PATIENT)
    outcome = faulty.scan(AGENT, until="points(60)", batch=8, on_bad_point=policy)
    assert outcome.points == 60
    assert max(e["x"] for e in faulty.events()) <= 15
    skipped = [(d["row"], d["column"]) for kind, d in interventions(faulty) if kind == "skip"]
    targets = [pixel for batch in faulty.batches() for pixel in batch]
    assert len(skipped) > 9
    assert all(targets.count(pixel) == 1 for pixel in skipped)
    assert kinds(faulty).count("retry") == len(skipped)
    check_readings(faulty)


def test_a_dead_motor_ends_the_run_in_order(faulty: Any) -> None:
    faulty.x.fails = lambda x: STALL
    outcome = faulty.scan(AGENT, **OPTIONS)
    assert outcome.points == 0
    assert "6 bad points in a row" in outcome.stop_reason
    assert "the motor stalled" in outcome.stop_reason
    assert kinds(faulty) == [*["retry", "skip"] * 2, "retry", "stop"]
    assert faulty.decisions()[-1]["stop_reason"] == outcome.stop_reason
    assert faulty.stop()["exit_status"] == "success"
    assert len(faulty.x.sent) == 6


def test_the_budget_of_all_bad_points_ends_it_too(faulty: Any) -> None:
    faulty.x.fails = lambda x: STALL if x > 15 else None
    outcome = faulty.scan(
        AGENT, until="coverage(1)", batch=8, on_bad_point=BadPoints(in_a_row=99, in_all=9)
    )
    assert "9 bad points in all" in outcome.stop_reason


def test_the_failure_of_one_axis_does_not_meet_the_next_point_with_that_of_the_other(
    faulty: Any,
) -> None:
    faulty.x.fails, faulty.y.fails = times(1, STALL), times(1, RuntimeError("y, too"))
    faulty.y.later = 0.1
    outcome = faulty.scan(AGENT, **OPTIONS)
    assert outcome.points == 40
    assert kinds(faulty) == ["retry"]
    assert min(faulty.x.stops, faulty.y.stops) >= 1
    check_readings(faulty)


def test_an_axis_that_still_moves_is_stopped_before_the_next_try(faulty: Any) -> None:
    faulty.x.fails, faulty.y.hangs = times(1, STALL), times(1, STALL)
    outcome = faulty.scan(AGENT, **OPTIONS)
    assert (outcome.points, kinds(faulty)) == (40, ["retry"])


@pytest.mark.parametrize("error", [LimitError("beyond the limit"), ValueError("no such place")])
def test_a_target_that_the_motor_refuses_is_skipped(faulty: Any, error: Exception) -> None:
    faulty.x.refuses = lambda x: error if x in (3, 7) else None
    outcome = faulty.scan(make_sampler("raster", {}), until="points(60)", batch=25)
    assert outcome.points == 60
    assert {e["x"] for e in faulty.events()}.isdisjoint({3, 7})
    assert set(kinds(faulty)) == {"skip"}
    assert str(error) in interventions(faulty)[0][1]["why"]


@pytest.mark.parametrize("where", ["fails", "refuses", "silent"])
def test_a_detector_that_fails_once_is_asked_again(faulty: Any, where: str) -> None:
    setattr(faulty.det, where, times(1, RuntimeError("no gate pulse")))
    outcome = faulty.scan(AGENT, **OPTIONS)
    assert (outcome.points, kinds(faulty)) == (40, ["retry"])
    assert "no gate pulse" in interventions(faulty)[0][1]["why"]
    assert [e["seq_num"] for e in faulty.raw_events()] == list(range(1, 41))
    assert outcome.exposures == faulty.det.counts == 41
    assert outcome.repeated == 1
    check_readings(faulty)


def test_nothing_is_sent_to_a_stage_whose_motors_still_move(faulty: Any) -> None:
    """An IOC that hangs may carry out an order that the plan has given up long ago."""
    faulty.y.moving, sent = False, list[bool]()
    set_x, set_y = faulty.x.set, faulty.y.set

    def watched(value: float) -> Any:
        sent.append(faulty.y.moving)
        return set_x(value)

    def stalling(value: float) -> Any:
        if len(sent) == 5:
            faulty.y.moving = True
            threading.Timer(0.4, setattr, [faulty.y, "moving", False]).start()
            sent.append(False)
            raise RuntimeError("the axis stalled")
        return set_y(value)

    faulty.x.set, faulty.y.set = watched, stalling
    outcome = faulty.scan(AGENT, **OPTIONS)
    assert (outcome.points, kinds(faulty)) == (40, ["retry"])
    assert not any(sent)


def test_a_dead_detector_ends_the_run_in_order(faulty: Any) -> None:
    faulty.det.fails = lambda _: RuntimeError("no gate pulse")
    outcome = faulty.scan(AGENT, **OPTIONS)
    assert outcome.stop_reason.startswith("stopped by policy: 6 bad points in a row")
    assert faulty.stop()["reason"] == outcome.stop_reason
    assert (outcome.exposures, outcome.repeated) == (6, 6)
    assert faulty.decisions()[-1]["exposures"] == 6


def test_a_device_that_was_lost_is_waited_for_and_set_up_anew(faulty: Any) -> None:
    back = [False]

    def gone(_: float) -> Exception | None:
        if faulty.det.counts == 9 and not back[0]:
            faulty.det.connected = False
            back[0] = True
            faulty.RE.loop.call_later(0.5, setattr, faulty.det, "connected", True)
            return DisconnectedError("det is not connected")
        return None

    faulty.det.silent = gone
    outcome = faulty.scan(AGENT, dwell=0.5, **OPTIONS)
    assert (outcome.points, kinds(faulty)) == (40, ["wait"])
    assert faulty.det.connected
    assert faulty.det.dwell.was == [0.5, 0.5]
    check_readings(faulty)


def test_a_device_that_fails_is_set_up_anew_even_where_it_seems_connected(faulty: Any) -> None:
    """An IOC that is started again within the time of a move has forgotten the dwell."""
    faulty.x.fails = times(3, STALL)
    outcome = faulty.scan(AGENT, dwell=0.5, **OPTIONS)
    assert (outcome.points, kinds(faulty)) == (40, ["retry", "skip", "retry"])
    assert faulty.det.dwell.was == [0.5] * 4


def test_a_device_that_stays_away_ends_the_run_in_order(faulty: Any) -> None:
    faulty.det.silent = lambda _: DisconnectedError("det is not connected")
    faulty.det.connected = False
    outcome = faulty.scan(AGENT, on_bad_point=BadPoints(patience=0.3), **OPTIONS)
    assert "det is not connected" in outcome.stop_reason
    assert kinds(faulty) == ["wait", "wait", "stop"]
    assert faulty.stop()["exit_status"] == "success"


def test_a_reading_may_be_taken_back_and_made_again(faulty: Any) -> None:
    good = faulty.det.value
    faulty.det.value = lambda: math.nan if faulty.det.counts in (5, 6, 20) else good()
    outcome = faulty.scan(
        AGENT, on_bad_point=BadPoints(unusable=("retry", "retry", "keep")), **OPTIONS
    )
    assert outcome.points == 40
    assert kinds(faulty) == ["quarantine", "retry"] * 3
    taken_back = [d["seq_nums"] for kind, d in interventions(faulty) if kind == "quarantine"]
    assert taken_back == [[5], [6], [20]]
    assert len(faulty.events()) == outcome.exposures == 43
    assert outcome.repeated == 0, "they are recorded"
    assert faulty.reader().observations.points == 40


@pytest.mark.parametrize(
    ("kind", "policy"),
    [
        ("saturated", {"saturation": 500.0}),
        ("negative", {"negative": ("quarantine",)}),
    ],
)
def test_a_reading_out_of_range_is_kept_but_not_learned(
    faulty: Any, kind: str, policy: dict[str, Any]
) -> None:
    sign = -1 if kind == "negative" else 1
    faulty.det.value = lambda: sign * (faulty.x.position - 15) * 100
    outcome = faulty.scan(
        AGENT, until="points(100)", batch=8, on_bad_point=BadPoints(**policy, **PATIENT)
    )
    recorded = [e["det"] for e in faulty.events()]
    limit = policy.get("saturation", math.inf)
    learned = faulty.reader().observations.scan((20, 25)).values
    assert outcome.points == 100 == len(learned)
    assert any(value >= limit or value < 0 for value in recorded)
    assert max(learned) < limit
    if kind == "negative":
        assert min(learned) >= 0


def test_a_recovery_plan_is_run_under_the_guard(faulty: Any) -> None:
    homed: list[float] = []

    def home() -> Any:
        yield from bps.mv(faulty.x, 0.0)
        homed.append(faulty.x.position)

    faulty.x.fails = lambda x: STALL if x > 15 and not homed else None
    policy = BadPoints(stalled=("recover", "skip"), recover=home)
    assert faulty.scan(AGENT, on_bad_point=policy, **OPTIONS).points == 40
    ((kind, detail),) = interventions(faulty)
    assert kind == "recover"
    assert detail["plan"].endswith("home")
    assert detail["failed"] == ""
    assert homed == [0.0]


def test_a_recovery_plan_does_not_get_past_the_guard(faulty: Any) -> None:
    def astray() -> Any:
        yield from bps.mv(faulty.x, 27.0)

    faulty.x.fails = times(1, STALL)
    policy = BadPoints(stalled=("recover", "skip"), recover=astray)
    zone = {"polygon": [[-1, 24.6], [-1, 30], [30, 30], [30, 24.6]]}  # beside the grid
    assert faulty.scan(AGENT, on_bad_point=policy, keep_out=[zone], **OPTIONS).points == 40
    assert "kept out" in interventions(faulty)[0][1]["failed"]
    assert 27.0 not in faulty.x.sent


def test_a_person_may_be_called(faulty: Any) -> None:
    faulty.x.fails = lambda x: STALL if x > 15 else None
    policy = BadPoints(stalled=("pause", "skip"))
    faulty.start(faulty.plan(AGENT, on_bad_point=policy, **OPTIONS))
    assert faulty.RE.state == "paused"
    assert kinds(faulty) == ["pause"]
    faulty.x.fails = lambda _: None
    assert faulty.resume_to_the_end() == 1
    assert faulty.result.plan_result.points == 40
    check_readings(faulty)


@pytest.mark.parametrize("seed", range(3))
def test_faults_and_pauses_together_lose_and_double_nothing(faulty: Any, seed: int) -> None:
    chance = random.Random(seed)
    faulty.det.seconds = 0.002
    faulty.x.later = 0.005

    def now_and_then(error: Exception) -> Any:
        return lambda _: error if chance.random() < 0.08 else None

    faulty.x.fails, faulty.y.fails = now_and_then(STALL), now_and_then(STALL)
    faulty.det.fails = now_and_then(RuntimeError("no gate pulse"))
    faulty.det.silent = now_and_then(RuntimeError("no answer"))
    policy = BadPoints(
        stalled=("retry",) * 9 + ("skip",), hung=("retry",) * 9 + ("skip",), **PATIENT
    )
    plan = faulty.plan(AGENT, until="points(60)", batch=8, on_bad_point=policy)
    assert run_with_pauses(faulty, plan, 30, seed) > 5
    outcome = faulty.result.plan_result
    assert outcome.points == 60
    numbers = sorted({e["seq_num"] for e in faulty.raw_events()})
    assert numbers == list(range(1, 61))
    assert outcome.exposures >= faulty.det.counts
    assert outcome.exposures - outcome.repeated == 60
    check_readings(faulty)


def test_a_last_move_that_fails_does_not_spoil_the_run(faulty: Any) -> None:
    faulty.x.fails = lambda _: STALL if faulty.det.counts >= 40 else None
    outcome = faulty.scan(AGENT, then="best", **OPTIONS)
    assert (outcome.points, outcome.stop_reason) == (40, "40 points")
    assert faulty.stop()["exit_status"] == "success"
    ((kind, detail),) = interventions(faulty)
    assert (kind, detail["what"]) == ("refused", "move")
    assert "the motor stalled" in detail["why"]


def test_an_error_of_the_documents_is_no_bad_point(faulty: Any) -> None:
    def full(name: str, document: dict[str, Any]) -> None:
        if name == "event" and document["seq_num"] == 5 and "det" in document["data"]:
            raise OSError("no space left on device")

    faulty.RE.subscribe(full)
    with pytest.raises(OSError, match="no space left"):
        faulty.scan(AGENT, **OPTIONS)
    assert len(faulty.det.dwell.was) == 0
    assert faulty.det.counts == 5


def test_the_start_document_holds_the_policy(faulty: Any) -> None:
    def home() -> Any:
        yield from bps.null()

    faulty.scan(
        AGENT,
        on_bad_point=BadPoints(stalled=["recover", "skip"], recover=home),  # pyright: ignore
        until="points(3)",
    )
    record = json.loads(json.dumps(faulty.documents()[0][1]["skysteer"]))["on_bad_point"]
    assert BadPoints(stalled=("skip",)) == bad_points(record)
    assert record["stalled"] == ["recover", "skip"]
    assert record["recover"].endswith("home")
    assert (record["in_a_row"], record["saturation"]) == (6, None)


@pytest.mark.parametrize(
    ("policy", "match"),
    [
        ({"stalled": ("retry",)}, "stalled takes steps such as"),
        ({"stalled": ()}, "stalled takes steps such as"),
        ({"stalled": ("skip", "retry")}, "stalled takes steps"),
        ({"stalled": ("keep",)}, "stalled takes steps"),
        ({"unusable": ("skip",)}, "unusable takes steps"),
        ({"lost": ("pray", "stop")}, "lost takes steps"),
        ({"hung": ("recover", "skip")}, "no recover=plan was given"),
        ({"patience": -1}, "patience is seconds"),
        ({"patience": math.nan}, "patience is seconds"),
        ({"in_a_row": 0}, "in_a_row and in_all"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(policy: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        BadPoints(**policy)
