"""How soon the RunEngine answers while an agent thinks.

An agent that takes 3 s for a decision, asleep or busy in pure Python, in its worker: the longest
stall of the RunEngine's event loop over the whole scan, and how soon a pause in the middle of a
decision is answered.

    python benchmarks/responsiveness.py
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from bluesky import RunEngine, RunEngineInterrupted
from ophyd.sim import SynAxis, SynSignal

from skysteer.plans import adaptive_scan

BEAT = 0.005  # s between two beats of the loop
AGENTS = """
import time
import numpy as np
from skysteer.agent import Choice

class Sleeping:
    start = 0.02

    def wait(self):
        time.sleep(3)

    def choose(self, request):
        self.wait()
        return Choice(np.argwhere(~request.taken)[: request.num])

class Busy(Sleeping):
    def wait(self):
        began = time.monotonic()
        while time.monotonic() - began < 3:
            sum(range(1000))
"""


def measure(agent: str) -> tuple[list[float], list[float]]:
    """Scan with an agent; returns stalls of the loop and answers to pauses, in ms."""
    y, x = SynAxis(name="y"), SynAxis(name="x")
    det = SynSignal(name="det", func=lambda: float(x.position))
    RE = RunEngine({}, context_managers=[])
    stalls: list[float] = []
    answers: list[float] = []
    deciding = threading.Event()

    async def beat() -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(BEAT)
            stalls.append(1e3 * (time.monotonic() - began - BEAT))

    def hear(msg: Any) -> None:
        if msg.command == "trigger" and msg.obj.name == "decision":
            deciding.set()

    def press() -> None:
        while deciding.wait():
            deciding.clear()
            time.sleep(1.0)
            began = time.monotonic()
            with contextlib.suppress(RuntimeError):  # the scan has ended
                RE.request_pause(defer=False)
                while RE.state != "paused":
                    time.sleep(0.0005)
                answers.append(1e3 * (time.monotonic() - began))

    RE.msg_hook = hear
    asyncio.run_coroutine_threadsafe(beat(), RE.loop)
    threading.Thread(target=press, daemon=True).start()
    plan = adaptive_scan(
        [det], agent, y, 0, 1, 30, x, 0, 1, 30, until="points(40)", batch=10, prefetch=0
    )
    with contextlib.suppress(RunEngineInterrupted):
        RE(plan)
    while RE.state == "paused":
        time.sleep(0.01)  # let the one who pressed see it
        with contextlib.suppress(RunEngineInterrupted):
            RE.resume()
    return stalls, answers


def main() -> None:
    """Measure both agents."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "agents.py"
        file.write_text(AGENTS)
        for name in ("Sleeping", "Busy"):
            stalls, answers = measure(f"{file}:{name}")
            told = ", ".join(f"{answer:.1f}" for answer in answers)
            print(f"{name}: longest stall {max(stalls):.1f} ms; pauses answered after {told} ms")


if __name__ == "__main__":
    main()
