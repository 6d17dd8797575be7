"""The store of a measuring process: the journal at once, the catalog behind it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .delivery import Delivery, Progress, deliver, silent, start_keeper
from .destination import Destination, refuse_secrets, share
from .journal import Journal
from .runs import list_runs


class Store:
    """Keep every document of the runs that pass.

    Subscribe it to a RunEngine before everything else. A document is in the journal when the call
    returns, which takes microseconds; another process brings it into the catalog, so that a slow,
    dead or broken catalog costs the scan nothing.

    Parameters
    ----------
    folder : path
        The data folder; made if missing.
    url : str, optional
        A Tiled container that the runs go to instead of the folder's own catalog. Its API key is
        taken from the environment variable ``TILED_API_KEY``.

    Raises
    ------
    OSError
        From a call: the journal could not be written. This is meant to fail the run.
    """

    def __init__(self, folder: str | os.PathLike[str], url: str | None = None) -> None:
        refuse_secrets(url)
        self._destination = Destination(Path(folder).resolve(), url)
        self._destination.make()
        self._journal = Journal(self._destination.journal)
        self._presence = share(self._destination.users)
        self._runs: list[str] = []
        self._delivery: Delivery | None = None
        self._at_work = start_keeper(self._destination)

    def __call__(self, name: str, document: dict[str, Any]) -> None:
        self._journal(name, document)
        if name == "start":
            for uid in (document["uid"], *_runs_before(document, self._destination)):
                self._destination.announce(uid)
                self._runs.append(uid)
            if not self._at_work():
                self._at_work = start_keeper(self._destination)

    def wait(self, timeout: float = 60.0) -> Delivery:
        """Wait until the runs so far are in the catalog.

        Parameters
        ----------
        timeout : float
            Seconds to wait at most.
        """
        return deliver(self._destination, self._runs, timeout)

    def close(self, timeout: float = 60.0, progress: Progress = silent) -> Delivery:
        """Wait until the runs are in the catalog, and let it go.

        Parameters
        ----------
        timeout : float
            Seconds to wait at most.
        progress : callable, optional
            Called with the number of runs that are done, and of all.

        Returns
        -------
        Delivery
            ``str(delivery)`` is one line for the user. Whatever it says, the journal has it all.
        """
        self._journal.close()
        if self._delivery is None:
            self._delivery = deliver(self._destination, self._runs, timeout, progress)
            os.close(self._presence)
        return self._delivery


def _runs_before(start: Mapping[str, Any], destination: Destination) -> list[str]:
    """Give the runs of the journal that a run goes on with: a catalog needs the whole chain."""
    if "resumed_from" not in start:
        return []
    before = {run.uid: run.start.get("resumed_from") for run in list_runs(destination.folder)}
    uid, chain = start["resumed_from"], list[str]()
    while uid in before and uid not in chain:
        chain.append(uid)
        uid = before[uid]
    return chain
