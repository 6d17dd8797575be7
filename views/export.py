"""A run's points as a table for other programs."""

from __future__ import annotations

import csv
import os

from .summary import RunSummary

COLUMNS = ("seq_num", "row", "column", "x", "y", "value")


def write_points(path: str | os.PathLike[str], summary: RunSummary) -> None:
    """Write the measured points as CSV, in the order measured.

    The columns are ``seq_num, row, column, x, y, value``: x and y are the readbacks of the fast
    and of the slow axis in motor units, row and column the pixel nearest to them (-1 off the
    grid), value the steering reading (``nan`` and ``inf`` as such).  Numbers have all their
    digits, lines end with LF.

    Parameters
    ----------
    path : path
        The file, written anew.
    summary : RunSummary
    """
    with open(path, "w", newline="", encoding="ascii") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([getattr(event, c) for c in COLUMNS] for event in summary.events)
