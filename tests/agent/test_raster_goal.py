"""The gp agent's goals on a raster."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from skysteer.agent import Request, make_sampler
from skysteer.rehearsal import run_agent
from skysteer.rehearsal.goals import goal_scores

SIDE, NUM, LEVEL = 40, 160, 0.5
ROW, COLUMN = np.mgrid[0:SIDE, 0:SIDE] / SIDE
IMAGE = np.exp(-((ROW - 0.7) ** 2) / 0.05 - (COLUMN - 0.3) ** 2 / 0.02) + 0.3 * np.sin(5 * COLUMN)


@cache
def scanned(goal, threshold=None):
    options = {"goal": goal} if threshold is None else {"goal": goal, "threshold": threshold}
    *_, (_, trajectory) = run_agent(IMAGE, "gp", NUM, batch=20, options=options)
    return trajectory.scan, make_sampler("gp", options).reconstruct(trajectory.scan), options


def near(scan):
    """Share of the points chosen that lie near to the level."""
    return (np.abs(scan.values[40:] - LEVEL) < 0.15).mean()


def test_a_boundary_draws_the_points_to_the_level():
    boundary, _, _ = scanned("boundary", LEVEL)
    assert near(boundary) > 2 * near(scanned("map")[0])


def test_a_boundary_is_known_better_than_on_a_map():
    scan, mean, options = scanned("boundary", LEVEL)
    plain, other, _ = scanned("map")
    ours = goal_scores(IMAGE, scan, mean, options)["f1"]
    assert ours > 0.97
    assert ours > goal_scores(IMAGE, plain, other, options)["f1"]


def test_a_boundary_is_sought_alike_by_an_agent_that_is_rebuilt():
    scan, _, options = scanned("boundary", LEVEL)
    nothing = np.empty((0, 2), dtype=np.int64)
    followed = make_sampler("gp", options)
    for num in (60, 100, 160):
        request = Request(scan.first(num), nothing, 10)
        choice, fresh = followed.choose(request), make_sampler("gp", options).choose(request)
        np.testing.assert_array_equal(choice.pixels, fresh.pixels)
        np.testing.assert_array_equal(choice.scores, fresh.scores)
        assert not request.scan.mask[tuple(choice.pixels.T)].any()


def test_an_optimum_is_found():
    scan, mean, options = scanned("optimum")
    assert goal_scores(IMAGE, scan, mean, options)["best_found"] == 1.0
    plain, other, _ = scanned("map")
    assert goal_scores(IMAGE, plain, other, options)["best_found"] < 1.0


def test_a_map_is_what_was_there_before():
    scan, _, _ = scanned("map")
    *_, (_, plain) = run_agent(IMAGE, "gp", NUM, batch=20)
    np.testing.assert_array_equal(scan.pixels, plain.scan.pixels)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"goal": "boundary"}, "needs a threshold"),
        ({"goal": "map", "threshold": 1.0}, "is for the goal boundary"),
        ({"goal": "edges"}, "goal is one of optimum, boundary, map"),
    ],
)
def test_what_makes_no_sense_is_refused(options, said):
    with pytest.raises(ValueError, match=said):
        make_sampler("gp", options)
