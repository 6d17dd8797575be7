"""The journal has every document, whatever happens next."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from bluesky import RunEngine
from bluesky import plan_stubs as bps
from bluesky import preprocessors as bpp
from bluesky.plans import scan
from event_model import compose_run
from ophyd.sim import SynAxis, SynSignal, det, motor

from skysteer.storage import Journal, complete, last_wins, list_runs, read_journal
from skysteer.storage.encoding import decode_line, encode_line
from skysteer.storage.journal import is_live


@pytest.fixture
def engine() -> RunEngine:
    return RunEngine({}, call_returns_result=False)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal")


def only_file(journal: Journal) -> Path:
    (path,) = journal.folder.iterdir()
    return path


def events_of(path: Path) -> list[dict[str, Any]]:
    return [document for name, document in read_journal(path) if name == "event"]


def test_a_document_is_on_disk_before_the_next_subscriber_sees_it(
    engine: RunEngine, journal: Journal
) -> None:
    seen = []

    def compare(name: str, document: dict[str, Any]) -> None:
        seen.append((name, document))
        # (tuples come back as lists)
        assert read_journal(only_file(journal)) == [decode_line(encode_line(*s)) for s in seen]

    engine.subscribe(journal)
    engine.subscribe(compare)
    engine(scan([det], motor, -1, 1, 5))
    assert [name for name, _ in seen] == ["start", "descriptor", *["event"] * 5, "stop"]


def test_documents_of_every_kind_go_to_their_own_run(journal: Journal) -> None:
    emitted = {}
    for _ in range(2):
        run = compose_run()
        journal("start", run.start_doc)
        emitted[run.start_doc["uid"]] = run, [("start", run.start_doc)]

    for run, sent in emitted.values():
        keys = {"a": {"source": "", "dtype": "number", "shape": []}}
        stream = run.compose_descriptor(name="primary", data_keys=keys)
        resource = run.compose_resource(spec="X", root="/", resource_path="a", resource_kwargs={})
        assets = run.compose_stream_resource(
            mimetype="application/x-hdf5", uri="file://localhost/a.h5", data_key="a", parameters={}
        )
        datum = resource.compose_datum(datum_kwargs={})
        for name, document in [
            ("descriptor", stream.descriptor_doc),
            ("resource", resource.resource_doc),
            ("stream_resource", assets.stream_resource_doc),
            ("datum", datum),
            ("event", stream.compose_event(data={"a": 1.0}, timestamps={"a": 0.0})),
            (
                "event_page",
                stream.compose_event_page(
                    data={"a": [2.0, 3.0]}, timestamps={"a": [0.0, 0.0]}, seq_num=[2, 3]
                ),
            ),
            (
                "stream_datum",
                assets.compose_stream_datum(
                    indices={"start": 0, "stop": 1},
                    seq_nums={"start": 1, "stop": 2},
                    descriptor=stream.descriptor_doc,
                ),
            ),
        ]:
            journal(name, document)
            sent.append((name, document))
    for run, sent in emitted.values():
        stop = run.compose_stop()
        journal("stop", stop)
        sent.append(("stop", stop))
    for uid, (_, sent) in emitted.items():
        assert read_journal(journal.folder / f"{uid}.jsonl") == sent


def test_documents_from_several_threads_stay_whole(journal: Journal) -> None:
    run = compose_run()
    journal("start", run.start_doc)
    keys = {"a": {"source": "", "dtype": "array", "shape": [1000]}}
    stream = run.compose_descriptor(name="primary", data_keys=keys)
    journal("descriptor", stream.descriptor_doc)
    event = stream.compose_event(data={"a": [0.5] * 1000}, timestamps={"a": 0.0})

    def emit() -> None:
        for _ in range(100):
            journal("event", event)

    threads = [threading.Thread(target=emit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert events_of(only_file(journal)) == [event] * 400


def test_a_run_is_live_while_it_is_open(journal: Journal) -> None:
    run = compose_run()
    journal("start", run.start_doc)
    assert is_live(only_file(journal))
    journal("stop", run.compose_stop())
    assert not is_live(only_file(journal))


def test_the_same_run_is_not_recorded_twice(journal: Journal) -> None:
    start = compose_run().start_doc
    journal("start", start)
    with pytest.raises(FileExistsError, match="already in the journal"):
        journal("start", start)


def test_a_journal_that_missed_the_start_says_so(journal: Journal) -> None:
    run = compose_run()
    with pytest.raises(RuntimeError, match="subscribe the journal before the run is opened"):
        journal("stop", run.compose_stop())


def test_a_torn_last_line_is_left_out_at_whatever_byte_it_is_torn(
    engine: RunEngine, journal: Journal
) -> None:
    engine.subscribe(journal)
    engine(scan([det], motor, -1, 1, 2))
    path = only_file(journal)
    whole = path.read_bytes()
    documents = read_journal(path)
    last = len(whole.splitlines(keepends=True)[-1])
    for cut in range(1, last + 1):
        path.write_bytes(whole[:-cut])
        assert read_journal(path) == documents[:-1]
    path.write_bytes(whole[:-last] + b"\0" * 100)
    assert read_journal(path) == documents[:-1]


def test_a_line_damaged_in_the_middle_is_an_error_that_names_the_place(
    engine: RunEngine, journal: Journal
) -> None:
    engine.subscribe(journal)
    engine(scan([det], motor, -1, 1, 2))
    path = only_file(journal)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b'["event", {\n' + b"".join(lines[1:]))
    with pytest.raises(ValueError, match=f"damaged at byte {len(lines[0])}"):
        read_journal(path)


FULL_DISK = """
import resource, sys
from bluesky import RunEngine
from bluesky.plans import scan
from ophyd.sim import det, motor
from skysteer.storage import Journal

