"""Whatever dies, freezes or fills up, the journal has every event and the catalog gets it."""

import gc
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from bluesky import RunEngine
from bluesky.plans import scan
from ophyd.sim import SynAxis
from tiled.client import from_uri
from tiled.server import SimpleTiledServer

from skysteer.storage import Store, list_runs, open_catalog, read_journal, read_run, sync
from skysteer.storage.destination import Destination, share

PATIENCE = 100
"""Seconds until a test gives up; a keeper starts in 5 s, or in 30 on a busy machine."""

SCAN = """
import sys, time
from bluesky import RunEngine
from bluesky.plans import scan
from ophyd.sim import SynAxis
from skysteer.storage import Store

folder, points, pause = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
RE = RunEngine({}, call_returns_result=False)
store = Store(folder)
RE.subscribe(store)

def tell(name, document):
    if name == "event":
        print(document["seq_num"], document["data"]["axis"], flush=True)
        time.sleep(pause)

RE.subscribe(tell)
axis = SynAxis(name="axis")
RE(scan([axis], axis, 0.5, 1.5, points))
print(store.close(150))
"""


def start_scan(folder: Path, points: int, pause: float = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCAN, str(folder), str(points), str(pause)],
        stdout=subprocess.PIPE,
        text=True,
    )


def wait_until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.05)
    return found


def keepers(folder: Path) -> list[psutil.Process]:
    """Find the processes that write this folder's log."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(Path(file.path).is_relative_to(folder) for file in process.open_files()):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return [process for process in found if process.pid != os.getpid()]


def keeper_of(folder: Path) -> psutil.Process:
    card = wait_until(Destination(folder).keeper_card, "the keeper serves")
    return psutil.Process(card["pid"])


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A data folder that no process uses any more when the test is over."""
    yield tmp_path
    gc.collect()  # a client's connection is part of a cycle
    wait_until(lambda: not keepers(tmp_path), "the keeper has gone")


@contextmanager
def reading(folder: Path) -> Iterator[Any]:
    catalog = open_catalog(folder, PATIENCE)
    yield catalog
    catalog.context.close()


def numbers(source: Any, which: int | str = -1) -> list[int]:
    return read_run(source, which).events()["seq_num"].tolist()


def engine_with(store: Store) -> RunEngine:
    engine = RunEngine({}, call_returns_result=False)
    engine.subscribe(store)
    return engine


def test_kill_9_of_a_scan_loses_no_event_that_was_seen(folder: Path) -> None:
    process = start_scan(folder, 100_000)
    assert process.stdout
    seen = [process.stdout.readline() for _ in range(300)]
    keeper = keeper_of(folder)
    process.kill()
    seen += process.stdout.readlines()
    process.wait()
    if not seen[-1].endswith("\n"):
        seen.pop()

    (run,) = list_runs(folder)
    assert run.status == "unfinished"
    documents = read_journal(run.path)
    kept = {d["seq_num"]: d["data"]["axis"] for n, d in documents if n == "event"}
    for line in seen:
        number, position = line.split()
        assert kept[int(number)] == float(position)

    # nobody uses the folder now: the keeper closes the run and goes
    keeper.wait(PATIENCE)
    with reading(folder) as catalog:
        assert numbers(catalog) == list(kept)
        assert catalog[-1].stop["exit_status"] == "abort"
        assert catalog[-1].stop["num_events"] == {"primary": len(kept)}
        keeper = keeper_of(folder)
        shutil.rmtree(folder)
        keeper.wait(PATIENCE)  # nobody could find it any more


def test_a_keeper_that_is_killed_or_frozen_costs_the_scan_nothing(folder: Path) -> None:
    store = Store(folder)
    presence = share(Destination(folder).users)  # one keeper for both halves
    engine = engine_with(store)
    axis = SynAxis(name="axis")

    def harm(signal_number: int) -> Callable[[str, dict[str, Any]], None]:
        def at_the_40th(name: str, document: dict[str, Any]) -> None:
            if name == "event" and document["seq_num"] == 40:
                keeper.send_signal(signal_number)

        return at_the_40th

    keeper = keeper_of(folder)
    engine(scan([axis], axis, 0.5, 1.5, 200), harm(signal.SIGKILL))
    keeper.wait(PATIENCE)
    engine(scan([axis], axis, 0.5, 1.5, 2))
    assert keeper_of(folder).pid != keeper.pid  # the next run starts another
    delivery = store.close(PATIENCE)
    assert delivery.complete and delivery.written == 2, delivery

    store = Store(folder)
    engine = engine_with(store)
    keeper = keeper_of(folder)
    engine(scan([axis], axis, 0.5, 1.5, 200), harm(signal.SIGSTOP))
    delivery = store.close(timeout=0.5)
    assert len(delivery.pending) == 1
    assert "took too long" in str(delivery) and f"--out {folder} sync`" in str(delivery)
    assert [run.status for run in list_runs(folder)] == ["success"] * 3
    keeper.send_signal(signal.SIGCONT)
    assert sync(folder, timeout=PATIENCE).complete
    with reading(folder) as catalog:
        assert [numbers(catalog, which) for which in (-1, -3)] == [list(range(1, 201))] * 2
    os.close(presence)


def test_several_processes_use_one_folder_at_once(folder: Path) -> None:
    scans = [start_scan(folder, 300, 0.01) for _ in range(2)]
    wait_until(Destination(folder).journal.is_dir, "a scan has begun")
    with reading(folder) as catalog:
        assert len(keepers(folder)) == 3  # two scans, one keeper
        for process in scans:
            output, _ = process.communicate(timeout=PATIENCE)
            assert output.splitlines()[-1] == f"1 run(s) in the catalog {folder / 'catalog'}"
        assert [numbers(catalog, which) for which in (-1, -2)] == [list(range(1, 301))] * 2


def test_a_remote_store_gets_the_runs_and_a_dead_one_costs_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("TILED_RETRY_TIMEOUT", "1")
    axis = SynAxis(name="axis")
    key = "kept4yourself"
    with SimpleTiledServer(tmp_path_factory.mktemp("remote"), api_key=key) as server:
        url = server.uri.partition("?")[0]
        monkeypatch.setenv("TILED_API_KEY", key)
        store = Store(folder, url)
        presence = share(Destination(folder, url).users)  # one keeper for both halves
        engine = engine_with(store)
        engine(scan([axis], axis, 0.5, 1.5, 60))
        delivery = store.close(PATIENCE)
        assert delivery.complete, delivery
        assert numbers(open_catalog(url)) == list(range(1, 61))
        remote = from_uri(url, api_key=key)
        assert list(remote) == ["raw"]
        remote.context.close()

        monkeypatch.setenv("TILED_API_KEY", "wrong")
        refused = sync(folder, url.replace("127.0.0.1", "localhost"), timeout=PATIENCE)
        assert "401" in str(refused) and "\n" not in str(refused)

    store = Store(folder, url)
    engine = engine_with(store)
    engine(scan([axis], axis, 0.5, 1.5, 60))
    delivery = store.close(PATIENCE)
    assert not delivery.complete
    assert "Connect" in str(delivery) and f"sync --tiled {url}`" in str(delivery)
    assert "\n" not in str(delivery)
    assert [run.status for run in list_runs(folder)] == ["success", "success"]
    os.close(presence)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in files if key.encode() in path.read_bytes()]
