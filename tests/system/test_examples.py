"""The scripts of examples/, run as a user runs them."""

import subprocess
import sys
from pathlib import Path

import skysteer
from skysteer.storage import read_run
from skysteer.views import summarize

EXAMPLES = Path(skysteer.__file__).parent / "examples"


def test_the_first_scan_leaves_what_it_says(tmp_path):
    done = subprocess.run(
        [sys.executable, EXAMPLES / "first_scan.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "first-scan"
    for name in ("live.png", "report.html", "run.nxs", "map.tif"):
        assert (folder / name).stat().st_size > 1000
    summary = summarize(read_run(folder).documents())
    assert f"{len(summary.scan.values)} of 4096 pixels: {summary.stop_reason}" in done.stdout
