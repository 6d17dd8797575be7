"""An optimisation that was cut off anywhere goes on as if it had not been."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from ophyd.sim import SynAxis

from skysteer.agent import History, MotorGoal
from skysteer.plans import BadPoints, Inbox, decide_again, optimize, resume_scan
from skysteer.storage import Document

SETTINGS = {"until": "points(16)", "batch": 3, "seed": 1}
ENDS = (0, 4), (-10, 10)


def limits(mirror: Any) -> tuple[Any, ...]:
    return (mirror.pitch, *ENDS[0], mirror.height, *ENDS[1])


def sought(mirror: Any, agent: Any = None, **changes: Any) -> list[Document]:
    """Documents of an uninterrupted optimisation."""
    agent = agent or MotorGoal("optimum")
    plan = optimize([mirror.det], agent, *limits(mirror), **{**SETTINGS, **changes})
    mirror.result = mirror.RE(plan).plan_result
    return mirror.documents()


def resumed(mirror: Any, documents: Any, agent: Any = None, **changes: Any) -> Any:
    """Go on from documents; what the plan returned."""
    changes = {"agent": agent or MotorGoal("optimum"), **changes}
    motors = [mirror.height, mirror.pitch]
    return mirror.RE(resume_scan(documents, [mirror.det], motors, **changes)).plan_result


def cut(documents: list[Document], readings: int) -> list[Document]:
    """What a process leaves that is killed when so many readings have been written."""
    places = [k for k, (_, doc) in enumerate(documents) if "flux" in doc.get("data", {})]
    return documents[: places[readings]]


def path(*runs: list[Document]) -> list[tuple[Any, ...]]:
    """Number, position and value of every reading, in order; None for NaN, which equals nothing."""
    log = History.of([d for run in runs for d in run]).log
    return [(*entry[:2], None if math.isnan(entry.value) else entry.value) for entry in log]


def decided(*runs: list[Document]) -> list[tuple[Any, ...]]:
    """Number, fingerprint and targets of every decision."""
    past = History.of([d for run in runs for d in run]).decisions
    return [(d.decision.number, d.decision.digest, d.targets.tolist()) for d in past]


def rechecks(*runs: list[Document]) -> list[dict[str, Any]]:
    """What each run says of the decisions before it."""
    said = History.of([d for run in runs for d in run]).interventions
    return [dict(each.detail) for each in said if "differs" in each.detail]


def check_as_whole(mirror: Any, whole: list[Document], *begun: list[Document]) -> None:
    runs = *begun, mirror.documents()
    assert path(*runs) == path(whole)
    assert decided(*runs) == decided(whole)
    assert [each["differs"] for each in rechecks(*runs)] == [-1] * len(begun)


@pytest.mark.parametrize(("batch", "prefetch"), [(1, 0), (3, 0), (4, 2), (3, 3)])
def test_wherever_it_was_cut_off_the_points_are_those_of_the_whole(
    mirror: Any, batch: int, prefetch: int
) -> None:
    whole = sought(mirror, batch=batch, prefetch=prefetch)
    end = mirror.result
    for place in range(4 + prefetch, len(whole), 7):
        begun = whole[:place]
        if History.of(begun).finished:
            break
        mirror.pitch.set(0.0)
        found = resumed(mirror, begun)
        check_as_whole(mirror, whole, begun)
        assert (found.best, found.best_value, found.points) == (end.best, end.best_value, 16)
        assert mirror.pitch.position == end.best["pitch"], "it ends at the best position"


@pytest.mark.parametrize(
    "agent",
    [
        {"goal": "boundary", "threshold": 40.0},
        {"goal": "map"},
        {"goal": "optimum", "path": "full", "find": "min"},
    ],
)
def test_whatever_is_sought_in_a_process_of_its_own(mirror: Any, agent: Any) -> None:
    zone = {"motors": ["pitch", "height"], "polygon": [[3, 0], [4, 0], [4, 4]]}
    rules = {"keep_out": [zone], "inequalities": [({"pitch": 1.0, "height": 0.1}, 4.0)]}
    whole = sought(mirror, agent, **rules, until="points(12)")
    begun = cut(whole, 8)
    plan = resume_scan(begun, [mirror.det], [mirror.pitch, mirror.height])
    mirror.RE(plan)
    check_as_whole(mirror, whole, begun)
    assert mirror.documents()[0][1]["skysteer"] == whole[0][1]["skysteer"]


def test_readings_that_failed_and_were_tried_again_are_no_hindrance(mirror: Any) -> None:
    good = mirror.det._func
    mirror.det.sim_set_func(lambda: math.nan if mirror.pitch.position % 0.3 < 0.1 else good())
    policy = BadPoints(unusable=("retry", "keep"), in_a_row=99)
    whole = sought(mirror, on_bad_point=policy, prefetch=1)
    assert [each.kind for each in History.of(whole).interventions].count("retry") >= 3
    for place in range(5, len(whole) - 4, 4):
        begun = whole[:place]
        last = begun[-1][1].get("data", {})
        resumed(mirror, begun)
        if last.get("intervention_kind") or math.isnan(last.get("flux", 0)):
            continue  # cut off in the middle of a remedy: that begins anew, or is not done any more
        check_as_whole(mirror, whole, begun)


def test_a_resumed_one_is_resumed_again_and_again(mirror: Any) -> None:
    whole = sought(mirror, prefetch=1)
    begun = [cut(whole, 5)]
    for more in (3, 1, 0, 2):
        resumed(mirror, [d for run in begun for d in run])
        begun.append(cut(mirror.documents(), more))
    resumed(mirror, [d for run in begun for d in run])
    check_as_whole(mirror, whole, *begun)


def test_the_new_run_names_the_old_one_and_has_its_settings(mirror: Any) -> None:
    whole = sought(mirror, md={"sample": "mirror"}, then="stay", settle=0.001)
    begun = cut(whole, 9)
    stood = resumed(mirror, begun, md={"operator": "Ada"})
    start = mirror.documents()[0][1]
    assert start["resumed_from"] == whole[0][1]["uid"]
    assert start["resumed_after"] == 9
    assert start["skysteer"] == whole[0][1]["skysteer"]
    assert (start["sample"], start["operator"]) == ("mirror", "Ada")
    assert [d["seq_num"] for d in mirror.raw_events()] == list(range(1, 8))
    assert stood.points == 16 and mirror.pitch.position == mirror.events()[-1]["pitch"]


def test_dose_and_time_count_all_runs(mirror: Any) -> None:
    mirror.det.dwell = SynAxis(name="dwell")
    whole = sought(mirror, until="points(400) | dose(5)", dwell=0.25, batch=8)
    assert len(path(whole)) == 20
    begun = cut(whole, 18)  # amid the last batch, which the dose cuts short
    resumed(mirror, begun)
    assert len(path(begun, mirror.documents())) in (19, 20)  # an exposure that was cut off counts
    assert [each["differs"] for each in rechecks(begun, mirror.documents())] == [-1]
    said = History.of([*begun, *mirror.documents()])
    began, later = (
        ("start", {**run[0][1], "time": run[0][1]["time"] - 100})
        for run in (begun, mirror.documents())
    )
    past = History.of([began, *begun[1:], later, *mirror.documents()[1:]])
    assert past.seconds == pytest.approx(said.seconds + 200)


def test_one_that_had_used_its_time_ends_at_once_at_the_best(mirror: Any) -> None:
    whole = sought(mirror, until="points(44) | time(3600)")
    begun = cut(whole, 12)
    begun[0] = ("start", {**begun[0][1], "time": begun[0][1]["time"] - 3600})
    found = resumed(mirror, begun)
    assert (found.stop_reason, found.points) == ("time of 3600 s", 12)
    assert mirror.raw_events() == []
    assert mirror.pitch.position == found.best["pitch"]


class Failing:
    """Has no idea."""

    start = 2

    def choose_positions(self, request: Any) -> Any:
        raise RuntimeError("no idea")


def test_an_agent_that_had_failed_stays_replaced(mirror: Any) -> None:
    whole = sought(mirror, Failing())
    begun = cut(whole, 10)
    resumed(mirror, begun, Failing())
    check_as_whole(mirror, whole, begun)


def test_one_that_was_given_up_may_be_resumed_when_the_fault_is_mended(mirror: Any) -> None:
    good = mirror.det._func
    mirror.det.sim_set_func(lambda: math.nan)
    given_up = sought(mirror, on_bad_point={"unusable": ["keep"]})
    assert "no usable reading" in History.of(given_up).decisions[-1].stop_reason
    mirror.det.sim_set_func(good)
    assert resumed(mirror, given_up).stop_reason == "16 points"


def test_what_a_person_rejected_stays_rejected(mirror: Any) -> None:
    inbox = Inbox(by="Ada")
    token = mirror.RE.subscribe(
        lambda _, doc: (
            inbox.reject() if "flux" in doc.get("data", {}) and doc["seq_num"] == 8 else None
        )
    )
    whole = sought(mirror, inbox=inbox, batch=4, prefetch=0)
    mirror.RE.unsubscribe(token)
    said = History.of(whole).interventions[0]
    assert said.kind == "reject" and 1 <= len(said.detail["pixels"]) < 4
    begun = whole[: 1 + next(k for k, (_, d) in enumerate(whole) if "reject" in str(d))]
    for cut_off in (begun, cut(whole, 11)):
        resumed(mirror, cut_off)
        check_as_whole(mirror, whole, cut_off)


def test_one_that_decides_otherwise_is_told_and_goes_on(
    mirror: Any, caplog: pytest.LogCaptureFixture
) -> None:
    begun = cut(sought(mirror), 12)
    found = resumed(mirror, begun, MotorGoal("optimum", find="min"))
    first = next(d for d in History.of(begun).decisions if d.decision.source != "start")
    (said,) = rechecks(begun, mirror.documents())
    assert (said["differs"], said["what"]) == (first.decision.number, "positions")
    assert f"decision {said['differs']} of run" in caplog.text
    assert found.points == 16


def test_its_decisions_are_made_again_from_its_documents(mirror: Any) -> None:
    whole = sought(mirror, {"goal": "optimum"})
    assert [what for _, what in decide_again(History.of(whole))] == [""] * 6
    spoilt = [
        (name, {**doc, "data": {**doc["data"], "flux": 99.0}} if "flux" in str(doc) else doc)
        if name == "event" and doc["seq_num"] == 8 and "flux" in doc["data"]
        else (name, doc)
        for name, doc in whole
    ]
    assert [what for _, what in decide_again(History.of(spoilt))] == [""] * 3 + ["digest"] * 3


def test_what_cannot_be_resumed_is_refused_before_anything_moves(mirror: Any) -> None:
    whole = sought(mirror)
    begun = cut(whole, 9)
    blind = [("start", {**begun[0][1], "skysteer": {**begun[0][1]["skysteer"], "shutter": "s"}})]
    other = SynAxis(name="roll")
    mirror.pitch.sent.clear()
    for documents, changes, words in (
        (whole, {}, "is finished .16 points."),
        (begun, {"motors": [mirror.pitch]}, "give height too"),
        (begun, {"motors": [mirror.pitch, other]}, "motors given are pitch, roll: give height too"),
        (begun, {"detectors": [other]}, "read flux, but the detectors given are roll"),
        (begun, {"until": "coverage(0.1)"}, "motors have none"),
        ([*blind, *begun[1:]], {}, "had a shutter, s"),
        ([("start", {**begun[0][1], "skysteer": {}})], {}, "expected the documents"),
    ):
        given = {"detectors": [mirror.det], "motors": [mirror.pitch, mirror.height], **changes}
        with pytest.raises(ValueError, match=words):
            mirror.RE(resume_scan(documents, given.pop("detectors"), **given))
    mirror.height.limits = (-10.0, 9.0)
    with pytest.raises(ValueError, match="motor 'height' may not reach 10"):
        resumed(mirror, begun)
    past = History.of(begun)
    with pytest.raises(ValueError, match=r"had pitch 0.0 to 4.0, .* but pitch 0.0 to 3.0"):
        mirror.RE(
            optimize([mirror.det], "optimum", mirror.pitch, 0, 3, mirror.height, 0, 9, after=past)
        )
    assert not mirror.pitch.sent and len(mirror.runs()) == 1


PROGRAM = """
import os, signal, sys
from bluesky import RunEngine
from skysteer.plans import optimize
from skysteer.storage import Journal
sys.path.insert(0, {here!r})
from mirror import mirror_devices

