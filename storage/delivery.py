"""Seeing to it that runs reach a catalog, without doing the work."""

import contextlib
import json
import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import IO, TypeAlias, cast
from urllib.parse import urlsplit

from .destination import Destination, is_seized

LOOK = 0.1
"""Seconds between two looks at the outbox."""

GENTLE = {
    # the scan shares this machine's cores
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # what does not answer is asked again later; by default one request is tried for 45 s
    "TILED_RETRY_TIMEOUT": "10",
}


Progress: TypeAlias = Callable[[int, int], None]


def silent(done: int, total: int) -> None:
    """Tell nobody how far it is."""


@dataclass(frozen=True)
class Delivery:
    """What has become of runs on their way to a catalog.

    Parameters
    ----------
    destination : Destination
        The catalog.
    written : int
        Runs that are in the catalog now.
    pending : dict
        Uid to the reason of runs that are not.
    """

    destination: Destination
    written: int
    pending: dict[str, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return not self.pending

    def __str__(self) -> str:
        folder, url = str(self.destination.folder), _without_secrets(self.destination.url or "")
        if self.complete:
            return f"{self.written} run(s) in the catalog {url or self.destination.state}"
        reason = next(iter(self.pending.values()))
        remote = ["--tiled", url] if url else []
        command = shlex.join(["skysteer", "runs", "--out", folder, "sync", *remote])
        return (
            f"{len(self.pending)} of {self.written + len(self.pending)} run(s) are in the journal, "
            f"but not yet in the catalog ({reason}): `{command}` brings them there"
        )


def start_keeper(destination: Destination) -> Callable[[], bool]:
    """See to it that a destination has its keeper, without waiting for it.

    Returns
    -------
    callable
        Says whether a keeper is at work, or still starting.
    """
    if destination.keeper_card():
        return lambda: is_seized(destination.keeper)
    with open(destination.log, "a") as log:
        process = subprocess.Popen(
            # -P: a file queue.py in the working directory is no part of Python
            [sys.executable, "-P", "-m", "skysteer.storage.keeper"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env={**GENTLE, **os.environ},
            start_new_session=True,  # Ctrl-C is for the scan
        )
    request = {"folder": str(destination.folder), "url": destination.url}
    # not an argument, which everybody could read: the URL may hold a key
    with contextlib.suppress(BrokenPipeError), cast(IO[bytes], process.stdin) as stdin:
        stdin.write(json.dumps(request).encode() + b"\n")
    threading.Thread(target=process.wait, daemon=True).start()  # leaves no zombie
    return lambda: process.poll() is None or is_seized(destination.keeper)


def deliver(
    destination: Destination,
    uids: Iterable[str],
    timeout: float,
    progress: Progress = silent,
) -> Delivery:
    """Wait until runs have reached the catalog, or cannot.

    Parameters
    ----------
    destination : Destination
        Whose outbox names the runs. A process that uses it keeps its keeper alive.
    uids : iterable of str
        The runs.
    timeout : float
        Seconds to wait.
    progress : callable, optional
        Called with the number of runs that are done, and of all, whenever it has changed.
    """
    uids = set(uids)
    at_work = start_keeper(destination)
    deadline = time.monotonic() + timeout
    written = -1
    while True:
        alive = at_work()  # asked first: what it did before it ended is then seen
        pending = {u: why for u, why in destination.pending().items() if u in uids}
        if len(uids) - len(pending) != written:
            written = len(uids) - len(pending)
            progress(written, len(uids))
        if all(pending.values()):
            return Delivery(destination, written, pending)
        if not alive or time.monotonic() > deadline:
            why = "took too long" if alive else f"its keeper ended, see {destination.log}"
            reasons = {uid: reason or why for uid, reason in pending.items()}
            return Delivery(destination, written, reasons)
        time.sleep(LOOK)


def _without_secrets(url: str) -> str:
    """Leave out a key in the query, and a password before the host."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host, query="", fragment="").geturl()
