"""Each exposure is recorded, or counted as repeated; the dose counts both."""

from __future__ import annotations

import threading
from typing import Any

import bluesky.plan_stubs as bps
import pytest
from ophyd.status import Status

from skysteer.agent import History, make_sampler
from skysteer.plans import resume_scan

from .faulty import FaultyCounter, FaultyMotor
from .test_adaptive_pauses import run_with_pauses

AGENT = make_sampler("low-discrepancy", {})  # an object: it decides in this process


@pytest.fixture
def lit(bench: Any) -> Any:
    """The bench with a detector that counts how often it has counted."""
    bench.x, bench.y = FaultyMotor("x"), FaultyMotor("y")
    bench.det = FaultyCounter(lambda: 1.0 + bench.x.position)
    return bench


def pause_in_a_count(bench: Any, counts: set[int]) -> None:
    """Pause the run in the middle of some of its counts, which do not end before."""
    trigger, due = bench.det.trigger, set(counts)

    def caught() -> Any:
        if bench.det.counts + 1 not in due:
            return trigger()
        bench.det.counts += 1
        threading.Thread(target=bench.RE.request_pause).start()
        return Status(obj=bench.det)

    bench.det.trigger = caught


def test_an_exposure_that_a_pause_cut_short_counts_as_repeated(lit: Any) -> None:
    pause_in_a_count(lit, {3, 7})
    lit.start(lit.plan(AGENT, until="points(10)", batch=5))
    assert lit.resume_to_the_end() == 2
    outcome = lit.result.plan_result
    assert (outcome.points, outcome.exposures, outcome.repeated) == (10, 12, 2)
    assert lit.det.counts == 12
    assert lit.decisions()[-1]["exposures"] == 12


def test_the_dose_includes_what_was_repeated(lit: Any) -> None:
    pause_in_a_count(lit, {3, 7})
    lit.start(lit.plan(AGENT, until="dose(5)", dwell=0.5, batch=5))
    lit.resume_to_the_end()
    outcome = lit.result.plan_result
    assert outcome.stop_reason == "dose of 5 s of beam"
    assert (outcome.exposures, outcome.points) == (10, 8)


@pytest.mark.parametrize("seed", [0, 1])
def test_under_any_pauses_none_is_forgotten(lit: Any, seed: int) -> None:
    lit.det.seconds = 0.004
    plan = lit.plan(AGENT, until="points(80)", batch=8)
    assert run_with_pauses(lit, plan, 25, seed) > 5
    outcome = lit.result.plan_result
    assert outcome.exposures - outcome.repeated == 80 == len(lit.events())
    # at most one too many for each pause, which may fall between the two messages
    assert lit.det.counts <= outcome.exposures <= lit.det.counts + 25


def test_a_resumed_run_goes_on_counting(lit: Any) -> None:
    pause_in_a_count(lit, {3})
    lit.start(lit.plan(AGENT, until="points(12)", dwell=0.5, batch=5, prefetch=0))
    lit.resume_to_the_end()
    whole = lit.documents()
    cut = [place for place, (name, _) in enumerate(whole) if name == "event"][-3]
    past = History.of(whole[:cut])
    assert past.exposures == past.events + 2, "one repeated, one perhaps under way"
    plan = resume_scan(whole[:cut], [lit.det], [lit.x, lit.y], agent=AGENT)
    outcome = lit.RE(plan).plan_result
    assert outcome.points == 12
    assert (outcome.exposures, outcome.repeated) == (14, 2)


def test_a_step_of_ones_own_is_counted_too(lit: Any) -> None:
    def step(detectors: Any, targets: Any, positions: Any) -> Any:
        yield from bps.checkpoint()
        yield from bps.mv(*(part for target in targets.items() for part in target))
        yield from bps.trigger(lit.det, wait=True)  # to warm it up, say
        yield from bps.trigger_and_read([*detectors, *targets])

    outcome = lit.scan(AGENT, until="points(10)", per_step=step)
    assert lit.det.counts == outcome.exposures == 20
    assert outcome.repeated == 10


def test_what_is_only_read_is_an_exposure_as_well(lit: Any) -> None:
    lit.det = FaultyMotor("meter")  # it cannot be triggered
    outcome = lit.scan(AGENT, until="points(10)")
    assert (outcome.exposures, outcome.repeated) == (10, 0)
