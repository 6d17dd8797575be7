"""Documents are the only memory: from the journal alone, every decision comes out again."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest

from skysteer.agent import AgentServer, Decision


def rebuilt(bench: Any) -> list[tuple[Decision, dict[str, Any]]]:
    """Each decision of the latest run as an agent makes it that has never seen the run."""
    record = bench.documents()[0][1]["skysteer"]
    log = bench.reader().observations.log
    attempts: Counter[tuple[int, int]] = Counter()
    pairs = []
    for event in bench.decisions():
        if event["stop"]:
            continue
        seen = log[: event["seen"]]
        usable = {(o.row, o.column) for o in seen if math.isfinite(o.value)}
        given_up = [p for p, n in attempts.items() if n >= 2 and p not in usable]
        pending = zip(event["pending_rows"], event["pending_columns"], strict=True)
        unavailable = [list(map(int, p)) for p in (*given_up, *pending)]
        server = AgentServer({**record, "blocked": []})  # a new one each time: no state at all
        entries = [[o.id, o.row, o.column, o.value] for o in seen]
        answer = server.decide(0, entries, event["asked"], unavailable, event["number"])
        pairs.append((Decision.from_json(answer), event))
        attempts.update(zip(event["rows"], event["columns"], strict=True))
    return pairs


@pytest.mark.parametrize(
    ("agent", "prefetch"),
    [("Steepest", 0), ("Steepest", 3), ("Steepest", 10), ("low-discrepancy", 3), ("slads-net", 3)],
)
def test_every_decision_is_rebuilt_from_the_journal(bench: Any, agent: str, prefetch: int) -> None:
    name = bench.own(agent) if agent == "Steepest" else agent
    bench.scan(name, until="points(70)", batch=10, prefetch=prefetch, seed=4)
    pairs = rebuilt(bench)
    assert len(pairs) >= 7
    for decision, event in pairs:
        assert decision.digest == event["digest"]
        assert decision.pixels.tolist() == [
            list(p) for p in zip(event["rows"], event["columns"], strict=True)
        ]


def test_so_is_one_that_weighs_its_forecasts_and_draws_audits(bench: Any) -> None:
    """Who was heard, what was drawn, what was expected: all from the documents alone."""
    bench.scan("hybrid", until="points(90) | expected_error(1e-6)", batch=15, prefetch=4, seed=4)
    pairs = rebuilt(bench)
    assert any(event["source"] == "hybrid" for _, event in pairs)
    for decision, event in pairs:
        assert decision.digest == event["digest"]
        assert decision.pixels.tolist() == [
            list(p) for p in zip(event["rows"], event["columns"], strict=True)
        ]
        for key in ("expected_error", "error_low", "error_high", "error_rms"):
            assert getattr(decision, key) == pytest.approx(event[key], rel=1e-12, nan_ok=True)


def test_so_is_one_from_unusable_readings_and_missed_targets(bench: Any) -> None:
    bench.det.sim_set_func(
        lambda: math.nan if bench.x.position % 5 == 3 else bench.x.position + 0.5
    )
    bench.x._readback_func = lambda value: value + (value == 10)  # never gets to 10
    bench.scan(bench.own("Steepest"), until="points(120)", batch=10, prefetch=4)
    for decision, event in rebuilt(bench):
        assert decision.digest == event["digest"]
        assert decision.pixels.tolist() == [
            list(p) for p in zip(event["rows"], event["columns"], strict=True)
        ]
