"""Segments: how a batch falls into stretches that the stage flies over."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skysteer.agent import Axis, Choice, Decision, Guard, ScanGrid, kept_lengths, segments_of

LINE = np.array([[0, 4], [2, 1], [2, 2], [2, 3], [2, 4]])


def decision(**entries):
    said = {
        "number": 0,
        "pixels": LINE,
        "scores": np.zeros(5),
        "source": "mine",
        "seen": 0,
        "digest": "",
        "expected_error": np.nan,
        "ms": 0.0,
        "cpu_ms": 0.0,
    }
    return Decision(**{**said, **entries})


def guard():
    return Guard(ScanGrid(Axis("y", 0, 9, 10), Axis("x", 0, 9, 10)), lambda position: None)


def test_a_decision_without_lengths_stops_at_every_pixel():
    assert decision().lengths.tolist() == [1] * 5
    assert [len(segment) for segment in decision().segments()] == [1] * 5


def test_a_decision_with_segments_survives_its_json_form():
    made = decision(lengths=[1, 4])
    again = Decision.from_json(made.to_json())
    assert again.lengths.tolist() == [1, 4]
    assert [s.tolist() for s in again.segments(3)] == [LINE[3:].tolist()]


@pytest.mark.parametrize("lengths", [[1, 3], [5], [1, 4, 0], [2, 3]])
def test_segments_that_are_not_the_pixels_own_or_not_straight_are_refused(lengths):
    with pytest.raises(ValueError, match="segment"):
        Choice(LINE, lengths=lengths)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=8), st.data())
def test_what_is_kept_of_segments_are_the_runs_that_no_refusal_breaks(lengths, data):
    total = sum(lengths)
    keep = np.flatnonzero(data.draw(st.lists(st.booleans(), min_size=total, max_size=total)))
    owner = np.repeat(np.arange(len(lengths)), lengths)
    expected: list[list[int]] = []
    for k in keep.tolist():
        if expected and expected[-1][-1] == k - 1 and owner[k - 1] == owner[k]:
            expected[-1].append(k)
        else:
            expected.append([k])
    assert kept_lengths(np.array(lengths), keep).tolist() == [len(run) for run in expected]


def test_the_guard_lets_a_segment_fly_over_what_is_measured_but_not_end_there():
    taken = np.zeros((10, 10), dtype=bool)
    taken[2, 2] = taken[2, 4] = True
    verdict = guard().vet(LINE, taken, 10, [1, 4])
    assert verdict.pixels.tolist() == [[0, 4], [2, 1], [2, 2], [2, 3]]
    assert kept_lengths(np.array([1, 4]), verdict.index).tolist() == [1, 3]
    assert verdict.refused == {"already measured": 1}
    assert guard().vet(LINE, taken, 10).pixels.tolist() == [[0, 4], [2, 1], [2, 3]]


def test_a_batch_of_no_pixel_has_no_segment():
    assert segments_of(np.empty((0, 2), int), np.empty(0, int)) == []
    assert not len(decision(pixels=np.empty((0, 2), int), scores=np.empty(0)).lengths)
