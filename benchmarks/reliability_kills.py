"""Processes of a scan, killed at random moments: it is resumed, and ends as if nothing had been.

Each scan is killed over and over: its decision worker, the keeper with its Tiled server, its IOC
and its RunEngine, in an order and at moments that a seed gives.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil

from skysteer.simulators import Ioc, IocOptions
from skysteer.storage import open_catalog, read_chain
from skysteer.storage.destination import Destination

SIDE, POINTS = 32, 130
PATIENCE = 300.0  # s for what takes ten
KEEPER_START = 60.0  # s, at most; 2 on a quiet machine
MICROSCOPE = IocOptions(shape=(SIDE, SIDE), noise="none", prefix="KILL:")
FLOWN = replace(MICROSCOPE, velocity=100.0, ramp=0.02)  # um/s, s
DIGITS = 9  # of a reading that is the same: when an edge of a bin is passed, is computed
VICTIMS: tuple[str, ...] = ("worker", "keeper", "ioc", "RunEngine")
LIVES = 4  # processes of a scan, each of which but the last is killed with all that is its own
OPENING = 3  # documents with which a run begins that goes on: stop of the old one, start, resume


class MismatchError(Exception):
    """A scan did not end as the one that nobody interrupted."""


@dataclass(frozen=True)
class Kill:
    """What is killed, and when.

    Attributes
    ----------
    victim : str
    at : int
        When the journal has so many documents.
    delay : float
        Seconds after that.
    """

    victim: str
    at: int
    delay: float


@dataclass
class KilledScan:
    """Scans of one microscope, by the command line, whose processes may be killed."""

    folder: Path
    ioc: Ioc
    agent: str
    fly: bool = False
    seen: list[psutil.Process] = field(default_factory=list)

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

    def scan(self, *further: object) -> subprocess.Popen[str]:
        """Start the scan."""
        pitch = self.ioc.options.pixel_size
        axis = f"0,{(SIDE - 1) * pitch},{SIDE}"
        settings = ("--agent", self.agent, "--dwell", 0.002, "--batch", 12, "--seed", 5)
        prefix = ("--prefix", self.ioc.prefix, "--y", axis, "--x", axis)
        until = ("--until", f"points({POINTS})", *(("--fly",) if self.fly else ()))
        return self.start("scan", *prefix, *settings, *until, "--json", *further)

    def resume(self, *further: object) -> subprocess.Popen[str]:
        """Go on with it."""
        return self.start("resume", "--json", *further)

    def documents(self) -> int:
        """Number of lines in the journal: all its runs."""
        files = (self.folder / "journal").glob("*.jsonl")
        return sum(file.read_bytes().count(b"\n") for file in files)

    def wait_for(self, documents: int, process: subprocess.Popen[str]) -> bool:
        """Wait until so many documents have been written; False if the process ends before."""
        deadline = time.monotonic() + PATIENCE
        while self.documents() < documents:
            if process.poll() is not None:
                return False
            if time.monotonic() > deadline:
                raise MismatchError(f"the scan hangs at {self.documents()} documents")
            time.sleep(0.002)
        with contextlib.suppress(psutil.Error):
            self.seen += psutil.Process(process.pid).children(recursive=True)
        return process.poll() is None

    def kill(self, victim: str, process: subprocess.Popen[str]) -> bool:
        """Kill -9; False where there is no such process at the moment."""
        if victim == "ioc":
            self.kill_ioc()
            return True
        if victim == "RunEngine":
            process.kill()
            process.communicate()
            return True
        if victim == "keeper":  # that of the life before may still be at work
            card = self.keeper_card(process)
            return card is not None and _kill(psutil.Process(card["pid"]))
        try:
            children = psutil.Process(process.pid).children(recursive=True)
        except psutil.Error:  # it has just ended
            return False
        return any(_kill(child) for child in children if _is_worker(child))

    def keeper_card(self, process: subprocess.Popen[str]) -> dict[str, Any] | None:
        """Of the keeper at work; the scan is held until it is up, which takes longer than some."""
        deadline = time.monotonic() + KEEPER_START
        destination = Destination(self.folder)
        with contextlib.suppress(psutil.Error):
            held = psutil.Process(process.pid)
            held.suspend()
            try:
                while destination.keeper_card() is None and time.monotonic() < deadline:
                    time.sleep(0.01)
            finally:
                held.resume()
        return destination.keeper_card()

    def kill_ioc(self) -> None:
        """Kill the microscope; another one is started in its place."""
        os.kill(self.ioc.pid, signal.SIGKILL)
        port = self.ioc.port
        self.ioc.close()
        self.ioc = Ioc(self.ioc.options, port=port)

    def outcome(self, process: subprocess.Popen[str]) -> dict[str, Any] | None:
        """What the command printed; None where it failed."""
        printed, errors = process.communicate(timeout=PATIENCE)
        if "Traceback" in errors:
            raise MismatchError(errors)
        return json.loads(printed) if process.returncode == 0 else None

    def finish(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        """Resume until the scan is done; what the last command printed."""
        told = self.outcome(process)
        for _ in range(3):
            if told is not None:
                break
            told = self.outcome(self.resume())
        if told is None or told["points"] != POINTS:
            raise MismatchError(f"it did not come to its end: {told}")
        return told

    def points(self) -> list[tuple[str, ...]]:
        """The points in their order, as the folder's table holds them."""
        with open(self.folder / "points.csv", newline="") as file:
            return [tuple(row.values()) for row in csv.DictReader(file)]

    def check_against(self, whole: list[tuple[str, ...]]) -> None:
        """What was acquired is recorded, in journal and catalog, and nothing else.

        Raises
        ------
        MismatchError
            With what differs from the points of the scan that nobody interrupted.
        """
        points = _rounded(self.points())
        _require(points == _rounded(whole), "the points are others, or in another order")
        apart = len({row[1:3] for row in whole})
        _require(apart == len(whole) == POINTS, "a pixel is measured twice, or left out")
        for source in (self.folder, open_catalog(self.folder)):
            runs = [run for run in read_chain(source) if "primary" in run.streams]
            recorded = [float(value) for run in runs for value in run.events()["counter"]]
            same = _rounded([(v,) for v in recorded]) == _rounded([(row[5],) for row in whole])
            _require(same, f"{source} holds others")
        _, left = psutil.wait_procs([p for p in self.seen if p.pid != self.ioc.pid], timeout=60)
        _require(not left, f"left running: {left}")


