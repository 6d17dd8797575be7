from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser

import bluesky.plans as bp
import numpy as np
import pytest
from bluesky import RunEngine
from PIL import Image

from skysteer.agent import LowDiscrepancy
from skysteer.models import inverse_distance
from skysteer.plans import adaptive_scan
from skysteer.views import DecisionPoint, summarize, write_report

from .conftest import run

VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """Reads a page and refuses what is not well-formed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.images, self.text = [], [], [], ""
        self.by_tag = {}
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), f"an attribute of {tag} comes twice"
        self.tags.append((tag, dict(attrs)))
        if tag == "img":
            self.images.append(dict(attrs))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data
        self.by_tag.setdefault(self.open[-1] if self.open else "", []).append(data)


@pytest.fixture
def report(tmp_path):
    def write(summary, truth=None):
        path = tmp_path / "report.html"
        write_report(path, summary, truth)
        return path.read_text(encoding="utf-8")

    return write


def test_the_page_stands_alone(adaptive_run, bench, report):
    text = report(summarize(adaptive_run), bench.truth)
    page = Page(text)
    assert text.startswith("<!DOCTYPE html>")
    assert len(page.images) == 14
    for image in page.images:
        assert image["src"].startswith("data:image/") and len(image["alt"]) > 10
    without_images = re.sub(r'src="data:[^"]*"', "", text)
    assert not re.search(r"https?:|//|@import|url\(|<script|<link|<iframe", without_images)
    assert not any(name in ("href", "srcset") for _, attrs in page.tags for name in attrs)


def test_its_images_can_be_read(adaptive_run, bench, report):
    for image in Page(report(summarize(adaptive_run), bench.truth)).images:
        kind, content = image["src"].removeprefix("data:image/").split(";base64,")
        data = base64.b64decode(content, validate=True)
        if kind == "png":
            assert Image.open(io.BytesIO(data)).size[0] > 500
        else:
            assert kind == "svg+xml" and data.rstrip().endswith(b"</svg>")


def test_its_figures_are_those_of_the_run(adaptive_run, bench, report):
    summary = summarize(adaptive_run)
    page = Page(report(summary, bench.truth))
    error = inverse_distance(summary.scan) - bench.truth
    nrmse = np.sqrt(np.mean(error**2) / np.mean(bench.truth**2))
    facts = dict(zip(page.by_tag["dt"], page.by_tag["dd"], strict=True))
    assert facts["points"] == "40" and facts["coverage"] == "34.2 %"
    assert facts["NRMSE"] == f"{nrmse:.4f}"
    assert summary.start["uid"] in page.text and "40 points" in page.text
    each = np.median(np.diff([event.time for event in summary.events]))
    assert f"{1e3 * each:.3g} ms from point to point" in page.text
    assert f"bluesky {summary.start['versions']['bluesky']}" in page.text


def test_the_error_is_told_from_the_points_in_their_order(adaptive_run, bench, report):
    summary = summarize(adaptive_run)
    alt = next(i["alt"] for i in Page(report(summary, bench.truth)).images if "NRMSE" in i["alt"])
    told = {int(n): float(e) for e, n in re.findall(r"([\d.]+) at (\d+)", alt)}
    assert list(told) == list(range(4, 41, 4))
    for points, error in told.items():
        scan = type(summary.scan)(
            summary.grid.shape, summary.scan.pixels[:points], summary.scan.values[:points]
        )
        rest = inverse_distance(scan) - bench.truth
        assert error == pytest.approx(np.sqrt(np.mean(rest**2) / np.mean(bench.truth**2)), abs=6e-4)


def test_the_call_in_the_report_repeats_the_run(adaptive_run, bench, report):
    call = Page(report(summarize(adaptive_run))).by_tag["pre"][0]
    documents = []
    RE = RunEngine()
    RE.subscribe(lambda name, doc: documents.append((name, doc)))
    exec(call, {"RE": RE, "y": bench.y, "x": bench.x, "counts": bench.counts})
    again, first = summarize(documents), summarize(adaptive_run)
    assert again.scan.pixels.tolist() == first.scan.pixels.tolist()
    assert again.record == first.record


def test_names_from_outside_are_text_and_nothing_else(bench, report):
    hostile = "</title><script>alert('1')</script>&amp;\"$x_"
    scan = adaptive_scan([bench.counts], LowDiscrepancy(), *bench.axes, until="points(12)")
    documents = run(scan)
    record = documents[0][1]["skysteer"]
    documents[0][1]["skysteer"] = {**record, "agent": hostile, "options": {"a<b": "</pre>"}}
    text = report(summarize(documents), bench.truth)
    page = Page(text)
    assert "<script" not in text
    assert page.by_tag["h1"][0] == f"Scan of counts by {hostile}"
    assert page.by_tag["title"][0] == page.by_tag["h1"][0]
    assert repr("</pre>") in page.by_tag["pre"][0]


def test_without_a_truth_the_page_tells_how_the_map_settled(adaptive_run, report):
    page = Page(report(summarize(adaptive_run)))
    assert "settled" in page.text and "SSIM" not in page.text
    assert "NRMSE" not in page.by_tag["dt"]


@pytest.mark.parametrize(("truth", "value", "known"), [(0, 5, {"SSIM"}), (5, 5, {"NRMSE", "SSIM"})])
def test_a_truth_that_is_the_same_everywhere_is_reported(summary_of, report, truth, value, known):
    summary = summary_of((20, 30), value=lambda row, column: value)
    page = Page(report(summary, np.full((20, 30), float(truth))))
    facts = dict(zip(page.by_tag["dt"], page.by_tag["dd"], strict=True))
    assert known == {"NRMSE", "SSIM"} & set(facts)
    assert facts["SSIM"] == f"{truth == value:.4f}"


def test_a_run_cut_off_is_reported_as_such(adaptive_run, report):
    half = summarize(adaptive_run[: len(adaptive_run) // 2])
    page = Page(report(half))
    assert "did not end well" in page.text and "no stop document" in page.text
    empty = Page(report(summarize(adaptive_run[:1])))
    assert "No usable value was measured" in empty.text and not empty.images


def test_a_plan_of_another_kind_is_reported_without_a_call(bench, report):
    page = Page(report(summarize(run(bp.grid_scan([bench.counts], *bench.axes)))))
    assert "Scan of counts by grid_scan" in page.text
    assert "pre" not in page.by_tag
    assert "Every pixel was measured" in page.text


@pytest.mark.parametrize(("shape", "points"), [((1, 1), 1), ((1, 30), 2), ((6, 6), 20)])
def test_small_scans_are_reported(summary_of, report, shape, points):
    summary = summary_of(shape, points)
    for truth in (None, np.ones(shape), np.zeros(shape)):
        page = Page(report(summary, truth))
        pieces = [piece for each in page.by_tag.values() for piece in each]
        assert not any(re.search(r"\bnan\b", piece) for piece in pieces)


def test_what_the_guard_refused_and_what_failed_is_remarked(summary_of, report):
    def decision(number, note):
        return DecisionPoint(number, "a", 5, 1, 5 * number, 2.0, 1.0, 0.5, 0.1, note, "")

    notes = ["", "guard refused off limits 2", "guard refused off limits 2", "agent 'a' failed"]
    page = Page(report(summary_of((9, 9), decisions=tuple(map(decision, range(4), notes)))))
    assert page.by_tag["li"] == [
        "Decision 1, and 1 times more: guard refused off limits 2.",
        "Decision 3: agent 'a' failed.",
    ]


def test_unusable_readings_are_remarked(bench, report):
    bench.bad = lambda row, column: np.nan if column == 3 else None
    scan = adaptive_scan([bench.counts], LowDiscrepancy(), *bench.axes, until="points(50)")
    summary = summarize(run(scan))
    bad = sum(event.column == 3 for event in summary.events)
    assert bad and f"{bad} of {50 + bad} readings were NaN or inf" in Page(report(summary)).text


def test_a_full_raster_is_compared_at_this_runs_own_pace(summary_of, report):
    start = {"uid": "u", "time": 1e9, "skysteer": {"agent": "a", "dwell": 0.05}}
    start |= {"detectors": ["counts"], "motors": ["y", "x"]}
    summary = summary_of((100, 60), 600, start=start)  # 0.1 s a point
    text = Page(report(summary)).text
    assert "6,000 points, at this run's median of 100 ms" in text
    assert "takes 10 min 00 s; this run took 1 min 00 s, which saves 9 min 00 s (90 %)" in text
    assert "exposures alone, of 50 ms, are 5 min 00 s" in text
