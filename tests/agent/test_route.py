"""The order of the visit: a permutation, never longer than given, close to the best."""

from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import cdist

from skysteer.agent import StageTime, path_length, tour
from skysteer.agent.route import flown_order

STAGES_FLOWN = [
    StageTime(speed=1000, settle=0.05, dwell=0.01),
    StageTime(speed=(500, 1000), acceleration=0.1, backlash=(2, -3), settle=0.05, dwell=0.01),
]
pixel = st.tuples(st.integers(0, 40), st.integers(0, 40))


def batches(most: int) -> st.SearchStrategy[np.ndarray]:
    unique = st.lists(pixel, min_size=1, max_size=most, unique=True)
    return unique.map(lambda pixels: np.array(pixels, dtype=np.int64))


def way(pixels: np.ndarray, start: tuple[int, int] | None) -> float:
    """Length of the way, by the definition."""
    stops = [start, *pixels.tolist()] if start is not None else pixels.tolist()
    return sum(max(abs(a[0] - b[0]), abs(a[1] - b[1])) for a, b in pairwise(stops))


@settings(deadline=None)
@given(pixels=batches(60), start=st.none() | pixel)
def test_a_tour_visits_each_pixel_once_and_is_no_longer_than_the_order_given(
    pixels: np.ndarray, start: tuple[int, int] | None
) -> None:
    order = tour(pixels, start)
    assert sorted(order.tolist()) == list(range(len(pixels)))
    assert way(pixels[order], start) <= way(pixels, start)


@settings(deadline=None)
@given(pixels=batches(30))
def test_without_a_stage_the_path_starts_at_the_first_pixel(pixels: np.ndarray) -> None:
    assert tour(pixels)[0] == 0


@given(pixels=batches(30))
def test_the_length_of_a_path_is_the_sum_of_the_longer_moves(pixels: np.ndarray) -> None:
    assert path_length(pixels) == way(pixels, None)


def test_few_pixels_are_toured_nearly_as_well_as_can_be() -> None:
    rng = np.random.default_rng(0)
    ratios = []
    for _ in range(60):
        pixels = rng.permutation(np.unique(rng.integers(0, 30, (7, 2)), axis=0))[:6]
        start = tuple(rng.integers(0, 30, 2).tolist())
        best = min(way(pixels[list(order)], start) for order in permutations(range(len(pixels))))
        found = way(pixels[tour(pixels, start)], start)
        assert found >= best
        ratios.append(found / best)
    assert np.mean(ratios) < 1.01
    assert np.mean(np.equal(ratios, 1)) > 0.7


@pytest.mark.parametrize(
    "stage",
    [
        StageTime(speed=(1.0, 20.0)),
        StageTime(speed=50, acceleration=1.0),
        StageTime(speed=10, backlash=(0.0, 8.0)),  # there and back differ
    ],
)
def test_few_pixels_are_toured_nearly_as_quickly_as_the_stage_can(stage: StageTime) -> None:
    rng = np.random.default_rng(3)
    ratios, plain = [], []
    for _ in range(40):
        pixels = rng.permutation(np.unique(rng.integers(0, 30, (7, 2)), axis=0))[:6]
        start = tuple(rng.integers(0, 30, 2).tolist())
        best = min(stage.path(pixels[list(p)], start) for p in permutations(range(len(pixels))))
        ratios.append(stage.path(pixels[tour(pixels, start, stage)], start) / best)
        plain.append(stage.path(pixels[tour(pixels, start)], start) / best)
    assert min(ratios) > 1 - 1e-9
    assert np.mean(ratios) < 1.03
    assert np.mean(ratios) < np.mean(plain)  # it is the stage that counts


@settings(deadline=None)
@given(pixels=batches(60), start=st.none() | pixel, backlash=st.floats(-3, 3))
def test_a_tour_is_no_slower_than_the_order_given(
    pixels: np.ndarray, start: tuple[int, int] | None, backlash: float
) -> None:
    stage = StageTime(speed=(3.0, 7.0), acceleration=0.5, backlash=(backlash, 1.0))
    order = tour(pixels, start, stage)
    assert sorted(order.tolist()) == list(range(len(pixels)))
    assert stage.path(pixels[order], start) <= stage.path(pixels, start) * (1 + 1e-9)


