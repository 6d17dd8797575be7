"""A future as what bluesky waits for."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

Result = TypeVar("Result")


class FutureStatus:
    """A bluesky Status over a future."""

    def __init__(self, future: Future[Any]) -> None:
        self._future = future

    def add_callback(self, callback: Callable[[FutureStatus], None]) -> None:
        """Call back when done, at once if it is done already."""
        self._future.add_done_callback(lambda _: callback(self))

    def exception(self, timeout: float | None = 0.0) -> BaseException | None:
        """The exception that it ended with, if any."""
        return self._future.exception(timeout)

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self._future.done()

    @property
    def success(self) -> bool:
        """Whether it has ended well."""
        return self.done and self._future.exception() is None


def done(result: Result) -> Future[Result]:
    """Give a future that has its result."""
    future: Future[Result] = Future()
    future.set_result(result)
    return future


def finished() -> FutureStatus:
    """Give the status of what is done already."""
    return FutureStatus(done(None))
