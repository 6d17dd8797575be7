"""A scan that was cut off anywhere goes on as if it had not been."""

from __future__ import annotations

import math
import threading
from typing import Any

import pytest
from ophyd.sim import SynAxis

from skysteer.agent import History, Hybrid, Intervention
from skysteer.plans import BadPoints, Inbox, resume_scan
from skysteer.storage import Document

SETTINGS = {"until": "points(44)", "batch": 8, "seed": 4}


def scanned(bench: Any, agent: Any = None, **changes: Any) -> list[Document]:
    """Documents of an uninterrupted scan."""
    bench.scan(agent or bench.sampler("Steepest"), **{**SETTINGS, **changes})
    return bench.documents()


def resumed(bench: Any, documents: Any, agent: Any = None, **changes: Any) -> Any:
    """Go on from documents; what the plan returned."""
    agent = agent or bench.sampler("Steepest")
    plan = resume_scan(documents, [bench.det], [bench.x, bench.y], agent=agent, **changes)
    return bench.RE(plan).plan_result


def cut(documents: list[Document], readings: int) -> list[Document]:
    """What a process leaves that is killed when so many readings have been written."""
    primary = {d["uid"] for n, d in documents if n == "descriptor" and d["name"] == "primary"}
    for place, (name, document) in enumerate(documents):
        if name == "event" and document["descriptor"] in primary:
            readings -= 1
        if readings < 0:
            return documents[:place]
    return documents[:-1]


def path(*runs: list[Document]) -> list[tuple[int, int, int, float | None]]:
    """Number, pixel and value of every reading, in order; None for NaN, which equals nothing."""
    log = History.of([d for run in runs for d in run]).log
    return [(*entry[:3], None if math.isnan(entry.value) else entry.value) for entry in log]


def decided(*runs: list[Document]) -> list[tuple[Any, ...]]:
    """Number, fingerprint and targets of every decision."""
    past = History.of([d for run in runs for d in run]).decisions
    return [(d.decision.number, d.decision.digest, d.decision.pixels.tolist()) for d in past]


@pytest.mark.parametrize(("prefetch", "first"), [(0, 6), (3, 7), (8, 8)])
def test_wherever_it_was_cut_off_the_points_are_those_of_the_whole_scan(
    bench: Any, prefetch: int, first: int
) -> None:
    whole = scanned(bench, prefetch=prefetch)
    for place in range(first, len(whole), 5):
        begun = whole[:place]
        resumed(bench, begun)
        assert path(begun, bench.documents()) == path(whole), place
        assert decided(begun, bench.documents()) == decided(whole), place
        assert interventions(bench)[0]["differs"] == -1


def test_so_does_an_agent_that_weighs_forecasts_and_a_rule_that_waits_for_its_error(
    bench: Any,
) -> None:
    """Tests, audits, who is heard, and the first of the two decisions that must be sure."""
    rule = "expected_error(0.03) | points(180)"
    whole = scanned(bench, Hybrid(), until=rule, batch=12, prefetch=4)
    said = bench.decisions()[-1]["stop_reason"]
    assert said.startswith("expected error")
    places = [k for k, (_, doc) in enumerate(whole) if "decision_number" in doc.get("data", {})]
    for place in (places[3] + 4, places[-1] - 3):
        begun = whole[:place]
        resumed(bench, begun, Hybrid())
        assert path(begun, bench.documents()) == path(whole)
        assert decided(begun, bench.documents()) == decided(whole)
        assert bench.decisions()[-1]["stop_reason"] == said


def test_missed_targets_and_unusable_readings_are_no_hindrance(bench: Any) -> None:
    bench.det.sim_set_func(
        lambda: math.nan if bench.x.position % 5 == 3 else bench.x.position + 0.5
    )
    bench.x._readback_func = lambda value: value + (value == 10)  # never gets to 10
    whole = scanned(bench, until="points(60)", prefetch=3)
    for place in (20, 41, 62):
        begun = whole[:place]
        resumed(bench, begun)
        assert path(begun, bench.documents()) == path(whole)
        assert decided(begun, bench.documents()) == decided(whole)