@pytest.mark.parametrize("shape", [(64, 64), (500, 12)])
def test_a_batch_is_toured_near_the_bound_that_no_path_beats(shape: tuple[int, int]) -> None:
    """A path spans its pixels, so none is shorter than the minimum spanning tree (scipy)."""
    rng = np.random.default_rng(1)
    for _ in range(5):
        flat = rng.choice(shape[0] * shape[1], 50, replace=False)
        pixels = np.column_stack(np.divmod(flat, shape[1]))
        bound = minimum_spanning_tree(cdist(pixels, pixels, "chebyshev")).sum()
        found = path_length(pixels[tour(pixels)])
        assert bound <= found < 1.3 * bound


def test_a_line_is_driven_from_the_end_where_the_stage_stands() -> None:
    line = np.array([(0, k) for k in (3, 0, 4, 1, 2)])
    assert line[tour(line, (0, 9))][:, 1].tolist() == [4, 3, 2, 1, 0]
    assert line[tour(line, (1, 0))][:, 1].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("start", [None, (3, 4)])
def test_nothing_and_one_pixel_need_no_tour(start: tuple[int, int] | None) -> None:
    assert tour(np.empty((0, 2), dtype=np.int64), start).tolist() == []
    assert tour(np.array([[5, 5]]), start).tolist() == [0]


def test_a_batch_too_large_to_be_shortened_as_a_whole_is_still_toured() -> None:
    rng = np.random.default_rng(2)
    pixels = rng.permutation(np.argwhere(np.ones((40, 40))))
    order = tour(pixels)
    assert sorted(order.tolist()) == list(range(1600))
    assert path_length(pixels[order]) < 1.2 * 1599  # neighbour to neighbour would be 1599


def test_very_many_stops_are_ordered_within_seconds_and_not_badly() -> None:
    pixels = np.random.default_rng(0).integers(0, 2000, (20_000, 2))
    order = tour(pixels, (0, 0))
    assert sorted(order) == list(range(len(pixels)))
    # A shortest path through n random points of an area A is about 0.71 sqrt(n A) long.
    assert path_length(pixels[order]) < 1.3 * 0.71 * np.sqrt(len(pixels)) * 2000


def segments(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of horizontal and vertical segments, and their lengths."""
    rng = np.random.default_rng(seed)
    parts = []
    for _ in range(count):
        start, length, axis = rng.integers(0, 60, 2), rng.integers(1, 12), rng.integers(2)
        step = np.array([axis, 1 - axis])
        parts.append(start + np.arange(length)[:, None] * step)
    return np.concatenate(parts), np.array([len(part) for part in parts])


@pytest.mark.parametrize("stage", STAGES_FLOWN)
def test_segments_are_flown_in_a_quicker_order_and_each_the_better_way(stage: StageTime) -> None:
    gains = []
    for seed in range(8):
        pixels, lengths = segments(seed, 25)
        order, kept = flown_order(pixels, lengths, (0, 0), stage)
        path = pixels[order]
        assert kept.sum() == len(path)
        assert set(map(tuple, path.tolist())) == set(map(tuple, pixels.tolist()))
        given, found = (stage.clock(p, (0, 0), n)[-1] for p, n in ((pixels, lengths), (path, kept)))
        gains.append(found / given)
        for turned in range(len(kept)):  # none is better flown the other way
            last = np.cumsum(kept)
            other = path.copy()
            one = slice(last[turned] - kept[turned], last[turned])
            other[one] = path[one][::-1]
            assert stage.clock(other, (0, 0), kept)[-1] >= found - 0.02  # some ends were left out
    assert np.mean(gains) < 0.9


def test_a_pixel_on_two_segments_ends_none_of_them_that_is_flown_later() -> None:
    pixels = np.array([[5, 1], [5, 2], [5, 3], [3, 3], [4, 3], [5, 3]])
    order, lengths = flown_order(pixels, np.array([3, 3]), (5, 0))
    assert pixels[order].tolist() == [[5, 1], [5, 2], [5, 3], [4, 3], [3, 3]]
    assert lengths.tolist() == [3, 2]
