"""Processes are killed in the middle of a scan, and the scan ends as if they had not been."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from skysteer.simulators import Ioc, IocOptions
from skysteer.storage import open_catalog, read_chain

SIDE, POINTS = 32, 130
PATIENCE = 300.0  # s for what takes ten
AGENT = f"{Path(__file__).parents[1] / 'plans' / 'samplers.py'}:Steepest"  # quick to start
MODULES = {"worker": "skysteer.workers", "keeper": "skysteer.storage.keeper"}


@dataclass
class Scans:
    """Scans of one microscope, by the command line, whose processes may be killed."""

    folder: Path
    ioc: Ioc
    agent: str = AGENT
    seen: list[psutil.Process] = field(default_factory=list)
    killed_at: int = 0  # documents

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        """Start a command that ends with ``--out`` this folder."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("EPICS_")}
        return subprocess.Popen(
            [sys.executable, "-m", "skysteer", *map(str, arguments), "--out", str(self.folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**kept, **self.ioc.environment},
        )

    def scan(self) -> subprocess.Popen[str]:
        pitch = self.ioc.options.pixel_size
        axis = f"0,{(SIDE - 1) * pitch},{SIDE}"
        settings = ("--agent", self.agent, "--dwell", 0.002, "--batch", 12, "--seed", 5)
        prefix = ("--prefix", self.ioc.prefix, "--y", axis, "--x", axis)
        return self.start("scan", *prefix, *settings, "--until", f"points({POINTS})", "--json")

    def resume(self) -> subprocess.Popen[str]:
        return self.start("resume", "--json")

    def documents(self) -> int:
        """Number of lines in the journal: all its runs."""
        files = (self.folder / "journal").glob("*.jsonl")
        return sum(file.read_bytes().count(b"\n") for file in files)

    def wait_for(self, documents: int, process: subprocess.Popen[str]) -> bool:
        """Wait until so many documents have been written, or the process is over."""
        deadline = time.monotonic() + PATIENCE
        while self.documents() < documents:
            if process.poll() is not None:
                return False
            assert time.monotonic() < deadline, "the scan hangs"
            time.sleep(0.002)
        self.seen += psutil.Process(process.pid).children(recursive=True)
        return process.poll() is None

    def kill(self, whom: str, process: subprocess.Popen[str]) -> None:
        """Kill -9 the scan itself, or its worker, or the keeper of its catalog."""
        self.killed_at = self.documents()
        if whom == "RunEngine":
            process.kill()
            return
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):  # it has just ended
                if MODULES[whom] in child.cmdline():
                    child.kill()

    def kill_ioc(self) -> None:
        """Kill the microscope; another one is started in its place."""
        os.kill(self.ioc.pid, signal.SIGKILL)
        port = self.ioc.port
        self.ioc.close()
        self.ioc = Ioc(self.ioc.options, port=port)

    def outcome(self, process: subprocess.Popen[str]) -> dict[str, Any] | None:
        """What the command printed; None where it failed."""
        printed, errors = process.communicate(timeout=PATIENCE)
        assert "Traceback" not in errors, errors
        return json.loads(printed) if process.returncode == 0 else None

    def points(self) -> list[tuple[str, ...]]:
        with open(self.folder / "points.csv", newline="") as file:
            return [tuple(row.values()) for row in csv.DictReader(file)]

    def check_against(self, whole: list[tuple[str, ...]]) -> None:
        """What was acquired is recorded, in journal and catalog, and nothing else."""
        assert self.points() == whole
        assert len({row[1:3] for row in whole}) == len(whole) == POINTS
        for source in (self.folder, open_catalog(self.folder)):
            runs = [run for run in read_chain(source) if "primary" in run.streams]
            recorded = [value for run in runs for value in run.events()["counter"]]
            assert recorded == [float(row[5]) for row in whole]
        _, left = psutil.wait_procs([p for p in self.seen if p.pid != self.ioc.pid], timeout=60)
        assert not left


MICROSCOPE = IocOptions(shape=(SIDE, SIDE), noise="none", prefix="KILL:")


@pytest.fixture
def scans(tmp_path: Path) -> Iterator[Callable[..., Scans]]:
    """A factory of scans, each with a microscope of its own."""
    made: list[Scans] = []

    def make(name: str, agent: str = AGENT) -> Scans:
        made.append(Scans(tmp_path / name, Ioc(MICROSCOPE), agent))
        return made[-1]

    yield make
    for each in made:
        each.ioc.close()


def whole(scans: Scans) -> list[tuple[str, ...]]:
    """The points of the scan that nobody interrupts."""
    assert scans.outcome(scans.scan())
    return scans.points()


def finish(scans: Scans, process: subprocess.Popen[str]) -> dict[str, Any]:
    """Resume until the scan is done; what the last command printed."""
    told = scans.outcome(process)
    for _ in range(3):
        if told is not None:
            break
        told = scans.outcome(scans.resume())
    assert told and told["points"] == POINTS
    return told


@pytest.mark.timeout(900)
def test_whatever_is_killed_the_scan_ends_as_if_nothing_had_been(
    scans: Callable[..., Scans],
) -> None:
    chance = random.Random(3)
    mine = scans("out")
    process = mine.scan()
    for number, victim in enumerate(("worker", "keeper", "RunEngine")):
        assert mine.wait_for(chance.randrange(10 + 35 * number, 40 + 35 * number), process)
        mine.kill(victim, process)
    process.communicate()
    resumed = mine.resume()
    assert mine.wait_for(mine.documents() + 15, resumed)
    mine.kill_ioc()
    assert finish(mine, resumed)["resumed_from"]
    mine.check_against(whole(scans("whole")))


@pytest.mark.soak
@pytest.mark.timeout(3 * 3600)
@pytest.mark.parametrize("victim", ["RunEngine", "worker", "keeper", "ioc"])
def test_at_fifty_moments(scans: Callable[..., Scans], victim: str) -> None:
    """The long form: one process, killed at fifty moments, each in a scan of its own."""
    chance = random.Random(victim)
    expected = whole(scans("whole", "slads"))
    for trial in range(50):
        mine = scans(str(trial), "slads")
        process = mine.scan()
        alive = mine.wait_for(chance.randrange(1, POINTS + 18), process)
        time.sleep(chance.uniform(0.0, 0.03))
        if alive and victim == "ioc":
            mine.kill_ioc()
        elif alive:
            mine.kill(victim, process)
        if victim == "RunEngine":
            process.communicate()
            process = mine.resume()
        told = finish(mine, process)
        mine.check_against(expected)
        mine.ioc.close()
        how = "resumed" if told.get("resumed_from") else "went on"
        print(f"{victim} {trial} at {mine.killed_at}: {how}", flush=True)
