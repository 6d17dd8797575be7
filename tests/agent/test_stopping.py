"""Stop rules: when they stop, how they compose, and their text."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import norm

from skysteer.agent import (
    Progress,
    StopRule,
    coverage,
    dose,
    expected_error,
    expected_rms,
    no_improvement,
    parse,
    points,
    time,
)
from skysteer.models import ErrorEstimate


def expected(*errors: float) -> tuple[ErrorEstimate, ...]:
    """Estimates that know no band."""
    return tuple(ErrorEstimate(10 * k + 10, error) for k, error in enumerate(errors))


above_zero = st.floats(0, exclude_min=True, allow_infinity=False)
share = st.floats(0, 1, exclude_min=True, exclude_max=True)
simple = st.one_of(
    st.builds(coverage, share),
    st.builds(points, st.integers(1, 10**9)),
    st.builds(time, above_zero),
    st.builds(dose, above_zero),
    st.builds(expected_error, above_zero),
    st.builds(expected_rms, above_zero, st.floats(0.5, 1, exclude_max=True)),
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
    estimates=st.lists(st.floats(0, 1) | st.just(math.nan), max_size=8).map(
        lambda errors: expected(*errors)
    ),
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


def test_two_decisions_running_must_expect_so_small_an_error() -> None:
    rule = expected_error(0.1)

    def stops(*errors: float) -> bool:
        return rule.reason(Progress(5, 9, estimates=expected(*errors))) is not None

    assert not stops()
    assert not stops(0.05)
    assert not stops(0.05, 0.2)
    assert not stops(0.05, math.nan)
    assert not stops(0.2, 0.05)
    assert stops(0.2, 0.05, 0.09)


def test_the_surer_an_agent_must_be_the_smaller_the_error_it_must_expect() -> None:
    band = [ErrorEstimate.of(n, 0.09**2, 1.0, 0.1) for n in (100, 110)]
    progress = Progress(110, 1000, estimates=tuple(band))
    chance = float(norm.cdf(math.log(0.1 / band[0].nrmse) / 0.1))  # 0.86
    assert expected_error(0.1, chance - 0.01).reason(progress) is not None
    assert expected_error(0.1, chance + 0.01).reason(progress) is None
    assert f"{chance:.0%} sure" in str(expected_error(0.1, 0.7).reason(progress))


def test_an_absolute_error_is_in_the_readings_unit() -> None:
    band = tuple(ErrorEstimate.of(n, 3.0**2, 40.0**2, 0.0) for n in (100, 110))
    assert expected_rms(3.01).reason(Progress(110, 1000, estimates=band)) is not None
    assert expected_rms(2.99).reason(Progress(110, 1000, estimates=band)) is None


def test_the_reason_tells_what_it_costs_to_be_surer() -> None:
    """Errors that fell as the root of the points: 15 % less takes 1.38 times the points."""
    fell = [(n, 0.94 * 0.1 * (1000 / n) ** 0.5) for n in range(100, 1001, 50)]
    band = tuple(ErrorEstimate.of(n, e**2 / (1 - e**2), 1.0, 0.1) for n, e in fell)
    reason = expected_error(0.1, 0.6).reason(Progress(1000, 9999, estimates=band))
    factor = 0.1 / (band[-1].nrmse * math.exp(0.1 * norm.ppf(0.95)))
    more = 1000 * (factor**-2 - 1)
    assert reason is not None
    assert int(reason.split("about ")[1].split()[0]) == pytest.approx(more, rel=0.05)


def test_no_improvement_waits_for_its_decisions_and_looks_at_the_best() -> None:
    rule = no_improvement(0.1, 2)
    assert rule.reason(Progress(5, 9, estimates=expected(1.0, 1.0))) is None
    assert rule.reason(Progress(5, 9, estimates=expected(1.0, 1.0, 1.0))) is not None
    assert rule.reason(Progress(5, 9, estimates=expected(1.0, 1.5, 0.8))) is None
    assert rule.reason(Progress(5, 9, estimates=expected(1.0, math.nan, 1.0, 0.95))) is not None


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
