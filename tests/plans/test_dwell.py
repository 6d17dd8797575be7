"""A scan that chooses its dwell, by its documents: what was counted, and again from them alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bluesky import RunEngine
from numpy.testing import assert_allclose

from skysteer.agent import History
from skysteer.plans import Inbox, adaptive_scan, decide_again, resume_scan
from skysteer.simulators import SoftMicroscope

PITCH = 0.1
AGENT = {"agent": "slads", "options": {"counts_per_unit": 1e-4}}
STAGE = {"speed": 100.0, "settle": 0.02, "dwell": 0.01}
Documents = list[tuple[str, dict[str, Any]]]


class Desk:
    """A soft microscope of dim beam, and what was written down."""

    def __init__(self) -> None:
        self.RE = RunEngine({}, call_returns_result=True)
        self.microscope = SoftMicroscope(kind="flakes", seed=3)
        self.documents: Documents = []
        self.RE.subscribe(lambda name, doc: self.documents.append((name, dict(doc))))

    def plan(self, side: int = 24, agent: str = "slads", **changes: Any) -> Any:
        m = self.microscope
        axes = (m.y, 0, (side - 1) * PITCH, side, m.x, 0, (side - 1) * PITCH, side)
        settings = {"until": "coverage(0.2)", "dwell": 0.01, "longest_dwell": 0.16, "seed": 2}
        settings |= {"stage": STAGE, "batch": 12}
        chooses = {**AGENT, "agent": agent}
        return adaptive_scan([m.counter], chooses, *axes, **{**settings, **changes})

    def scan(self, **changes: Any) -> Any:
        result: Any = self.RE(self.plan(**changes))
        return result.plan_result

    def data(self, stream: str) -> list[dict[str, Any]]:
        mine = {d["uid"] for n, d in self.documents if n == "descriptor" and d["name"] == stream}
        return [d["data"] for n, d in self.documents if n == "event" and d["descriptor"] in mine]


@pytest.fixture
def desk():
    made: list[Desk] = []

    def make() -> Desk:
        made.append(Desk())
        return made[-1]

    yield make
    for each in made:
        each.RE.loop.call_soon_threadsafe(each.RE.loop.stop)


def targets(desk: Desk) -> list[tuple[int, int, float]]:
    """Row, column and dwell of every target, in the order of the visit."""
    found = []
    for data in desk.data("decisions"):
        parts = data["decision_lengths"][data["decision_lengths"] > 0]
        times = np.repeat(data["decision_dwells"][: len(parts)], parts)
        rows, columns = data["decision_rows"], data["decision_columns"]
        found += list(zip(rows.tolist(), columns.tolist(), times.tolist(), strict=False))
    return found


def test_each_target_is_counted_as_long_as_was_decided(desk: Callable[[], Desk]) -> None:
    here = desk()
    outcome = here.scan()
    told = [(e["y"], e["x"], e["counter_dwell"]) for e in here.data("primary")]
    wanted = [(row * PITCH, column * PITCH, 0.01 * t) for row, column, t in targets(here)]
    assert_allclose(told, wanted, atol=1e-9)
    assert len({dwell for *_, dwell in told}) > 1
    assert max(dwell for *_, dwell in told) <= 0.16
    past = History.of(here.documents)
    assert past.dose == pytest.approx(sum(dwell for *_, dwell in told) / 0.01)
    assert outcome.exposures == len(told)
    assert outcome.points == len({(y, x) for y, x, _ in told})


@pytest.mark.parametrize(
    ("agent", "fly"), [("slads", False), ("slads", True), ("gp", False), ("hybrid", False)]
)
def test_all_decisions_come_out_of_the_documents_again(
    desk: Callable[[], Desk], agent: str, fly: bool
) -> None:
    here, large = desk(), {"side": 64, "batch": None, "until": "coverage(0.14)"}
    here.scan(agent=agent, fly=fly, **(large if fly else {}))
    past = History.of(here.documents)
    assert len(past.made) > 3
    assert fly == any((each.decision.lengths > 1).any() for each in past.made)
    assert [what for _, what in decide_again(past)] == [""] * len(past.made)
    dwells = np.concatenate([each.decision.dwells for each in past.made])
    assert len(set(dwells)) > 1


def test_a_scan_cut_off_anywhere_goes_on_with_the_same_targets(
    desk: Callable[[], Desk],
) -> None:
    whole = desk()
    whole.scan()
    documents = whole.documents
    readings = [k for k, (n, d) in enumerate(documents) if n == "event" and "counter" in d["data"]]
    for place in (readings[20], readings[-15] + 1):
        other = desk()
        m = other.microscope
        m.chain = whole.microscope.chain
        plan = resume_scan(documents[:place], [m.counter], [m.x, m.y])
        other.RE(plan)
        resumed = History.of([*documents[:place], *other.documents])
        # the counts differ from here on, but not what the interrupted batch still had to do
        before = History.of(documents[:place])
        assert resumed.log[: len(before.log)] == before.log
        first = before.made[-1].decision
        times = np.repeat(first.dwells, first.lengths).tolist()
        expected = list(zip(map(tuple, first.pixels.tolist()), times, strict=True))
        visited = [((e.row, e.column), pytest.approx(e.exposure)) for e in resumed.log]
        start = before.made[-1].heard
        assert visited[start : start + len(expected)] == expected
        resume = [i for i in resumed.interventions if i.kind == "resume"]
        assert resume[0].detail["what"] == ""
        assert [what for _, what in decide_again(resumed)] == [""] * len(resumed.made)


def test_the_dose_counts_the_dwells(desk: Callable[[], Desk]) -> None:
    here = desk()
    outcome = here.scan(until="dose(3)")
    spent = sum(event["counter_dwell"] for event in here.data("primary"))
    assert "dose" in outcome.stop_reason
    assert 3 - 1e-9 < spent < 3 + 12 * 0.16


def test_people_may_have_a_measured_pixel_counted_again(desk: Callable[[], Desk]) -> None:
    here = desk()
    inbox = Inbox()
    first = []
    inbox = Inbox()

    def twice(name: str, doc: dict[str, Any]) -> None:
        if name == "event" and "counter" in doc["data"] and not first:
            first.append((round(doc["data"]["y"] / PITCH), round(doc["data"]["x"] / PITCH)))
            inbox.inject([first[0]])

    here.RE.subscribe(twice)
    here.scan(inbox=inbox)
    made = History.of(here.documents).made
    again = [each.decision.pixels.tolist() for each in made if each.decision.source == "inject"]
    assert again == [[list(first[0])]]


def test_a_scan_of_one_dwell_measures_no_pixel_twice(desk: Callable[[], Desk]) -> None:
    here = desk()
    here.scan(longest_dwell=None)
    visited = [(row, column) for row, column, _ in targets(here)]
    assert len(set(visited)) == len(visited)
    assert {dwell for *_, dwell in targets(here)} == {1.0}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"longest_dwell": 0.001}, "dwell or more"),
        ({"dwell": None}, "needs dwell"),
        ({"longest_dwell": float("nan")}, "dwell or more"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_moves(
    desk: Callable[[], Desk], changes: dict[str, Any], why: str
) -> None:
    here = desk()
    with pytest.raises(ValueError, match=why):
        here.scan(**changes)
    assert not here.documents


def test_an_agent_that_does_not_know_its_counts_is_refused(desk: Callable[[], Desk]) -> None:
    here = desk()
    m = here.microscope
    plan = adaptive_scan(
        [m.counter], "slads", m.y, 0, 1, 11, m.x, 0, 1, 11,
        dwell=0.01, longest_dwell=0.1, stage=STAGE,
    )  # fmt: skip
    with pytest.raises(ValueError, match="counts_per_unit"):
        here.RE(plan)
    assert not here.documents
