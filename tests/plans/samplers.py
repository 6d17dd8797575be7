"""Agents of one's own, good and bad: loaded by path, in a worker or here."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from skysteer.agent import Choice, Request


class Steepest:
    """Goes where the values were highest: its choice hangs on every observation."""

    start = 0.05

    def choose(self, request: Request) -> Choice:
        free = np.argwhere(~request.taken)
        away = ((free[:, None] - request.scan.pixels[None]) ** 2).sum(axis=2)
        scores = (request.scan.values / (1 + away)).sum(axis=1)
        best = np.argsort(-scores.round(9), kind="stable")[: request.num]
        return Choice(free[best], scores[best], 1 / len(request.scan.values))


class Other(Steepest):
    """Goes where the values were lowest."""

    def choose(self, request: Request) -> Choice:
        free = np.argwhere(~request.taken)
        return Choice(free[-request.num :])


class _From(Steepest):
    """Well until decision ``number``, then not."""

    def __init__(self, number: int = 4) -> None:
        self.number = number

    def choose(self, request: Request) -> Choice:
        good = super().choose(request)
        return good if request.number < self.number else self.fail(request, good)

    def fail(self, request: Request, good: Choice) -> Choice:
        raise NotImplementedError


class Raises(_From):
    def fail(self, request: Request, good: Choice) -> Choice:
        raise ZeroDivisionError("no such luck")


class RaisesLines(_From):
    def fail(self, request: Request, good: Choice) -> Choice:
        raise ValueError("expected this\n  but that came\n")


class ChoosesAList(_From):
    def fail(self, request: Request, good: Choice) -> Choice:
        return good.pixels.tolist()  # pyright: ignore[reportReturnType]


class SaysNothing(_From):
    def fail(self, request: Request, good: Choice) -> Choice:
        return Choice(np.empty((0, 2), dtype=np.int64))


class OffTheGrid(_From):
    def fail(self, request: Request, good: Choice) -> Choice:
        return Choice(good.pixels + 1000)


class NotFinite(_From):
    def fail(self, request: Request, good: Choice) -> Choice:
        return Choice(np.full(good.pixels.shape, np.nan))


class Measured(_From):
    def fail(self, request: Request, good: Choice) -> Choice:
        return Choice(request.scan.pixels[: request.num])


class Pending(_From):
    def fail(self, request: Request, good: Choice) -> Choice:
        return Choice(np.concatenate([request.pending, good.pixels]))


class Exits(_From):
    """Ends the whole interpreter that it runs in."""

    def fail(self, request: Request, good: Choice) -> Choice:
        sys.exit(3)


class Hangs(_From):
    def fail(self, request: Request, good: Choice) -> Choice:
        time.sleep(60)
        return good


class DiesOnce(_From):
    """Kills its own process, the first time only."""

    def __init__(self, number: int = 4, trace: str = "") -> None:
        super().__init__(number)
        self.trace = Path(trace)

    def fail(self, request: Request, good: Choice) -> Choice:
        if not self.trace.exists():
            self.trace.touch()
            os.kill(os.getpid(), 9)
        return good


class Talks(Steepest):
    """Prints, as people do."""

    def choose(self, request: Request) -> Choice:
        print('{"result": "not an answer"}')
        return super().choose(request)


class Waits(Steepest):
    """Takes its time over decision ``number``."""

    def __init__(self, seconds: float = 3.0, number: int = 4) -> None:
        self.seconds = seconds
        self.number = number

    def choose(self, request: Request) -> Choice:
        if request.number == self.number:
            time.sleep(self.seconds)
        return super().choose(request)


class Hogs(Waits):
    """Computes in pure Python all that time, and so holds the interpreter lock."""

    def choose(self, request: Request) -> Choice:
        if request.number == self.number:
            end, x = time.monotonic() + self.seconds, 0
            while time.monotonic() < end:
                x = sum(k * k for k in range(20_000)) ^ x
        return Steepest.choose(self, request)


class SlowToBuild(Steepest):
    def __init__(self, seconds: float = 1.0) -> None:
        time.sleep(seconds)


class Unbuildable(Steepest):
    def __init__(self) -> None:
        raise RuntimeError("its weights are missing")


class NoChoice:
    """Not an agent."""


class Segments(Steepest):
    """Lines of up to ``longest`` free pixels from where the values were highest, along x and y."""

    ordered = True

    def __init__(self, longest: int = 6) -> None:
        self.longest = longest

    def choose(self, request: Request) -> Choice:
        free = ~request.taken
        pixels: list[tuple[int, int]] = []
        lengths: list[int] = []
        ranked = super().choose(replace(request, num=int(free.sum()))).pixels.tolist()
        for k, (row, column) in enumerate(ranked):
            step = (0, 1) if k % 3 else (1, 0)
            line = self._line(free, (row, column), step, request.num - len(pixels))
            if line:
                pixels += line[:: 1 if k % 2 else -1]
                lengths.append(len(line))
                free[tuple(np.transpose(line))] = False
        return Choice(np.array(pixels), lengths=np.array(lengths))

    def _line(
        self, free: np.ndarray, start: tuple[int, int], step: tuple[int, int], most: int
    ) -> list[tuple[int, int]]:
        line = [(start[0] + n * step[0], start[1] + n * step[1]) for n in range(self.longest)]
        inside = [p for p in line if p[0] < free.shape[0] and p[1] < free.shape[1]]
        open_ones = [bool(free[p]) for p in inside]
        end = open_ones.index(False) if False in open_ones else len(inside)
        return inside[: min(end, most)]
