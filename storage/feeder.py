"""Bringing the runs that an outbox names into a catalog."""

import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any

import httpx

from .destination import Destination
from .journal import SUFFIX
from .writer import RunWriter

RECONNECT = 5.0
"""Seconds until a store that does not answer is asked again."""


class Feeder:
    """Write the runs that an outbox names into a catalog.

    Parameters
    ----------
    destination : Destination
        Whose outbox it is.
    connect : callable
        Gives a client of the catalog; called again after the connection has failed.
    """

    def __init__(self, destination: Destination, connect: Callable[[], Any]) -> None:
        self._destination = destination
        self._connect = connect
        self._catalog: Any = None
        self._writers: dict[str, RunWriter] = {}
        self._ask_again = 0.0

    def advance(self) -> bool:
        """Write a part of each run that waits; say whether there was anything to write.

        What goes wrong is told in the outbox, and does not concern the caller.
        """
        pending = self._destination.pending()
        if not pending or time.monotonic() < self._ask_again:
            return False
        try:
            if self._catalog is None:
                self._catalog = self._connect()
                pending = self._forgive(pending)
            wrote = [self._write(uid) for uid, trouble in pending.items() if not trouble]
            return any(wrote)
        except Exception as error:
            logging.warning("the catalog cannot be reached: %s", one_line(error))
            self._catalog = None
            self._writers.clear()
            self._ask_again = time.monotonic() + RECONNECT
            for uid in pending:
                self._tell(uid, error)
            return False

    def _write(self, uid: str) -> bool:
        if uid not in self._writers:
            path = self._destination.journal / f"{uid}{SUFFIX}"
            self._writers[uid] = RunWriter(path, self._catalog)
        writer = self._writers[uid]
        try:
            wrote = writer.advance()
        except httpx.TransportError:
            raise  # the store's trouble, not this run's
        except Exception as error:
            logging.exception("run %s did not reach the catalog", uid)
            self._tell(uid, error)
            del self._writers[uid]
            return False
        if writer.whole:
            self._destination.arrived(uid)
            del self._writers[uid]
        return wrote

    def _tell(self, uid: str, error: Exception) -> None:
        # a disk that is full here too must not end the keeper
        with contextlib.suppress(OSError):
            self._destination.announce(uid, trouble=one_line(error))

    def _forgive(self, pending: dict[str, str]) -> dict[str, str]:
        for uid in pending:
            self._destination.announce(uid)
        return dict.fromkeys(pending, "")


def one_line(error: Exception) -> str:
    """Say what went wrong in one line."""
    return f"{type(error).__name__}: {error}".partition("\n")[0]
