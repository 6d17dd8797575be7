"""A first adaptive scan, with simulated devices alone: no EPICS, no beamline.

Run it with ``python examples/first_scan.py``; it leaves in ``first-scan/`` the journal of the run,
its live picture, its report, and the map as NeXus and TIFF.
"""

from contextlib import closing
from pathlib import Path

from bluesky import RunEngine

from skysteer.agent import coverage, expected_error
from skysteer.plans import adaptive_scan
from skysteer.simulators import SoftMicroscope
from skysteer.storage import Journal, read_run
from skysteer.views import LiveMap, export_run, progress_bar, summarize, write_report

out = Path("first-scan")
(out / "journal").mkdir(parents=True, exist_ok=True)

# 64 x 64 pixels of flakes on 6.3 um, counted for 2 ms each: what stands in for your devices
microscope = SoftMicroscope(shape=(64, 64), dwell=0.002, real_time=True)
x, y, counter, ring = microscope.x, microscope.y, microscope.counter, microscope.ring

RE = RunEngine(call_returns_result=True)
RE.subscribe(Journal(out / "journal"))  # first of all: what it was told is on disk
RE.subscribe(progress_bar("slads"))

with closing(LiveMap(out / "live.png", window=False)) as live:
    RE.subscribe(live)
    result = RE(
        adaptive_scan(
            [counter, ring],  # all are recorded, the first one steers
            "slads",
            *(y, 0, 6.3, 64),  # slow axis: start, stop, number of points
            *(x, 0, 6.3, 64),  # fast axis
            until=coverage(0.15) | expected_error(0.05),
        )
    )

summary = summarize(read_run(out).documents())
write_report(out / "report.html", summary)
export_run(out / "run.nxs", summary)
export_run(out / "map.tif", summary)
print(f"{result.plan_result.points} of {summary.grid.size} pixels: {summary.stop_reason}")
print(f"look at {out / 'live.png'} and {out / 'report.html'}")
