"""The live picture as a callback: real RunEngine, the real process that draws, real files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import bluesky.plans as bp
import numpy as np
import psutil
import pytest
from bluesky import RunEngine
from ophyd.sim import SynSignal
from PIL import Image

from skysteer.plans import adaptive_scan
from skysteer.views import LiveMap

PATIENCE = 120  # s; drawing takes one or two


@pytest.fixture
def live_in(tmp_path):
    """A factory of live pictures that all end with the test."""
    made = []

    def make(name="live.png", **options):
        made.append(LiveMap(tmp_path / name, **{"every": 5.0, "window": False, **options}))
        return made[-1]

    yield make
    for live in made:
        live.close(PATIENCE)


def drawers():
    """The processes of ours that draw."""
    mine = psutil.Process().children(recursive=True)
    return [p for p in mine if any("live_process" in word for word in _command(p))]


def _command(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_a_scan_leaves_its_picture_and_no_process(bench, live_in):
    live = live_in()
    plan = adaptive_scan(
        [bench.counts], "low-discrepancy", *bench.axes, until="points(30)", batch=5
    )
    RunEngine()(plan, live)
    assert live.wait(PATIENCE)
    with Image.open(live.path) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert min(pixels.shape[:2]) > 500 and len(np.unique(pixels.reshape(-1, 3), axis=0)) > 50
    live.close(PATIENCE)
    assert drawers() == []
    assert [p.name for p in live.path.parent.iterdir()] == ["live.png"]


def test_the_next_run_is_drawn_anew(bench, live_in):
    live = live_in()
    RE = RunEngine()
    RE.subscribe(live)
    pictures = []
    for plan in (
        bp.grid_scan([bench.counts], bench.y, 2, 6, 3, bench.x, -3, 0, 4),
        bp.count([bench.counts]),
        bp.list_grid_scan([bench.counts], bench.y, [2, 4, 6], bench.x, [-3, -2, -1]),
    ):
        RE(plan)
        assert live.wait(PATIENCE)
        pictures.append(live.path.read_bytes())
    assert pictures[0] == pictures[1] != pictures[2]


def test_a_run_that_is_no_map_starts_no_process(bench, live_in):
    live = live_in()
    RunEngine()(bp.count([bench.counts], 2), live)
    assert live.wait(PATIENCE) and drawers() == [] and not live.path.exists()


def test_the_scan_goes_on_when_the_picture_dies(bench, live_in):
    live = live_in()
    documents = []

    def kill_at_the_tenth(name, doc):
        documents.append(name)
        if documents.count("event") == 10:
            while not drawers():  # it is started by a thread
                pass
            for process in drawers():
                process.kill()

    RE = RunEngine()
    RE.subscribe(live)
    RE(bp.grid_scan([bench.counts], *bench.axes), kill_at_the_tenth)
    assert documents.count("event") == bench.truth.size and documents[-1] == "stop"
    assert live.wait(PATIENCE)
    RE(bp.grid_scan([bench.counts], *bench.axes))
    assert live.wait(PATIENCE) and live.path.exists()


def test_a_failing_picture_is_told_in_a_line_and_the_scan_goes_on(bench, live_in, capfd):
    live = live_in()
    live.path.mkdir()  # nobody can write a picture there
    RunEngine()(bp.grid_scan([bench.counts], *bench.axes), live)
    assert live.wait(PATIENCE)
    live.close(PATIENCE)
    said = capfd.readouterr().err.strip().splitlines()
    assert len(said) == 1 and said[0].startswith(
        "skysteer: the live picture ends, the scan goes on"
    )


def test_frames_in_the_events_are_not_sent_along(bench, live_in):
    frame = SynSignal(func=lambda: np.ones((100, 100)), name="frame")
    live = live_in()
    sent = []
    live._slim, slim = lambda event: sent.append(slim(event)) or sent[-1], live._slim
    RunEngine()(bp.grid_scan([bench.counts, frame], *bench.axes), live)
    assert len(sent) == bench.truth.size
    assert {key for event in sent for key in event["data"]} == {
        "counts", "y", "x", "y_setpoint", "x_setpoint",
    }  # fmt: skip
    assert live.wait(PATIENCE) and live.path.exists()


def test_a_window_stays_after_the_run_and_closes_with_the_picture(bench, live_in, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")  # a window that nobody sees
    live = live_in(window=True)
    RE = RunEngine()
    RE(bp.grid_scan([bench.counts], *bench.axes), live)
    assert live.wait(PATIENCE) and live.path.exists()
    (window,) = drawers()
    first = live.path.read_bytes()
    RE(bp.grid_scan([bench.counts], bench.y, 2, 6, 3, bench.x, -3, 0, 4), live)
    assert live.wait(PATIENCE) and live.path.read_bytes() != first
    assert drawers() == [window]
    live.close(PATIENCE)
    assert drawers() == []


ORPHAN = """
import sys
import bluesky.plan_stubs as bps, bluesky.plans as bp
from bluesky import RunEngine
from ophyd.sim import det4, motor1, motor2
from skysteer.views import LiveMap

def at_the_end():
    import psutil
    while not (found := psutil.Process().children(recursive=True)):
        pass
    print(found[0].pid, flush=True)
    sys.stdin.read()
    yield from bps.null()

def plan():
    yield from bp.grid_scan([det4], motor1, -1, 1, 5, motor2, -1, 1, 5)
    yield from at_the_end()

live = LiveMap(sys.argv[1], window=True)
RunEngine()(plan(), live)
"""


def test_no_process_is_left_when_the_session_is_killed(tmp_path):
    session = subprocess.Popen(
        [sys.executable, "-c", ORPHAN, str(tmp_path / "live.png")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "MPLBACKEND": "agg"},
    )
    drawer = psutil.Process(int(session.stdout.readline()))
    session.send_signal(signal.SIGKILL)
    session.wait(PATIENCE)
    drawer.wait(PATIENCE)  # raises, if it is still there
    session.stdout.close()
    session.stdin.close()


def test_what_makes_no_sense_is_refused_before_a_scan(tmp_path):
    for options, words in (({"every": 0}, "every must be"), ({"shape": -1}, "shape must be")):
        with pytest.raises(ValueError, match=words):
            LiveMap(tmp_path / "live.png", **options)
    with pytest.raises(FileNotFoundError, match="no folder"):
        LiveMap(tmp_path / "no" / "live.png", window=False)


def test_in_a_notebook_the_cells_output_is_replaced_with_each_drawing(tmp_path, monkeypatch):
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    from skysteer.views.easel import NotebookImage, in_notebook

    assert not in_notebook()
    shell = InteractiveShell.instance()
    try:
        assert not in_notebook()
        shell.kernel = object()
        assert in_notebook()
        path = tmp_path / "live.png"
        image = NotebookImage(path)
        with capture_output() as shown:
            for colour in ("red", "blue"):
                Image.new("RGB", (4, 4), colour).save(path)
                thread = threading.Thread(target=image.show)
                thread.start()
                thread.join()
        first, second = shown.outputs
        assert first.data["image/png"] != second.data["image/png"] and second.update
    finally:
        InteractiveShell.clear_instance()