def test_nor_are_points_that_were_tried_again(bench: Any) -> None:
    bench.det.sim_set_func(
        lambda: math.nan if bench.x.position % 5 == 3 else bench.x.position + 0.5
    )
    policy = BadPoints(unusable=("retry", "keep"), in_a_row=99)
    whole = scanned(bench, prefetch=3, on_bad_point=policy)
    said = [each.kind for each in History.of(whole).interventions]
    assert said.count("retry") == said.count("quarantine") >= 5
    for place in range(15, len(whole), 7):
        begun = whole[:place]
        resumed(bench, begun)
        pixels = [pixel for _, *pixel, _ in path(begun, bench.documents()) if pixel != [-1, -1]]
        # cut off in the middle of a remedy: that begins anew, or is not done any more
        last = begun[-1][1].get("data", {})
        amid = last.get("intervention_kind") or math.isnan(last.get("det", 0))
        expected = [pixel for _, *pixel, _ in path(whole) if pixel != [-1, -1]]
        assert pixels == expected or amid, place
        assert decided(begun, bench.documents())[-1][2] == decided(whole)[-1][2] or amid


def test_a_batch_that_nobody_had_approved_of_still_waits(bench: Any) -> None:
    inbox = Inbox(by="Ada")

    def approve(name: str, doc: Any) -> None:
        if {"decision_number", "intervention_number"} & set(doc.get("data", {})):
            if doc["data"].get("intervention_kind", "resume") == "resume":
                inbox.approve()

    bench.RE.subscribe(approve)
    whole = scanned(bench, approval=True, inbox=inbox, prefetch=0)
    decisions = [k for k, (_, d) in enumerate(whole) if d.get("data", {}).get("decision_number")]
    begun = whole[: decisions[0] + 1]  # the second decision had just been read
    resumed(bench, begun, inbox=inbox)
    assert path(begun, bench.documents()) == path(whole)
    after_it = History.of([*begun, *bench.documents()]).interventions[2:]
    assert [(each.kind, each.detail.get("decision")) for each in after_it[:2]] == [
        ("approve", 1),
        ("approve", 2),
    ]


def test_a_resumed_scan_is_resumed_again_and_again(bench: Any) -> None:
    whole = scanned(bench, prefetch=3)
    begun = [cut(whole, 5)]
    for more in (3, 1, 0, 9, 12):
        resumed(bench, [d for run in begun for d in run])
        begun.append(cut(bench.documents(), more))
    resumed(bench, [d for run in begun for d in run])
    assert path(*begun, bench.documents()) == path(whole)
    assert decided(*begun, bench.documents()) == decided(whole)


def test_no_order_between_the_streams_is_needed(bench: Any) -> None:
    whole = scanned(bench, prefetch=3)
    begun = cut(whole, 21)
    head, events = begun[:1], [d for d in begun if d[0] == "event"]
    by_stream = sorted(events, key=lambda d: d[1]["descriptor"])  # within a stream as they came
    resumed(bench, [*head, *[d for d in begun if d[0] == "descriptor"], *by_stream])
    assert path(begun, bench.documents()) == path(whole)


def test_readings_that_a_rewind_doubled_count_once(bench: Any) -> None:
    whole = scanned(bench, prefetch=3)
    begun = cut(whole, 30)
    # the batch of eight that begins with the 25th reading; the next was asked for after the 29th
    doubled = [d for d in begun for _ in range(1 + (d[1].get("seq_num", 0) in (26, 29, 30)))]
    assert len(doubled) == len(begun) + 3
    resumed(bench, doubled)
    points = {number: pixel for number, *pixel in path(doubled, bench.documents())}
    assert points == {number: pixel for number, *pixel in path(whole)}
    assert decided(doubled, bench.documents()) == decided(whole)


