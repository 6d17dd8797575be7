"""The agent of a motor space: its goals, and the laws that it obeys."""

from __future__ import annotations

import json

import numpy as np
import pytest
from botorch.test_functions import Hartmann

from skysteer.agent import (
    MotorAgent,
    MotorAgentServer,
    MotorDecision,
    MotorGoal,
    MotorReader,
    MotorSpace,
    motor_sampler,
)

SPACE = MotorSpace(("a", "b"), (0.0, -10.0), (2.0, 10.0))


def hill(at):
    a, b = np.asarray(at, float).reshape(-1, 2).T
    return 10 * np.exp(-((a - 1.5) ** 2) / 0.3 - (b - 4) ** 2 / 30)


def run(sampler, num, space=SPACE, value=hill, batch=1, seed=0, noise=0.0):
    agent, rng = MotorAgent(space, sampler, seed=seed), np.random.default_rng(seed)
    number = 0
    while agent.observations.points < num:
        decision = agent.decide(batch, number=number)
        readings = value(decision.positions) + noise * rng.standard_normal(len(decision.positions))
        first = agent.observations.next_id
        agent.observe(
            [(first + k, where, float(reading)) for k, (where, reading) in
             enumerate(zip(decision.positions.tolist(), readings, strict=True))]
        )  # fmt: skip
        number += 1
    return agent


@pytest.mark.parametrize(("path", "num"), [("light", 22), ("full", 14)])
def test_an_optimum_is_found_and_sat_upon(path, num):
    agent = run(MotorGoal("optimum", path=path), num, noise=0.1)
    decision = agent.decide(1, number=99)
    assert hill(decision.best)[0] > 9.5
    assert abs(decision.best_value - hill(decision.best)[0]) < 0.5
    positions, _ = agent.observations.learned()
    assert np.median(hill(positions[-5:])) > 9.0  # it comes back to the top


def test_a_minimum_is_found_too():
    agent = run(MotorGoal("optimum", find="min"), 22, value=lambda at: -hill(at))
    decision = agent.decide(1, number=99)
    assert hill(decision.best)[0] > 9.5 and decision.best_value < -9.0


def test_one_who_sits_on_a_hill_looks_at_another_every_fourth_time():
    where, _ = run(MotorGoal("optimum"), 40, noise=0.1).observations.learned()
    on_top = hill(where[24:]) > 7.0
    assert 9 <= on_top.sum() <= 13  # of 16


def test_where_all_is_one_hill_the_search_goes_on_with_it():
    chosen = run(MotorGoal("optimum"), 24, value=lambda at: np.asarray(at)[:, 0])
    assert chosen.decide(2, number=99).positions.shape == (2, 2)


def test_hartmanns_known_optimum_is_reached():
    function = Hartmann(dim=3)
    space = MotorSpace(("a", "b", "c"), (0.0,) * 3, (1.0,) * 3)

    def value(at):
        import torch

        return -function.evaluate_true(torch.tensor(np.asarray(at, float))).numpy()

    agent = run(MotorGoal("optimum"), 45, space, value)
    assert value(agent.decide(1, number=99).best[None])[0] > 0.97 * -function.optimal_value


def f1(sampler, num, threshold=4.0):
    agent = run(sampler, num)
    positions, values = agent.observations.learned()
    grid = SPACE.region().spread(2048, 5)
    from skysteer.models import MotorGP

    gp = MotorGP(SPACE.low, SPACE.high)
    gp.update(positions, values)
    said, true = gp.predict(grid)[0] > threshold, hill(grid) > threshold
    return 2 * (said & true).sum() / (said.sum() + true.sum())


def test_a_boundary_is_known_better_than_by_a_search_for_the_top():
    boundary = f1(MotorGoal("boundary", threshold=4.0), 18)
    assert boundary > 0.95
    assert boundary > f1(MotorGoal("optimum"), 18)


