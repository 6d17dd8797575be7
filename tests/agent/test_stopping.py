"""Stop rules: when they stop, how they compose, and their text."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from skysteer.agent import (
    Progress,
    StopRule,
    coverage,
    dose,
    expected_error,
    no_improvement,
    parse,
    points,
    time,
)

above_zero = st.floats(0, exclude_min=True, allow_infinity=False)
share = st.floats(0, 1, exclude_min=True, exclude_max=True)
simple = st.one_of(
    st.builds(coverage, share),
    st.builds(points, st.integers(1, 10**9)),
    st.builds(time, above_zero),
    st.builds(dose, above_zero),
    st.builds(expected_error, above_zero),
    st.builds(no_improvement, share, st.integers(1, 50)),
)
rules = st.recursive(
    simple,
    lambda inner: st.one_of(
        st.builds(lambda a, b: a | b, inner, inner), st.builds(lambda a, b: a & b, inner, inner)
    ),
    max_leaves=6,
)
progresses = st.builds(
    Progress,
    points=st.integers(0, 100),
    pixels=st.just(100),
    seconds=st.floats(0, 100),
    exposure=st.floats(0, 100),
    expected_errors=st.lists(st.floats(0, 1) | st.just(math.nan), max_size=8).map(tuple),
)
low = st.one_of(
    st.builds(coverage, share),
    st.builds(points, st.integers(1, 100)),
    st.builds(time, st.floats(1, 100)),
    st.builds(no_improvement, share, st.integers(1, 4)),
)


@given(rule=rules)
@example(rule=coverage(1 / 3))
@example(rule=points(1) | (points(2) | points(3)))
@example(rule=(points(1) | points(2)) & points(3))
@example(rule=points(1) & (points(2) & points(3)))
def test_a_rule_reads_back_from_its_text(rule: StopRule) -> None:
    assert parse(repr(rule)) == rule


@given(left=low, right=low, progress=progresses)
def test_or_stops_with_either_and_and_with_both(
    left: StopRule, right: StopRule, progress: Progress
) -> None:
    stops = [rule.reason(progress) is not None for rule in (left, right)]
    assert ((left | right).reason(progress) is not None) == any(stops)
    assert ((left & right).reason(progress) is not None) == all(stops)


@given(left=low, right=low, progress=progresses)
def test_the_points_left_are_the_fewest_for_or_and_the_most_for_and(
    left: StopRule, right: StopRule, progress: Progress
) -> None:
    known = [n for r in (left, right) if (n := r.points_left(progress)) is not None]
    assert (left | right).points_left(progress) == min(known, default=None)
    assert (left & right).points_left(progress) == (max(known) if len(known) == 2 else None)


@given(fraction=share, rows=st.integers(1, 600), columns=st.integers(1, 600))
def test_coverage_is_rounded_to_whole_points(fraction: float, rows: int, columns: int) -> None:
    wanted = round(fraction * rows * columns)
    rule = parse(repr(coverage(fraction)))
    assert rule.budget(rows * columns) == wanted
    assert rule.reason(Progress(wanted, rows * columns)) is not None
    assert wanted == 0 or rule.reason(Progress(wanted - 1, rows * columns)) is None


def test_no_more_points_are_asked_for_than_the_raster_has() -> None:
    assert points(500).budget(100) == 100
    assert points(500).reason(Progress(100, 100)) == "100 points"


def test_time_and_dose_stop_at_their_limit() -> None:
    assert time(10).reason(Progress(1, 9, seconds=9.9)) is None
    assert time(10).reason(Progress(1, 9, seconds=10)) == "time of 10 s"
    assert dose(2).reason(Progress(1, 9, seconds=99, exposure=1.9)) is None
    assert dose(2).reason(Progress(1, 9, exposure=2.0)) == "dose of 2 s of beam"


def test_only_the_latest_expected_error_counts() -> None:
    rule = expected_error(0.1)
    assert rule.reason(Progress(5, 9)) is None
    assert rule.reason(Progress(5, 9, expected_errors=(0.05, 0.2))) is None
    assert rule.reason(Progress(5, 9, expected_errors=(0.05, math.nan))) is None
    assert rule.reason(Progress(5, 9, expected_errors=(0.2, 0.05))) is not None


def test_no_improvement_waits_for_its_decisions_and_looks_at_the_best() -> None:
    rule = no_improvement(0.1, 2)
    assert rule.reason(Progress(5, 9, expected_errors=(1.0, 1.0))) is None
    assert rule.reason(Progress(5, 9, expected_errors=(1.0, 1.0, 1.0))) is not None
    assert rule.reason(Progress(5, 9, expected_errors=(1.0, 1.5, 0.8))) is None
    assert rule.reason(Progress(5, 9, expected_errors=(1.0, math.nan, 1.0, 0.95))) is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "coverage",
        "coverage(",
        "coverage()",
        "coverage(x)",
        "coverage('a')",
        "coverage(0.1, 2)",
        "coverage(share=0.1)",
        "coverage(*[0.1])",
        "coverage(**{'fraction': 0.1})",
        "coverage(0.1) + points(3)",
        "coverage(0.1) or points(3)",
        "__import__('os').system('true')",
        "points(1e400)",
        "coverage(0.1)\0",
        "(" * 300 + "points(1)" + ")" * 300,
        "0.15",
    ],
)
def test_what_is_no_rule_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"like 'coverage\(0.15\) \| time|whole number from 1"):
        parse(text)


@pytest.mark.parametrize(
    "rule, number, message",
    [
        (coverage, 0, "coverage must lie over 0 and up to 1, but 0 came"),
        (coverage, 2, "but 2 came"),
        (coverage, math.nan, "but nan came"),
        (points, 0, "whole number from 1, but 0 came"),
        (points, 2.5, "whole number from 1, but 2.5 came"),
        (points, math.inf, "but inf came"),
        (points, math.nan, "but nan came"),
        (time, 0, "finite number of seconds above 0"),
        (time, math.inf, "finite number of seconds above 0"),
        (dose, -1, "seconds of beam above 0, but -1 came"),
        (expected_error, 0, "above 0, but 0 came"),
        (no_improvement, 1, "between 0 and 1, but 1 came"),
    ],
)
def test_a_criterion_that_makes_no_sense_is_refused(rule: Any, number: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rule(number)


@pytest.mark.parametrize("decisions", [0, 2.5, math.nan])
def test_decisions_to_wait_for_are_whole(decisions: Any) -> None:
    with pytest.raises(ValueError, match="decisions must be a whole number from 1"):
        no_improvement(0.1, decisions)


def test_a_rule_is_taken_as_it_is() -> None:
    rule = points(3)
    assert parse(rule) is rule
