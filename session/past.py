"""The past runs of a scan, found in a folder or a catalog."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..agent import History
    from ..storage import RecordedRun


@dataclass(frozen=True, eq=False)
class Past:
    """What a scan goes on with.

    Attributes
    ----------
    history : History
        What its runs say.
    runs : list of RecordedRun
        Oldest first.
    """

    history: History
    runs: list[RecordedRun]


def with_last(past: Past | None, out: Path, uid: str) -> list[RecordedRun]:
    """The past runs of a scan, and the one that has just ended."""
    from ..storage import read_run

    return [*(past.runs if past else ()), read_run(out, uid)]


def find_chain(out: Path, uid: str | None, tiled: str | None) -> list[RecordedRun]:
    """A run and those that it goes on with, from the folder's journal, or from a catalog."""
    from ..storage import open_catalog, read_chain

    journal = tiled is None and any((out / "journal").glob("*.jsonl"))
    if not (journal or tiled or (out / "catalog").is_dir()):
        raise FileNotFoundError(f"expected a folder of runs, but {out} has none: name one by --out")
    try:
        source = out if journal else open_catalog(tiled or out)
        return read_chain(source, uid or -1, lambda: open_catalog(out))
    except KeyError as error:
        if uid is None:
            raise ValueError(f"{out} has no run yet: nothing was measured there") from error
        raise ValueError(f"{error.args[0]}; `skysteer runs --out {out}` lists them") from error


def find_past(out: Path, uid: str | None, tiled: str | None) -> Past:
    """What a folder or a catalog holds of a scan; a run whose process has died is closed."""
    from ..agent import History
    from ..storage import check_abandoned, close_run

    runs = find_chain(out, uid, tiled)
    last = runs[-1].start["uid"]
    if close_run(out, last):
        runs = [*runs[:-1], *with_last(None, out, last)]
    elif runs[-1].stop is None:
        check_abandoned(runs[-1])
    return Past(History.of(d for run in runs for d in run.documents(doubles=True)), runs)
