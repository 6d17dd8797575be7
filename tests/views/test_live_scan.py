from __future__ import annotations

import math

import bluesky.plans as bp
import numpy as np
import pytest
from ophyd import Signal

from skysteer.models import expected_nrmse, inverse_distance
from skysteer.plans import adaptive_scan
from skysteer.views import LiveScan, summarize

from .conftest import SHAPE, run


def followed(documents, **options):
    scan = LiveScan(documents[0][1], **options)
    for name, doc in documents[1:]:
        scan(name, doc)
    return scan


def steered(bench, agent="spread", **changes):
    return run(
        adaptive_scan(
            [bench.counts], agent, *bench.axes, until="points(40)", **{"batch": 8, **changes}
        )
    )


@pytest.mark.parametrize("looks", [1, 7])
def test_what_is_shown_is_what_the_documents_sum_up_to_however_often_one_looks(adaptive_run, looks):
    scan = LiveScan(adaptive_run[0][1])
    for k, (name, doc) in enumerate(adaptive_run[1:]):
        scan(name, doc)
        if k % looks == 0:
            scan.view()
    view, summary = scan.view(), summarize(adaptive_run)
    assert view.summary.events == summary.events
    assert [repr(d) for d in view.summary.decisions] == [repr(d) for d in summary.decisions]
    assert (view.summary.key, view.summary.units, view.summary.axis_units) == (
        summary.key,
        summary.units,
        summary.axis_units,
    )
    assert view.summary.stop_reason == summary.stop_reason
    np.testing.assert_allclose(view.images[0], inverse_distance(summary.scan), rtol=1e-12)


def test_the_expected_error_lies_between_the_points_where_neighbours_disagree(bench):
    view = followed(steered(bench)).view()
    mask = view.summary.scan.mask
    (error,) = view.errors
    assert (error[mask] == 0).all() and (error[~mask] > 0).all()
    flat, corner = error[6:, :6], error[:3, 8:]  # the bench has a step of 100 there
    assert corner.max() > 2 * flat.max()
    estimate = expected_nrmse(view.summary.scan)  # the same idea, written another way
    whole = np.sqrt((error**2).sum() / (view.images[0] ** 2).sum())
    assert whole == pytest.approx(estimate, rel=0.7)


def test_the_batch_shown_is_the_latest_decision_with_its_scores(bench):
    documents = steered(bench)
    streams = {d["uid"]: d["name"] for n, d in documents if n == "descriptor"}
    decided = [
        (k, d["data"])
        for k, (n, d) in enumerate(documents)
        if n == "event" and streams[d["descriptor"]] == "decisions" and d["data"]["decision_count"]
    ]
    end, latest = decided[3]
    view = followed(documents[: end + 1]).view()
    count = latest["decision_count"]
    assert view.batch.decision.number == latest["decision_number"]
    np.testing.assert_array_equal(view.batch.pixels[:, 0], latest["decision_rows"][:count])
    np.testing.assert_array_equal(view.batch.scores, latest["decision_scores"][:count])
    assert np.isfinite(view.batch.scores).all()


def test_the_error_is_the_agents_word_where_it_has_one(bench):
    view = followed(steered(bench)).view()
    told = [(d.seen, d.expected_error) for d in view.summary.decisions]
    np.testing.assert_array_equal(view.curve, [t for t in told if math.isfinite(t[1])])


def test_without_an_agent_the_error_comes_from_the_residuals_and_ends_at_none(bench):
    documents = run(bp.grid_scan([bench.counts], *bench.axes, snake_axes=True))
    scan = LiveScan(documents[0][1])
    for k, (name, doc) in enumerate(documents[1:]):
        scan(name, doc)
        if k == 60:
            scan.view()
    view = scan.view()
    assert view.batch is None
    points, errors = view.curve.T
    assert len(points) > 8 and (np.diff(points) > 0).all()
    assert errors[0] > errors[-1] == 0.0
    np.testing.assert_array_equal(view.images[0], bench.truth)


def test_the_ring_current_is_found_by_its_name_or_by_the_key_given(bench):
    ring, other = Signal(name="ring_current", value=99.5), Signal(name="other", value=7)
    plan = bp.grid_scan([bench.counts, ring, other], *bench.axes)
    documents = run(plan)
    assert followed(documents).view().current.tolist() == [99.5] * bench.truth.size
    assert set(followed(documents, current="other").view().current) == {7.0}
    without = run(bp.grid_scan([bench.counts], *bench.axes))
    assert followed(without).view().current.size == 0


def test_of_an_event_that_a_rewind_doubled_the_last_counts(bench):
    documents = run(bp.grid_scan([bench.counts], *bench.axes))
    place, event = next((k, d) for k, (n, d) in enumerate(documents) if n == "event")
    again = {**event, "data": {**event["data"], "counts": 1e4}}
    view = followed([*documents[: place + 1], ("event", again), *documents[place + 1 :]]).view()
    assert len(view.summary.events) == bench.truth.size
    assert view.images[0][0, 0] == 1e4
    np.testing.assert_array_equal(view.images[0].ravel()[1:], bench.truth.ravel()[1:])


def test_any_plan_that_describes_its_grid_is_followed(bench):
    grid = {
        "shape": list(SHAPE),
        "extents": [[2.0, 6.0], [-3.0, 0.0]],
        "hints": {"dimensions": [(["y"], "primary"), (["x"], "primary")]},
    }
    rows, columns = [0, 3, 8, 4], [12, 0, 5, 5]
    ys, xs = [2 + 0.5 * r for r in rows], [-3 + 0.25 * c for c in columns]
    view = followed(run(bp.list_scan([bench.counts], bench.y, ys, bench.x, xs, md=grid))).view()
    assert view.summary.scan.pixels.tolist() == [list(p) for p in zip(rows, columns, strict=True)]


def test_before_the_first_usable_value_there_is_nothing_to_see(bench):
    bench.bad = lambda row, column: math.nan
    documents = run(bp.grid_scan([bench.counts], *bench.axes))
    for end in (1, 2, len(documents)):
        assert followed(documents[:end]).view() is None


def test_a_run_that_is_no_map_is_refused_in_words(bench):
    with pytest.raises(ValueError, match="cannot be drawn as a map"):
        LiveScan(run(bp.count([bench.counts]))[0][1])
