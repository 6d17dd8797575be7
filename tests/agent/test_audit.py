"""Points drawn at random: how many, how random, and that they are known again."""

import numpy as np
import pytest

from skysteer.agent import Request, ScanAgent, ScanGrid, Spread
from skysteer.agent.audit import SHARE, Audit
from skysteer.agent.grid import Axis
from skysteer.models import SparseScan

GRID = ScanGrid(Axis("y", 0, 29, 30), Axis("x", 0, 39, 40))
NOTHING = np.empty((0, 2), dtype=np.int64)


def image():
    rows, columns = np.indices(GRID.shape)
    return np.sin(rows / 3.0) + np.cos(columns / 5.0) + 3.0


def scanned(until, num, batch=20, blocked=NOTHING):
    """The scan, and the targets of each batch, as an agent makes it."""
    agent = ScanAgent(GRID, Spread(), until=until, seed=5, blocked=blocked)
    batches, log = [], []
    while len(log) < num:
        decision = agent.decide(batch, number=len(batches))
        batches.append(decision)
        new = [
            (len(log) + k + 1, r, c, image()[r, c])
            for k, (r, c) in enumerate(decision.pixels.tolist())
        ]
        agent.observe(new)
        log += new
    return agent, batches


def test_a_few_per_cent_of_each_batch_are_drawn_where_a_rule_waits_for_the_error():
    _, watched = scanned("expected_error(0.001)", 400)
    _, plain = scanned("points(400)", 400)
    drawn = [int(np.isnan(d.scores).sum()) for d in watched if d.source != "start"]
    assert sum(drawn) == pytest.approx(SHARE * 20 * len(drawn), abs=1)
    assert max(drawn) - min(drawn) <= 1
    assert not any(np.isnan(d.scores).any() for d in plain if d.source != "start")


def test_what_was_drawn_is_known_again_from_the_points_alone():
    agent, batches = scanned("expected_error(0.001)", 400)
    drawn = {
        tuple(pixel)
        for d in batches
        if d.source != "start"
        for pixel, score in zip(d.pixels.tolist(), d.scores, strict=True)
        if np.isnan(score)
    }
    scan = agent.observations.scan(GRID.shape)
    sample = Audit(GRID.shape, 5).drawn(Request(scan, NOTHING, 1))
    known = set(map(tuple, scan.pixels[sample].tolist()))
    assert drawn <= known  # with those of the order that the agent chose by itself
    assert len(known) < 2 * len(drawn)


def test_the_sample_covers_the_raster_evenly_whatever_the_agent_chose():
    """All points of an agent that measures the left half only, and yet an even sample."""
    audit, taken = Audit((60, 60), 1), np.zeros((60, 60), dtype=bool)
    left = iter(np.argwhere(np.indices((60, 60))[1] < 30))
    pixels = NOTHING
    for _ in range(40):
        scan = SparseScan((60, 60), pixels, np.zeros(len(pixels)))
        drawn = audit.draw(Request(scan, NOTHING, 20))
        taken[tuple(drawn.T)] = True
        own = [p for p in (next(left) for _ in range(20)) if not taken[tuple(p)]]
        taken[tuple(np.array(own).T)] = True
        pixels = np.concatenate([pixels, drawn, own])
    sample = audit.drawn(Request(SparseScan((60, 60), pixels, np.zeros(len(pixels))), NOTHING, 1))
    right = (pixels[sample][:, 1] >= 30).mean()
    assert abs(right - 0.5) < 3 * np.sqrt(0.25 / sample.sum())
    assert (pixels[:, 1] >= 30).mean() < 0.1


def test_a_pixel_that_may_not_be_measured_does_not_hold_the_sample_up():
    first = Audit(GRID.shape, 5).draw(
        Request(SparseScan(GRID.shape, NOTHING, np.empty(0)), NOTHING, 17)
    )
    blocked = first[:1]
    agent, _ = scanned("expected_error(0.001)", 300, blocked=blocked)
    request = Request(agent.observations.scan(GRID.shape), blocked, 1)
    assert Audit(GRID.shape, 5).drawn(request).sum() > 10
    assert not request.scan.mask[tuple(blocked[0])]


def test_a_batch_of_one_is_drawn_now_and_then():
    _, batches = scanned("expected_error(0.001)", 60, batch=1)
    drawn = [bool(np.isnan(d.scores).any()) for d in batches if d.source != "start"]
    assert 0 < sum(drawn) < 0.1 * len(drawn) + 1
    told = [d.expected_error for d in batches if d.source != "start" and d.seen >= 40]
    assert np.isfinite(told).all()
