"""A scan that was cut off anywhere goes on as if it had not been."""

from __future__ import annotations

from typing import Any

import pytest

from skysteer.agent import History
from skysteer.plans import resume_scan
from skysteer.storage import Document

SETTINGS = {"until": "points(44)", "batch": 8, "seed": 4}


def scanned(bench: Any, agent: Any = None, **changes: Any) -> list[Document]:
    """Documents of an uninterrupted scan."""
    bench.scan(agent or bench.sampler("Steepest"), **{**SETTINGS, **changes})
    return bench.documents()


def resumed(bench: Any, documents: Any, agent: Any = None, **changes: Any) -> Any:
    """Go on from documents; what the plan returned."""
    agent = agent or bench.sampler("Steepest")
    plan = resume_scan(documents, [bench.det], [bench.x, bench.y], agent=agent, **changes)
    return bench.RE(plan).plan_result


def cut(documents: list[Document], readings: int) -> list[Document]:
    """What a process leaves that is killed when so many readings have been written."""
    primary = {d["uid"] for n, d in documents if n == "descriptor" and d["name"] == "primary"}
    for place, (name, document) in enumerate(documents):
        if name == "event" and document["descriptor"] in primary:
            readings -= 1
        if readings < 0:
            return documents[:place]
    return documents[:-1]


def path(*runs: list[Document]) -> list[tuple[int, int, int, float]]:
    """Number, pixel and value of every reading, in order."""
    return [tuple(entry) for entry in History.of([d for run in runs for d in run]).log]


def decided(*runs: list[Document]) -> list[tuple[Any, ...]]:
    """Number, fingerprint and targets of every decision."""
    past = History.of([d for run in runs for d in run]).decisions
    return [(d.decision.number, d.decision.digest, d.decision.pixels.tolist()) for d in past]


@pytest.mark.parametrize("prefetch", [0, 3, 8])
def test_wherever_it_was_cut_off_the_points_are_those_of_the_whole_scan(
    bench: Any, prefetch: int
) -> None:
    whole = scanned(bench, prefetch=prefetch)
    for place in range(1, len(whole), 4):
        rest_of = whole[:place]
        if not any(name == "event" for name, _ in rest_of):
            continue
        resumed(bench, rest_of)
        assert path(rest_of, bench.documents()) == path(whole), place
        assert decided(rest_of, bench.documents()) == decided(whole), place
