"""What a live picture costs a scan of 512 x 512 pixels at 10 ms a point.

As a share of the scan's time: how long the RunEngine's thread is in the callback, and the
processor time that the callback and its threads take in the scan's process.  And the time from
point to point without and with the picture, in turns (ABBA), which tells too what the drawing
process takes from the machine.

    python benchmarks/live_figure.py --points 400 --rounds 4 [--picture live.png]

With ``--page`` the same of the web page, which has no callback: it follows the journal of one long
scan, while a reader asks once a second, as a browser does.  Page and reader are stopped and go on
in turns of some seconds, so that whatever else the machine does is in both.  Each turn with the
page is compared with those before and after it, by the mean time from point to point and by the
median, which heeds no rare delay; told are the median of the turns, the quartiles, and the ends.

    python benchmarks/live_figure.py --page --points 5000
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from bluesky import RunEngine

from skysteer.plans import adaptive_scan
from skysteer.simulators import SoftMicroscope
from skysteer.storage import Journal
from skysteer.views import LiveMap

SIDE = 512
TURN = 3.0  # s
OURS = "live-picture"


class Watched:
    """A live picture, and what it takes of this process.

    Parameters
    ----------
    live : LiveMap
    """

    def __init__(self, live: LiveMap) -> None:
        self.live = live
        self.in_callback = self.cpu = self.in_threads = 0.0

    def __call__(self, name: str, doc: Any) -> None:
        began, cpu = time.perf_counter(), time.thread_time()
        self.live(name, doc)
        self.in_callback += time.perf_counter() - began
        self.cpu += time.thread_time() - cpu
        if name == "stop":
            self.in_threads = _cpu_of_threads(OURS)


def _cpu_of_threads(name: str) -> float:
    """Processor seconds of this process' threads of that name."""
    ids = {t.native_id for t in threading.enumerate() if t.name.startswith(name)}
    return sum(t.user_time + t.system_time for t in psutil.Process().threads() if t.id in ids)


def scan(
    points: int, watched: Callable[[str, Any], object] | None, seed: int
) -> tuple[list[float], float]:
    """Scan; returns the times of the points and the seconds that it took."""
    microscope = SoftMicroscope(shape=(SIDE, SIDE), real_time=True, dwell=0.01, seed=1)
    end = (SIDE - 1) * 0.1
    times: list[float] = []

    def note(name: str, doc: Any) -> None:
        if name == "event" and "counter" in doc["data"]:
            times.append(time.perf_counter())

    RE = RunEngine({}, context_managers=[])
    RE.subscribe(note)
    if watched is not None:
        RE.subscribe(watched)
    plan = adaptive_scan(
        [microscope.counter, microscope.ring],
        "slads",
        *(microscope.y, 0, end, SIDE, microscope.x, 0, end, SIDE),
        until=f"points({points})",
        seed=seed,
    )
    RE(plan)
    return times, times[-1] - times[0]


def measure(points: int, rounds: int, picture: Path) -> dict[str, float]:
    """Scan without and with the picture, in turns."""
    without: list[float] = []
    with_it: list[float] = []
    seconds = in_callback = cpu = in_threads = 0.0
    scan(50, None, 0)  # what is compiled or loaded at first use
    for k in range(2 * rounds):
        if k % 4 in (0, 3):
            without.extend(np.diff(scan(points, None, k)[0]))
            continue
        watched = Watched(LiveMap(picture, window=False))
        times, took = scan(points, watched, k)
        watched.live.wait()
        with_it.extend(np.diff(times))
        seconds += took
        in_callback += watched.in_callback
        in_threads += watched.in_threads
        cpu += watched.cpu
    middle, middle_with = np.median(without), np.median(with_it)
    return {
        "points": len(with_it),
        "callback_share": in_callback / seconds,
        "cpu_share": (cpu + in_threads) / seconds,
        "cpu_us_per_point": 1e6 * (cpu + in_threads) / len(with_it),
        "ms_per_point_without": 1e3 * float(middle),
        "ms_per_point_with": 1e3 * float(middle_with),
        "slower_by": float(middle_with / middle - 1),
        "mean_slower_by": float(np.mean(with_it) / np.mean(without) - 1),
    }


