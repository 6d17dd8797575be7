"""Who steered a run, what a raster would have made of its time, and how to do it again."""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import replace

import numpy as np
import pytest
from bluesky import RunEngine
from typer.testing import CliRunner

from skysteer.agent import subgrid_pixels
from skysteer.cli import app
from skysteer.models import SparseScan, inverse_distance
from skysteer.plans import Inbox, adaptive_scan
from skysteer.session import truth_of
from skysteer.storage import Journal
from skysteer.views import summarize, write_report
from skysteer.views.interventions import InterventionPoint
from skysteer.views.provenance import command_line
from skysteer.views.raster import busy_seconds, raster_of_same_time

from .test_follower import resumed, write
from .test_report import Page, report  # noqa: F401


def test_the_raster_of_the_same_time_is_as_long_and_as_fast(summary_of):
    truth = np.add.outer(np.sin(np.arange(30.0)), np.arange(40.0))
    summary = summary_of((30, 40), 200, seconds=2 * 0.1 * 200)  # half its time it did not count
    raster = raster_of_same_time(summary, truth)
    assert raster.each == pytest.approx(0.1)
    np.testing.assert_array_equal(raster.pixels, subgrid_pixels((30, 40), 400))
    values = truth[raster.pixels[:, 0], raster.pixels[:, 1]]
    expected = inverse_distance(SparseScan((30, 40), raster.pixels, values))
    np.testing.assert_array_equal(raster.image, expected)
    assert raster_of_same_time(summary).image is None
    assert raster_of_same_time(replace(summary, seconds=1e6)).pixels.shape == (1200, 2)
    assert raster_of_same_time(summary_of((30, 40), 1)) is None


def test_a_pause_is_not_counted_in_the_rasters_favour(summary_of):
    said = [("pause", 10.0), ("pause", 11.0), ("resume", 40.0), ("resume", 45.0), ("pause", 50.0)]
    points = tuple(InterventionPoint(k, kind, "Ada", 0, t) for k, (kind, t) in enumerate(said))
    assert busy_seconds(summary_of((9, 9), seconds=60.0, interventions=points)) == 30.0


def test_the_report_holds_the_run_against_the_raster(summary_of, report):  # noqa: F811
    truth = np.add.outer(np.sin(np.arange(30.0)), np.arange(40.0))
    summary = summary_of((30, 40), 200)
    image = raster_of_same_time(summary, truth).image
    nrmse = np.sqrt(np.mean((image - truth) ** 2) / np.mean(truth**2))
    page = Page(report(summary, truth))
    cells = page.by_tag["td"]
    place = cells.index("200")
    assert "raster of the same time" in page.by_tag["th"]
    assert float(cells[place + 4]) == pytest.approx(nrmse, abs=5e-5)
    without = Page(report(summary))
    assert "measures 200 points: a point on 6 pixels, 2.4 apart each way" in without.text
    assert "What it would have read is not known" in without.text


def test_the_report_tells_who_steered(bench, report):  # noqa: F811
    inbox, documents = Inbox(by="Ada <b>"), []
    inbox.forbid((2.0, 3.0), (-3.0, -2.0))
    plan = adaptive_scan(
        [bench.counts], "low-discrepancy", *bench.axes, until="points(20)", inbox=inbox
    )
    RunEngine()(plan, lambda name, doc: documents.append((name, dict(doc))))
    page = Page(report(summarize(documents)))
    cells = page.by_tag["td"]
    place = cells.index("Ada <b>")
    assert cells[place + 1].startswith("kept out of a zone (") and cells[place + 2] == "0"
    assert "Nobody intervened" not in page.text
    assert "by low-discrepancy" in page.text


def test_nobody_intervened_is_said_as_well(adaptive_run, report):  # noqa: F811
    assert "Nobody intervened." in Page(report(summarize(adaptive_run))).text


