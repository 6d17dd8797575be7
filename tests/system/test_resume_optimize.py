"""Processes of an optimisation with motors on Channel Access are killed, and it goes on."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from skysteer.agent import History
from skysteer.simulators import Ioc, IocOptions
from skysteer.storage import read_chain

CLIENT = Path(__file__).with_name("optimize_client.py")
MICROSCOPE = IocOptions(kind="gradients", shape=(24, 24), noise="none", velocity=100.0)
PATIENCE = 200.0  # s for what takes ten


class Killed:
    """One optimisation in a folder, whose processes may be killed."""

    def __init__(self, folder: Path, ioc: Ioc) -> None:
        self.folder, self.ioc = folder, ioc
        self.seen: list[psutil.Process] = []

    def start(self, what: str) -> subprocess.Popen[str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("EPICS_")}
        return subprocess.Popen(
            [sys.executable, str(CLIENT), str(self.folder), what, self.ioc.prefix],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**kept, **self.ioc.environment, "OMP_NUM_THREADS": "1"},
        )

    def documents(self) -> int:
        files = (self.folder / "journal").glob("*.jsonl")
        return sum(file.read_bytes().count(b"\n") for file in files)

    def wait_for(self, documents: int, process: subprocess.Popen[str]) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.documents() < documents:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, f"it hangs at {self.documents()} documents"
            time.sleep(0.002)
        self.seen += psutil.Process(process.pid).children(recursive=True)

    def kill_worker(self, process: subprocess.Popen[str]) -> None:
        (worker,) = (
            child
            for child in psutil.Process(process.pid).children()
            if "skysteer.workers" in " ".join(child.cmdline())
        )
        worker.kill()

    def kill_ioc(self) -> None:
        os.kill(self.ioc.pid, signal.SIGKILL)
        self.ioc.close()
        self.ioc = Ioc(MICROSCOPE, port=self.ioc.port)

    def history(self) -> History:
        return History.of(d for run in read_chain(self.folder) for d in run.documents(doubles=True))


def ended(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    return json.loads(out)


@pytest.mark.timeout(600)
def test_whatever_is_killed_it_ends_as_if_nothing_had_been(tmp_path: Path) -> None:
    with Ioc(MICROSCOPE) as ioc:
        undisturbed = Killed(tmp_path / "whole", ioc)
        outcome = ended(undisturbed.start("begin"))
    whole, chance = undisturbed.history(), random.Random(5)
    killed = Killed(tmp_path / "killed", Ioc(MICROSCOPE))
    try:
        process = killed.start("begin")
        killed.wait_for(chance.randrange(8, 25), process)
        process.kill()  # -9
        process.communicate()
        process = killed.start("resume")
        killed.wait_for(killed.documents() + chance.randrange(4, 12), process)
        killed.kill_worker(process)
        killed.wait_for(killed.documents() + chance.randrange(3, 8), process)
        killed.kill_ioc()
        killed.wait_for(killed.documents() + chance.randrange(3, 8), process)
        process.kill()
        process.communicate()
        assert ended(killed.start("resume")) == outcome
    finally:
        killed.ioc.close()
    again = killed.history()
    assert outcome["points"] == 30 and outcome["best"] == outcome["stands"]
    assert len(again.starts) == 3 and len(whole.starts) == 1
    assert [entry for entry in again.log if entry.usable] == list(whole.log)
    assert [d.targets.tolist() for d in again.decisions] == [
        d.targets.tolist() for d in whole.decisions
    ]
    assert {d.detail["differs"] for d in again.interventions if "differs" in d.detail} == {-1}
    assert not [child for child in killed.seen if child.is_running()]
