"""People in the loop: what they say is recorded, obeyed through the guard, and comes out again."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from skysteer.agent import AgentServer, Decision
from skysteer.plans import Inbox

FOREVER = 60.0  # s; nobody waits that long


@pytest.fixture
def inbox() -> Inbox:
    return Inbox(by="Ada")


def at_event(bench: Any, number: int, do: Callable[[], Any]) -> list[Any]:
    """Do something as soon as a point has been recorded; what came of it."""
    done: list[Any] = []

    def hear(name: str, document: dict[str, Any]) -> None:
        if name == "event" and "det" in document["data"] and document["seq_num"] == number:
            if not done:  # after a pause it may come again
                done.append(do())

    bench.RE.subscribe(hear)
    return done


def said(bench: Any) -> list[tuple[str, str, int]]:
    """Kind, author and place in the log of each intervention, as the journal has them."""
    return [(i.kind, i.by, i.seen) for i in bench.reader().interventions]


def details(bench: Any, kind: str) -> list[Any]:
    return [i.detail for i in bench.reader().interventions if i.kind == kind]


def visited(bench: Any) -> list[tuple[int, int]]:
    return [(round(e["y"]), round(e["x"])) for e in bench.events()]


@pytest.mark.parametrize("prefetch", [0, 4])
def test_stop_does_not_wait_for_a_long_decision(
    bench: Any, inbox: Inbox, prefetch: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The agent takes a minute, and nobody gives it up: only a stop that is heard ends this."""
    # a twentieth of the grid is no decision of its own
    told = at_event(bench, 25, lambda: threading.Timer(0.3, inbox.stop, ["seen enough"]).start())
    settings = {"batch": 10, "prefetch": prefetch, "decision_timeout": 10 * FOREVER}
    agent = {"agent": bench.own("Hangs"), "options": {"number": 1}}
    outcome = bench.scan(agent, until="points(50)", inbox=inbox, **settings)
    assert told == [None] and outcome.stop_reason == "stopped by Ada: seen enough"
    assert said(bench) == [("stop", "Ada", 25)]
    last = bench.decisions()[-1]
    assert (last["stop_reason"], last["count"]) == (outcome.stop_reason, 0)
    gc.collect()
    assert "never retrieved" not in caplog.text


def test_stop_ends_the_run_in_order_before_the_next_point(bench: Any, inbox: Inbox) -> None:
    inbox.move((0, 0)).cancel()  # who does not wait for the answer holds nothing up
    told = at_event(bench, 7, lambda: inbox.stop("seen enough"))
    outcome = bench.scan(until="points(50)", batch=10, inbox=inbox)
    assert outcome.stop_reason == "stopped by Ada: seen enough"
    assert told[0].result(FOREVER) == "taken"
    assert len(bench.events()) == 7
    assert said(bench) == [("move", "Ada", 0), ("stop", "Ada", 7), ("moved", "then", 7)]
    assert bench.decisions()[-1]["stop_reason"] == outcome.stop_reason
    assert bench.stop()["exit_status"] == "success"


def test_what_was_said_before_the_scan_holds_from_its_first_point(bench: Any, inbox: Inbox) -> None:
    inbox.forbid((0, 9), (0, 24))
    bench.scan(until="points(40)", batch=10, inbox=inbox)
    assert all(row > 9 for row, _ in visited(bench))


def test_a_forbidden_region_is_left_at_once_and_not_entered_again(bench: Any, inbox: Inbox) -> None:
    told = at_event(bench, 13, lambda: inbox.forbid((5.5, 15.5), (0, 24)))
    bench.scan(bench.sampler("Steepest"), until="points(120)", batch=10, prefetch=5, inbox=inbox)
    assert told[0].result(FOREVER) == "taken"
    assert any(5 < row < 16 for row, _ in visited(bench)[:13]), "it was measured there before"
    assert not any(5 < row < 16 for row, _ in visited(bench)[13:])
    assert len(bench.events()) == 120
    # the batch under way: what lay in the region was skipped, and the documents say so
    skipped = [(d["row"], d["column"]) for d in details(bench, "skip")]
    left_out = set(bench.batches()[1]) - set(visited(bench))
    assert set(skipped) == left_out


def test_a_polygon_is_forbidden_and_allowed_again_by_its_number(bench: Any, inbox: Inbox) -> None:
    triangle = [(-1.0, -1.0), (-1.0, 30.0), (25.0, -1.0)]
    at_event(bench, 5, lambda: inbox.forbid(polygon=triangle))
    at_event(bench, 60, lambda: inbox.allow(0))
    bench.scan(until="points(130)", batch=5, inbox=inbox)
    inside = [k for k, (row, column) in enumerate(visited(bench)) if row / 25 + column / 30 < 0.9]
    assert not [k for k in inside if 5 <= k < 60]
    assert [k for k in inside if k > 65]
    assert [kind for kind, _, _ in said(bench) if kind != "skip"] == ["forbid", "allow"]


