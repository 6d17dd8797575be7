"""What docs/security.md promises of files, names and keys."""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from bluesky import RunEngine
from bluesky.plans import count
from ophyd.sim import det

import skysteer
from skysteer.storage import Journal, Store, list_runs, read_run, sync

ROOT = Path(skysteer.__file__).parent
KEY = "kept4yourself"

HOSTILE = ["../../evil", "/tmp/evil", "..", "", "a/b", "a\\b", ".hidden", "x" * 200, "a\nb", "a b"]


@pytest.mark.parametrize("uid", HOSTILE, ids=range(len(HOSTILE)))
def test_a_uid_never_names_a_file_elsewhere(tmp_path, uid):
    folder = tmp_path / "data" / "journal"
    journal = Journal(folder)
    with pytest.raises(ValueError, match="uid names files"):
        journal("start", {"uid": uid, "time": 0.0})
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_nor_does_one_that_a_journal_from_elsewhere_brings(tmp_path):
    folder = tmp_path / "data"
    journal = Journal(folder / "journal")
    journal("start", {"uid": "0" * 8, "time": 0.0})
    journal("stop", {"uid": "1", "run_start": "0" * 8, "time": 1.0, "exit_status": "success"})
    (path,) = (folder / "journal").iterdir()
    path.write_bytes(path.read_bytes().replace(b'"00000000"', b'"../../../evil"'))
    with pytest.raises(ValueError, match="uid names files"):
        sync(folder, timeout=1.0)
    assert not list(tmp_path.rglob("evil*"))


@pytest.mark.parametrize(
    "url",
    [f"http://store.example/api/v1?api_key={KEY}", f"https://me:{KEY}@store.example/api/v1"],
)
def test_a_key_in_a_url_is_refused_and_not_repeated(tmp_path, url):
    (tmp_path / "journal").mkdir()
    for attempt in (lambda: Store(tmp_path, url), lambda: sync(tmp_path, url)):
        with pytest.raises(ValueError, match="TILED_API_KEY") as refused:
            attempt()
        assert KEY not in str(refused.value) and "store.example" in str(refused.value)
    assert [path.name for path in tmp_path.rglob("*")] == ["journal"]


def test_the_key_is_in_no_file_line_or_traceback(tmp_path):
    """With a store that nobody serves, and every traceback asked for."""
    (tmp_path / "journal").mkdir()
    environment = {**os.environ, "TILED_API_KEY": KEY, "SKYSTEER_TRACEBACK": "1"}
    engine = RunEngine()
    engine.subscribe(Journal(tmp_path / "journal"))
    engine(count([det]))
    engine.loop.call_soon_threadsafe(engine.loop.stop)
    command = ["runs", "--out", str(tmp_path), "sync", "--tiled", "http://127.0.0.1:9/api/v1"]
    done = subprocess.run(
        [sys.executable, "-m", "skysteer", *command],
        env={**environment, "TILED_RETRY_TIMEOUT": "1"},
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode != 0 and "Traceback" in done.stderr
    assert KEY not in done.stdout + done.stderr
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files and not [path for path in files if KEY.encode() in path.read_bytes()]


def test_the_card_with_the_key_of_the_folders_own_server_is_for_its_user_alone(tmp_path):
    engine = RunEngine()
    store = Store(tmp_path)
    engine.subscribe(store)
    (uid,) = engine(count([det]))
    card = tmp_path / "catalog" / "keeper.json"
    assert store.close(100).complete
    if card.exists():  # the keeper may have gone by now
        assert stat.S_IMODE(card.stat().st_mode) == 0o600
    engine.loop.call_soon_threadsafe(engine.loop.stop)
    assert list_runs(tmp_path)[0].uid == uid
    key = re.compile(rb"api_key[\"']?\s*[:=]\s*[\"']?[0-9a-f]{16}")
    documents = (tmp_path / "journal" / f"{uid}.jsonl").read_bytes()
    log = (tmp_path / "catalog" / "keeper.log").read_bytes()
    assert not key.search(documents) and not key.search(log)


def test_nothing_here_speaks_0mq_kafka_or_another_network_of_documents():
    words = re.compile(r"\b(zmq|RemoteDispatcher|kafka|redis)\b")
    sources = [path for path in ROOT.glob("*/*.py") if "tests" not in path.parts]
    sources += ROOT.glob("*.py")
    assert len(sources) > 50
    assert [p.name for p in sources if ".venv" not in p.parts and words.search(p.read_text())] == []


def test_a_damaged_journal_is_an_error_not_a_crash(tmp_path):
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / "a.jsonl").write_bytes(b'["start", {"uid": "a", "time": 0}]\n{}{}\n\n')
    with pytest.raises(ValueError, match="damaged at byte"):
        read_run(tmp_path, "a").documents()
