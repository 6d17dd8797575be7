from __future__ import annotations

import json
from dataclasses import replace

import h5py
import numpy as np
import pytest
import tifffile

from skysteer.agent import Axis, ScanGrid
from skysteer.models import inverse_distance
from skysteer.views import export_run, summarize


def default_plot(file):
    """What a NeXus viewer shows first, found as the standard says: by the default attributes."""
    group = file
    while "default" in group.attrs:
        group = group[group.attrs["default"]]
    assert group.attrs["NX_class"] == "NXdata"
    return group


def test_a_viewer_that_follows_the_default_finds_the_map_with_axes_and_units(
    adaptive_run, tmp_path
):
    summary = summarize(adaptive_run)
    export_run(tmp_path / "run.nxs", summary)
    with h5py.File(tmp_path / "run.nxs") as file:
        data = default_plot(file)
        signal = data[data.attrs["signal"]]
        np.testing.assert_array_equal(signal, inverse_distance(summary.scan))
        assert signal.attrs["units"] == "counts/s"
        slow, fast = (data[name] for name in data.attrs["axes"])
        assert (slow.attrs["units"], fast.attrs["units"]) == ("um", "um")
        np.testing.assert_allclose(slow, np.linspace(2, 6, 9))
        np.testing.assert_allclose(fast, np.linspace(-3, 0, 13))
        for name in data.attrs["auxiliary_signals"]:
            assert data[name].shape == signal.shape
        order = data["order"][()]
        assert [order[tuple(p)] for p in summary.scan.pixels] == list(range(1, 41))
        assert (order > 0).sum() == 40
        errors = data["expected_error"][()]
        assert np.isfinite(errors).all() and (errors[order > 0] == 0).all() and errors.max() > 0


def test_every_point_and_decision_is_in_the_nexus_file(adaptive_run, tmp_path):
    summary = summarize(adaptive_run)
    export_run(tmp_path / "run.h5", summary)
    with h5py.File(tmp_path / "run.h5") as file:
        points = file["entry/points"]
        assert points.attrs["NX_class"] == "NXdata"
        fast, slow = points.attrs["axes"]
        columns = [points[name][()] for name in ("row", "column", fast, slow, "value")]
        rows = [(e.row, e.column, e.x, e.y, e.value) for e in summary.events]
        np.testing.assert_array_equal(np.array(columns).T, rows)
        decisions = file["entry/decisions"]
        assert decisions["count"][()].sum() == 40
        assert decisions["stop_reason"][-1].decode() == "40 points"


def test_the_nexus_file_says_where_it_comes_from(adaptive_run, tmp_path):
    start = adaptive_run[0][1]
    export_run(tmp_path / "run.nxs", summarize(adaptive_run))
    with h5py.File(tmp_path / "run.nxs") as file:
        assert file["entry/entry_identifier"][()].decode() == start["uid"]
        kept = json.loads(file["entry/provenance/start_document/data"][()])
        assert kept["skysteer"]["seed"] == 3 and kept["uid"] == start["uid"]
        call = file["entry/provenance/call/data"][()].decode()
        assert "adaptive_scan(" in call and "seed=3" in call


def test_axes_named_like_a_field_do_not_overwrite_it(summary_of, tmp_path):
    grid = ScanGrid(Axis("time", 0, 1, 4), Axis("a b", 0, 1, 5))
    export_run(tmp_path / "run.nxs", replace(summary_of((4, 5)), grid=grid))
    with h5py.File(tmp_path / "run.nxs") as file:
        assert list(default_plot(file).attrs["axes"]) == ["slow_time", "fast_a_b"]
        assert file["entry/points/time"].attrs["units"] == "s"


@pytest.mark.parametrize(("units", "centimetres"), [("um", 1e-4), ("mm", 0.1), ("nm", 1e-7)])
def test_the_tiff_has_the_map_and_its_resolution(summary_of, tmp_path, units, centimetres):
    summary = summary_of(
        (6, 8), ends=((0.0, 1.0), (7.0, 0.0)), axis_units=(units, units)
    )  # pitch 0.2 down, 1 across, the fast axis backwards
    export_run(tmp_path / "map.tif", summary)
    with tifffile.TiffFile(tmp_path / "map.tif") as file:
        page = file.pages[0]
        image = page.asarray()
        assert image.dtype == np.float32
        np.testing.assert_array_equal(image, inverse_distance(summary.scan).astype(np.float32))
        across, down = (
            page.tags[f"{axis}Resolution"].value[0] / page.tags[f"{axis}Resolution"].value[1]
            for axis in "XY"
        )
        assert page.tags["ResolutionUnit"].value == 3  # centimetre
        assert (1 / across, 1 / down) == pytest.approx((centimetres, 0.2 * centimetres))
        assert json.loads(page.description)["columns"]["start"] == 7.0


def test_a_tiff_of_axes_without_length_has_no_resolution(summary_of, tmp_path):
    export_run(tmp_path / "map.tif", summary_of((4, 4), axis_units=("deg", "um")))
    with tifffile.TiffFile(tmp_path / "map.tif") as file:
        assert file.pages[0].tags["ResolutionUnit"].value == 1  # none


@pytest.mark.parametrize(
    ("name", "complaint"),
    [("run.xyz", "exported to .nxs, .*'.*run.xyz'"), ("no/such/run.nxs", "no folder .*no/such")],
)
def test_what_cannot_be_exported_is_refused_in_words(summary_of, tmp_path, name, complaint):
    with pytest.raises((ValueError, FileNotFoundError), match=complaint):
        export_run(tmp_path / name, summary_of((3, 3)))


@pytest.mark.parametrize("name", ["run.nxs", "map.tif"])
def test_a_run_that_measured_nothing_has_no_map(summary_of, tmp_path, name):
    nothing = summary_of((3, 3), 0, events=())
    with pytest.raises(ValueError, match=r"nothing usable|at least 1"):
        export_run(tmp_path / name, nothing)
    assert not (tmp_path / name).exists()


def test_a_single_line_is_exported_too(summary_of, tmp_path):
    for shape in ((1, 9), (9, 1), (1, 1)):
        summary = summary_of(shape)
        export_run(tmp_path / "run.nxs", summary)
        export_run(tmp_path / "map.tif", summary)
        with h5py.File(tmp_path / "run.nxs") as file:
            assert default_plot(file)["reconstruction"].shape == shape