def test_injected_pixels_are_measured_next_and_once(bench: Any, inbox: Inbox) -> None:
    wanted = [(0, 0), (19, 24), (10, 12)]
    at_event(bench, 12, lambda: inbox.inject(wanted))
    bench.scan(bench.sampler("Steepest"), until="points(60)", batch=10, inbox=inbox)
    assert visited(bench)[20:23] == wanted, "after the batch under way"
    assert len(set(visited(bench))) == len(bench.events()) == 60
    sources = [d["source"] for d in bench.decisions()]
    assert sources[2] == "inject" and sources.count("inject") == 1


def test_more_pixels_than_a_batch_has_are_measured_in_several(bench: Any, inbox: Inbox) -> None:
    wanted = [(k, 2 * k) for k in range(12)]
    inbox.inject(wanted)
    bench.scan(until="points(30)", batch=5, inbox=inbox)
    assert visited(bench)[:12] == wanted
    assert [d["count"] for d in bench.decisions()][:3] == [5, 5, 2]


@pytest.mark.parametrize(
    ("say", "why"),
    [
        (lambda inbox: inbox.inject([(20, 0)]), "off the grid"),
        (lambda inbox: inbox.inject([(0, 0), (3, 3), (99, 99)]), "off the grid"),
        (lambda inbox: inbox.allow(3), "no forbid has number 3"),
        (lambda inbox: inbox.approve(), "waits for no approval"),
        (lambda inbox: inbox.reject(7), "not the present one, 0"),
        (lambda inbox: inbox.reject(pixels=[(0, 25)]), "off the grid"),
        (lambda inbox: inbox.resume(), "not paused"),
        (lambda inbox: inbox.agent("oracle"), "there is no agent 'oracle'"),
        (lambda inbox: inbox.agent("slads", {"speed": "high"}), "speed"),
        (lambda inbox: inbox.move((25, 0)), "off the grid"),
        (lambda inbox: inbox.forbid(polygon=[(0, 0), (1, 1), (2, 2)]), "corners"),
    ],
)
def test_what_makes_no_sense_is_refused_recorded_and_changes_nothing(
    bench: Any, inbox: Inbox, say: Any, why: str
) -> None:
    bench.scan(bench.sampler("Steepest"), until="points(15)", batch=5)
    told = at_event(bench, 3, lambda: say(inbox))
    bench.scan(bench.sampler("Steepest"), until="points(15)", batch=5, inbox=inbox)
    with pytest.raises(ValueError, match=why):
        told[0].result(FOREVER)
    assert said(bench) == [("refused", "Ada", 3)]
    assert why in details(bench, "refused")[0]["why"]
    assert bench.batches() == bench.batches(0)


def test_a_measured_pixel_is_not_measured_again_for_the_asking(bench: Any, inbox: Inbox) -> None:
    told = at_event(bench, 10, lambda: inbox.inject([visited(bench)[0]]))
    bench.scan(until="points(20)", batch=5, inbox=inbox)
    with pytest.raises(ValueError, match="already measured"):
        told[0].result(FOREVER)
    assert len(set(visited(bench))) == 20


def test_rejected_targets_are_left_out_and_never_suggested_again(bench: Any, inbox: Inbox) -> None:
    at_event(bench, 12, lambda: inbox.reject())
    bench.scan(bench.sampler("Steepest"), until="points(100)", batch=10, prefetch=5, inbox=inbox)
    rejected = [tuple(p) for p in details(bench, "reject")[0]["pixels"]]
    assert rejected == bench.batches()[1][2:]
    assert not set(rejected) & set(visited(bench))
    assert not any(set(rejected) & set(batch) for batch in bench.batches()[2:])
    assert len(bench.events()) == 100