def _rounded(rows: Iterable[tuple[Any, ...]]) -> list[tuple[str, ...]]:
    """Numbers as far as they are the same wherever a flight is interrupted."""
    return [tuple(f"{round(float(v), 6) + 0.0:.{DIGITS}g}" for v in row) for row in rows]


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "skysteer.workers" in process.cmdline()
    except psutil.Error:
        return False


def _kill(process: psutil.Process) -> bool:
    try:
        process.kill()
    except psutil.Error:
        return False
    return True


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise MismatchError(what)


def whole(scan: KilledScan) -> list[tuple[str, ...]]:
    """The points of the scan that nobody interrupts."""
    _require(scan.outcome(scan.scan()) is not None, "the scan that nobody interrupts failed")
    return scan.points()


def schedule(seed: int) -> list[Kill]:
    """Kill all that a scan consists of, at moments spread over it, one life after the other."""
    chance = random.Random(seed)
    number = (LIVES - 1) * len(VICTIMS)
    moments = sorted(chance.randrange(1, POINTS + 18) for _ in range(number))
    order = [v for _ in range(LIVES - 1) for v in (*chance.sample(VICTIMS[:-1], 3), VICTIMS[-1])]
    delays = (chance.uniform(0.0, 0.03) for _ in range(number))
    return [Kill(*each) for each in zip(order, moments, delays, strict=True)]


def interrupt(scan: KilledScan, kills: list[Kill]) -> list[tuple[str, int]]:
    """Scan, kill by a schedule, and resume to the end; what was killed, at how many documents."""
    process, killed, begun = scan.scan(), [], 0
    for kill in kills:
        if not scan.wait_for(max(kill.at, begun), process):
            break
        time.sleep(kill.delay)
        at = scan.documents()
        if scan.kill(kill.victim, process):
            killed.append((kill.victim, at))
        if kill.victim == "RunEngine":
            begun = scan.documents() + OPENING
            process = scan.resume()
    scan.finish(process)
    return killed


def kill_and_compare(
    moments: int, seed: int = 1, agent: str = "slads", fly: bool = False
) -> Iterator[dict[str, Any]]:
    """Kill each process so often, in as many scans as it takes; what came of each scan."""
    counts, microscope = dict.fromkeys(VICTIMS, 0), FLOWN if fly else MICROSCOPE
    with tempfile.TemporaryDirectory() as place, Ioc(microscope) as ioc:
        expected = whole(KilledScan(Path(place) / "whole", ioc, agent, fly))
        while min(counts.values()) < moments:
            scan = KilledScan(Path(place) / str(seed), Ioc(microscope), agent, fly)
            began, killed, why = time.monotonic(), [], ""
            try:
                killed = interrupt(scan, schedule(seed))
                scan.check_against(expected)
            except Exception as error:
                why = f"{type(error).__name__}: {error}"
            finally:
                scan.ioc.close()
            for victim, _ in killed:
                counts[victim] += 1
            seconds = time.monotonic() - began
            yield {"seed": seed, "killed": killed, "why": why, "seconds": seconds}
            seed += 1


def table(scans: list[dict[str, Any]]) -> str:
    """Make the table of kills in docs/reliability.md."""
    names = {
        "RunEngine": "the RunEngine's process",
        "worker": "the decision's worker",
        "keeper": "the Tiled server (the keeper)",
        "ioc": "the IOC",
    }
    rows = ["| killed | moments | as if nothing had been | otherwise |", "|---|---|---|---|"]
    for victim, name in names.items():
        ends = [not each["why"] for each in scans for who, _ in each["killed"] if who == victim]
        rows.append(f"| {name} | {len(ends)} | {sum(ends)} | {len(ends) - sum(ends)} |")
    good = sum(not each["why"] for each in scans)
    seconds = sum(each["seconds"] for each in scans)
    rows += ["", f"{len(scans)} scans, {seconds:.0f} s: {good} ended as the uninterrupted one."]
    return "\n".join(rows)
