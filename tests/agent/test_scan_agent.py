"""The agent: its start, its route, what it believes, and how it answers in JSON."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skysteer.agent import (
    AgentServer,
    Axis,
    Choice,
    Request,
    ScanAgent,
    ScanGrid,
    UniformRandom,
    halton_pixels,
    make_sampler,
)
from skysteer.models import inverse_distance

GRID = ScanGrid(Axis("y", 0, 19, 20), Axis("x", 0, 3.8, 20))


class Corner:
    """Chooses the first free pixels in raster order."""

    def choose(self, request: Request) -> Choice:
        free = np.argwhere(~request.taken)[: request.num]
        return Choice(free, -np.arange(len(free), dtype=float), 0.25)


def spec(**changes: object) -> dict:
    return {"agent": "low-discrepancy", "grid": GRID.describe(), "until": "points(50)", **changes}


def test_the_start_is_low_discrepancy_and_then_the_sampler_chooses() -> None:
    agent = ScanAgent(GRID, Corner(), name="corner", seed=4)
    first = agent.decide(50)
    assert first.source == "start"
    assert {*map(tuple, first.pixels)} == {*map(tuple, halton_pixels(GRID.shape, 10, 4))}
    agent.observe([(k + 1, row, column, 1.0) for k, (row, column) in enumerate(first.pixels)])
    second = agent.decide(50, number=1)
    assert (second.source, len(second.pixels), second.expected_error) == ("corner", 50, 0.25)


def test_the_start_comes_in_batches_too() -> None:
    agent = ScanAgent(GRID, Corner())
    whole = agent.decide(50).pixels
    agent.observe([(k + 1, row, column, 1.0) for k, (row, column) in enumerate(whole[:4])])
    assert_array_equal(agent.decide(4, whole[4:6], 1).pixels, whole[6:10])


def test_a_start_still_on_its_way_is_continued_evenly() -> None:
    agent = ScanAgent(GRID, Corner(), seed=4)
    start = agent.decide(50).pixels
    further = agent.decide(5, start, 1)
    assert further.source == "start"
    assert_array_equal(further.pixels, halton_pixels(GRID.shape, 15, 4)[10:])


def test_a_batch_starts_near_the_stage_and_not_near_what_is_forbidden() -> None:
    blocked = [(19, 19)]
    agent = ScanAgent(GRID, make_sampler("raster", {"num": 400}), blocked=blocked)
    agent.sampler.ordered = False  # pyright: ignore
    agent.observe([(1, 5, 5, 1.0)])
    assert np.abs(agent.decide(399).pixels[0] - (5, 5)).max() == 1
    assert np.abs(agent.decide(300, [(0, 19)], 1).pixels[0] - (0, 19)).max() == 1


def test_scores_stay_with_their_pixels_when_the_batch_is_routed() -> None:
    agent = ScanAgent(GRID, Corner(), seed=1)
    agent.observe([(k + 1, r, c, 1.0) for k, (r, c) in enumerate(agent.decide(50).pixels)])
    decision = agent.decide(30, number=1)
    raster_order = np.lexsort(decision.pixels.T[::-1])
    assert_array_equal(decision.scores[raster_order], -np.arange(30.0))


def test_the_digest_tells_all_that_a_decision_hangs_on() -> None:
    def digest(value: float = 2.0, seed: int = 0, **changes: object) -> str:
        agent = ScanAgent(GRID, Corner(), name="a", seed=seed, blocked=[(3, 3)])
        agent.observe([(1, 0, 0, 1.0), (2, 5, 5, value)])
        return agent.decide(**{"num": 4, **changes}).digest  # pyright: ignore

    seen = [
        digest(),
        digest(value=3.0),
        digest(seed=1),
        digest(num=5),
        digest(number=1),
        digest(pending=[(7, 7)]),
        digest(pending=[(7, 7), (8, 8)]),
        digest(pending=[(8, 8), (7, 7)]),
    ]
    assert len(set(seen)) == len(seen)
    assert digest() == seen[0]


def test_the_digest_does_not_hang_on_how_numbers_are_typed() -> None:
    typed = ScanGrid(Axis("y", np.float64(0), 19.0, np.int64(20)), GRID.fast)
    one, other = ScanAgent(GRID, Corner()), ScanAgent(typed, Corner())
    assert one.decide(4).digest == other.decide(np.int64(4), number=np.int64(0)).digest  # pyright: ignore


@pytest.mark.parametrize("num", [0, -3])
def test_a_batch_of_nothing_is_refused(num: int) -> None:
    with pytest.raises(ValueError, match=f"1 point or more, but {num} were"):
        ScanAgent(GRID, Corner()).suggest(num)


@pytest.mark.parametrize("pixels", [[(0.5, 1)], [(math.nan, 1)], [(math.inf, 1)]])
def test_a_sampler_that_chooses_no_pixels_is_told_so(pixels: list) -> None:
    with pytest.raises(ValueError, match="whole"):
        Choice(pixels)  # pyright: ignore


def test_scores_are_for_every_pixel_or_for_none() -> None:
    assert np.isnan(Choice([(0, 0), (1, 1)]).scores).all()  # pyright: ignore
    with pytest.raises(ValueError, match="2 pixels came with 1 scores"):
        Choice([(0, 0), (1, 1)], [3.0])  # pyright: ignore


def test_readings_that_are_no_use_are_not_asked_for_again() -> None:
    agent = ScanAgent(GRID, Corner())
    start = agent.decide(10).pixels
    agent.observe([(k + 1, row, column, None) for k, (row, column) in enumerate(start)])
    following = agent.decide(10, number=1)
    assert following.source == "start"
    assert not {*map(tuple, following.pixels)} & {*map(tuple, start)}


def test_the_map_is_the_inverse_distance_one_unless_the_sampler_has_its_own() -> None:
    class Own(Corner):
        def reconstruct(self, scan: object) -> np.ndarray:
            return np.full(GRID.shape, 3.0)

    for agent, expected in (
        (plain := ScanAgent(GRID, Corner()), None),
        (ScanAgent(GRID, Own()), np.full(GRID.shape, 3.0)),
    ):
        agent.observe([(1, 0, 0, 1.0), (2, 9, 9, 5.0)])
        idw = inverse_distance(plain.observations.scan(GRID.shape))
        assert_array_equal(agent.reconstruct(), idw if expected is None else expected)
        assert_array_equal(agent.report()["map"], agent.reconstruct())
    assert plain.report()["coverage"] == 2 / 400


def test_before_the_first_point_there_is_no_best_and_no_map() -> None:
    agent = ScanAgent(GRID, Corner())
    assert agent.get_best_points() == []
    assert agent.report()["map"] is None
    assert agent.should_stop() == (False, "")


def test_the_best_point_comes_with_its_id_position_and_outcome() -> None:
    agent = ScanAgent(GRID, Corner(), key="counts", until="points(2)")
    agent.ingest([{"_id": 7, "y": 2.0, "x": 0.4, "counts": 9}, {"y": 3.0, "x": 0.0, "counts": 1}])
    [(identity, position, outcome)] = agent.get_best_points()
    assert (identity, outcome) == (7, {"counts": 9.0})
    assert position == pytest.approx({"y": 2.0, "x": 0.4})
    assert agent.should_stop() == (True, "2 points")


def test_points_without_an_id_follow_each_other() -> None:
    agent = ScanAgent(GRID, Corner(), key="counts")
    agent.ingest([{"y": row, "x": 0.0, "counts": row} for row in range(3)])
    assert [entry.id for entry in agent.observations.log] == [1, 2, 3]


def test_a_server_takes_the_log_on_from_where_it_stands() -> None:
    server = AgentServer(spec())
    server.decide(0, [[1, 0, 0, 1.0]], 4, [], 0)
    with pytest.raises(ValueError, match="the log goes on at 1, not at 2"):
        server.decide(2, [], 4, [], 1)
    again = server.decide(0, [[1, 0, 0, 1.0], [2, 1, 1, None]], 4, [], 1)
    onwards = AgentServer(spec()).decide(0, [[1, 0, 0, 1.0], [2, 1, 1, None]], 4, [], 1)
    assert again["pixels"] == onwards["pixels"]
    assert again["seen"] == 2


def test_a_server_describes_what_the_start_document_needs() -> None:
    class Weighted(Corner):
        def provenance(self) -> dict[str, str]:
            return {"weights_sha256": "abc"}

    server = AgentServer(spec(agent="mine", options={"a": 1}), Weighted())
    assert server.describe() == {"agent": "mine", "options": {"a": 1}, "weights_sha256": "abc"}


def test_a_rule_on_the_expected_error_works_with_agents_that_expect_none():
    rule = "expected_error(0.2)"
    agent = ScanAgent(GRID, UniformRandom(), until=rule, seed=1)
    smooth = np.add.outer(np.arange(GRID.shape[0]), np.arange(GRID.shape[1])) + 5.0
    errors = []
    for number in range(6):
        decision = agent.decide(8, number=number)
        errors.append(decision.expected_error)
        agent.observe(
            [
                (8 * number + k + 1, r, c, smooth[r, c])
                for k, (r, c) in enumerate(decision.pixels.tolist())
            ]
        )
    assert np.isnan(errors[0])
    assert errors[-1] < errors[1]


def test_an_outcome_may_leave_out_where_its_suggestion_was() -> None:
    agent, again = ScanAgent(GRID, Corner(), key="counts"), ScanAgent(GRID, Corner(), key="counts")
    suggested = agent.suggest(8)
    assert len({each["_id"] for each in suggested}) == 8
    assert [each["_id"] for each in suggested] == sorted(each["_id"] for each in suggested)
    for each in reversed(suggested):  # in any order, and to an agent that has suggested nothing
        again.ingest([{"_id": each["_id"], "counts": each["x"]}])
    agent.ingest([{**each, "counts": each["x"]} for each in suggested])
    assert again.suggest(3) == agent.suggest(3)
    assert_array_equal(again.reconstruct(), agent.reconstruct())


def test_a_baseline_that_nobody_suggested_is_learned_where_it_was_measured() -> None:
    agent = ScanAgent(GRID, Corner(), key="counts")
    agent.ingest([{"_id": "baseline", "y": 2.0, "x": 0.4, "counts": 9.0}])
    assert agent.observations.best is not None
    assert (agent.observations.best.row, agent.observations.best.column) == (2, 2)


@pytest.mark.parametrize(
    ("point", "why"),
    [
        ({"_id": "baseline", "counts": 1.0}, "needs its position"),
        ({"_id": 3, "counts": 1.0}, "needs its position"),
        ({"counts": 1.0}, "needs its position"),
        ({"_id": 1, "y": 2.0, "x": 0.4}, "needs its value 'counts'"),
    ],
)
def test_a_point_of_which_something_is_missing_is_refused(point: dict, why: str) -> None:
    agent = ScanAgent(GRID, Corner(), key="counts")
    with pytest.raises(ValueError, match=why):
        agent.ingest([point])
    assert len(agent.observations) == 0


def test_a_suggestion_that_failed_is_not_made_again() -> None:
    agent = ScanAgent(GRID, Corner(), key="counts")
    failed = agent.suggest(12)
    agent.register_failures(failed)
    again = agent.suggest(30)
    assert not {(p["y"], p["x"]) for p in failed} & {(p["y"], p["x"]) for p in again}
