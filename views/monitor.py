"""`skysteer monitor`: the web page that follows a folder's scans, from its start to its end."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import webbrowser
from collections.abc import Iterator
from html import escape
from pathlib import Path

import uvicorn

from ..workers import ONE_THREAD
from .monitor_app import MonitorPage
from .studio import Studio

NICE = 10  # the scan goes before
LAST = 10.0  # s that a page may take to fetch the last picture, when the scan's command ends


def watch_folder(
    folder: str | os.PathLike[str],
    *,
    port: int = 0,
    browser: bool = True,
    until_input_ends: bool = False,
) -> None:
    """Serve the page on this machine's loopback, until Ctrl-C.

    Parameters
    ----------
    folder : path
        The data folder whose scans are followed.
    port : int
        0 for one that is free.
    browser : bool
        Whether a browser is opened, where there is a screen.
    until_input_ends : bool
        Whether it ends with its standard input, too, as when whoever has started it has ended.

    Raises
    ------
    ValueError
        If the port is taken.
    """
    os.nice(NICE)
    key = secrets.token_urlsafe(32)
    with _listener(port) as listener, tempfile.TemporaryDirectory(prefix="skysteer-") as place:
        studio = Studio(folder)
        config = uvicorn.Config(
            MonitorPage(Path(folder), studio, key).app(),
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        until = "it ends with this scan" if until_input_ends else "Ctrl-C ends it"
        print(f"skysteer: {url} shows the scans in {folder}; {until}", flush=True)
        if until_input_ends:
            threading.Thread(target=_end_with_input, args=(server, studio), daemon=True).start()
        if not (browser and _open_browser(url, key, Path(place))):
            token = Path(folder) / "inbox" / "token"
            print(f"skysteer: to steer there, paste the scan's token: {token}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
        studio.close()


@contextlib.contextmanager
def monitored(folder: Path) -> Iterator[None]:
    """Serve the page by a process of its own for as long as something is done.

    Parameters
    ----------
    folder : path
        The data folder, which need not be there yet.
    """
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "skysteer.views.monitor", folder],
        stdin=subprocess.PIPE,
        stdout=2,  # standard output is the command's result
        env={**os.environ, **ONE_THREAD},
        start_new_session=True,  # Ctrl-C is for the scan
    ) as process:
        try:
            yield
        finally:
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(LAST)
            except (subprocess.TimeoutExpired, KeyboardInterrupt):
                process.kill()


def _listener(port: int) -> socket.socket:
    if not 0 <= port < 65536:
        raise ValueError(f"--port takes 0 to 65535, but {port} came")
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise ValueError(
            f"port {port} cannot be had ({error.strerror}): give another --port, or none for one "
            "that is free"
        ) from error
    return listener


def _open_browser(url: str, key: str, place: Path) -> bool:
    """Open the page with its key, which no URL, command line or log may hold."""
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    page = place / "open.html"  # in a folder that nobody else can read
    page.write_text(
        f'<!DOCTYPE html><title>skysteer</title><form method="post" action="{escape(url)}open">'
        f'<input type="hidden" name="key" value="{escape(key)}"></form>'
        "<script>document.forms[0].submit()</script>",
        encoding="utf-8",
    )
    return webbrowser.open(page.as_uri())


def _end_with_input(server: uvicorn.Server, studio: Studio) -> None:
    sys.stdin.buffer.read()
    studio.finish()
    server.should_exit = True


if __name__ == "__main__":
    watch_folder(sys.argv[1], until_input_ends=True)