RE = RunEngine({}, call_returns_result=False)
RE.log.disabled = True
RE.subscribe(Journal(sys.argv[1]))
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    RE(scan([det], motor, -1, 1, 100))
except OSError as error:
    sys.exit(f"error: {error}")
"""


@pytest.mark.parametrize("limit", [100, 6000])
def test_a_full_disk_fails_the_run_with_one_clear_line(tmp_path: Path, limit: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path), str(limit)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: the journal") and "File too large" in last
    assert "free space" in last
    files = list(tmp_path.glob("*.jsonl"))
    if limit < 6000:
        assert files == []  # the start did not fit: there is no run
        return
    documents = read_journal(files[0])
    assert documents[0][0] == "start"
    numbers = [document["seq_num"] for name, document in documents if name == "event"]
    assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) > 3
    assert complete(documents, "")[-1][0] == "stop"


def test_a_rewound_point_is_kept_once_and_as_it_was_measured_last(
    engine: RunEngine, journal: Journal
) -> None:
    readings = iter(range(100))
    counter = SynSignal(name="counter", func=lambda: float(next(readings)))
    axis = SynAxis(name="axis")

    @bpp.run_decorator()
    def plan() -> Any:
        for position in range(4):
            yield from bps.checkpoint()
            yield from bps.mv(axis, position)
            yield from bps.trigger_and_read([counter, axis])
            if position == 2:
                yield from bps.pause()

    engine.subscribe(journal)
    with pytest.raises(Exception, match="paused"):
        engine(plan())
    engine.resume()

    documents = read_journal(only_file(journal))
    emitted = [d for n, d in documents if n == "event"]
    assert [event["seq_num"] for event in emitted] == [1, 2, 3, 3, 4]
    kept = [d for n, d in last_wins(documents) if n == "event"]
    assert [event["seq_num"] for event in kept] == [1, 2, 3, 4]
    assert kept[2]["data"]["counter"] == emitted[3]["data"]["counter"]
    assert documents[-1][1]["num_events"] == complete(documents[:-1], "")[-1][1]["num_events"]


def test_a_new_descriptor_of_a_stream_does_not_hide_its_rewound_points() -> None:
    run = compose_run()
    keys = {"a": {"source": "", "dtype": "number", "shape": []}}
    first = run.compose_descriptor(name="primary", data_keys=keys)
    second = run.compose_descriptor(name="primary", data_keys=keys)
    again = [
        ("event", stream.compose_event(data={"a": value}, timestamps={"a": 0}, seq_num=1))
        for stream, value in [(first, 1.0), (second, 2.0)]
    ]
    documents = [("descriptor", s.descriptor_doc) for s in (first, second)] + again
    assert last_wins(documents) == documents[:2] + again[1:]


def test_an_unfinished_run_is_closed_the_same_way_by_whoever_closes_it() -> None:
    run = compose_run()
    documents = [("start", dict(run.start_doc))]
    (*_, (name, stop)) = complete(documents, "power cut")
    assert name == "stop" and stop["exit_status"] == "abort" and stop["reason"] == "power cut"
    assert complete(documents, "power cut")[-1][1] == stop
    assert complete([*documents, (name, stop)], "other")[-1][1] == stop
    assert complete([], "power cut") == []


def test_runs_are_listed_in_order_with_their_status(engine: RunEngine, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    engine.subscribe(journal)
    engine(scan([det], motor, -1, 1, 2))
    opened, broken = compose_run(time=2e9), compose_run(time=3e9)
    journal("start", opened.start_doc)
    journal("start", broken.start_doc)
    (journal.folder / "empty.jsonl").touch()
    assert [run.status for run in list_runs(tmp_path)] == ["success", "running", "running"]
    journal.close()
    assert [run.status for run in list_runs(tmp_path)] == ["success", "unfinished", "unfinished"]
    assert [run.uid for run in list_runs(tmp_path)[1:]] == [
        opened.start_doc["uid"],
        broken.start_doc["uid"],
    ]
