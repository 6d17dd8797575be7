"""One put-completion at a time on a PV, and one end for each status that waits for it."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from ophyd import EpicsSignal, StatusBase


class Turns:
    """Puts with completion to one PV, each begun when the one before has completed.

    A second put-callback during the first is not safe: a C IOC holds up all that the client sends
    until the first completes (rsrv, ``write_notify_action``), its stop included; a busy record
    lets it complete with the action that was aborted.

    Whoever ends a status, completion or stop, takes it out of `current` first: it hears once, and
    no late completion is taken for that of the next.

    Parameters
    ----------
    signal
        The PV to put to.
    completed
        Called with the status whose put has completed, unless it has been ended before; must
        `end` it.
    """

    def __init__(self, signal: EpicsSignal, completed: Callable[[Any], None]) -> None:
        self.current: StatusBase | None = None
        self._signal = signal
        self._completed = completed
        self._value: Any = None
        self._awaited: StatusBase | None = None
        self._lock = threading.Lock()

    @property
    def busy(self) -> bool:
        """Whether the completion of a put is still awaited, if only one that was stopped."""
        return self._awaited is not None

    def begin(self, status: StatusBase, value: Any) -> None:
        """Put the value, now or after the completion still awaited; a `current` status fails."""
        with self._lock:
            replaced = self._release(status)
            self._value = value
            free = self._awaited is None
            if free:
                self._awaited = status
        if replaced is not None:
            replaced.set_exception(RuntimeError(f"replaced by a {status}"))
        if free:
            self._put(status, value)

    def end(self, status: StatusBase | None, error: Exception | None = None) -> None:
        """End the status, if it is still the current one."""
        with self._lock:
            if status is None or status is not self.current:
                return
            self._release(None)
        if status.done:  # it ran out of time
            return
        if error is None:
            status.set_finished()
        else:
            status.set_exception(error)

    def _release(self, following: StatusBase | None) -> StatusBase | None:
        released, self.current = self.current, following
        if released is not None and released.done:
            self._awaited = None  # it ran out of time: its completion may never come
        return released

    def _put(self, status: StatusBase, value: Any) -> None:
        ended = partial(self._ended, status)
        try:
            self._signal.put(value, force=True, use_complete=True, callback=ended)
        except Exception as error:
            with self._lock:
                self._awaited = None
            self.end(status, error)
            raise

    def _ended(self, status: StatusBase, **_: Any) -> None:
        with self._lock:
            if status is not self._awaited:
                return
            current, value = self.current, self._value
            self._awaited = None if current is status else current
        if current is status:
            self._completed(status)
        elif current is not None:
            self._put(current, value)
