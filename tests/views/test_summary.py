from __future__ import annotations

import math
from itertools import pairwise

import bluesky.plan_stubs as bps
import bluesky.plans as bp
import numpy as np
import pytest
from bluesky import RunEngine
from bluesky.utils import RunEngineInterrupted
from event_model import pack_event_page

from skysteer.agent import LowDiscrepancy
from skysteer.plans import adaptive_scan
from skysteer.storage import Journal, read_journal
from skysteer.views import summarize

from .conftest import SHAPE, run


def of_stream(documents, stream):
    uids = {doc["uid"] for name, doc in documents if name == "descriptor" and doc["name"] == stream}
    return [doc for name, doc in documents if name == "event" and doc["descriptor"] in uids]


def test_a_summary_tells_what_was_measured_where_and_in_which_order(adaptive_run, bench):
    summary = summarize(adaptive_run)
    primary = of_stream(adaptive_run, "primary")
    assert [event.seq_num for event in summary.events] == list(range(1, 41))
    assert [event.time for event in summary.events] == [doc["time"] for doc in primary]
    assert [event.x for event in summary.events] == [doc["data"]["x"] for doc in primary]
    assert [event.y for event in summary.events] == [doc["data"]["y"] for doc in primary]
    for event in summary.events:
        assert event.y == pytest.approx(2 + 0.5 * event.row)
        assert event.x == pytest.approx(-3 + 0.25 * event.column)
        assert event.value == bench.truth[event.row, event.column]
    assert summary.scan.pixels.tolist() == [[e.row, e.column] for e in summary.events]
    assert (summary.grid.shape, summary.key, summary.agent) == (SHAPE, "counts", "low-discrepancy")
    assert (summary.units, summary.axis_units) == ("counts/s", ("um", "um"))


def test_a_summary_tells_each_decision_and_why_the_run_ended(adaptive_run):
    summary = summarize(adaptive_run)
    said = of_stream(adaptive_run, "decisions")
    assert [d.number for d in summary.decisions] == list(range(len(said)))
    assert sum(d.count for d in summary.decisions) == 40
    assert [d.ms for d in summary.decisions] == [doc["data"]["decision_ms"] for doc in said]
    assert [d.seen for d in summary.decisions] == sorted(d.seen for d in summary.decisions)
    assert summary.decisions[0].source and math.isnan(summary.decisions[0].expected_error)
    assert summary.stop_reason == summary.decisions[-1].stop_reason == "40 points"
    assert summary.seconds == adaptive_run[-1][1]["time"] - adaptive_run[0][1]["time"]


def test_a_run_cut_off_anywhere_is_summed_up_as_far_as_it_went(adaptive_run):
    for end in range(1, len(adaptive_run)):
        part = adaptive_run[:end]
        summary = summarize(part)
        assert len(summary.events) == len(of_stream(part, "primary"))
        assert len(summary.decisions) == len(of_stream(part, "decisions"))
        assert summary.stop is None and "no stop document" in summary.stop_reason


def test_a_journal_and_pages_of_events_give_the_same_summary(adaptive_run, tmp_path):
    journal = Journal(tmp_path)
    for name, doc in adaptive_run:
        journal(name, doc)
    kept = summarize(read_journal(next(tmp_path.glob("**/*.jsonl"))))
    events = [doc for name, doc in adaptive_run if name == "event"]
    pages = [
        ("event_page", pack_event_page(*of_stream(adaptive_run, stream)))
        for stream in ("decisions", "primary")
    ]
    rest = [(name, doc) for name, doc in adaptive_run if name != "event"]
    paged = summarize([*rest[:-1], *pages, rest[-1]])
    live = summarize(adaptive_run)
    assert len(events) == len(live.events) + len(live.decisions)
    assert kept.events == live.events == paged.events
    for other in (kept, paged):
        assert [repr(d) for d in other.decisions] == [repr(d) for d in live.decisions]


