"""Pauses, suspenders, aborts: nothing is lost, doubled, or taught that is not written."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from typing import Any

import psutil
import pytest
from bluesky.suspenders import SuspendBoolHigh
from ophyd import Signal
from ophyd.sim import SynSignal

from skysteer.agent import EventReader

OPTIONS = {"until": "points(250)", "batch": 10}


@pytest.fixture
def taught(monkeypatch: pytest.MonkeyPatch) -> list[EventReader]:
    """The readers that the plan made, to compare with the journal."""
    readers: list[EventReader] = []
    made = EventReader.__init__

    def remember(self: EventReader, *args: Any, **options: Any) -> None:
        made(self, *args, **options)
        readers.append(self)

    monkeypatch.setattr(EventReader, "__init__", remember)
    return readers


def run_with_pauses(bench: Any, plan: Any, pauses: int, seed: int) -> int:
    """Run a plan and pause it that often, at random; how often it was really paused."""
    chance = random.Random(seed)
    over = threading.Event()

    def pause() -> None:
        for _ in range(pauses):
            time.sleep(chance.uniform(0.0, 0.03))
            while not over.is_set() and bench.RE.state != "running":
                time.sleep(0.001)
            if over.is_set():
                return
            try:
                bench.RE.request_pause(defer=chance.random() < 0.3)
            except RuntimeError:  # it ended, or paused of its own, in between
                continue

    other = threading.Thread(target=pause)
    other.start()
    bench.start(plan)
    paused = bench.resume_to_the_end()
    over.set()
    other.join()
    return paused


def check_pauses(bench: Any, taught: list[EventReader], pauses: int, seed: int) -> None:
    agent = bench.sampler("Steepest")
    bench.scan(agent, **OPTIONS)
    paused = run_with_pauses(bench, bench.plan(agent, **OPTIONS), pauses, seed)
    assert paused > pauses / 3

    events = bench.events()
    numbers = {e["seq_num"] for e in bench.raw_events()}
    assert numbers == set(range(1, 251)), "an event was lost"
    assert len(events) == 250
    in_the_scan, of_the_journal = taught[1].observations, bench.reader().observations
    scan, journal = (o.scan((20, 25)) for o in (in_the_scan, of_the_journal))
    assert in_the_scan.points == 250
    assert scan.pixels.tolist() == journal.pixels.tolist()
    assert scan.values.tolist() == journal.values.tolist() == [e["det"] for e in events]
    assert bench.batches() == bench.batches(0), "pauses changed a decision"
    digests = [[d["digest"] for d in bench.decisions(k)] for k in (0, 1)]
    assert digests[0] == digests[1]


def test_a_paused_scan_loses_doubles_and_mistakes_nothing(
    bench: Any, taught: list[EventReader]
) -> None:
    check_pauses(bench, taught, pauses=25, seed=0)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1, 6))
def test_not_even_with_85_pauses(bench: Any, taught: list[EventReader], seed: int) -> None:
    check_pauses(bench, taught, pauses=85, seed=seed)


def test_a_rewound_reading_is_unlearned(bench: Any, taught: list[EventReader]) -> None:
    """Between the save and its checkpoint: the event comes again, with another value."""
    count = iter(range(10_000))
    bench.det = SynSignal(name="det", func=lambda: float(next(count)))
    pauses = iter([5, 6, 30])
    due = [next(pauses)]

    def pause_after_the_save(name: str, document: dict[str, Any]) -> None:
        if name == "event" and "det" in document["data"] and document["seq_num"] == due[0]:
            due[0] = next(pauses, 0)
            bench.RE.loop.create_task(bench.RE._request_pause_coro())

    bench.RE.subscribe(pause_after_the_save)
    bench.start(bench.plan(bench.sampler("Steepest"), until="points(40)", batch=10, prefetch=5))
    bench.resume_to_the_end()
    emitted = [e["seq_num"] for e in bench.raw_events()]
    assert len(emitted) == 43, "three events were emitted twice"
    events = bench.events()
    assert [e["det"] for e in events] == taught[0].observations.scan((20, 25)).values.tolist()


def test_a_pause_while_the_agent_is_built_loses_nothing(bench: Any) -> None:
    agent = {"agent": bench.own("SlowToBuild"), "options": {"seconds": 1.0}}
    timer = threading.Timer(0.5, bench.RE.request_pause)
    timer.start()
    bench.start(bench.plan(agent, until="points(20)"))
    timer.join()
    assert bench.runs() == [], "it was paused before the run was opened"
    assert bench.resume_to_the_end() == 1
    assert bench.result.exit_status == "success"
    assert len(bench.events()) == 20


@pytest.mark.parametrize("name", ["Waits", "Hogs"])
@pytest.mark.parametrize("in_process", [True, False])
def test_a_long_decision_keeps_nobody_waiting(bench: Any, name: str, in_process: bool) -> None:
    agent = bench.sampler(name, seconds=3.0)
    if not in_process:
        agent = {"agent": bench.own(name), "options": {"seconds": 3.0}}
    answered: list[float] = []
    stalls: list[float] = []

    async def heartbeat() -> None:
        while True:
            beat = time.monotonic()
            await asyncio.sleep(0.005)
            stalls.append(time.monotonic() - beat - 0.005)

    def watch(document_name: str, document: dict[str, Any]) -> None:
        data = document.get("data", {})
        if document_name == "event" and data.get("det") is not None:
            measured.append(document)
            if len(measured) == 35:  # 10, 10 and 5 at the start, then 10: decision 4 is next
                pausing.start()

    def pause() -> None:
        began = time.monotonic()
        bench.RE.request_pause()
        while bench.RE.state != "paused":
            time.sleep(0.001)
        answered.append(time.monotonic() - began)

    measured: list[Any] = []
    pausing = threading.Timer(0.5, pause)
    beating = asyncio.run_coroutine_threadsafe(heartbeat(), bench.RE.loop)
    bench.RE.subscribe(watch)
    bench.start(bench.plan(agent, until="points(60)", batch=10, prefetch=0))
    assert bench.RE.state == "paused", "the pause was answered in the decision"
    pausing.join()
    assert len(measured) == 35
    bench.resume_to_the_end()
    assert bench.result.plan_result.points == 60
    beating.cancel()
    print(f"pause {answered[0] * 1e3:.1f} ms, longest stall {max(stalls) * 1e3:.1f} ms")
    # Less than a decision takes, on a machine of any load; figures: benchmarks/responsiveness.py.
    assert answered[0] < 2.5
    assert max(stalls) < 2.5
    assert len(bench.decisions()[4]["rows"]) == 10


def test_a_suspender_of_the_profile_rewinds_without_harm(
    bench: Any, taught: list[EventReader]
) -> None:
    dump = Signal(name="dump", value=0)
    bench.RE.install_suspender(SuspendBoolHigh(dump, sleep=0))
    seen = []

    def trip(name: str, document: dict[str, Any]) -> None:
        if name == "event":
            seen.append(document)
            if len(seen) in (20, 40):
                threading.Thread(
                    target=lambda: (dump.put(1), time.sleep(0.05), dump.put(0))
                ).start()

    bench.RE.subscribe(trip)
    agent = bench.sampler("Steepest")
    bench.scan(agent, until="points(80)", batch=10)
    bench.RE.remove_suspender(next(iter(bench.RE.suspenders)))
    bench.scan(agent, until="points(80)", batch=10)
    assert bench.batches(0) == bench.batches(1)
    first = taught[0].observations.scan((20, 25)).values.tolist()
    assert first == [e["det"] for e in bench.events(number=0)]


@pytest.mark.parametrize(
    ("end", "status"), [("abort", "abort"), ("stop", "success"), ("halt", "abort")]
)
@pytest.mark.parametrize(
    ("where", "in_process"),
    [("in a batch", True), ("in a decision", True), ("in a decision", False)],
)
def test_an_end_by_hand_leaves_nothing_running(
    bench: Any, end: str, status: str, where: str, in_process: bool
) -> None:
    agent = bench.sampler("Waits", seconds=2.0)
    if not in_process:
        agent = {"agent": bench.own("Waits"), "options": {"seconds": 60}}
    before = set(psutil.Process().children(recursive=True))
    pause_at = {"in a batch": 32, "in a decision": 35}[where]
    measured: list[Any] = []

    def watch(name: str, document: dict[str, Any]) -> None:
        if name == "event" and "det" in document["data"]:
            measured.append(document)
            if len(measured) == pause_at:
                wait = 0.3 if where == "in a decision" else 0
                threading.Timer(wait, bench.RE.request_pause).start()

    bench.RE.subscribe(watch)
    staged: list[str] = []
    bench.det.stage = lambda: staged.append("staged") or [bench.det]
    bench.det.unstage = lambda: staged.append("unstaged") or [bench.det]
    bench.start(bench.plan(agent, until="points(250)", batch=10, prefetch=0))
    assert bench.RE.state == "paused"
    workers = set(psutil.Process().children(recursive=True)) - before
    assert len(workers) == (0 if in_process else 1)
    getattr(bench.RE, end)()
    assert not workers & set(psutil.Process().children(recursive=True))
    assert bench.stop()["exit_status"] == status
    assert staged == ["staged", "unstaged"]
    assert len(bench.events()) >= pause_at - 1
    # and the next scan is as good as ever
    assert bench.scan(until="points(5)").points == 5
