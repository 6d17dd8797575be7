"""The goals of gp and hybrid on a raster."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from skysteer.agent import Request, make_sampler
from skysteer.agent.raster_goal import RasterGoal
from skysteer.models import ErrorMap, load_error_network
from skysteer.rehearsal import run_agent
from skysteer.rehearsal.goals import goal_scores

SIDE, NUM, LEVEL = 40, 160, 0.5
ROW, COLUMN = np.mgrid[0:SIDE, 0:SIDE] / SIDE
IMAGE = np.exp(-((ROW - 0.7) ** 2) / 0.05 - (COLUMN - 0.3) ** 2 / 0.02) + 0.3 * np.sin(5 * COLUMN)


@cache
def scanned(goal, threshold=None, agent="gp"):
    options = {"goal": goal} if threshold is None else {"goal": goal, "threshold": threshold}
    *_, (_, trajectory) = run_agent(IMAGE, agent, NUM, batch=20, options=options)
    return trajectory.scan, make_sampler(agent, options).reconstruct(trajectory.scan), options


def near(scan):
    """Share of the points chosen that lie near to the level."""
    return (np.abs(scan.values[40:] - LEVEL) < 0.15).mean()


AGENTS = pytest.mark.parametrize("agent", ["gp", "hybrid"])


@AGENTS
def test_a_boundary_draws_the_points_to_the_level(agent):
    boundary, _, _ = scanned("boundary", LEVEL, agent)
    assert near(boundary) > 2 * near(scanned("map", agent=agent)[0])


@AGENTS
def test_a_boundary_is_known_better_than_on_a_map(agent):
    scan, mean, options = scanned("boundary", LEVEL, agent)
    plain, other, _ = scanned("map", agent=agent)
    ours = goal_scores(IMAGE, scan, mean, options)["f1"]
    assert ours > 0.97
    assert ours > goal_scores(IMAGE, plain, other, options)["f1"]


@AGENTS
def test_a_boundary_is_sought_alike_by_an_agent_that_is_rebuilt(agent):
    scan, _, options = scanned("boundary", LEVEL, agent)
    nothing = np.empty((0, 2), dtype=np.int64)
    followed = make_sampler(agent, options)
    for num in (60, 100, 160):
        request = Request(scan.first(num), nothing, 10)
        choice, fresh = followed.choose(request), make_sampler(agent, options).choose(request)
        np.testing.assert_array_equal(choice.pixels, fresh.pixels)
        np.testing.assert_array_equal(choice.scores, fresh.scores)
        assert not request.scan.mask[tuple(choice.pixels.T)].any()


@AGENTS
def test_an_optimum_is_found(agent):
    scan, mean, options = scanned("optimum", agent=agent)
    assert goal_scores(IMAGE, scan, mean, options)["best_found"] == 1.0


def test_an_optimum_is_missed_where_the_map_is_the_goal():
    _, _, options = scanned("optimum")
    plain, other, _ = scanned("map")
    assert goal_scores(IMAGE, plain, other, options)["best_found"] < 1.0


def test_a_map_is_what_was_there_before():
    scan, _, _ = scanned("map")
    *_, (_, plain) = run_agent(IMAGE, "gp", NUM, batch=20)
    np.testing.assert_array_equal(scan.pixels, plain.scan.pixels)


@pytest.mark.parametrize("options", [{"goal": "optimum"}, {"goal": "boundary", "threshold": LEVEL}])
def test_the_network_is_heard_for_a_goal_where_its_score_times_the_emphasis_is_highest(options):
    scan, _, _ = scanned("boundary", LEVEL, "hybrid")
    scan = scan.first(100)
    agent = make_sampler("hybrid", options)
    request = Request(scan, np.empty((0, 2), dtype=np.int64), 20)
    share = agent.voices(scan).network
    theirs = int(np.floor(share * 120) - np.floor(share * 100))
    assert theirs >= 3
    process = agent.surrogate(scan)
    goal = RasterGoal(options["goal"], options.get("threshold"))
    network = ErrorMap(IMAGE.shape, load_error_network()[0], power=2.1, gain_share=0.5, checked=1)
    network.update(scan)
    stressed = network.score + 2 * np.log2(np.maximum(goal.emphasis(process, scan), 1e-15))
    first = np.unravel_index(np.argmax(stressed), IMAGE.shape)
    np.testing.assert_array_equal(agent.choose(request).pixels[0], first)


@AGENTS
def test_the_goals_of_one_channel_are_not_sought_in_several(agent):
    assert make_sampler(agent, {}).several_channels
    assert not make_sampler(agent, {"goal": "optimum"}).several_channels


@AGENTS
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"goal": "boundary"}, "needs a threshold"),
        ({"goal": "map", "threshold": 1.0}, "is for the goal boundary"),
        ({"goal": "edges"}, "goal is one of optimum, boundary, map"),
    ],
)
def test_what_makes_no_sense_is_refused(agent, options, said):
    with pytest.raises(ValueError, match=said):
        make_sampler(agent, options)
