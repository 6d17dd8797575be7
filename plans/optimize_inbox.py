"""What people may say to an optimisation of motors."""

from __future__ import annotations

from dataclasses import replace

from .inbox import Inbox, Said

OBEYED = ("stop", "pause", "resume", "approve", "reject")


class ObeyedOnly:
    """An inbox that refuses what has no meaning without a raster."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def take(self) -> list[Said]:
        """Take all that has been said since."""
        return [self._judged(said) for said in self._inbox.take()]

    def _judged(self, said: Said) -> Said:
        kind = said.message.kind
        if said.objection or (kind in OBEYED and "pixels" not in said.message.detail):
            return said
        why = f"an optimisation takes {', '.join(OBEYED)}: {kind} is for scans of a raster"
        return replace(said, objection=why)

    @property
    def by(self) -> str:
        """Who speaks here."""
        return self._inbox.by

    @property
    def paused(self) -> bool:
        """Whether a message paused the run."""
        return self._inbox.paused

    @paused.setter
    def paused(self, paused: bool) -> None:
        self._inbox.paused = paused
