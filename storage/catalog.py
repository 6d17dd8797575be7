"""A Tiled client of the runs that were kept."""

import os
import time
import weakref
from pathlib import Path
from typing import Any

from tiled.client import from_uri
from tiled.client.container import Container
from tiled.structures.core import Spec

from .delivery import start_keeper
from .destination import Destination, share

RUNS = Spec("CatalogOfBlueskyRuns", version="3.0")
"""With this mark Tiled's client finds runs by scan id, partial uid and recency."""


def open_catalog(source: str | os.PathLike[str], timeout: float = 60.0) -> Any:
    """Open the catalog of a data folder, or of a Tiled server.

    A folder is served by a process of its own, which is started if it does not run, and goes when
    the last client has gone.

    Parameters
    ----------
    source : path or URL
        A data folder, or a Tiled container (``http://...``; API key from ``TILED_API_KEY``).
    timeout : float
        Seconds until the folder's server must answer; its first start takes 5 to 15.

    Returns
    -------
    CatalogOfBlueskyRuns
        In the order in which the runs were started: ``catalog[-1]`` is the latest,
        ``catalog[7]`` that with scan id 7, ``catalog["3c93f54e"]`` goes by partial uid.

    Raises
    ------
    FileNotFoundError
        If the folder holds no journal.
    TimeoutError
        If its server does not answer in time.
    """
    if str(source).startswith(("http://", "https://")):
        return connect(str(source)).sort(("start.time", 1))
    destination = Destination(Path(source).resolve())
    if not destination.state.is_dir():  # the journal may be gone, when the catalog has it all
        destination = Destination.existing(source)
    destination.make()
    presence = share(destination.users)
    card = _await_card(destination, timeout)
    catalog = connect(card["uri"], card["api_key"])
    # every client that is derived from this one shares the context
    weakref.finalize(catalog.context, os.close, presence)
    return catalog.sort(("start.time", 1))


def _await_card(destination: Destination, timeout: float) -> dict[str, Any]:
    at_work = start_keeper(destination)
    deadline = time.monotonic() + timeout
    while not (card := destination.keeper_card()):
        if time.monotonic() > deadline or not at_work():
            raise TimeoutError(
                f"the catalog of {destination.folder} could not be served within {timeout:g} s: "
                f"see {destination.log}"
            )
        time.sleep(0.05)
    return card


def connect(uri: str, api_key: str | None = None) -> Any:
    """Connect to a container for Bluesky runs.

    Parameters
    ----------
    uri : str
        Of the container. If it is not one for runs, its child ``raw`` is, and is made if missing.
    api_key : str, optional
        If None, ``TILED_API_KEY`` is used.

    Returns
    -------
    CatalogOfBlueskyRuns
    """
    # loopback is nothing for a proxy
    found = from_uri(uri, api_key=api_key, trust_env=api_key is None)
    if RUNS.name in {spec.name for spec in found.specs}:
        return found
    if not isinstance(found, Container):
        raise ValueError(f"{uri} is a {type(found).__name__}: expected a container for runs")
    return found["raw"] if "raw" in found else found.create_container("raw", specs=[RUNS])