def test_with_approval_nothing_is_measured_before_somebody_approves(
    bench: Any, inbox: Inbox
) -> None:
    answered: list[tuple[int, int]] = []

    def answer(name: str, document: dict[str, Any]) -> None:
        if name == "event" and "decision_number" in document["data"]:
            number = document["data"]["decision_number"]
            answered.append((number, document["seq_num"]))
            if not document["data"]["decision_stop"]:
                threading.Timer(0.05, (inbox.reject if number == 1 else inbox.approve)).start()

    bench.RE.subscribe(answer)
    bench.scan(until="points(30)", batch=10, prefetch=3, inbox=inbox, approval=True)
    assert [kind for kind, _, _ in said(bench)] == ["approve", "reject", "approve", "approve"]
    assert not set(bench.batches()[1]) & set(visited(bench)), "rejected"
    approved = bench.batches()[0] + bench.batches()[2] + bench.batches()[3]
    assert visited(bench) == approved[:30]
    order = [
        ("point" if "det" in d["data"] else "said" if "intervention_kind" in d["data"] else "batch")
        for n, d in bench.documents()
        if n == "event"
    ]
    for k, kind in enumerate(order):
        if kind == "batch" and "point" in order[k:]:
            assert order[k + 1] == "said", "a batch is followed by what a person said of it"


def test_approval_needs_somebody_who_can_approve(bench: Any) -> None:
    with pytest.raises(ValueError, match="needs an inbox"):
        bench.scan(until="points(30)", approval=True)


def test_a_scan_that_waits_for_approval_can_be_stopped_and_paused(bench: Any, inbox: Inbox) -> None:
    timers = [threading.Timer(0.2, inbox.pause), threading.Timer(0.4, lambda: inbox.stop("tea"))]
    for timer in timers:
        timer.start()
    bench.start(bench.plan(until="points(30)", batch=10, inbox=inbox, approval=True))
    timers[1].join()
    bench.resume_to_the_end()
    assert bench.result.plan_result.stop_reason == "stopped by Ada: tea"
    assert "primary" not in bench.stop()["num_events"] or not bench.events()


def test_a_pause_by_the_inbox_is_a_pause_of_the_runengine(bench: Any, inbox: Inbox) -> None:
    bench.scan(bench.sampler("Steepest"), until="points(40)", batch=10)
    told = at_event(bench, 15, lambda: inbox.pause("look at the sample"))
    plan = bench.plan(bench.sampler("Steepest"), until="points(40)", batch=10, inbox=inbox)
    bench.start(plan)
    assert bench.RE.state == "paused" and inbox.paused
    assert told[0].result(0) == "taken"
    assert len(bench.events()) == 15, "before the next point"
    assert bench.resume_to_the_end() == 1
    assert not inbox.paused
    assert said(bench) == [("pause", "Ada", 15), ("resume", "Ada", 15)]
    assert bench.batches() == bench.batches(0) and len(bench.raw_events()) == 40


def test_what_is_said_during_a_pause_is_taken_when_it_ends(bench: Any, inbox: Inbox) -> None:
    at_event(bench, 5, inbox.pause)
    bench.start(bench.plan(until="points(20)", batch=10, inbox=inbox))
    assert not inbox.wakes()
    inbox.inject([(0, 0)])
    assert not inbox.wakes()
    told = inbox.resume()
    assert inbox.wakes()
    bench.resume_to_the_end()
    assert told.result(0) == "taken"
    assert [kind for kind, _, _ in said(bench)] == ["pause", "inject", "resume"]
    assert visited(bench)[10] == (0, 0)


def test_another_agent_takes_over_in_the_middle(bench: Any, inbox: Inbox) -> None:
    told = at_event(bench, 12, lambda: inbox.agent(bench.own("Steepest")))
    bench.scan("low-discrepancy", until="points(60)", batch=10, prefetch=5, inbox=inbox)
    assert told[0].result(FOREVER) == "taken"
    sources = [d["source"] for d in bench.decisions() if not d["stop"]]
    assert sources[-1] == bench.own("Steepest") and "low-discrepancy" in sources
    (said_so,) = details(bench, "agent")
    assert said_so == {"agent": bench.own("Steepest"), "options": {}}
    assert len(set(visited(bench))) == 60


def test_the_same_agent_goes_on_with_other_options(bench: Any, inbox: Inbox) -> None:
    at_event(bench, 12, lambda: inbox.agent(bench.own("Raises"), {"number": 5}))
    bench.scan(bench.own("Raises"), until="points(60)", batch=5, inbox=inbox)
    # with its first options it would have failed at decision 4
    failed = [d["number"] for d in bench.decisions() if "failed" in d["note"]]
    assert failed == [5]


def test_an_agent_of_this_process_hands_over_to_one_in_a_worker(bench: Any, inbox: Inbox) -> None:
    at_event(bench, 12, lambda: inbox.agent("uniform"))
    bench.scan(bench.sampler("Steepest"), until="points(60)", batch=10, inbox=inbox)
    assert bench.decisions()[-2]["source"] == "uniform"