@pytest.mark.parametrize(
    ("session", "record", "words"),
    [
        (
            {"session": {"prefix": "BL:"}},
            {"until": "coverage(0.1) | time(60)", "then": {"to": "best"}, "approval": True},
            "scan --prefix BL: --y=0.0,2.0,21 --x=0.0,3.0,31 --patience 300.0 --agent spread "
            "--until 'coverage(0.1) | time(60)' --batch 9 --seed 4 --dwell 0.1 --approve "
            "--then best --out again",
        ),
        (
            {
                "session": {"prefix": "SIM:"},
                "demo": {"image": "my map.tif", "region": "all", "noise": "none", "peak_rate": 5.0},
            },
            {"options": {"a": 1}, "batch_grows": True, "then": {"row": 3, "column": 4}},
            "demo --image 'my map.tif' --region all --noise none --peak-rate 5.0 --agent spread "
            "--until 'points(9)' --seed 4 --dwell 0.1 "
            "--options '{\"a\": 1}' --then 3,4 --out again",
        ),
        ({}, {}, None),
    ],
)
def test_the_command_that_does_it_again(summary_of, session, record, words):
    record = {"agent": "spread", "until": "points(9)", "batch": 9, "seed": 4, "dwell": 0.1} | record
    summary = summary_of((21, 31), start={"uid": "u", "time": 1e9, "skysteer": record, **session})
    command = command_line(summary)
    assert command == (None if words is None else f"skysteer {words}")
    if command is not None:  # the command line takes it
        arguments = [*shlex.split(command)[1:], "--help"]
        assert CliRunner().invoke(app, arguments).exit_code == 0


def test_a_resumed_run_is_reported_as_a_whole(adaptive_run, tmp_path):
    journal = Journal(tmp_path / "journal")
    first, second = resumed(adaptive_run, after=17)
    write(journal, first)
    journal.close()
    write(journal, second)
    journal.close()
    for uid in (adaptive_run[0][1]["uid"], "again"):
        done = CliRunner().invoke(app, ["report", uid, "--out", str(tmp_path)])
        assert done.exit_code == 0, done.output
        page = Page((tmp_path / "report-again.html").read_text())
        facts = dict(zip(page.by_tag["dt"], page.by_tag["dd"], strict=True))
        assert facts["points"] == "40"


def test_the_truth_of_a_demo_is_found_again_unless_its_image_has_changed(summary_of, tmp_path):
    image = np.add.outer(np.arange(6.0), np.arange(8.0))
    np.save(tmp_path / "map.npy", image)
    digest = hashlib.sha256((tmp_path / "map.npy").read_bytes()).hexdigest()
    demo = {"image": str(tmp_path / "map.npy"), "region": "all", "noise": "none"}
    demo |= {"peak_rate": 1e6, "sha256": digest}
    start = {"uid": "u", "time": 1e9, "demo": demo, "skysteer": {"seed": 1, "dwell": 0.01}}
    (truth,) = truth_of(summary_of((6, 8), start=start))
    assert np.corrcoef(truth.ravel(), image.ravel())[0, 1] > 0.99
    assert truth_of(summary_of((5, 8), start=start)) is None
    assert truth_of(summary_of((6, 8))) is None
    np.save(tmp_path / "map.npy", image[::-1])
    assert truth_of(summary_of((6, 8), start=start)) is None
    (tmp_path / "map.npy").unlink()
    assert truth_of(summary_of((6, 8), start=start)) is None


def test_a_run_of_one_point_is_reported(adaptive_run, tmp_path):
    streams = {d["uid"]: d["name"] for n, d in adaptive_run if n == "descriptor"}
    first = next(
        k
        for k, (n, d) in enumerate(adaptive_run)
        if n == "event" and streams[d["descriptor"]] == "primary"
    )
    summary = summarize(adaptive_run[: first + 1])
    assert len(summary.scan.values) == 1
    write_report(tmp_path / "one.html", summary)
    page = Page((tmp_path / "one.html").read_text())
    assert len(page.images) == 6 and "did not end well" in page.text
