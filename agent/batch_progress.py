"""How far a batch got before its run stopped, out of the run's readings and interventions."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .intervention import Intervention

Pixel = tuple[int, int]

ONCE_MORE = ("retry", "wait", "recover", "pause")
"""Kinds after which the target is tried again whose reading has just been taken back."""


class BatchProgress:
    """Follows a batch target by target.

    Parameters
    ----------
    targets : sequence of (row, column)
        In the order of the visit.
    rejected : collection of (row, column)
        Targets that people do not want: nothing says that they were left out.

    Attributes
    ----------
    steps : list of int
        Length of the log after each target that has been dealt with: measured, wherever the stage
        landed, or given up.
    again : list of (row, column)
        Pixels to be measured once more before the next target.
    """

    def __init__(self, targets: Sequence[Pixel], rejected: Collection[Pixel] = ()) -> None:
        self.steps: list[int] = []
        self.again: list[Pixel] = []
        self._targets, self._rejected = targets, rejected
        self._latest = 0  # number of the latest reading
        self._repeated: Pixel | None = None  # the pixel that it was taken of once more
        self._taken_back = False

    def reading(self, length: int, number: int, pixel: Pixel | None) -> None:
        """A reading, the event of a number, came when the log had a length.

        Where readings have no pixel (of motors), it is that of the next target: people then reject
        all that is left of a batch, so that no target comes behind one that was left out.
        """
        while pixel is not None and self._next in self._rejected and self._next != pixel:
            self._advance(length, length)
        self._repeated = self.again.pop(0) if self.again else None
        if self._repeated is None:
            self._advance(length, length + 1)
        self._latest, self._taken_back = number, False

    def intervention(self, length: int, said: Intervention) -> None:
        """Somebody, or a rule, did something when the log had a length."""
        detail = said.detail
        if said.kind == "skip":
            self._skip(length, (int(detail["row"]), int(detail["column"])))
        elif said.kind == "quarantine":
            self.again += [(int(row), int(column)) for row, column in detail.get("again", ())]
            self._taken_back = not self.again and list(detail["seq_nums"]) == [self._latest]
        elif said.kind in ONCE_MORE and self._taken_back:
            self._taken_back = False
            if self._repeated is not None:
                self.again.insert(0, self._repeated)
            else:
                self.steps.pop()

    def end(self, length: int) -> None:
        """Nothing more came; the log has its last length."""
        if self.steps:
            self.steps[-1] = length

    @property
    def _next(self) -> Pixel | None:
        done = len(self.steps)
        return self._targets[done] if done < len(self._targets) else None

    def _skip(self, length: int, pixel: Pixel) -> None:
        """A target was given up; one that had left a reading counts already."""
        if self.again and self.again[0] == pixel:
            self.again.pop(0)
        elif self._next == pixel:
            self._advance(length, length)

    def _advance(self, before: int, after: int) -> None:
        # what came since the target before belongs to it: revisions, readings taken once more
        if self.steps:
            self.steps[-1] = before
        self.steps.append(after)
