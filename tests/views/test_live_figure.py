from __future__ import annotations

import warnings

import numpy as np
import pytest
from matplotlib.figure import Figure

from skysteer.views import DecisionPoint, LiveView, live_figure
from skysteer.views.live_panels import coarsened
from skysteer.views.live_scan import Batch


@pytest.fixture(autouse=True)
def complaints():
    """No picture may make matplotlib or numpy complain."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ResourceWarning)  # what earlier tests left to be collected
        yield


@pytest.fixture
def view_of(summary_of):
    """A factory of live views of any shape."""

    def make(shape=(20, 30), points=40, until="coverage(0.5)", agent=True, ring=True, **changes):
        record = {"skysteer": {"agent": "slads", "until": until}} if agent else {}
        start = {"uid": "u", "time": 1e9, "plan_name": "grid_scan", **record}
        summary = summary_of(shape, points, start=start, stop=None, stop_reason="")
        error = np.where(summary.scan.mask, 0.0, 3.0)
        decision = DecisionPoint(7, "slads", 3, 0, points, 1.0, 1.0, 0.0, 0.2, "", "")
        free = np.argwhere(~summary.scan.mask)[:3]
        fields = {
            "summary": summary,
            "images": (np.add.outer(np.arange(shape[0]), np.arange(shape[1])) * 1e4,),
            "errors": (error,),
            "batch": Batch(decision, free, np.array([4.0, 1.0, 2.0])[: len(free)])
            if agent
            else None,
            "curve": np.array([[10.0, 0.5], [20.0, 0.25], [30.0, 0.2]]),
            "current": np.linspace(100, 99, len(summary.events)) if ring else np.empty(0),
            "current_units": "mA",
        }
        return LiveView(**{**fields, **changes})

    return make


def titles(figure):
    return [a.get_title(loc="left") for a in figure.axes if a.get_label() != "<colorbar>"]


def panel(figure, title):
    return next(axes for axes in figure.axes if axes.get_title(loc="left") == title)


def line(axes, label):
    return next(drawn for drawn in axes.lines if drawn.get_label().startswith(label))


@pytest.mark.parametrize(
    ("shape", "page"),
    [
        ((64, 64), 1.6),
        ((64, 64), 0.5),
        ((20, 300), 1.6),
        ((300, 20), 0.5),
        ((1, 50), 1.6),
        ((50, 1), 1.6),
        ((512, 512), 0.5),
    ],
)
def test_nothing_overlaps_or_is_cut_off_wide_or_narrow(
    view_of, nothing_overlaps_or_is_cut_off, shape, page
):
    figure = live_figure(view_of(shape), page)
    nothing_overlaps_or_is_cut_off(figure)
    assert len(titles(figure)) == 6
    assert all(axes.has_data() for axes in figure.axes)


def test_a_steered_run_shows_where_it_goes_next_and_why(view_of):
    view = view_of()
    figure = live_figure(view)
    assert titles(figure) == [
        "Reconstruction",
        "Expected error",
        "Path",
        "Error",
        "Why batch 7",
        "Ring current",
    ]
    ahead = line(panel(figure, "Path"), "next 3")
    grid = view.summary.grid
    wanted = [grid.position(tuple(p)) for p in [view.summary.scan.pixels[-1], *view.batch.pixels]]
    drawn = [{"y": y, "x": x} for x, y in ahead.get_xydata()]
    assert drawn == wanted
    heights = [bar.get_height() for bar in panel(figure, "Why batch 7").patches]
    assert heights == [1.0, 0.25, 0.5]


def test_targets_that_were_measured_are_no_longer_ahead(view_of):
    whole = view_of()
    pixels = np.concatenate([whole.summary.scan.pixels[-1:], whole.batch.pixels[1:]])
    batch = Batch(whole.batch.decision, pixels, whole.batch.scores)
    figure = live_figure(view_of(batch=batch))
    ahead = line(panel(figure, "Path"), "next 2")
    assert len(ahead.get_xydata()) == 3  # from where the stage is


@pytest.mark.parametrize(
    ("until", "vertical", "horizontal"),
    [
        ("coverage(0.5)", 300, None),
        ("points(77) | time(60)", 77, None),
        ("expected_error(0.05)", None, 0.05),
        ("points(90) | expected_error(0.1)", 90, 0.1),
        ("time(60)", None, None),
    ],
)
def test_the_stop_rule_is_drawn_into_the_error(view_of, until, vertical, horizontal):
    figure = live_figure(view_of(until=until))
    lines = {each.get_label(): each for each in panel(figure, "Error").lines}
    np.testing.assert_array_equal(lines["from the residuals"].get_xydata(), view_of().curve)
    assert ("points planned" in lines) == (vertical is not None)
    assert ("stops below" in lines) == (horizontal is not None)
    if vertical:
        assert lines["points planned"].get_xdata()[0] == vertical
    if horizontal:
        assert lines["stops below"].get_ydata()[0] == horizontal
    assert f"until {until}" in figure.texts[0].get_text().replace("\n", " ")


@pytest.mark.parametrize("until", ["coverage(0.5)", "points(45) | expected_error(0.45)"])
def test_no_line_of_the_error_runs_behind_its_legend(view_of, until):
    figure = live_figure(view_of(until=until))
    figure.canvas.draw()
    axes = panel(figure, "Error")
    legend = axes.get_legend().get_window_extent()
    for drawn in axes.lines:
        assert not legend.overlaps(drawn.get_window_extent())


def test_a_run_without_agent_and_ring_shows_values_and_pace_instead(view_of):
    figure = live_figure(view_of(agent=False, ring=False))
    assert titles(figure)[4:] == ["Measured values", "Pace"]
    assert all(axes.has_data() for axes in figure.axes)


def test_a_batch_without_scores_says_so(view_of):
    whole = view_of()
    for source, words in (("start", "low-discrepancy"), ("uniform", "uniform gives no scores")):
        decision = DecisionPoint(0, source, 3, 0, 0, 1.0, 1.0, 0.0, 0.2, "", "")
        batch = Batch(decision, whole.batch.pixels, np.full(3, np.nan))
        axes = panel(live_figure(view_of(batch=batch)), "Why batch 0")
        assert words in axes.texts[0].get_text()


def test_a_single_pixel_of_a_large_map_can_still_be_seen():
    order = np.full((500, 333), np.nan)
    order[499, 332], order[10, 10], order[11, 11] = 7.0, 1.0, 2.0
    seen = coarsened(order, 4)
    assert seen.shape == (125, 84)
    assert seen[124, 83] == 7.0 and seen[2, 2] == 2.0 and np.isfinite(seen).sum() == 2


def test_a_figure_that_is_there_is_drawn_anew(view_of):
    figure = Figure()
    for view in (view_of(), view_of(agent=False)):
        assert live_figure(view, figure=figure) is figure
        assert len(titles(figure)) == 6
