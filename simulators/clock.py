"""Simulated time, which may run faster than the wall's."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Clock:
    """Seconds of the simulation since it was made.

    Attributes
    ----------
    scale : float
        How many times faster than the wall's clock it runs.
    """

    scale: float = 1.0
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        if not 0 < self.scale < float("inf"):
            raise ValueError(f"time runs {self.scale} times as fast: expected a positive number")

    def now(self) -> float:
        """S since the start."""
        return (time.monotonic() - self.started) * self.scale

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` of simulated time pass."""
        await asyncio.sleep(seconds / self.scale)

    async def wait(self, event: asyncio.Event, seconds: float | None = None) -> bool:
        """Wait for the event, at most `seconds`; tell whether it came."""
        try:
            await asyncio.wait_for(event.wait(), None if seconds is None else seconds / self.scale)
        except TimeoutError:
            return False
        return True
