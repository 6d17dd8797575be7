"""The log of observations, and what it comes to."""

from __future__ import annotations

import math

import pytest
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


added = st.lists(
    st.builds(
        Observation,
        st.integers(1, 8),
        st.integers(0, 1),
        st.integers(0, 1),
        st.sampled_from([1.0, 2.5, math.nan]),
        others=st.just(()),
        exposure=st.sampled_from([1.0, 2.0, 8.0, math.nan]),
    ),
    max_size=25,
)


@given(log=added, cut=st.integers(0, 25))
def test_readings_that_add_up_are_the_counts_over_the_time(log: list, cut: int) -> None:
    observations = Observations(log[:cut], adds=True)
    observations.extend(log[cut:])
    latest = {entry.id: entry for entry in log}
    counts: dict[tuple[int, int], float] = {}
    times: dict[tuple[int, int], float] = {}
    for entry in latest.values():
        if math.isfinite(entry.value) and entry.exposure > 0:
            pixel = entry.row, entry.column
            counts[pixel] = counts.get(pixel, 0.0) + entry.value * entry.exposure
            times[pixel] = times.get(pixel, 0.0) + entry.exposure
    scan = observations.scan((2, 2))
    found = dict(zip(map(tuple, scan.pixels.tolist()), scan.values.tolist(), strict=True))
    assert found == pytest.approx({pixel: counts[pixel] / times[pixel] for pixel in counts})
    assert scan.exposures is None or scan.exposures.tolist() == pytest.approx(
        [times[pixel] for pixel in map(tuple, scan.pixels.tolist())]
    )
    assert observations.fingerprint() == Observations(log, adds=True).fingerprint()


def test_a_reading_taken_back_takes_its_counts_with_it() -> None:
    observations = Observations(adds=True)
    observations.extend([Observation(1, 0, 0, 4.0, (), 1.0), Observation(2, 0, 0, 8.0, (), 3.0)])
    assert observations.scan((1, 1)).values.tolist() == [7.0]
    observations.append(Observation(2, -1, -1, math.nan))  # as a quarantine does
    scan = observations.scan((1, 1))
    assert (scan.values.tolist(), scan.exposures.tolist()) == ([4.0], [1.0])
    observations.append(Observation(1, 0, 0, 5.0, (), 2.0))  # as a rewind does
    assert observations.scan((1, 1)).exposures.tolist() == [2.0]


def test_only_the_channels_that_read_something_add_it() -> None:
    nan = math.nan
    observations = Observations(adds=True)
    observations.extend(
        [Observation(1, 0, 0, 4.0, (1.0,), 1.0), Observation(2, 0, 0, 8.0, (nan,), 3.0)]
    )
    scan = observations.scan((1, 1))
    assert (scan.values.tolist(), scan.others[0].tolist()) == ([7.0], [1.0])


def test_without_adding_up_the_last_reading_stands_and_the_fingerprint_knows_no_exposure() -> None:
    log = [Observation(1, 0, 0, 4.0), Observation(2, 0, 0, 8.0)]
    timed = [entry._replace(exposure=5.0) for entry in log]
    assert Observations(timed).scan((1, 1)).values.tolist() == [8.0]
    assert Observations(timed).scan((1, 1)).exposures is None
    assert Observations(timed).fingerprint() == Observations(log).fingerprint()
    assert (
        Observations(timed, adds=True).fingerprint() != Observations(log, adds=True).fingerprint()
    )