pitch, height, flux = mirror_devices()
RE = RunEngine({{}})
RE.subscribe(Journal({folder!r}))

def kill(name, document):
    if name == "event" and "flux" in document["data"] and document["seq_num"] == {last}:
        os.kill(os.getpid(), signal.SIGKILL)

RE.subscribe(kill)
RE(optimize([flux], "optimum", pitch, 0, 4, height, -10, 10, until="points(16)", batch=3, seed=1))
"""


def test_after_kill_9_of_its_process_it_goes_on_from_the_folder(mirror: Any) -> None:
    whole = sought(mirror, "optimum")
    folder, here = mirror.folder.parent, str(Path(__file__).parent)
    program = PROGRAM.format(here=here, folder=str(mirror.folder), last=10)
    dead = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert dead.returncode == -signal.SIGKILL, dead.stderr
    killed: list[int] = []

    def kill_worker(name: str, document: dict[str, Any]) -> None:
        if name == "event" and document["seq_num"] == 3 and not killed:
            for child in psutil.Process().children():
                if "skysteer.workers" in " ".join(child.cmdline()):
                    killed.append(child.pid)
                    os.kill(child.pid, signal.SIGKILL)

    plan = resume_scan(-1, [mirror.det], [mirror.pitch, mirror.height], source=folder)
    found = mirror.RE(plan, kill_worker).plan_result
    begun = mirror.documents(1)
    assert killed and begun[-1][0] == "stop" and "ended before" in begun[-1][1]["reason"]
    check_as_whole(mirror, whole, begun)
    assert found.points == 16
    np.testing.assert_equal(mirror.pitch.position, mirror.result.best["pitch"])