@contextlib.contextmanager
def page(folder: Path) -> Iterator[tuple[psutil.Process, psutil.Process]]:
    """The web page of a folder, and somebody who looks at it."""
    command = [sys.executable, "-m", "skysteer", "monitor", "--no-browser", "--out", folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        url = served.stdout.readline().split()[1]
        with subprocess.Popen([sys.executable, __file__, "--read", url]) as reader:
            try:
                yield psutil.Process(served.pid), psutil.Process(reader.pid)
            finally:
                for process in (reader, served):
                    process.kill()  # also where it is stopped


def read_page(url: str) -> None:
    """Ask where the scan stands, and fetch each new drawing, as the page's script does."""
    shown = 0
    with contextlib.suppress(OSError):
        while True:
            with urllib.request.urlopen(f"{url}state?shown={shown}") as answer:
                told = json.load(answer)
            if told["drawn"] != shown and told["images"]:
                with contextlib.suppress(urllib.request.HTTPError):  # a newer one is there
                    for k in range(len(told["images"])):
                        urllib.request.urlopen(f"{url}image/{told['drawn']}/{k}.png").read()
                    shown = told["drawn"]
            time.sleep(1.0)


class Turns:
    """A callback that stops processes and lets them go on, and keeps the times of the points.

    Parameters
    ----------
    processes : sequence of psutil.Process

    Attributes
    ----------
    times : list of list of float
        From point to point in each turn, s; the processes run in the first, the third, ...
    """

    def __init__(self, processes: Sequence[psutil.Process]) -> None:
        self._processes = processes
        self._began = self._latest = time.perf_counter()
        self.times: list[list[float]] = [[]]

    def __call__(self, name: str, doc: Any) -> None:
        if name != "event" or "counter" not in doc["data"]:
            return
        now = time.perf_counter()
        self.times[-1].append(now - self._latest)
        self._latest = now
        if now - self._began > TURN:
            for process in self._processes:
                process.suspend() if len(self.times) % 2 else process.resume()
            self._began = now
            self.times.append([])


def measure_page(points: int) -> dict[str, float]:
    """Scan, with the page in every second turn."""
    scan(50, None, 0)
    with (
        tempfile.TemporaryDirectory() as folder,
        page(Path(folder)) as processes,
        contextlib.closing(Journal(Path(folder) / "journal")) as journal,
    ):
        turns = Turns(processes)

        def heard(name: str, doc: Any) -> None:
            journal(name, doc)
            turns(name, doc)

        seconds = scan(points, heard, 1)[1]
        cpu = sum(processes[0].cpu_times()[:2])
    whole = turns.times[2:-1]  # without the page's start, and the last, which is short
    return {
        "turns": len(whole[2:-1:2]),
        "seconds": seconds,
        "page_cpu_share": 2 * cpu / seconds,
        **_slower("mean", [np.mean(each) for each in whole]),
        **_slower("median", [np.median(each) for each in whole]),
    }


def _slower(name: str, times: Sequence[Any]) -> dict[str, float]:
    """Compare each turn with the page with the two beside it; gives the least to the most."""
    without, with_it = np.array(times[1::2]), np.array(times[2:-1:2])
    beside = (without[: len(with_it)] + without[1 : 1 + len(with_it)]) / 2
    told = np.percentile(with_it / beside - 1, [50, 25, 75, 0, 100])
    words = ("", "_low_quartile", "_high_quartile", "_least", "_most")
    return {f"{name}_slower_by{word}": float(v) for word, v in zip(words, told, strict=True)}


def main() -> None:
    """Measure, and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=400, help="of each scan")
    parser.add_argument("--rounds", type=int, default=4, help="scans of each kind")
    parser.add_argument("--picture", type=Path, help="keep the last picture here")
    parser.add_argument("--page", action="store_true", help="what the web page costs, instead")
    parser.add_argument("--read", metavar="URL", help="look at a page until it is gone")
    asked = parser.parse_args()
    if asked.read:
        return read_page(asked.read)
    if asked.page:
        outcome = measure_page(asked.points)
        return print(json.dumps({name: round(value, 5) for name, value in outcome.items()}))
    with tempfile.TemporaryDirectory() as folder:
        outcome = measure(asked.points, asked.rounds, asked.picture or Path(folder) / "live.png")
    print(json.dumps({name: round(value, 5) for name, value in outcome.items()}))


if __name__ == "__main__":
    main()
