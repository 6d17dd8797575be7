from __future__ import annotations

import csv
import json

import h5py
import numpy as np
import pytest
import tifffile

from skysteer.models import SparseScan, inverse_distance, nrmse
from skysteer.plans import adaptive_scan
from skysteer.views import (
    LiveScan,
    export_run,
    live_figure,
    map_figure,
    summarize,
    write_points,
    write_report,
)
from skysteer.views.live_images import panel_images

from .conftest import SHAPE, Counter, run

KEYS = ["iron", "zinc"]


@pytest.fixture
def elements(bench):
    """A scan of 40 points steered by two elements, of which zinc fails in one row."""
    zinc_there = 5.0 + np.cos(np.arange(SHAPE[0]))[:, None] * np.arange(SHAPE[1])
    truths = np.stack([bench.truth, zinc_there])
    iron = Counter(func=bench.read, name="iron")

    def read_zinc() -> float:
        row, column = round((bench.y.position - 2) / 0.5), round((bench.x.position + 3) / 0.25)
        return float(zinc_there[row, column]) if row != 4 else float("nan")

    zinc = Counter(func=read_zinc, name="zinc")
    zinc.units = "ug/cm2"
    plan = adaptive_scan(
        [iron, zinc], "spread", *bench.axes, key=KEYS, until="points(40)", batch=8, seed=3
    )
    return run(plan), truths


def panel_titles(figure):
    drawn = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]
    return [axes.get_title(loc="left") for axes in drawn]


def shown(figure, title):
    axes = next(axes for axes in figure.axes if axes.get_title(loc="left") == title)
    return np.asarray(axes.images[0].get_array())


def test_each_channel_is_known_by_its_key_its_units_and_its_own_readings(elements):
    documents, truths = elements
    summary = summarize(documents)
    assert [(c.key, c.units) for c in summary.channels] == [
        ("iron", "counts/s"),
        ("zinc", "ug/cm2"),
    ]
    read = summary.scan.pixels[:, 0] != 4
    assert 0 < (~read).sum() < len(read)
    for channel, truth in zip(summary.channels, truths, strict=True):
        np.testing.assert_array_equal(
            channel.scan.values[read], truth[tuple(summary.scan.pixels[read].T)]
        )
    assert all(event.usable for event in summary.events)  # iron gave a number there


def test_the_picture_has_a_map_of_each_channel(elements):
    documents, truths = elements
    summary = summarize(documents)
    figure = map_figure(summary)
    assert panel_titles(figure)[:3] == [
        "Reconstruction: iron",
        "Reconstruction: zinc",
        "Where it measured",
    ]
    maps = [inverse_distance(channel.scan) for channel in summary.channels]
    for key, image in zip(KEYS, maps, strict=True):
        np.testing.assert_allclose(shown(figure, f"Reconstruction: {key}"), image)
    compared = map_figure(summary, truths)
    for key, image, truth in zip(KEYS, maps, truths, strict=True):
        np.testing.assert_array_equal(shown(compared, f"Truth: {key}"), truth)
        off = shown(compared, f"Reconstruction − truth: {key}")
        np.testing.assert_allclose(off, image - truth)
    title = " ".join(text.get_text() for text in compared.texts)
    for image, truth in zip(maps, truths, strict=True):
        assert f"{nrmse(truth, image):.3f}" in title


def test_a_truth_of_one_channel_alone_is_refused(elements):
    documents, truths = elements
    with pytest.raises(ValueError, match="for each of its 2 channels, but an array of shape"):
        map_figure(summarize(documents), truths[0])


def test_the_live_picture_has_map_and_expected_error_of_each_channel(elements):
    documents, _ = elements
    scan = LiveScan(documents[0][1])
    for name, doc in documents[1:]:
        scan(name, doc)
    view = scan.view()
    names = [f"{what}: {key}" for key in KEYS for what in ("Reconstruction", "Expected error")]
    figure = live_figure(view)
    assert panel_titles(figure)[:5] == [*names, "Path"]
    for channel in summarize(documents).channels:
        image = inverse_distance(channel.scan)
        np.testing.assert_allclose(shown(figure, f"Reconstruction: {channel.key}"), image)
    panels = panel_images(view)
    assert [each.title for each in panels[:5]] == [*names, "Path"]
    assert "zinc" in panels[2].alt and "zinc" in panels[3].alt


def test_the_report_shows_and_scores_all_channels(elements, tmp_path):
    documents, truths = elements
    write_report(tmp_path / "report.html", summarize(documents), truths)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Scan of iron, zinc by spread" in text
    for key in KEYS:
        assert f"Truth: {key}" in text and f"Expected error: {key}" in text
        assert f"NRMSE: {key}" in text
    assert "readings were NaN" not in text


def test_the_table_has_a_column_for_each_further_channel(elements, tmp_path):
    documents, _ = elements
    write_points(tmp_path / "points.csv", summarize(documents))
    with open(tmp_path / "points.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    read = [doc["data"] for name, doc in documents if name == "event" and "iron" in doc["data"]]
    assert [float(row["value"]) for row in rows] == [data["iron"] for data in read]
    np.testing.assert_array_equal(
        [float(row["value_2"]) for row in rows], [data["zinc"] for data in read]
    )
    described = json.loads((tmp_path / "points.csv-metadata.json").read_text())
    last = described["tableSchema"]["columns"][-1]
    assert (last["name"], last["dc:description"]) == ("value_2", "zinc")
    assert last["schema:unitText"] == "ug/cm2"


def test_map_files_hold_every_channel(elements, tmp_path):
    documents, _ = elements
    summary = summarize(documents)
    maps = np.stack([inverse_distance(channel.scan) for channel in summary.channels])
    export_run(tmp_path / "map.tif", summary)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "map.tif"), maps.astype(np.float32))
    export_run(tmp_path / "run.nxs", summary)
    with h5py.File(tmp_path / "run.nxs") as file:
        data, points = file["entry/map"], file["entry/points"]
        np.testing.assert_array_equal(data["reconstruction"], maps[0])
        np.testing.assert_array_equal(data["reconstruction_2"], maps[1])
        assert data["reconstruction_2"].attrs["units"] == "ug/cm2"
        assert "zinc" in data["reconstruction_2"].attrs["long_name"]
        assert {"reconstruction_2", "expected_error_2"} <= set(data.attrs["auxiliary_signals"])
        zinc = [event.others[0] for event in summary.events]
        np.testing.assert_array_equal(points["value_2"], zinc)


def test_a_channel_that_gave_nothing_anywhere_spoils_no_picture(bench):
    zinc = Counter(func=lambda: float("nan"), name="zinc")
    iron = Counter(func=bench.read, name="iron")
    plan = adaptive_scan(
        [iron, zinc], "spread", *bench.axes, key=KEYS, until="points(20)", batch=8, seed=3
    )
    summary = summarize(run(plan))
    figure = map_figure(summary)
    assert np.isfinite(shown(figure, "Reconstruction: zinc")).all()
    alone = SparseScan(summary.scan.shape, summary.scan.pixels, summary.scan.values)
    np.testing.assert_allclose(shown(figure, "Reconstruction: iron"), inverse_distance(alone))
