"""The size of a batch that is left free: by the stage's times, and by what has been measured."""

from __future__ import annotations

import numpy as np
import pytest

from skysteer.agent import Axis, ScanAgent, ScanGrid, Spread, StageTime, largest_batch, make_sampler

SLOW = StageTime(speed=1000, settle=0.05)


def dwelling(dwell: float, speed: float = 1000.0) -> int:
    return largest_batch(StageTime(speed=speed, settle=0.05, dwell=dwell), (256, 256))


def test_batches_are_large_where_moves_cost_much_and_small_where_points_do() -> None:
    by_dwell = [dwelling(dwell) for dwell in (0.01, 0.1, 1.0, 10.0)]
    assert by_dwell == sorted(by_dwell, reverse=True)
    assert by_dwell[0] > 10 * by_dwell[-1]
    assert dwelling(0.1, speed=100) > dwelling(0.1) > dwelling(0.1, speed=10_000)


def test_a_batch_is_no_larger_than_the_event_that_holds_it_nor_than_the_raster() -> None:
    assert largest_batch(StageTime(), (4096, 4096)) == 1000
    assert 1 <= largest_batch(StageTime(), (1, 5)) <= 5
    assert largest_batch(StageTime(dwell=1e6), (64, 64)) == 1


def test_the_direction_in_which_the_stage_is_slow_does_not_matter_for_a_square() -> None:
    one, other = ((10.0, 1000.0), (1000.0, 10.0))
    by_speed = [largest_batch(StageTime(speed=s, dwell=0.1), (256, 256)) for s in (one, other)]
    assert by_speed[0] == by_speed[1]


def batches(sampler: str, measured: int) -> list[int]:
    """Sizes of the batches of a scan of 100 x 100, when 500 points are asked for."""
    grid = ScanGrid(Axis("y", 0, 1, 100), Axis("x", 0, 1, 100))
    agent = ScanAgent(grid, make_sampler(sampler), name=sampler, stage=SLOW, growing=True)
    rng, sizes, count = np.random.default_rng(0), [], 0
    while count < measured:
        pixels = agent.decide(500, number=len(sizes)).pixels
        sizes.append(len(pixels))
        agent.observe((count + k, *p, rng.random()) for k, p in enumerate(pixels.tolist()))
        count += len(pixels)
    return sizes


def test_a_growing_batch_is_a_quarter_of_what_is_measured_until_it_is_as_large_as_asked() -> None:
    sizes = batches("spread", 4000)
    before = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    start = 4  # batches of 25 make the start of 100 points
    assert sizes[:start] == [25] * 4
    assert sizes[start:] == np.minimum(before[start:] // 4, 500).tolist()
    assert sizes[-1] == 500


def test_batches_stay_usual_where_their_points_do_not_know_of_each_other() -> None:
    assert max(batches("slads-net", 1000)) == 50


def test_the_stage_is_part_of_what_a_decision_was_made_from() -> None:
    grid = ScanGrid(Axis("y", 0, 20, 21), Axis("x", 0, 20, 21))

    def decide(stage: StageTime | dict[str, float] | None) -> tuple[list, str]:
        agent = ScanAgent(grid, Spread(), stage=stage)
        values = np.random.default_rng(1).random(40)
        pixels = np.random.default_rng(2).permutation(441)[:40]
        agent.observe(
            (k, p // 21, p % 21, v) for k, (p, v) in enumerate(zip(pixels, values, strict=True))
        )
        decision = agent.decide(20)
        return decision.pixels.tolist(), decision.digest

    plain, slow = decide(None), decide({"speed": (0.01, 10.0)})
    assert sorted(plain[0]) == sorted(slow[0])
    assert plain[0] != slow[0]
    assert plain[1] != slow[1]
    ways = [np.abs(np.diff(pixels, axis=0))[:, 0].sum() for pixels in (plain[0], slow[0])]
    assert ways[1] < ways[0]  # the slow axis moves less


def test_a_stage_that_is_none_is_refused() -> None:
    grid = ScanGrid(Axis("y", 0, 1, 9), Axis("x", 0, 1, 9))
    with pytest.raises(ValueError, match=r"speed is .* above 0, but -1 came"):
        ScanAgent(grid, Spread(), stage={"speed": -1})
