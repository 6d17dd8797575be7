"""What was recorded reads the same from the journal, Tiled and databroker."""

import itertools
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import databroker.v1
import h5py
import numpy as np
import psutil
import pytest
from bluesky import RunEngine
from bluesky import plan_stubs as bps
from bluesky import preprocessors as bpp
from bluesky.plans import list_scan, scan
from event_model import compose_run
from ophyd.sim import SynAxis, SynSignal

from skysteer.storage import Journal, Store, list_runs, open_catalog, read_run, sync
from skysteer.storage.destination import Destination

BATCH = 50


class Decisions:
    """Reads as an agent's decision does: arrays of fixed length, NaN padding, strings, flags."""

    name = "decisions"
    parent = None

    def __init__(self) -> None:
        self.made: list[dict[str, Any]] = []

    def trigger(self) -> Any:
        from ophyd.sim import NullStatus

        number = len(self.made)
        scores = np.full(BATCH, np.nan)
        scores[: BATCH - number] = np.linspace(0, 1, BATCH - number) / 3
        self.made.append(
            {
                "decision_rows": np.arange(BATCH, dtype=np.int64) + number,
                "decision_scores": scores,
                "decision_reason": f"highest expected reduction, no. {number}: é",
                "decision_digest": f"{number:064x}",
                "decision_seen": 10 * number,
                "decision_stop": number == 3,
                "decision_cost": 1.0 if number else math.nan,
            }
        )
        return NullStatus()

    def read(self) -> dict[str, Any]:
        return {k: {"value": v, "timestamp": time.time()} for k, v in self.made[-1].items()}

    def describe(self) -> dict[str, Any]:
        kinds = {np.ndarray: "array", str: "string", int: "integer", bool: "boolean"}
        return {
            key: {
                "source": "agent",
                "dtype": kinds.get(type(value), "number"),
                "shape": list(np.shape(value)),
                **({"dtype_numpy": value.dtype.str} if isinstance(value, np.ndarray) else {}),
            }
            for key, value in self.made[0].items()
        }


def adaptive(counter: SynSignal, frame: SynSignal, axis: SynAxis, decisions: Decisions) -> Any:
    @bpp.run_decorator(md={"plan_name": "adaptive", "seed": 2**60, "limit": math.inf})
    def inner() -> Any:
        position = 0
        for batch in range(4):
            yield from bps.trigger_and_read([decisions], name="decisions")
            yield from bps.checkpoint()
            for _ in range(30):
                yield from bps.checkpoint()
                yield from bps.mv(axis, position)
                yield from bps.trigger_and_read([counter, frame, axis])
                position += 1
            if batch == 1:
                yield from bps.pause()  # and so the last point is measured again

    return (yield from inner())


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Any, Decisions]]:
    """A data folder with one paused run, in the journal and in the catalog."""
    folder = tmp_path_factory.mktemp("data")
    store = Store(folder)
    engine = RunEngine({}, call_returns_result=False)
    engine.subscribe(store)
    readings = itertools.count(-1)  # SynSignal takes its first reading when it is made
    axis = SynAxis(name="axis")
    counter = SynSignal(name="counter", func=lambda: next(readings) / 7)
    frame = SynSignal(name="frame", func=lambda: np.full((3, 4), axis.position, dtype=np.float32))
    decisions = Decisions()
    with pytest.raises(Exception, match="paused"):
        engine(adaptive(counter, frame, axis, decisions))
    engine.resume()
    delivery = store.close(timeout=150)
    assert delivery.complete, delivery
    yield folder, open_catalog(folder), decisions


def test_a_run_is_found_by_recency_scan_id_and_partial_uid(recorded: Any) -> None:
    folder, catalog, _ = recorded
    uid = read_run(folder).start["uid"]
    for which in (-1, 1, uid[:8], uid):
        assert catalog[which].start["uid"] == uid
        assert read_run(folder, which).start["uid"] == uid
        assert read_run(catalog, which).start["uid"] == uid
    for source in (folder, catalog):
        for which in (-2, 99, "abcdefgh"):
            with pytest.raises(KeyError):
                read_run(source, which)


def test_a_doubled_point_appears_once_whatever_it_is_read_from(recorded: Any) -> None:
    folder, catalog, _ = recorded
    assert len(catalog[-1]["primary"].base["internal"].read()) == 121  # as emitted
    for source in (folder, catalog):
        events = read_run(source).events()
        assert events["seq_num"].tolist() == list(range(1, 121))
        # the 60th was measured again: reading 59 was overtaken by reading 60
        expected = np.delete(np.arange(121), 59) / 7
        np.testing.assert_array_equal(events["counter"], expected)
        np.testing.assert_array_equal(events["axis"], np.arange(120))
        np.testing.assert_array_equal(events["frame"][:, 2, 3], np.arange(120))


