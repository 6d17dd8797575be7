"""Follows a folder and draws what it sees, in a thread; what it has last drawn is there at once."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..storage import takes_messages
from .follower import RunFollower
from .live_images import PanelImage, panel_images
from .run_state import page_state

LOOK = 0.25  # s between two looks at the journal
REST = 4  # times as long as a drawing took, before the next
UNTOLD, SELDOM = 1.0, 5.0  # s between two states where nothing is new, and where nobody looks
WATCHED = 10.0  # s after a page has asked in which it is taken to be there
LAST_LOOK = 8.0  # s that a page has to fetch the last state


@dataclass(frozen=True)
class Snapshot:
    """What a page shows at one moment.

    Attributes
    ----------
    state : dict
        As `run_state.page_state`.
    images : tuple of PanelImage
    drawn : int
        Number of the drawing.
    """

    state: dict[str, Any] = field(default_factory=dict)
    images: tuple[PanelImage, ...] = ()
    drawn: int = 0


class Studio:
    """Draws the latest run of a folder while somebody looks, at most a fifth of the time.

    Parameters
    ----------
    folder : path
        The data folder.

    Attributes
    ----------
    snapshot : Snapshot
        The latest one.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)
        self._follower = RunFollower(folder)
        self.snapshot = Snapshot(page_state(None, mailbox=False))
        self._asked, self._shown = -WATCHED, 0
        self._news, self._next, self._uid = False, 0.0, ""
        self._untold, self._told = False, -SELDOM
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="studio", daemon=True)
        self._thread.start()

    def ask(self, shown: int) -> Snapshot:
        """Give the latest snapshot to a page, which shows the drawing of that number."""
        self._asked, self._shown = time.monotonic(), shown
        return self.snapshot

    def finish(self) -> None:
        """Draw what is left, and let a page that is there fetch it."""
        self.close()
        deadline = time.monotonic() + LAST_LOOK
        while self._watched() and self._shown < self.snapshot.drawn and time.monotonic() < deadline:
            time.sleep(LOOK)

    def close(self) -> None:
        """Draw what is left, and end."""
        self._over.set()
        self._thread.join()

    def _watched(self) -> bool:
        return time.monotonic() - self._asked < WATCHED

    def _work(self) -> None:
        over = False
        while not over:
            over = self._over.wait(LOOK)  # before the look: what came before the end is seen
            try:
                self._look(over)
            except Exception as error:  # else a page would stand still and not say so
                words = f"{type(error).__name__}: {error}"
                state = {**page_state(None, mailbox=False), "state": "not shown", "words": words}
                self.snapshot = Snapshot(state, (), self.snapshot.drawn + 1)

    def _look(self, over: bool) -> None:
        while self._follower.look():
            self._news = self._untold = True
        now, watched = time.monotonic(), self._watched()
        if over or now - self._told > (UNTOLD if watched else SELDOM) or (self._untold and watched):
            self._tell()
        if self._news and (over or (watched and now > self._next)):
            self._draw()

    def _tell(self) -> None:
        """Say where the run stands; the images stay, unless it is another run."""
        self._told, self._untold = time.monotonic(), False
        state = page_state(self._follower.run, mailbox=takes_messages(self._folder))
        if state.get("uid", "") != self._uid:
            self._uid, self._next = state.get("uid", ""), 0.0
            self.snapshot = Snapshot(state, (), self.snapshot.drawn + 1)
        else:
            self.snapshot = Snapshot(state, self.snapshot.images, self.snapshot.drawn)

    def _draw(self) -> None:
        began = time.monotonic()
        run = self._follower.run
        view = None if run is None else run.scan.view()
        self._news = False
        if view is not None:
            images = tuple(panel_images(view))
            self.snapshot = Snapshot(self.snapshot.state, images, self.snapshot.drawn + 1)
        now = time.monotonic()
        self._next = now + REST * (now - began)
