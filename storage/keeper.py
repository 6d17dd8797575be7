"""The process that keeps a catalog filled from the journal: ``python -m skysteer.storage.keeper``.

There is one for each data folder and destination. It serves the folder's own catalog, writes into
it (or into a remote one) the runs that the outbox names, and ends when nobody uses it any more.
The process that measures does none of this work, and loses nothing when it fails.
"""

import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

from .destination import Destination, seize

NICE = 5
"""The scan goes first; but with 10 the catalog starves on a busy machine."""

POLL = 0.2
"""Seconds between two looks at the outbox."""


def main() -> None:
    """Keep one destination, which a line of JSON on standard input names."""
    request = json.loads(sys.stdin.readline())
    destination = Destination(Path(request["folder"]), request["url"])
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    if _become_keeper(destination) is not None:
        os.nice(NICE)
        keep(destination)


def _become_keeper(destination: Destination) -> int | None:
    """Take the keeper's lock; None if another keeper serves, or nobody waits for one any more."""
    while (lock := seize(destination.keeper)) is None:
        if destination.keeper_card() or destination.is_unused():
            return None
        time.sleep(POLL)  # the one before is leaving, or the one that was faster still starts
    destination.card.unlink(missing_ok=True)
    return lock


def keep(destination: Destination) -> None:
    """Serve and fill a destination for as long as somebody uses it."""
    # seconds of imports: not for a process that finds another keeper at work
    from .catalog import connect
    from .feeder import Feeder
    from .server import FolderServer

    server = None if destination.url else FolderServer(destination.state)
    card = {"pid": os.getpid(), "uri": destination.url, "api_key": None}
    if server:
        server.start()
        card |= {"uri": server.uri, "api_key": server.api_key}
    _write_private(destination.card, card)
    feeder = Feeder(destination, lambda: connect(card["uri"], card["api_key"]))
    while True:
        if feeder.advance():
            continue
        if _let_go(destination):
            break
        time.sleep(POLL)
    if server:
        server.stop()


def _let_go(destination: Destination) -> bool:
    """Take the card back if nobody uses the destination, so that whoever comes sees no keeper."""
    if not destination.state.exists():
        return True  # somebody has removed the folder
    users = seize(destination.users)
    if users is None:
        return False
    destination.card.unlink()
    os.close(users)
    return True


def _write_private(path: Path, content: dict[str, Any]) -> None:
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file)
    draft.replace(path)


if __name__ == "__main__":
    main()