def test_journal_and_catalog_read_the_same(recorded: Any) -> None:
    folder, catalog, _ = recorded
    journal, kept = read_run(folder), read_run(catalog)
    assert journal.start == kept.start
    assert journal.stop == kept.stop
    assert sorted(journal.streams) == sorted(kept.streams) == ["decisions", "primary"]
    for stream in journal.streams:
        a, b = journal.events(stream), kept.events(stream)
        assert sorted(a) == sorted(b)
        for key, column in a.items():
            assert (key, column.dtype) == (key, b[key].dtype)
            np.testing.assert_array_equal(column, b[key], err_msg=key)
    documents = zip(journal.documents(), kept.documents(), strict=True)
    for (name_a, a), (name_b, b) in documents:
        assert name_a == name_b
        if name_a == "event":
            assert (a["seq_num"], a["descriptor"]) == (b["seq_num"], b["descriptor"])


def test_decisions_come_back_exactly(recorded: Any) -> None:
    folder, catalog, decisions = recorded
    for source in (folder, catalog):
        events = read_run(source).events("decisions")
        for key in decisions.made[0]:
            expected = np.array([decision[key] for decision in decisions.made])
            assert events[key].dtype == expected.dtype, key
            np.testing.assert_array_equal(events[key], expected, err_msg=key)


def test_metadata_that_json_would_spoil_comes_back(recorded: Any) -> None:
    folder, catalog, _ = recorded
    for source in (folder, catalog):
        start = read_run(source).start
        assert start["seed"] == 2**60 and start["limit"] == math.inf


def test_databroker_reads_the_run(recorded: Any) -> None:
    _, catalog, _ = recorded
    broker = databroker.v1.Broker(catalog)
    table = broker[-1].table("primary")
    np.testing.assert_array_equal(table["counter"], np.arange(121) / 7)  # as emitted
    np.testing.assert_array_equal(table["axis"].to_numpy()[[0, 59, 60, 120]], [0, 59, 59, 119])
    assert set(table.columns) == {"time", "counter", "axis", "axis_setpoint", "frame"}
    assert [header.start["scan_id"] for header in broker(plan_name="adaptive")] == [1]


def test_tiled_exports_the_documents(recorded: Any) -> None:
    _, catalog, _ = recorded
    names = [name for name, _ in catalog[-1].documents()]
    assert names[0] == "start" and names[-1] == "stop" and names.count("event") >= 124


def test_the_reader_reads_a_catalog_that_databroker_has_had(recorded: Any) -> None:
    _, catalog, _ = recorded
    databroker.v1.Broker(catalog)
    assert len(read_run(catalog).events()["seq_num"]) == 120


def test_whole_numbers_first_and_fractions_later_go_into_one_column(recorded: Any) -> None:
    folder, catalog, _ = recorded
    engine = RunEngine({"scan_id": 80}, call_returns_result=False)
    engine.subscribe(Journal(Destination(folder).journal))
    axis = SynAxis(name="axis")
    positions = [0] * 60 + [0.5] * 60
    engine(list_scan([axis], axis, positions))
    assert sync(folder).complete
    for source in (folder, catalog):
        assert read_run(source, 81).events()["axis"].tolist() == positions


def test_frames_in_a_file_beside_the_documents_are_registered(
    recorded: Any, tmp_path: Path
) -> None:
    folder, catalog, _ = recorded
    frames = np.arange(24, dtype="<f4").reshape(2, 3, 4)
    with h5py.File(tmp_path / "frames.h5", "w") as file:
        file["data"] = frames
    journal = Journal(Destination(folder).journal)
    run = compose_run(metadata={"scan_id": 55})
    described = {"source": "", "dtype": "array", "shape": [3, 4], "dtype_numpy": "<f4"}
    stream = run.compose_descriptor(
        name="primary", data_keys={"frame": {**described, "external": "STREAM:"}}
    )
    assets = run.compose_stream_resource(
        mimetype="application/x-hdf5",
        uri=f"file://localhost{tmp_path}/frames.h5",
        data_key="frame",
        parameters={"dataset": "data", "chunk_shape": [1, 3, 4]},
    )
    datum = assets.compose_stream_datum(
        indices={"start": 0, "stop": 2},
        seq_nums={"start": 1, "stop": 3},
        descriptor=stream.descriptor_doc,
    )
    for name, document in [
        ("start", run.start_doc),
        ("descriptor", stream.descriptor_doc),
        ("stream_resource", assets.stream_resource_doc),
        ("stream_datum", datum),
        ("stop", run.compose_stop()),
    ]:
        journal(name, document)
    delivery = sync(folder)
    assert delivery.complete, delivery
    np.testing.assert_array_equal(catalog[55].v3["primary"]["frame"].read(), frames)