def test_decisions_from_readings_that_got_lost_are_left_out(bench: Any) -> None:
    whole = scanned(bench, prefetch=3)
    primary = next(d["uid"] for n, d in whole if n == "descriptor" and d["name"] == "primary")
    readings = [d for d in whole if d[0] == "event" and d[1]["descriptor"] == primary]
    torn = [d for d in whole[:-1] if d not in readings[18:]]
    result = resumed(bench, torn)
    assert len(History.of(torn).decisions) == 3
    pixels = [pixel for _, *pixel, _ in path(torn, bench.documents())]
    assert result.points == len(pixels) == len({tuple(pixel) for pixel in pixels}) == 44


def test_so_are_readings_whose_decisions_got_lost_taken_as_they_are(bench: Any) -> None:
    whole = scanned(bench, prefetch=3)
    late = [d for d in whole[:-1] if d[1].get("data", {}).get("decision_number", 0) < 2]
    result = resumed(bench, late)
    assert result.points == 44
    assert path(late, bench.documents())[:44] == path(whole)


def test_the_new_run_names_the_old_one_and_has_its_settings(bench: Any) -> None:
    whole = scanned(bench, prefetch=3, md={"sample": "coin"})
    resumed(bench, cut(whole, 20), md={"operator": "Ada"})
    start = bench.documents()[0][1]
    assert start["resumed_from"] == whole[0][1]["uid"]
    assert start["resumed_after"] == 20
    assert start["skysteer"] == whole[0][1]["skysteer"]
    assert (start["sample"], start["operator"]) == ("coin", "Ada")
    assert bench.events()[0]["det"] == path(whole)[20][3]
    assert [d["seq_num"] for d in bench.raw_events()] == list(range(1, 25))


def test_an_agent_that_decides_otherwise_is_told_and_goes_on(
    bench: Any, caplog: pytest.LogCaptureFixture
) -> None:
    begun = cut(scanned(bench, prefetch=0), 30)
    other = type(bench.sampler("Other"))
    result = resumed(bench, begun, type("Steepest", (other,), {})())  # by the same name
    first = next(d for d in History.of(begun).decisions if d.decision.source != "start")
    (said,) = interventions(bench)
    assert (said["differs"], said["what"]) == (first.decision.number, "pixels")
    assert f"decision {said['differs']} of run" in caplog.text
    pixels = [tuple(pixel) for _, *pixel, _ in path(begun, bench.documents())]
    assert result.points == len(pixels) == len(set(pixels)) == 44


def test_one_that_had_failed_stays_replaced(bench: Any) -> None:
    whole = scanned(bench, bench.sampler("Raises"), prefetch=3)
    begun = cut(whole, 38)
    resumed(bench, begun, bench.sampler("Raises"))
    assert path(begun, bench.documents()) == path(whole)
    assert decided(begun, bench.documents()) == decided(whole)


def test_time_and_dose_count_all_runs(bench: Any) -> None:
    bench.det.dwell = bench.x.velocity
    whole = scanned(bench, until="points(400) | dose(5)", dwell=0.25, batch=4)
    assert len(path(whole)) == 20
    begun = cut(whole, 12)
    resumed(bench, begun)
    assert len(path(begun, bench.documents())) in (19, 20)  # an exposure that was cut off counts
    took = [max(d["time"] for n, d in run if "time" in d) for run in (begun, bench.documents())]
    began = [run[0][1]["time"] for run in (begun, bench.documents())]
    past = History.of([*begun, *bench.documents()])
    assert past.seconds == pytest.approx(sum(took) - sum(began), abs=1e-4)


def test_a_run_that_had_used_its_time_ends_at_once(bench: Any) -> None:
    whole = scanned(bench, until="points(44) | time(3600)")
    begun = cut(whole, 12)
    begun[0] = ("start", {**begun[0][1], "time": begun[0][1]["time"] - 3600})
    assert resumed(bench, begun).stop_reason == "time of 3600 s"
    assert bench.raw_events() == []