@pytest.mark.parametrize("by_the_plan", [True, False])
def test_at_the_end_the_stage_stands_at_the_best_pixel(
    bench: Any, inbox: Inbox, by_the_plan: bool
) -> None:
    at_event(bench, 12, lambda: None if by_the_plan else inbox.move())
    bench.scan(until="points(60)", inbox=inbox, then="best" if by_the_plan else None)
    best = max(bench.events(), key=lambda event: event["det"])
    assert (bench.x.position, bench.y.position) == (best["x"], best["y"])
    (moved,) = details(bench, "moved")
    assert (moved["row"], moved["column"]) == (best["y"], best["x"])


def test_the_last_word_on_the_end_counts_and_the_guard_has_it(bench: Any, inbox: Inbox) -> None:
    at_event(bench, 5, lambda: inbox.move((2, 3)))
    at_event(bench, 9, lambda: inbox.forbid((1, 3), (2, 4)))
    bench.scan(until="points(20)", batch=5, inbox=inbox, then=(7, 8))
    assert details(bench, "refused")[0]["why"] == "kept out"
    assert not details(bench, "moved")
    bench.scan(until="points(20)", batch=5, then=(7, 8))
    assert (bench.y.position, bench.x.position) == (7, 8)
    with pytest.raises(ValueError, match="20 x 25"):
        bench.scan(until="points(20)", then=(20, 8))


def test_pauses_at_any_moment_say_nothing_twice(bench: Any, inbox: Inbox) -> None:
    """The RunEngine rewinds and replays messages: each thing said leaves one event."""
    plan = bench.plan(bench.sampler("Steepest"), until="points(120)", batch=10, inbox=inbox)
    for number in range(3, 110, 7):
        at_event(bench, number, lambda k=number: inbox.move((k % 20, k % 25)))

    seen: set[tuple[str, int]] = set()

    def rewind(name: str, document: dict[str, Any]) -> None:
        event = (document.get("descriptor", ""), document.get("seq_num", 0))
        if name == "event" and event[1] % 5 == 2 and event not in seen:
            seen.add(event)  # it comes again after the pause
            bench.RE.loop.create_task(bench.RE._request_pause_coro())

    bench.RE.subscribe(rewind)
    bench.start(plan)
    assert bench.resume_to_the_end() > 10
    numbers = [i.number for i in bench.reader().interventions]
    assert numbers == list(range(len(numbers)))
    assert len(details(bench, "move")) == len(range(3, 110, 7))
    assert len({(e["y"], e["x"]) for e in bench.events()}) == 120


def test_every_decision_is_rebuilt_from_what_was_said_and_measured(
    bench: Any, inbox: Inbox
) -> None:
    at_event(bench, 12, lambda: inbox.forbid((0, 4), (0, 24)))
    at_event(bench, 23, lambda: inbox.inject([(12, 12), (13, 13)]))
    at_event(bench, 33, lambda: inbox.reject())
    at_event(bench, 50, lambda: inbox.agent("spread"))
    bench.scan(bench.own("Steepest"), until="points(90)", batch=10, prefetch=4, inbox=inbox)
    from skysteer.agent import standing_orders

    log, interventions = bench.reader().observations.log, bench.reader().interventions
    record = bench.documents()[0][1]["skysteer"]
    again = 0
    for event in bench.decisions():
        orders = standing_orders(interventions[: event["told"]])
        if event["stop"] or event["source"] == "inject":
            continue
        zones = [list(p) for z in orders.zones.values() for p in rows_within(z)]
        pending = zip(event["pending_rows"], event["pending_columns"], strict=True)
        unavailable = [*map(list, sorted(orders.rejected)), *zones, *map(list, pending)]
        server = AgentServer({**record, "blocked": [], **(orders.agent or {})})
        entries = [[o.id, o.row, o.column, o.value] for o in log[: event["seen"]]]
        answer = server.decide(0, entries, event["asked"], unavailable, event["number"])
        decision = Decision.from_json(answer)
        assert decision.digest == event["digest"]
        assert decision.pixels.tolist() == [
            list(p) for p in zip(event["rows"], event["columns"], strict=True)
        ]
        again += 1
    assert again >= 8


def rows_within(zone: Any) -> list[tuple[int, int]]:
    low, high = zone["slow"]
    return [(row, column) for row in range(20) if low <= row <= high for column in range(25)]


def test_an_empty_inbox_costs_microseconds_a_point(tmp_path: Any) -> None:
    from skysteer.storage import Mailbox

    box = Mailbox(tmp_path)
    inbox = Inbox(box)
    best = min(_seconds(inbox.take) for _ in range(2000))
    box.close()
    assert best < 50e-6


def _seconds(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
