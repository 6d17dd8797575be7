"""Filling a catalog from the journal."""

import os

from .delivery import Delivery, Progress, deliver, silent
from .destination import Destination, refuse_secrets, share
from .runs import list_runs


def sync(
    folder: str | os.PathLike[str],
    url: str | None = None,
    timeout: float = 3600.0,
    progress: Progress = silent,
) -> Delivery:
    """Bring every run of a data folder's journal into a catalog.

    What is there already is left as it is; a part of a run is replaced by the whole; a run whose
    process has died is closed, with the reason; a run that is still being measured is left to the
    process that measures it.

    Parameters
    ----------
    folder : path
        The data folder.
    url : str, optional
        A Tiled container; if None, the folder's own catalog.
    timeout : float
        Seconds to wait at most.
    progress : callable, optional
        Called with the number of runs that are done, and of all.

    Raises
    ------
    FileNotFoundError
        If the folder holds no journal.
    """
    refuse_secrets(url)
    destination = Destination.existing(folder, url)
    destination.make()
    presence = share(destination.users)
    try:
        ended = [run.uid for run in list_runs(folder) if not run.live]
        for uid in ended:
            destination.announce(uid)
        return deliver(destination, ended, timeout, progress)
    finally:
        os.close(presence)
