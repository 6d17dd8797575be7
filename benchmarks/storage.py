"""What keeping documents costs: ``python benchmarks/storage.py``.

Three questions: what the journal adds to an event; which tables the folder's catalog should use,
and how large its batches should be; and what a scan pays for a catalog that is written by a thread
of its own process, or by the keeper.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from bluesky import RunEngine
from bluesky.callbacks.buffer import BufferingWrapper
from bluesky.plans import scan
from bluesky_tiled_plugins import TiledWriter
from event_model import compose_run
from ophyd.sim import SynAxis, SynSignal

from skysteer.storage import Journal, Store, open_catalog, server
from skysteer.storage.catalog import connect
from skysteer.storage.destination import Destination

POINTS = 400


def scalar_run(events: int) -> list[tuple[str, dict[str, Any]]]:
    """Compose a run of events with six numbers each."""
    run = compose_run()
    names = [f"channel{number}" for number in range(6)]
    keys = {name: {"source": "", "dtype": "number", "shape": []} for name in names}
    stream = run.compose_descriptor(name="primary", data_keys=keys)
    data, stamps = dict.fromkeys(names, 0.5), dict.fromkeys(names, 1.7e9)
    composed = [stream.compose_event(data=data, timestamps=stamps) for _ in range(events)]
    return [
        ("start", run.start_doc),
        ("descriptor", stream.descriptor_doc),
        *(("event", event) for event in composed),
        ("stop", run.compose_stop()),
    ]


def journal_cost(folder: Path) -> None:
    """Time the journal on events of six numbers, and of one frame more."""
    journal = Journal(folder)
    documents = scalar_run(5000)
    frame = {"frame": np.zeros((128, 128), np.float32)}
    for label, extra in [("6 numbers", {}), ("6 numbers and a 64 KiB frame", frame)]:
        spent = []
        for name, document in scalar_run(500) if extra else documents:
            if name == "event":
                document["data"].update(extra)
            began = time.perf_counter()
            journal(name, document)
            if name == "event":
                spent.append(time.perf_counter() - began)
        median, tail = 1e6 * np.quantile(spent, [0.5, 0.99])
        print(f"journal, {label}: {median:.0f} us an event (99 %: {tail:.0f})")


def table_cost(folder: Path, events: int = 1000) -> None:
    """Time writing and reading of the two kinds of table, at several batch sizes."""
    for kind in ("duckdb:///{state}/tables.duckdb", "sqlite:///{state}/tables.sqlite"):
        server.TABLES = kind
        state = folder / kind.partition(":")[0]
        (state / "data").mkdir(parents=True)
        served = server.FolderServer(state)
        served.start()
        catalog = connect(served.uri, served.api_key)
        for batch in (1, 10, 50, 200):
            documents = scalar_run(events if batch > 1 else 100)
            began = time.perf_counter()
            writer = TiledWriter(catalog, batch_size=batch, max_array_size=0)
            for name, document in documents:
                writer(name, document)
            wrote = time.perf_counter()
            rows = catalog[documents[0][1]["uid"]]["primary"].base["internal"].read()
            read = time.perf_counter()
            print(
                f"{kind[:6]} batch {batch:3}: {1e3 * (wrote - began) / len(rows):6.2f} ms an event "
                f"({wrote - began:.1f} s for the run), read back in {read - wrote:.2f} s"
            )
        served.stop()


def scan_cost(label: str, subscribe: Callable[[RunEngine], Callable[[], Any]]) -> None:
    """Time a simulated scan and the longest stall of its loop.

    The processor time of this process is what a busy machine does not blur.
    """
    engine = RunEngine({}, call_returns_result=False)
    close = subscribe(engine)
    axis, counter = SynAxis(name="axis"), SynSignal(name="counter", func=time.time)
    times: list[float] = []
    engine.subscribe(lambda name, document: times.append(time.perf_counter()), "event")
    gaps: list[float] = []

    async def tick() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.001)
            gaps.append((now := time.perf_counter()) - last)
            last = now

    ticking = asyncio.run_coroutine_threadsafe(tick(), engine.loop)
    spent = time.process_time()
    engine(scan([counter], axis, 0.5, 1.5, POINTS))
    ticking.cancel()
    spent = 1e3 * (time.process_time() - spent) / POINTS
    began = time.perf_counter()
    close()
    tenth, median, tail = 1e3 * np.quantile(np.diff(times), [0.1, 0.5, 0.99])
    print(
        f"{label:36} processor {spent:.2f} ms a point; wall {tenth:.2f} / {median:.2f} / {tail:.1f}"
        f" (10, 50, 99 %); longest stall {1e3 * max(gaps):.0f} ms; "
        f"closing {time.perf_counter() - began:.1f} s"
    )


def main() -> None:
    """Measure all three."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        journal_cost(folder / "journal")
        catalog = open_catalog(folder)
        card = Destination(folder).keeper_card() or {}

        def journal(engine: RunEngine) -> Callable[[], Any]:
            engine.subscribe(Journal(folder / "alone"))
            return lambda: None

        def thread(engine: RunEngine) -> Callable[[], Any]:
            engine.subscribe(Journal(folder / "threaded"))
            container = connect(card["uri"], card["api_key"])
            writer = BufferingWrapper(TiledWriter(container, batch_size=50, max_array_size=0))
            engine.subscribe(writer)
            return writer.shutdown

        def keeper(engine: RunEngine) -> Callable[[], Any]:
            engine.subscribe(store := Store(folder))
            return store.close

        def cold(engine: RunEngine) -> Callable[[], Any]:
            engine.subscribe(store := Store(folder / "cold"))
            return store.close

        for _ in range(3):
            scan_cost("nothing", lambda engine: lambda: None)
            scan_cost("journal", journal)
            scan_cost("journal and a writing thread", thread)
            scan_cost("journal and keeper", keeper)
        scan_cost("journal and keeper that is still starting", cold)
        catalog.context.close()
        table_cost(folder / "tables")


if __name__ == "__main__":
    main()
