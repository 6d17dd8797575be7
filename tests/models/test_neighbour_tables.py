"""The neighbour tables, against brute force and against themselves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skysteer.models.neighbour_tables import FAR, NEIGHBOURS, NOBODY, NeighbourTables

SHAPES = st.sampled_from([(1, 1), (1, 40), (40, 1), (7, 9), (33, 18), (50, 70)])


def some_pixels(shape, seed, share):
    rng = np.random.default_rng(seed)
    pixels = np.argwhere(rng.random(shape) < share)
    return rng.permutation(pixels)


def brute_force(shape, pixels):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    table = np.full((*shape, NEIGHBOURS), NOBODY, dtype=np.int64)
    for row, column in zip(rows.ravel(), columns.ravel(), strict=True):
        ranked = sorted(
            ((r - row) ** 2 + (c - column) ** 2, r, c)
            for r, c in pixels.tolist()
            if (r, c) != (row, column)
        )[:NEIGHBOURS]
        table[row, column, : len(ranked)] = [r << 16 | c for _, r, c in ranked]
    return table


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.floats(0, 1))
def test_tables_are_those_that_brute_force_finds(seed, share):
    shape = (13, 17)
    pixels = some_pixels(shape, seed, share)
    tables = NeighbourTables(shape)
    tables.fill(pixels)
    np.testing.assert_array_equal(tables.neighbours, brute_force(shape, pixels))


@settings(max_examples=60, deadline=None)
@given(shape=SHAPES, seed=st.integers(0, 10_000), share=st.floats(0, 1), batch=st.integers(1, 30))
def test_points_inserted_in_any_order_give_the_tables_of_points_filled_in(
    shape, seed, share, batch
):
    pixels = some_pixels(shape, seed, share)
    grown, filled = NeighbourTables(shape), NeighbourTables(shape)
    grown.fill(pixels[: len(pixels) // 2])
    for first in range(len(pixels) // 2, len(pixels), batch):
        grown.insert(pixels[first : first + batch])
    filled.fill(pixels[::-1].copy())
    np.testing.assert_array_equal(grown.neighbours, filled.neighbours)
    np.testing.assert_array_equal(grown.reach, filled.reach)


@settings(max_examples=30, deadline=None)
@given(shape=SHAPES, seed=st.integers(0, 10_000), share=st.floats(0.02, 0.6))
def test_exactly_the_pixels_whose_neighbours_changed_are_flagged(shape, seed, share):
    pixels = some_pixels(shape, seed, share)
    tables = NeighbourTables(shape)
    tables.fill(pixels[:-3])
    before = tables.neighbours.copy()
    tables.insert(pixels[-3:])
    changed = (tables.neighbours != before).any(axis=-1)
    changed[pixels[-3:, 0], pixels[-3:, 1]] = True
    np.testing.assert_array_equal(tables.flags > 0, changed)
    held = np.zeros(tables.tiles, dtype=bool)
    held[tables.touched[:, 0], tables.touched[:, 1]] = True
    assert held[tuple((np.argwhere(changed) // 16).T)].all()


@settings(max_examples=30, deadline=None)
@given(shape=SHAPES, seed=st.integers(0, 10_000), share=st.floats(0.02, 0.6))
def test_the_users_of_a_point_are_those_with_it_among_their_nearest_six(shape, seed, share):
    start = np.concatenate([some_pixels(shape, seed, share), [[0, 0]]])
    pixels = np.unique(start, axis=0)
    tables = NeighbourTables(shape)
    tables.fill(pixels)
    row, column = start[0]
    tables.flag_users(start[:1])
    users = (tables.neighbours[..., :6] == (row << 16 | column)).any(axis=-1)
    assert (tables.flags[users] > 0).all()
    others = ~users & (tables.flags > 0)  # equals of the sixth, and the point itself
    sixth, (rows, columns) = tables.neighbours[..., 5][others], np.nonzero(others)
    distance = ((sixth >> 16) - rows) ** 2 + ((sixth & 0xFFFF) - columns) ** 2
    here = (rows - row) ** 2 + (columns - column) ** 2
    assert ((here <= distance) | (sixth == NOBODY)).all()


def test_with_too_few_points_there_is_no_tenth():
    tables = NeighbourTables((5, 5))
    tables.fill(np.argwhere(np.eye(5)[:, :3]))
    assert (tables.reach == FAR).all()


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (32768, 2), (2, 40000)])
def test_a_raster_that_does_not_fit_is_refused(shape):
    with pytest.raises(ValueError, match="each axis takes 1 to 32767"):
        NeighbourTables(shape)
