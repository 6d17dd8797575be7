"""A scan that is aborted while its agent is still being built."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from bluesky import RunEngine
from bluesky.utils import RunEngineInterrupted
from ophyd.sim import SynAxis, det4

from skysteer.plans import adaptive_scan

PATIENCE = 120  # s
SLOW = """
import time
from pathlib import Path

class Slow:
    def __init__(self):
        Path(__file__).with_name("being-built").touch()
        time.sleep(600)

    def choose(self, request): ...
"""


def test_it_ends_as_aborted_and_blames_no_agent(tmp_path: Path):
    (tmp_path / "slow.py").write_text(SLOW)
    RE, documents = RunEngine({}), []
    RE.subscribe(lambda name, document: documents.append(name))
    ended = threading.Event()

    def pause() -> None:
        deadline = time.monotonic() + PATIENCE
        while not (tmp_path / "being-built").exists() and time.monotonic() < deadline:
            ended.wait(0.05)
        while not ended.wait(0.1) and RE.state == "running":
            RE.request_pause()

    pausing = threading.Thread(target=pause)
    pausing.start()
    axes: Any = (SynAxis(name="y"), 0, 1, 8, SynAxis(name="x"), 0, 1, 8)
    try:
        with pytest.raises(RunEngineInterrupted):
            RE(adaptive_scan([det4], f"{tmp_path / 'slow.py'}:Slow", *axes))
    finally:
        ended.set()
        pausing.join()
    RE.abort("seen enough")  # raised "cannot be built: no answer within 120 s"
    assert RE.state == "idle" and documents == []
