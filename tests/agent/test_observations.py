"""The log of observations, and what it comes to."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skysteer.agent import Observation, Observations

entries = st.lists(
    st.builds(
        Observation,
        st.integers(1, 12),
        st.integers(-1, 3),
        st.integers(-1, 3),
        st.sampled_from([1.0, 2.5, -3.0, math.nan, math.inf]),
        others=st.just(()),
        exposure=st.just(1.0),
    ),
    max_size=40,
)


def told(*log: tuple[int, int, int, float]) -> Observations:
    return Observations(Observation(*entry) for entry in log)


def as_map(observations: Observations) -> dict[tuple[int, int], float]:
    scan = observations.scan((4, 4))
    return dict(zip(map(tuple, scan.pixels.tolist()), scan.values.tolist(), strict=True))


@given(log=entries, cut=st.integers(0, 40))
def test_the_fold_agrees_with_a_plain_reading_of_the_log(log: list[Observation], cut: int) -> None:
    observations = Observations(log[:cut])
    for entry in log[cut:]:
        observations.append(entry)

    latest = {entry.id: entry for entry in log}
    by_number = [latest[number] for number in sorted(latest)]
    good = [o for o in by_number if o.row >= 0 and o.column >= 0 and math.isfinite(o.value)]
    expected = {(o.row, o.column): o.value for o in good}
    tried = {(o.row, o.column) for o in by_number if o.row >= 0 and o.column >= 0}
    trailing = by_number[by_number.index(good[-1]) + 1 :] if good else by_number

    assert len(observations) == len(log)
    assert observations.points == len(expected)
    assert list(as_map(observations).items()) == list(expected.items())
    assert set(map(tuple, observations.barren().tolist())) == tried - expected.keys()
    assert observations.unusable_run() == len(trailing)
    assert observations.next_id == max(latest, default=0) + 1
    assert observations.last == (by_number[-1] if by_number else None)
    assert (observations.best is None) == (not good)
    if observations.best:
        assert observations.best.value == max(expected.values())


def test_the_last_word_on_an_event_wins() -> None:
    assert as_map(told((1, 0, 0, 5.0), (2, 0, 1, 6.0), (1, 0, 0, 7.0))) == {(0, 0): 7, (0, 1): 6}


def test_a_revision_may_move_an_event_to_another_pixel() -> None:
    observations = told((1, 0, 0, 5.0), (1, 2, 2, 5.0))
    assert as_map(observations) == {(2, 2): 5.0}
    assert observations.barren().tolist() == []


def test_a_revision_may_take_a_value_back() -> None:
    observations = told((1, 0, 0, 5.0), (1, 0, 0, math.nan))
    assert observations.points == 0
    assert observations.barren().tolist() == [[0, 0]]


def test_a_pixel_measured_again_has_the_later_value_and_its_first_place() -> None:
    observations = told((1, 0, 0, 5.0), (2, 0, 1, 6.0), (3, 0, 0, 7.0))
    assert as_map(observations) == {(0, 0): 7.0, (0, 1): 6.0}
    assert list(as_map(observations)) == [(0, 0), (0, 1)]


def test_a_good_reading_outlives_a_later_bad_one_on_its_pixel() -> None:
    observations = told((1, 0, 0, 5.0), (2, 0, 0, math.nan))
    assert as_map(observations) == {(0, 0): 5.0}
    assert observations.barren().tolist() == []
    assert observations.unusable_run() == 1


def test_a_point_off_the_grid_teaches_nothing() -> None:
    observations = told((1, -1, -1, 5.0))
    assert observations.points == 0
    assert observations.barren().tolist() == []
    assert observations.last == Observation(1, -1, -1, 5.0)


def test_nothing_observed_is_an_empty_scan() -> None:
    scan = Observations().scan((3, 2))
    assert scan.pixels.shape == (0, 2)
    assert scan.values.shape == (0,)
    assert not scan.mask.any()


def test_a_scan_given_out_does_not_change_with_what_comes_later() -> None:
    observations = told((1, 0, 0, 5.0))
    scan = observations.scan((4, 4))
    observations.append(Observation(1, 0, 0, 9.0))
    observations.append(Observation(2, 1, 1, 9.0))
    assert_array_equal(scan.values, [5.0])
