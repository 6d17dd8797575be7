from __future__ import annotations

import subprocess
import sys
import warnings

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from skysteer.models import inverse_distance
from skysteer.views import DecisionPoint, MeasuredPoint, map_figure, save_map, summarize


@pytest.fixture(autouse=True)
def complaints():
    """No picture may make matplotlib or numpy complain."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # of what tests before this one left, whenever that is collected
        warnings.simplefilter("ignore", ResourceWarning)
        yield


def panel(figure, title):
    return next(axes for axes in figure.axes if axes.get_title(loc="left") == title)


def titles(figure):
    return [a.get_title(loc="left") for a in figure.axes if a.get_label() != "<colorbar>"]


def rendered(figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()), canvas


def decision(number, seen, expected_error):
    return DecisionPoint(number, "agent", 5, 0, seen, 1.0, 1.0, 0.5, expected_error, "", "")


@pytest.mark.parametrize("slow_ends", [(0.0, 3.0), (5.0, -1.0)])
@pytest.mark.parametrize("fast_ends", [(-2.0, 2.0), (7.0, 1.0)])
def test_each_pixel_is_painted_where_the_axes_say_that_it_lies(summary_of, slow_ends, fast_ends):
    shape = (4, 5)
    rows, columns = np.indices(shape)
    truth = 10.0 * rows + columns**2
    summary = summary_of(
        shape,
        20,
        value=lambda r, c: float(truth[r, c]),
        ends=(slow_ends, fast_ends),
        axis_units=("", ""),  # no scale bar over the pixels
    )
    figure = map_figure(summary, truth)
    picture, _ = rendered(figure)
    for title in ("Truth", "Reconstruction"):
        axes = panel(figure, title)
        image = axes.images[0]
        for row, column in np.ndindex(shape):
            where = summary.grid.position((row, column))
            x, y = axes.transData.transform((where["x"], where["y"]))
            seen = picture[picture.shape[0] - 1 - int(y), int(x), :3]
            wanted = 255 * np.array(image.cmap(image.norm(truth[row, column]))[:3])
            np.testing.assert_allclose(seen, wanted, atol=2, err_msg=f"{title} {row} {column}")
        corner = axes.transAxes.inverted().transform(
            axes.transData.transform((fast_ends[0], slow_ends[0]))
        )
        np.testing.assert_allclose(corner, (0.5 / 5, 1 - 0.5 / 4))  # row 0 on top, column 0 left


def test_the_panels_show_what_they_are_named_after(adaptive_run, bench):
    summary = summarize(adaptive_run)
    figure = map_figure(summary, bench.truth)
    assert titles(figure) == [
        "Truth",
        "Reconstruction",
        "Where it measured",
        "Reconstruction − truth",
    ]
    image = inverse_distance(summary.scan)
    shown = {t: np.ma.getdata(panel(figure, t).images[0].get_array()) for t in titles(figure)}
    np.testing.assert_array_equal(shown["Truth"], bench.truth)
    np.testing.assert_array_equal(shown["Reconstruction"], image)
    np.testing.assert_array_equal(shown["Reconstruction − truth"], image - bench.truth)
    order = panel(figure, "Where it measured").images[0].get_array().filled(np.nan)
    expected = np.full(summary.grid.shape, np.nan)
    for event in summary.events:
        expected[event.row, event.column] = event.seq_num
    np.testing.assert_array_equal(order, expected)


def test_truth_and_reconstruction_share_their_colours_and_the_error_is_centred(summary_of):
    summary = summary_of((12, 12))
    truth = np.random.default_rng(0).normal(size=(12, 12))
    figure = map_figure(summary, truth)
    truth_limits = panel(figure, "Truth").images[0].get_clim()
    assert panel(figure, "Reconstruction").images[0].get_clim() == truth_limits
    low, high = panel(figure, "Reconstruction − truth").images[0].get_clim()
    assert low == -high < 0


def test_a_hot_pixel_does_not_hide_the_rest(summary_of):
    truth = np.random.default_rng(0).uniform(1, 2, size=(40, 40))
    truth[3, 3] = 1e9
    figure = map_figure(summary_of((40, 40)), truth)
    low, high = panel(figure, "Truth").images[0].get_clim()
    assert low == pytest.approx(1, abs=0.01) and 1.9 < high < 3


def test_a_few_bright_grains_on_nothing_are_no_outliers(summary_of):
    truth = np.zeros((60, 60))
    truth[5:8, 5:8] = 7.0
    figure = map_figure(summary_of((60, 60)), truth)
    assert panel(figure, "Truth").images[0].get_clim() == (0.0, 7.0)


@pytest.mark.parametrize(
    "shape", [(64, 64), (20, 300), (300, 20), (100, 67), (1, 50), (50, 1), (1, 1)]
)
@pytest.mark.parametrize("known", [True, False])
def test_any_shape_is_to_scale_and_nothing_overlaps_or_is_cut_off(
    summary_of, nothing_overlaps_or_is_cut_off, shape, known
):
    summary = summary_of(shape)
    truth = np.add.outer(np.arange(shape[0]), np.arange(shape[1])) * 1.0 if known else None
    figure = map_figure(summary, truth)
    nothing_overlaps_or_is_cut_off(figure)
    map_box = panel(figure, "Reconstruction").get_window_extent()
    ratio = np.clip(shape[1] / shape[0], 1 / 12, 12)
    assert map_box.width / map_box.height == pytest.approx(ratio)
    assert 0.5 < figure.get_figwidth() / figure.get_figheight() < 4


def test_a_map_of_unlike_pitches_is_to_scale_in_motor_units(summary_of):
    summary = summary_of((10, 40), ends=((0.0, 9.0), (0.0, 9.75)))  # pitches 1 and 0.25 um
    box = panel(map_figure(summary), "Reconstruction").get_window_extent()
    assert box.width / box.height == pytest.approx(1.0)


def test_each_pixel_of_a_large_map_still_gets_a_mark(summary_of):
    figure = map_figure(summary_of((600, 400), 50))
    axes = panel(figure, "Where it measured")
    assert len(axes.collections[0].get_offsets()) == 50
    assert axes.get_xlim() == panel(figure, "Reconstruction").get_xlim()


@pytest.mark.parametrize("value", [0.0, 5.0, -1e9])
@pytest.mark.parametrize("points", [1, 30])
def test_a_constant_map_and_a_single_point_are_drawn(summary_of, value, points):
    summary = summary_of((9, 9), points, value=lambda row, column: value)
    for truth in (np.full((9, 9), value), None):
        figure = map_figure(summary, truth)
        rendered(figure)
        for axes in figure.axes:
            for image in axes.images:
                low, high = image.get_clim()
                assert np.isfinite([low, high]).all() and low < high
    name = "1 point" if points == 1 else "30 points"
    assert name in figure.texts[0].get_text()


def test_readings_that_were_none_are_crossed_out(summary_of):
    bad = MeasuredPoint(11, 0, 0, 0.0, 0.0, np.nan, 1e9 + 2)
    events = (*summary_of((9, 9), 10).events, bad)
    axes = panel(map_figure(summary_of((9, 9), 10, events=events)), "Where it measured")
    assert [line.get_xydata().tolist() for line in axes.lines] == [[[0.0, 0.0]]]


def test_without_a_truth_the_last_panel_shows_what_the_agent_expected(summary_of):
    decisions = tuple(decision(k, 5 * k, 0.5 / (k + 1)) for k in range(4))
    figure = map_figure(summary_of((9, 9), decisions=decisions))
    line = panel(figure, "Expected error").lines[0]
    assert line.get_xydata().tolist() == [[5 * k, 0.5 / (k + 1)] for k in range(4)]
    silent = map_figure(summary_of((9, 9), decisions=(decision(0, 0, np.nan),)))
    assert sum(bar.get_height() for bar in panel(silent, "Measured values").patches) == 40


def test_the_title_says_how_near_the_map_came(adaptive_run, bench):
    summary = summarize(adaptive_run)
    error = inverse_distance(summary.scan) - bench.truth
    nrmse = np.sqrt(np.mean(error**2) / np.mean(bench.truth**2))
    text = map_figure(summary, bench.truth).texts[0].get_text()
    assert f"NRMSE {nrmse:.3f}" in text
    assert "low-discrepancy" in text and "40 points" in text and "34.2 %" in text


def test_a_reconstruction_of_ones_own_is_drawn_instead(summary_of):
    own = np.full((9, 9), 4.0)
    figure = map_figure(summary_of((9, 9)), reconstruction=own)
    np.testing.assert_array_equal(panel(figure, "Reconstruction").images[0].get_array(), own)


@pytest.mark.parametrize(
    ("truth", "came"),
    [(np.zeros((9, 8)), r"\(9, 8\)"), (np.full((9, 9), np.nan), "81 NaN or inf")],
)
def test_a_truth_that_does_not_fit_is_refused_in_words(summary_of, truth, came):
    with pytest.raises(ValueError, match=f"the truth must be 9 x 9 finite values.*{came}"):
        map_figure(summary_of((9, 9)), truth)


def test_a_run_that_measured_nothing_has_no_map(adaptive_run):
    start = [pair for pair in adaptive_run if pair[0] == "start"]
    with pytest.raises(ValueError, match="at least 1 measured pixel"):
        map_figure(summarize(start))


def test_the_users_own_style_is_neither_followed_nor_changed(summary_of, tmp_path):
    mine = {"axes.facecolor": "black", "savefig.facecolor": "black", "image.origin": "lower"}
    summary = summary_of((9, 9), agent="costs $5 and $6_")
    save_map(tmp_path / "plain.png", summary)
    with mpl.rc_context(mine):
        save_map(tmp_path / "styled.png", summary)
        assert {key: mpl.rcParams[key] for key in mine} == mine
    assert (tmp_path / "plain.png").read_bytes() == (tmp_path / "styled.png").read_bytes()


def test_a_picture_needs_no_pyplot():
    code = (
        "import sys, skysteer.views.figure, skysteer.views.report; "
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_file_is_as_large_as_the_figure(summary_of, tmp_path):
    summary = summary_of((9, 9))
    save_map(tmp_path / "map.png", summary)
    size = map_figure(summary).bbox.size
    with Image.open(tmp_path / "map.png") as picture:
        assert picture.size == pytest.approx(tuple(size), abs=1)