def test_a_run_that_was_given_up_may_be_resumed_when_the_fault_is_mended(bench: Any) -> None:
    good = bench.det._func
    bench.det.sim_set_func(lambda: math.nan)
    bench.scan(bench.sampler("Steepest"), until="points(44)", batch=8)
    given_up = bench.documents()
    past = History.of(given_up)
    assert "no new pixel" in past.decisions[-1].stop_reason
    assert past.exposures == past.events, "nothing was under way when it ended"
    bench.det.sim_set_func(good)
    assert resumed(bench, given_up).stop_reason == "44 points"


def test_motors_that_still_move_are_waited_for(bench: Any) -> None:
    whole = scanned(bench)
    bench.x = Drifting(name="x")
    threading.Timer(0.5, bench.x.arrive).start()
    bench.det.sim_set_func(lambda: float(bench.x.moving))
    resumed(bench, cut(whole, 20))
    assert {reading["det"] for reading in bench.events()} == {0.0}
    assert bench.x.stops == 0


def test_those_that_do_not_come_to_rest_are_stopped(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skysteer.plans.resumption.PATIENCE", 0.2)
    whole = scanned(bench)
    bench.x = Drifting(name="x")
    resumed(bench, cut(whole, 20))
    assert bench.x.stops == 1


def test_one_that_moves_on_although_stopped_ends_it_before_a_run_begins(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skysteer.plans.resumption.PATIENCE", 0.1)
    monkeypatch.setattr("skysteer.plans.resumption.STOPPING", 0.1)
    whole = scanned(bench)
    bench.x = Drifting(name="x", heeds=False)
    with pytest.raises(RuntimeError, match=r"'x' still moves 0\.1 s after it was stopped"):
        resumed(bench, cut(whole, 20))
    assert len(bench.runs()) == 1


def test_what_cannot_be_resumed_is_refused_in_one_line(bench: Any) -> None:
    whole = scanned(bench)
    begun = cut(whole, 20)
    for documents, changes, words in (
        (whole, {}, "is finished .44 points."),
        ([], {}, "expected the documents of an adaptive scan"),
        ([("start", {"uid": "u", "plan_name": "count"})], {}, "run u is a count"),
        (begun[1:], {}, "begin with its start"),
        ([*begun, *whole], {}, "does not go on with"),
        ([("start", {**begun[0][1], "resumed_from": "other"})], {}, "goes on with run other"),
        (begun, {"motors": [bench.x]}, "give y too"),
        ("abc", {}, "give a data folder or a catalog"),
        (begun, {"until": "tired"}, "coverage"),
    ):
        settings = {"agent": bench.sampler("Steepest"), "motors": [bench.x, bench.y], **changes}
        with pytest.raises(ValueError, match=words) as refusal:
            bench.RE(resume_scan(documents, [bench.det], **settings))
        assert "\n" not in str(refusal.value)
    assert len(bench.runs()) == 1


def test_by_its_uid_a_run_is_found_in_its_folder_and_closed(bench: Any) -> None:
    whole = scanned(bench)
    file = bench.runs()[0]
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:30]) + lines[30][:50])  # torn by a kill
    settings = {"source": bench.folder.parent, "agent": bench.sampler("Steepest")}
    bench.RE(resume_scan(-1, [bench.det], [bench.x, bench.y], **settings))
    name, stop = bench.documents(0)[-1]
    assert (name, stop["exit_status"]) == ("stop", "abort")
    assert "ended before the run did" in stop["reason"]
    assert path(bench.documents(0), bench.documents()) == path(whole)


def interventions(bench: Any) -> list[dict[str, Any]]:
    """What was recorded beside the latest run's plan."""
    said = map(Intervention.from_event, bench.events("interventions"))
    return [dict(each.detail) for each in said]


class Drifting(SynAxis):
    """Moves when it is first met, and as long as nobody stops it."""

    def __init__(self, *, heeds: bool = True, **settings: Any) -> None:
        super().__init__(**settings)
        self.moving, self.stops, self._heeds = True, 0, heeds

    def arrive(self) -> None:
        self.moving = False

    def stop(self, *, success: bool = False) -> None:
        self.stops += self.moving
        self.moving = self.moving and not self._heeds