def test_a_map_is_known_better_than_by_a_search_for_the_top():
    from skysteer.models import MotorGP

    def waves(at):
        a, b = np.asarray(at, float).reshape(-1, 2).T
        return np.sin(4 * a) + np.cos(b / 2.5)

    def left(goal, seed):
        gp = MotorGP(SPACE.low, SPACE.high)
        gp.update(*run(MotorGoal(goal), 30, value=waves, seed=seed).observations.learned())
        grid = SPACE.region().spread(1024, 5)
        return np.mean((gp.predict(grid)[0] - waves(grid)) ** 2)

    mapped, climbed = (np.mean([left(g, s) for s in range(3)]) for g in ("map", "optimum"))
    assert mapped < 0.5 * climbed


every_goal = pytest.mark.parametrize(
    "options",
    [
        {"goal": "optimum"},
        {"goal": "optimum", "find": "min"},
        {"goal": "boundary", "threshold": 4.0},
        {"goal": "map"},
        {"goal": "map", "speeds": [0.1, 5.0]},
        {"goal": "optimum", "path": "full"},
    ],
    ids=str,
)


def served(options, space=SPACE):
    goal, rest = motor_sampler(options)
    spec = {"goal": goal, "options": rest, "space": space.describe(), "seed": 3}
    return MotorAgentServer(json.loads(json.dumps(spec)))


def log(num=14):
    where = SPACE.region().spread(num, 2)
    return [[k + 1, at.tolist(), float(hill(at)[0])] for k, at in enumerate(where)]


@every_goal
def test_a_rebuilt_agent_decides_as_the_old_one(options):
    old, entries = served(options), log()
    known = 0
    for upto in (8, 9, 14):  # increments, with decisions between
        decision = old.decide(known, entries[known:upto], 2, [], upto)
        known = upto
    again = served(options).decide(0, entries, 2, [], 14)
    for key in ("positions", "scores", "best", "digest", "best_value"):
        assert decision[key] == again[key]


@every_goal
def test_deciding_changes_nothing_and_is_repeatable(options):
    server, pending = served(options), [[1.0, 0.0]]
    once = server.decide(0, log(), 2, pending, 5)
    again = server.decide(len(log()), [], 2, pending, 5)
    assert once["positions"] == again["positions"]


@every_goal
def test_a_revised_reading_is_learned_as_if_it_had_come_so_at_first(options):
    entries = log()
    wrong = [list(entry) for entry in entries]
    wrong[4][2] = 77.0
    server = served(options)
    server.decide(0, wrong, 1, [], 0)
    revised = server.decide(len(wrong), [entries[4]], 1, [], 5)
    assert revised["positions"] == served(options).decide(0, entries, 1, [], 5)["positions"]


CONSTRAINED = MotorSpace.of(
    [("a", 0, 2), ("b", -10, 10)],
    inequalities=[({"a": 1, "b": 0.1}, 1.6)],
    keep_out=[{"motors": ["a", "b"], "polygon": [[0.5, -5], [1, -5], [1, 5], [0.5, 5]]}],
)


@pytest.mark.parametrize("goal", [{"goal": "optimum"}, {"goal": "boundary", "threshold": 4.0}])
def test_no_target_lies_where_it_may_not(goal):
    server, entries = served(goal, CONSTRAINED), []
    for number in range(4):
        decision = MotorDecision.from_json(server.decide(len(entries), [], 4, [], number))
        assert [CONSTRAINED.objection(CONSTRAINED.position(p)) for p in decision.positions] == [
            None
        ] * len(decision.positions)
        fresh = [
            [len(entries) + k + 1, p.tolist(), float(hill(p)[0])]
            for k, p in enumerate(decision.positions)
        ]
        entries += fresh
        server = served(goal, CONSTRAINED)
        server.decide(0, entries, 1, [], 0)


@every_goal
def test_what_is_on_its_way_is_not_asked_for_again(options):
    server = served(options)
    first = server.decide(0, log(), 1, [], 5)["positions"]
    second = server.decide(14, [], 1, first, 5)["positions"]
    if options["goal"] != "optimum":  # one that seeks an optimum may repeat points
        assert np.abs(np.array(first) - second).max() > 0.05


