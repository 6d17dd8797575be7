"""How far a scan is, on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tqdm import tqdm


def progress_bar(description: str) -> Callable[[str, Mapping[str, Any]], None]:
    """Make a document callback that shows a bar on standard error, where that is a terminal.

    Parameters
    ----------
    description : str
        What stands before the bar.

    Examples
    --------
    ``RE.subscribe(progress_bar("slads"))``
    """
    bars: dict[str, tqdm] = {}
    before = {"points": 0}  # of the run that this one goes on with
    primary: set[str] = set()

    def show(name: str, doc: Mapping[str, Any]) -> None:
        if name == "start":
            before["points"] = doc.get("resumed_after", 0)
            bars["run"] = tqdm(
                total=doc.get("num_points"),
                initial=before["points"],
                unit="pt",
                desc=description,
                mininterval=0.5,
                leave=False,
                disable=None,  # where nobody looks
            )
        elif name == "descriptor" and doc["name"] == "primary":
            primary.add(doc["uid"])
        elif name in ("event", "event_page") and doc["descriptor"] in primary:
            latest = doc["seq_num"] if name == "event" else doc["seq_num"][-1]
            bars["run"].update(before["points"] + latest - bars["run"].n)
        elif name == "stop":
            bars["run"].close()

    return show
