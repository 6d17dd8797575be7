"""The plan for motors that are no grid, on a RunEngine with a journal."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import psutil
import pytest
from bluesky.simulators import RunEngineSimulator
from bluesky.utils import RunEngineInterrupted

from skysteer.agent import (
    GIVEN_UP,
    History,
    MotorAgentServer,
    MotorChoice,
    MotorDecision,
    MotorGoal,
    MotorReader,
    MotorSpace,
    UnansweredCheckError,
)
from skysteer.plans import Inbox, optimize
from skysteer.plans.optimize_targets import MotorGuard


def plan(mirror, agent: Any = None, **changes: Any):
    """The plan, with an agent of this process unless one is named."""
    agent = MotorGoal("optimum") if agent is None else agent
    ends = (mirror.pitch, 0, 4, mirror.height, -10, 10)
    return optimize([mirror.det], agent, *ends, **{"until": "points(12)", "seed": 1, **changes})


def decisions(mirror) -> list[dict[str, Any]]:
    return [
        {key.removeprefix("decision_"): value for key, value in data.items()}
        for data in mirror.events("decisions")
    ]


def test_the_motors_end_at_the_best_position(mirror):
    found = mirror.RE(plan(mirror, until="points(25)")).plan_result
    assert abs(found.best["pitch"] - 1.2) < 0.3 and abs(found.best["height"] + 3) < 1.5
    assert found.best_value == pytest.approx(100, abs=8)
    assert mirror.pitch.position == found.best["pitch"]
    assert mirror.height.position == found.best["height"]
    assert (found.points, found.stop_reason, found.exposures) == (25, "25 points", 25)
    assert mirror.stop()["exit_status"] == "success"


def test_events_are_ordinary_and_decisions_say_why(mirror):
    mirror.RE(plan(mirror, "optimum", batch=3))
    start = mirror.documents()[0][1]
    assert start["plan_name"] == "optimize" and start["num_points"] == 12
    assert start["skysteer"]["goal"] == "optimum"
    assert MotorSpace.from_description(start["skysteer"]["space"]).names == ("pitch", "height")
    points = mirror.events()
    assert len(points) == 12 and {"pitch", "height", "flux"} <= set(points[0])
    made = decisions(mirror)
    assert [each["source"] for each in made] == ["start"] * 2 + ["optimum"] * 2 + [""]
    chosen = [x for each in made for x in each["to_pitch"][: each["count"]]]
    np.testing.assert_allclose(chosen, [point["pitch"] for point in points], atol=1e-9)
    assert made[-1]["stop_reason"] == "12 points" and np.isfinite(made[-1]["best_pitch"])


@pytest.mark.parametrize("path", ["light", "full"])
def test_every_decision_can_be_made_again_from_the_documents(mirror, path):
    mirror.RE(plan(mirror, {"goal": "optimum", "path": path}, until="points(8)", batch=2))
    record = mirror.documents()[0][1]["skysteer"]
    space = MotorSpace.from_description(record["space"])
    log = MotorReader(space, record["key"]).read(mirror.documents()).log
    for made in decisions(mirror)[-3:-1] if path == "full" else decisions(mirror)[:-1]:
        entries = [[o.id, list(o.position), o.value] for o in log[: made["seen"]]]
        waiting = range(made["pending_count"])
        pending = [[made["pending_pitch"][k], made["pending_height"][k]] for k in waiting]
        server = MotorAgentServer(record)
        again = server.decide(0, entries, made["asked"], pending, made["number"])
        assert again["digest"] == made["digest"]
        told = np.array(again["positions"])[:, 0]
        np.testing.assert_array_equal(told, made["to_pitch"][: made["count"]])


def test_no_motor_is_sent_where_it_may_not(mirror):
    zone = {"motors": ["pitch", "height"], "polygon": [[1, -5], [2, -5], [2, 0], [1, 0]]}
    mirror.RE(
        plan(mirror, until="points(20)", keep_out=[zone], inequalities=[({"height": 1.0}, 5.0)])
    )
    for point in mirror.events():
        assert point["height"] <= 5.0 + 1e-6
        assert not (1 <= point["pitch"] <= 2 and -5 <= point["height"] <= 0)


def test_a_fixed_motor_stays(mirror):
    mirror.RE(plan(mirror, fixed={"height": -2.5}))
    assert set(mirror.height.sent) == {-2.5}


class Reckless:
    """Goes where it may not, one time in two."""

    start = 1

    def choose_positions(self, request):
        positions = np.array([[99.0, 0.0], [np.nan, 1.0], [1.0, 1.0], [2.0, 1.0]])[
            : request.num + 2
        ]
        return MotorChoice(positions, np.zeros(len(positions)), np.empty(0))


def test_the_guard_lets_nothing_else_through(mirror):
    mirror.RE(plan(mirror, Reckless(), until="points(4)", batch=2))
    assert all(0 <= where <= 4 for where in mirror.pitch.sent)
    notes = [each["note"] for each in decisions(mirror)]
    assert any("guard refused 2: off the limits of pitch" in note for note in notes)


def test_motors_that_are_away_cost_no_target_of_a_batch_but_are_asked_before_each_move():
    def away(position: Any) -> None:
        raise ConnectionError("pitch is not connected")

    space = MotorSpace(("pitch", "height"), (0.0, -10.0), (4.0, 10.0))
    guard = MotorGuard(space, away)
    passed, refused = guard.vet(np.array([[1.0, 0.0], [9.0, 0.0]]))
    assert passed.tolist() == [True, False] and "off the limits of pitch" in refused[0]
    with pytest.raises(UnansweredCheckError, match="pitch is not connected"):
        guard.objection({"pitch": 1.0, "height": 0.0})


def test_a_run_whose_every_target_is_refused_may_be_resumed(mirror):
    refuse = say_at(mirror, 6, lambda: setattr(mirror.pitch, "limits", (9.0, 9.0)))
    found = mirror.RE(plan(mirror, batch=2), refuse).plan_result
    assert "guard refused 2: off limits" in found.stop_reason and found.points == 6
    past = History.of(mirror.documents())
    assert past.decisions[-1].stop == GIVEN_UP and not past.finished


class Failing:
    """Has no idea."""

    start = 2

    def choose_positions(self, request):
        raise RuntimeError("no idea")


def test_an_agent_that_fails_is_replaced(mirror):
    found = mirror.RE(plan(mirror, Failing(), until="points(6)")).plan_result
    assert found.points == 6 and found.best == {}
    notes = "".join(each["note"] for each in decisions(mirror))
    assert notes.count("low-discrepancy points from here") == 1 and "no idea" in notes


def test_a_worker_that_is_killed_is_started_again(mirror):
    killed: list[int] = []

    def kill(name: str, document: dict[str, Any]) -> None:
        if name == "event" and document["seq_num"] == 8 and not killed:
            for child in psutil.Process().children():
                if "skysteer.workers" in " ".join(child.cmdline()):
                    killed.append(child.pid)
                    os.kill(child.pid, signal.SIGKILL)

    found = mirror.RE(plan(mirror, "optimum"), kill).plan_result
    assert killed and found.points == 12
    assert {each["source"] for each in decisions(mirror)} == {"start", "optimum", ""}


def test_a_pause_and_a_rewind_teach_nothing_twice(mirror):
    asked: list[bool] = []

    def pause(name: str, document: dict[str, Any]) -> None:
        if name == "event" and document["seq_num"] == 8 and not asked:
            asked.append(True)
            mirror.RE.loop.create_task(mirror.RE._request_pause_coro())

    token = mirror.RE.subscribe(pause)
    mirror.start(plan(mirror))
    assert mirror.resume_to_the_end() == 1
    mirror.RE.unsubscribe(token)
    paused = [point["pitch"] for point in mirror.events()]
    mirror.RE(plan(mirror))
    assert paused == [point["pitch"] for point in mirror.events()]


def test_a_reading_that_is_no_number_is_measured_again_or_left_out(mirror):
    read = mirror.det.read
    spoilt: list[int] = []

    def reading() -> dict[str, Any]:
        data = read()
        if len(spoilt) < 2 and len(mirror.events()) == 5:
            spoilt.append(1)
            data["flux"]["value"] = np.nan
        return data

    mirror.det.read = reading
    found = mirror.RE(plan(mirror)).plan_result
    assert spoilt and found.points == 12 and found.best


def test_a_detector_that_gives_nothing_ends_the_run(mirror):
    mirror.det.sim_set_func = None
    mirror.det._func = lambda: np.nan
    found = mirror.RE(plan(mirror, until="points(50)", on_bad_point={"unusable": ["keep"]}))
    assert "no usable reading in the last 10 points" in found.plan_result.stop_reason
    assert decisions(mirror)[-1]["stop"] == 2


def say_at(mirror, number: int, say: Callable[[], Any]) -> Callable[..., None]:
    said: list[Any] = []

    def listen(name: str, document: dict[str, Any]) -> None:
        if name == "event" and "flux" in document["data"] and document["seq_num"] == number:
            if not said:
                said.append(say())

    listen.said = said  # type: ignore[attr-defined]
    return listen


def test_people_can_stop_it_but_not_speak_of_pixels(mirror):
    inbox = Inbox(by="Ada")
    forbid: Any = say_at(mirror, 3, lambda: inbox.forbid((0, 1), (0, 1)))
    stop: Any = say_at(mirror, 6, lambda: inbox.stop("seen enough"))

    def both(name: str, document: dict[str, Any]) -> None:
        forbid(name, document)
        stop(name, document)

    found = mirror.RE(plan(mirror, inbox=inbox), both).plan_result
    assert found.stop_reason == "stopped by Ada: seen enough" and found.points == 6
    with pytest.raises(ValueError, match="forbid is for scans of a raster"):
        forbid.said[0].result(timeout=0)


def test_an_approval_is_waited_for(mirror):
    inbox = Inbox(by="Ada")
    asked = threading.Event()

    def approve(name: str, document: dict[str, Any]) -> None:
        data = document.get("data", {})
        if name == "event" and "decision_number" in data and data["decision_count"]:
            inbox.approve(data["decision_number"])
            asked.set()

    changes = {"inbox": inbox, "approval": True, "until": "points(3)"}
    found = mirror.RE(plan(mirror, **changes), approve).plan_result
    assert asked.is_set() and found.points == 3


def test_batches_are_computed_while_others_are_measured(mirror):
    mirror.RE(plan(mirror, batch=4, prefetch=2, until="points(16)"))
    made = [each for each in decisions(mirror) if each["source"] == "MotorGoal"]
    assert any(each["pending_count"] == 2 for each in made)
    positions = [(point["pitch"], point["height"]) for point in mirror.events()]
    assert len(set(positions)) > 12


def test_a_halt_leaves_no_worker_behind(mirror):
    def halt(name: str, document: dict[str, Any]) -> None:
        if name == "event" and document["seq_num"] == 4:
            mirror.RE.loop.create_task(mirror.RE._request_pause_coro())

    token = mirror.RE.subscribe(halt)
    with suppress(RunEngineInterrupted):
        mirror.RE(plan(mirror, "optimum"))
    mirror.RE.unsubscribe(token)
    mirror.RE.halt()  # what is left would be found by the fixture


def test_it_can_be_listed_without_a_run_engine(mirror):
    messages = RunEngineSimulator().simulate_plan(plan(mirror, until="points(7)"))
    assert sum(message.command == "save" for message in messages) == 7
    assert not mirror.pitch.sent


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"until": "coverage(0.1)"}, "motors have none"),
        ({"agent": "summit"}, "goal is one of"),
        ({"agent": {"goal": "boundary"}}, "needs a threshold"),
        ({"agent": 7}, "an object with choose_positions"),
        ({"batch": 0}, "1 or more"),
        ({"key": "counts"}, "no detector has the data key 'counts'"),
        ({"then": "home"}, "'best' or 'stay'"),
        ({"fixed": {"roll": 1}}, "none of the motors"),
        ({"keep_out": [{"slow": [0, 1], "fast": [0, 1]}]}, "two 'motors'"),
        ({"inequalities": [({"pitch": 1}, -1)]}, "relax them"),
        ({"approval": True}, "needs an inbox"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_moves(mirror, changes, said):
    with pytest.raises(ValueError, match=said):
        mirror.RE(plan(mirror, **changes))
    assert not mirror.pitch.sent and not mirror.runs()


def test_limits_that_a_motor_may_not_reach_are_refused(mirror):
    mirror.pitch.limits = (0.0, 3.0)
    with pytest.raises(ValueError, match="motor 'pitch' may not reach 4"):
        mirror.RE(plan(mirror))
    with pytest.raises(ValueError, match="motor, low, high for each motor"):
        mirror.RE(optimize([mirror.det], "optimum", mirror.pitch, 0))


def test_a_decision_survives_its_event(mirror):
    mirror.RE(plan(mirror, until="points(8)"))
    last = decisions(mirror)[-1]
    best = MotorDecision.from_json(
        {**last, "positions": [], "scores": [], "best": [last["best_pitch"], last["best_height"]]}
    )
    assert np.isfinite(best.best).all()