def test_a_run_without_events_has_empty_columns(recorded: Any) -> None:
    folder, catalog, _ = recorded
    journal = Journal(Destination(folder).journal)
    run = compose_run(metadata={"scan_id": 50}, time=1.0)
    keys = {
        "a": {"source": "", "dtype": "number", "shape": []},
        "image": {"source": "", "dtype": "array", "shape": [2, 3]},
    }
    stream = run.compose_descriptor(name="primary", data_keys=keys)
    for name, document in [
        ("start", run.start_doc),
        ("descriptor", stream.descriptor_doc),
        ("stop", run.compose_stop()),
    ]:
        journal(name, document)
    assert sync(folder).complete
    for source in (folder, catalog):
        events = read_run(source, 50).events()
        assert events["seq_num"].shape == (0,) and events["image"].shape == (0, 2, 3)
        with pytest.raises(KeyError, match="no stream 'dark'"):
            read_run(source, 50).events("dark")
    # it was brought there last, but started first
    assert catalog[-1].start["scan_id"] != 50


def test_sync_fills_what_is_missing_replaces_what_is_partial_and_leaves_the_rest(
    recorded: Any,
) -> None:
    folder, catalog, _ = recorded
    engine = RunEngine({"scan_id": 60}, call_returns_result=False)
    engine.subscribe(Journal(Destination(folder).journal))
    axis = SynAxis(name="axis")
    (missing,) = engine(scan([axis], axis, 0, 1, 3))
    (partial,) = engine(scan([axis], axis, 0, 1, 120))
    died = Journal(Destination(folder).journal)
    run = compose_run(metadata={"scan_id": 63})
    died("start", run.start_doc)
    died("descriptor", run.compose_descriptor(name="primary", data_keys={}).descriptor_doc)
    unsorted = catalog.sort()
    unsorted.create_container(partial, metadata={"start": {"uid": partial, "scan_id": 62}})

    seen = []
    assert sync(folder, progress=lambda done, total: seen.append((done, total))).complete
    assert seen[-1][0] == seen[-1][1]
    assert catalog[missing].stop["exit_status"] == "success"
    assert len(read_run(catalog, partial).events()["seq_num"]) == 120
    assert 63 not in {run.start.get("scan_id") for run in catalog.values()}  # still measured

    died.close()
    assert sync(folder).complete
    assert catalog[63].stop["exit_status"] == "abort"
    assert "ended before the run" in catalog[63].stop["reason"]
    before = {uid: item.item["attributes"]["structure"] for uid, item in catalog.items()}
    assert sync(folder).complete
    after = {uid: item.item["attributes"]["structure"] for uid, item in catalog.items()}
    assert before == after


def test_a_damaged_journal_holds_up_no_other_run(recorded: Any) -> None:
    folder, catalog, _ = recorded
    engine = RunEngine({"scan_id": 70}, call_returns_result=False)
    engine.subscribe(Journal(Destination(folder).journal))
    axis = SynAxis(name="axis")
    (damaged,) = engine(scan([axis], axis, 0, 1, 3))
    (sound,) = engine(scan([axis], axis, 0, 1, 3))
    path = Destination(folder).journal / f"{damaged}.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"damage\n" + b"".join(lines[1:]))
    delivery = sync(folder)
    assert set(delivery.pending) == {damaged}
    assert "damaged at byte" in str(delivery)
    assert str(delivery).endswith(f"`skysteer runs --out {folder} sync` brings them there")
    assert "\n" not in str(delivery)
    assert catalog[sound].stop["exit_status"] == "success"
    path.write_bytes(b"".join(lines))
    assert sync(folder).complete
    assert catalog[damaged].stop["exit_status"] == "success"


def test_the_key_is_for_this_user_only(recorded: Any) -> None:
    folder, _, _ = recorded
    destination = Destination(folder)
    card = destination.keeper_card()
    assert card and destination.card.stat().st_mode & 0o077 == 0
    keeper = psutil.Process(card["pid"])
    assert card["api_key"] not in " ".join(keeper.cmdline())
    (listening,) = [c for c in keeper.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    assert listening.laddr.ip == "127.0.0.1"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    for read in (open_catalog, sync, list_runs, read_run):
        for folder in (tmp_path, tmp_path / "nowhere"):
            with pytest.raises(FileNotFoundError, match="holds no journal: name one with --out"):
                read(folder)
    assert os.listdir(tmp_path) == []
