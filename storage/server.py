"""A Tiled server for one data folder, on loopback."""

import secrets
import socket
import threading
from pathlib import Path
from typing import Any

import uvicorn
from tiled.commandline import _catalog
from tiled.server.app import build_app_from_config

RUNS = {"name": "CatalogOfBlueskyRuns", "version": "3.0"}
"""With this mark Tiled's client finds runs by scan id, partial uid and recency."""

TABLES = "duckdb:///{state}/tables.duckdb"
"""Where events go; `docs/decisions/0003-one-keeper-per-folder.md` has why."""


class FolderServer:
    """Serve the catalog of one data folder from a thread of this process.

    The port is the kernel's choice and the key is random.

    Parameters
    ----------
    state : Path
        Where the catalog is, or is made.
    """

    def __init__(self, state: Path) -> None:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.uri = f"http://127.0.0.1:{self._socket.getsockname()[1]}/api/v1"
        self.api_key = secrets.token_hex(32)
        # what Tiled does itself when told to, but there in another process, which takes 4 s
        _catalog.init(f"sqlite:///{state / 'catalog.db'}", if_not_exists=True)
        app = build_app_from_config(_configuration(state, self.api_key))
        self._server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
        # daemon: when the keeper fails, its server does not stay behind
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), daemon=True
        )

    def start(self) -> None:
        """Serve; return when requests are answered.

        Raises
        ------
        RuntimeError
            If the server ends before it has answered.
        """
        self._thread.start()
        while not self._server.started:
            self._thread.join(0.02)
            if not self._thread.is_alive():
                raise RuntimeError("the Tiled server ended before it answered")

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()


def _configuration(state: Path, key: str) -> dict[str, Any]:
    return {
        "catalog": {
            "uri": f"sqlite:///{state / 'catalog.db'}",
            # the folder is one user's, and so is the server: what that user can read it may serve
            "readable_storage": ["/"],
            "writable_storage": [str(state / "data"), TABLES.format(state=state)],
            "specs": [RUNS],
        },
        "authentication": {"single_user_api_key": key},
        "media_types": {
            "BlueskyRun": {
                "application/json-seq": "bluesky_tiled_plugins.exporters:json_seq_exporter"
            }
        },
        "metrics": {"prometheus": False},
    }
