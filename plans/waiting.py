"""Waiting that keeps the RunEngine free."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import Future
from typing import Any

import bluesky.plan_stubs as bps

from .logbook import Plan


def wait_for_future(future: Future[Any], timeout: float | None = None) -> Plan:
    """Wait for a future, at most so many seconds, without an opinion on its outcome."""

    async def ended() -> None:
        outcome = asyncio.wrap_future(future)
        outcome.add_done_callback(_retrieve)
        with contextlib.suppress(Exception):
            # shielded: a pause cancels this wait, and would cancel the call with it
            await asyncio.wait_for(asyncio.shield(outcome), timeout)

    yield from bps.wait_for([ended])


def _retrieve(outcome: asyncio.Future[Any]) -> None:
    """Take the exception of what nobody waits for any more; else asyncio complains of it."""
    if not outcome.cancelled():
        outcome.exception()