def test_of_points_that_a_rewind_doubled_the_last_counts(bench):
    readings = iter(range(1, 100))
    bench.counts.sim_set_func(lambda: float(next(readings)))
    targets = [(0, 0), (0, 1), (1, 0), (1, 1)]
    paused = []

    def plan():
        yield from bps.open_run(
            {
                "plan_name": "mine",
                "detectors": ["counts"],
                "shape": [2, 2],
                "extents": [[2.0, 2.5], [-3.0, -2.75]],
                "hints": {"dimensions": [(["y"], "primary"), (["x"], "primary")]},
            }
        )
        yield from bps.checkpoint()
        for row, column in targets:
            yield from bps.mv(bench.y, 2 + 0.5 * row, bench.x, -3 + 0.25 * column)
            yield from bps.trigger_and_read([bench.counts, bench.y, bench.x])
            if (row, column) == (1, 0) and not paused:
                paused.append(True)
                yield from bps.pause()
        yield from bps.close_run()

    documents = []
    RE = RunEngine()
    RE.subscribe(lambda name, doc: documents.append((name, doc)))
    with pytest.raises(RunEngineInterrupted):
        RE(plan())
    RE.resume()
    emitted = [doc["seq_num"] for doc in of_stream(documents, "primary")]
    assert len(emitted) > 4, "the RunEngine did not rewind: this test tests nothing"
    summary = summarize(documents)
    last = {doc["seq_num"]: doc["data"]["counts"] for doc in of_stream(documents, "primary")}
    assert [event.seq_num for event in summary.events] == [1, 2, 3, 4]
    assert [event.value for event in summary.events] == list(last.values())
    assert all(before < after for before, after in pairwise(summary.scan.values))


def test_a_value_that_is_none_stays_in_the_events_and_out_of_the_scan(bench):
    bench.bad = lambda row, column: {0: math.nan, 1: math.inf}.get(column)
    summary = summarize(
        run(adaptive_scan([bench.counts], LowDiscrepancy(), *bench.axes, until="points(60)"))
    )
    bad = [event for event in summary.events if event.column < 2]
    assert bad and not any(math.isfinite(event.value) for event in bad)
    assert len(summary.scan.values) == 60 and np.isfinite(summary.scan.values).all()
    assert not (summary.scan.pixels[:, 1] < 2).any()


def test_a_grid_scan_is_summed_up_as_well(bench):
    summary = summarize(run(bp.grid_scan([bench.counts], *bench.axes, snake_axes=True)))
    image = np.full(SHAPE, np.nan)
    image[tuple(summary.scan.pixels.T)] = summary.scan.values
    np.testing.assert_array_equal(image, bench.truth)
    assert (summary.agent, summary.decisions, summary.key) == ("grid_scan", (), "counts")
    assert summary.stop_reason == "the plan was done"


@pytest.mark.parametrize(
    ("plan", "complaint"),
    [
        (lambda b: bp.rel_grid_scan([b.counts], *b.axes), "relative"),
        (lambda b: bp.count([b.counts]), "two axes"),
        (lambda b: bp.scan([b.counts], b.x, 0, 1, 3), "two axes"),
        (
            lambda b: bp.grid_scan([b.counts], *b.axes, md={"extents": [[20, 60], [-3, 0]]}),
            "lie off the grid",
        ),
    ],
)
def test_what_is_no_map_is_refused_in_words(bench, plan, complaint):
    documents = run(plan(bench))
    with pytest.raises(ValueError, match=complaint):
        summarize(documents)


def test_no_run_and_two_runs_are_refused(adaptive_run):
    for documents, count in (([], 0), (adaptive_run * 2, 2)):
        with pytest.raises(ValueError, match=f"but {count} start documents came"):
            summarize(documents)


def test_a_failed_run_says_why(bench):
    def broken():
        yield from bps.stage(bench.counts)
        raise RuntimeError("the shutter is closed")

    def per_step(detectors, step, pos_cache):
        yield from bps.one_nd_step(detectors, step, pos_cache) if not steps else broken()
        steps.append(step)

    steps: list[object] = []
    documents = []
    RE = RunEngine()
    RE.subscribe(lambda name, doc: documents.append((name, doc)))
    with pytest.raises(RuntimeError):
        RE(bp.grid_scan([bench.counts], *bench.axes, per_step=per_step))
    summary = summarize(documents)
    assert len(summary.events) == 1
    assert summary.stop_reason == "fail: the shutter is closed"