@pytest.mark.parametrize("value", [None, 5.0])
def test_readings_that_say_nothing_stop_nobody(value):
    server = served({"goal": "optimum"})
    entries = [[k, at, value] for k, at, _ in log(9)]
    decision = server.decide(0, entries, 2, [], 9)
    assert np.isfinite(decision["positions"]).all()


def test_six_motors_and_one_are_taken():
    for num in (1, 6):
        space = MotorSpace(tuple("abcdef"[:num]), (0.0,) * num, (1.0,) * num)
        agent = run(MotorGoal("optimum"), 2 * num + 6, space, lambda at: -(at**2).sum(axis=1))
        assert agent.decide(2, number=50).positions.shape == (2, num)


def test_travel_in_seconds_shortens_the_way():
    def way(**options):
        agent = run(MotorGoal("map", **options), 16)
        positions, _ = agent.observations.learned()
        return np.abs(np.diff(positions[6:, 0])).sum()

    assert way(speeds=[0.02, 100.0]) < 0.6 * way()


def test_a_decision_survives_its_json():
    decision = MotorDecision.from_json(served({"goal": "map"}).decide(0, [], 3, [], 0))
    again = MotorDecision.from_json(json.loads(json.dumps(decision.to_json())))
    np.testing.assert_array_equal(decision.positions, again.positions)
    assert np.isnan(again.best).all() and np.isnan(again.best_value)


def test_a_stream_without_the_motors_is_refused_at_its_descriptor():
    reader = MotorReader(SPACE, "flux")
    keys = {"a": {"dtype": "number", "shape": []}, "flux": {"dtype": "number", "shape": []}}
    with pytest.raises(ValueError, match="no data key 'b'"):
        reader("descriptor", {"uid": "1", "name": "primary", "data_keys": keys})


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: MotorGoal("boundary"), "needs a threshold"),
        (lambda: MotorGoal("optimum", threshold=1.0), "is for the goal boundary"),
        (lambda: MotorGoal("summit"), "goal is one of optimum, boundary, map"),
        (lambda: MotorGoal("map", path="fast"), "path is one of light, full"),
        (lambda: MotorGoal("map", start=0), "1 or more"),
        (lambda: MotorGoal("map", speeds=[0.0, 1.0]), "above 0"),
        (lambda: motor_sampler({"threshold": 3}), "goal is one of"),
        (lambda: MotorSpace(("a", "a"), (0, 0), (1, 1)), "different motors"),
        (lambda: MotorSpace(("a",), (1,), (0,)), "lower and a higher limit"),
        (lambda: MotorSpace(("a",), (0,), (1,), fixed={"a": 2}), "outside of its limits"),
        (lambda: MotorSpace(("a",), (0,), (1,), fixed={"z": 2}), "none of the motors a"),
        (lambda: MotorSpace.of([("a", 0, 1)], keep_out=[{"polygon": []}]), "two 'motors'"),
        (lambda: MotorSpace.of([("a", 0, 1)], inequalities=[({"q": 1}, 1)]), "none of the"),
        (lambda: MotorSpace.of([("a", 0, 1)], inequalities=[7]), "a constraint is"),
    ],
)
def test_what_makes_no_sense_is_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()


@pytest.mark.parametrize("seed", [1, 2, 5])
def test_a_lower_hill_is_left_again(seed):
    space = MotorSpace(("pitch", "height"), (2.0, -1.0), (4.0, 1.0))

    def hills(at):
        pitch, height = np.asarray(at, float).reshape(-1, 2).T
        high = np.exp(-((pitch - 3.3) ** 2) / 0.08 - (height - 0.35) ** 2 / 0.1)
        return high + 0.75 * np.exp(-((pitch - 2.5) ** 2) / 0.12 - (height + 0.45) ** 2 / 0.06)

    agent = run(MotorGoal("optimum"), 45, space, hills, noise=0.01, seed=seed)
    assert hills(agent.decide(1, number=99).best)[0] > 0.95
