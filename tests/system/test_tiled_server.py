"""A Tiled server that is a process of its own: killed in mid-scan, and the scan resumed from it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from skysteer.simulators import Ioc
from skysteer.storage import list_runs, open_catalog, read_chain, sync

from .programs import benchmark

kills = benchmark("reliability_kills")
AGENT = f"{Path(__file__).parents[1] / 'plans' / 'samplers.py'}:Steepest"  # quick to start
KEY = "kept4yourself"
PATIENCE = 200  # s

SERVER = """
import socket, sys
import uvicorn
from pathlib import Path
from tiled.commandline import _catalog
from tiled.server.app import build_app_from_config
from skysteer.storage.server import _configuration

state, port = Path(sys.argv[1]), int(sys.argv[2])
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
listener.bind(("127.0.0.1", port))
_catalog.init(f"sqlite:///{state / 'catalog.db'}", if_not_exists=True)
app = build_app_from_config(_configuration(state, sys.stdin.readline().strip()))
uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).run([listener])
"""


class TiledServer:
    """A server whose port stays its own while it is dead."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._place = socket.socket()
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._place.bind(("127.0.0.1", 0))
        self.port = self._place.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/api/v1"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [sys.executable, "-c", SERVER, str(self._state), str(self.port)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)
        assert self._process.stdin
        self._process.stdin.write(f"{KEY}\n")
        self._process.stdin.flush()
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            assert self._process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/", timeout=PATIENCE, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def close(self) -> None:
        self.kill()
        self._place.close()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TiledServer]:
    monkeypatch.setenv("TILED_API_KEY", KEY)
    monkeypatch.setenv("TILED_RETRY_TIMEOUT", "1")
    state = tmp_path / "server"
    state.mkdir()
    server = TiledServer(state)
    server.start()
    yield server
    server.close()


@pytest.mark.timeout(900)
def test_a_scan_is_resumed_elsewhere_from_a_server_that_was_killed_meanwhile(
    server: TiledServer, tmp_path: Path
) -> None:
    with Ioc(kills.MICROSCOPE) as ioc:
        here, elsewhere = (
            kills.KilledScan(tmp_path / name, ioc, AGENT) for name in ("here", "elsewhere")
        )
        scan = here.scan("--tiled", server.url)
        assert here.wait_for(30, scan)
        server.kill()
        assert here.wait_for(70, scan), "the scan goes on without it"
        here.kill("RunEngine", scan)
        server.start()
        assert sync(here.folder, server.url, timeout=PATIENCE).complete
        (left,) = list_runs(here.folder)
        assert left.start["skysteer"]["beam"]["key"] == "ring_current"

        # another machine: nothing but the server
        told = elsewhere.outcome(elsewhere.resume("--tiled", server.url))
    assert told and told["resumed_from"] == left.uid
    assert told["points"] == kills.POINTS
    points = elsewhere.points()
    assert len({row[1:3] for row in points}) == len(points) == kills.POINTS
    chain = read_chain(open_catalog(server.url))
    assert [run.start["uid"] for run in chain] == [left.uid, told["uid"]]
    recorded = [value for run in chain for value in run.events()["counter"]]
    assert recorded == [float(row[5]) for row in points]
