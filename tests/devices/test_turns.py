"""Puts to one PV, one after the other."""

from __future__ import annotations

from typing import Any

from ophyd.status import Status

from skysteer.devices.turns import Turns


class Pv:
    """Keeps what was put, with what is to be called when that has completed."""

    def __init__(self) -> None:
        self.puts: list[tuple[float, Any]] = []

    def put(self, value: float, *, callback: Any, **_: Any) -> None:
        self.puts.append((value, callback))


def test_what_was_stopped_keeps_it_busy_until_the_ioc_says_that_it_is_over() -> None:
    pv = Pv()
    turns = Turns(pv, lambda status: turns.end(status))  # pyright: ignore[reportArgumentType]
    assert not turns.busy
    stopped, following = Status(), Status()
    turns.begin(stopped, 1.0)
    turns.end(stopped)
    assert stopped.done and turns.busy
    turns.begin(following, 2.0)
    assert [value for value, _ in pv.puts] == [1.0], "one at a time"
    pv.puts[0][1]()
    assert [value for value, _ in pv.puts] == [1.0, 2.0] and turns.busy
    pv.puts[1][1]()
    following.wait(60)
    assert following.success and not turns.busy
