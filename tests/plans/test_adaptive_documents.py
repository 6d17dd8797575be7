"""What an adaptive scan writes down, and that others can read it."""

from __future__ import annotations

import json
import warnings
from typing import Any

import bluesky.plan_stubs as bps
import event_model
import matplotlib
import numpy as np
import pytest
from bluesky.callbacks.best_effort import BestEffortCallback
from event_model import DocumentNames
from ophyd.sim import SynSignal

from skysteer.agent import coverage, time
from skysteer.plans import adaptive_scan


def test_the_budget_is_met_to_the_point(bench: Any) -> None:
    outcome = bench.scan(until="coverage(0.157)", batch=7)
    pixels = {(e["y"], e["x"]) for e in bench.events()}
    assert outcome.points == len(bench.events()) == len(pixels) == round(0.157 * 500)
    assert outcome.coverage == outcome.points / 500
    assert outcome.stop_reason == "coverage 0.157"


@pytest.mark.parametrize("budget", [1, 13, 60])
@pytest.mark.parametrize("prefetch", [0, 20])
def test_the_budget_is_met_whatever_the_prefetch(bench: Any, budget: int, prefetch: int) -> None:
    outcome = bench.scan(
        bench.sampler("Steepest"), until=f"points({budget})", batch=20, prefetch=prefetch
    )
    assert outcome.points == len(bench.events()) == budget


def test_one_run_holds_readings_and_decisions(bench: Any) -> None:
    bench.scan(until="points(40)", batch=10, seed=3)
    documents = bench.documents()
    streams = {d["name"] for name, d in documents if name == "descriptor"}
    assert len(bench.runs()) == 1
    assert streams == {"primary", "decisions"}
    assert set(bench.events()[0]) == {"det", "x", "x_setpoint", "y", "y_setpoint"}
    targets = [pixel for batch in bench.batches() for pixel in batch]
    assert targets == [(e["y_setpoint"], e["x_setpoint"]) for e in bench.events()]
    last = bench.decisions()[-1]
    assert (last["stop"], last["stop_reason"], last["count"]) == (1, "40 points", 0)
    assert (bench.stop()["exit_status"], bench.stop()["reason"]) == ("success", "40 points")


def test_every_document_keeps_to_the_schema(bench: Any) -> None:
    bench.scan(bench.own("Steepest"), until="points(40)", batch=10)
    descriptors = {}
    for name, document in bench.documents():
        event_model.schema_validators[DocumentNames[name]].validate(
            json.loads(json.dumps(document, default=lambda array: array.tolist()))
        )
        if name == "descriptor":
            descriptors[document["uid"]] = document["data_keys"]
        if name == "event":
            for key, described in descriptors[document["descriptor"]].items():
                assert list(np.shape(document["data"][key])) == list(described["shape"]), key


def test_the_start_document_says_how_to_do_it_again(bench: Any) -> None:
    bench.scan(
        {"agent": "raster", "options": {"num": 30}},
        until=coverage(np.float64(0.1)) | time(3600),
        batch=np.int64(10),
        seed=np.int64(5),
        settle=np.float32(0),
        keep_out=[{"slow": [0, 2], "fast": [0, np.float64(2)]}],
        md={"sample": "foil", "hints": {"progress": "bar"}},
    )
    start = bench.documents()[0][1]
    record = json.loads(json.dumps(start))["skysteer"]
    assert record["agent"] == "raster"
    assert record["options"] == {"num": 30}
    assert (record["seed"], record["batch"], record["prefetch"]) == (5, 10, 5)
    assert record["until"] == "coverage(0.1) | time(3600)"
    assert record["grid"]["shape"] == [20, 25]
    assert record["key"] == "det"
    assert record["keep_out"] == [{"slow": [0, 2], "fast": [0, 2]}]
    assert start["plan_name"] == "adaptive_scan"
    assert start["num_points"] == 50
    assert start["sample"] == "foil"
    assert start["hints"]["progress"] == "bar"
    assert start["hints"]["dimensions"] == [[["y"], "primary"], [["x"], "primary"]]


def test_best_effort_draws_a_scatter(bench: Any) -> None:
    matplotlib.use("Agg")
    drawn: list[dict[str, Any]] = []
    best_effort = BestEffortCallback()
    best_effort.disable_table()
    bench.RE.subscribe(best_effort)
    # at an event: after the stop document Best Effort has let go of it
    bench.RE.subscribe(lambda name, doc: drawn.extend(best_effort._live_scatters.values()), "event")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        bench.scan(until="points(12)")
    scatter = next(scatters["det"] for scatters in drawn if scatters)
    assert {len(scatter._xdata), len(scatter._ydata), len(scatter._Idata)} == {12}
    assert not best_effort._live_plots


def test_a_key_chooses_which_of_several_detectors_steers(bench: Any) -> None:
    other = SynSignal(name="other", func=lambda: 100.0 * bench.x.position)
    detectors = [SynSignal(name="first", func=lambda: 1.0), other]
    agent = bench.sampler("Steepest")
    bench.RE(adaptive_scan(detectors, agent, *bench.axes, until="points(40)", key="other"))
    assert {"first", "other"} < set(bench.events()[0])
    late = [event["x"] for event in bench.events()[30:]]
    assert min(late) > 12, "Steepest goes where 'other' is high"


def test_a_step_of_ones_own_is_used(bench: Any) -> None:
    calls = []

    def per_step(detectors: Any, step: Any, pos_cache: Any) -> Any:
        calls.append(dict(step))
        yield from bps.one_nd_step(detectors, step, pos_cache)

    outcome = bench.scan(per_step=per_step, until="points(15)")
    assert outcome.points == 15
    assert len(calls) == 15
    assert set(calls[0]) == {bench.x, bench.y}


def test_a_step_that_reads_nothing_ends_the_run(bench: Any) -> None:
    def per_step(detectors: Any, step: Any, pos_cache: Any) -> Any:
        yield from bps.move_per_step(step, pos_cache)

    with pytest.raises(RuntimeError, match="per_step left no event in the stream 'primary'"):
        bench.scan(per_step=per_step, until="points(15)")
    assert bench.stop()["exit_status"] == "fail"


@pytest.mark.parametrize(("slow", "fast"), [((5, -5), (0, 3)), ((-1e-3, 1e-3), (7, 2))])
def test_a_grid_may_run_in_any_direction(bench: Any, slow: Any, fast: Any) -> None:
    axes = (bench.y, *slow, 11, bench.x, *fast, 4)
    bench.RE(adaptive_scan([bench.det], "uniform", *axes, until="coverage(1)"))
    reader = bench.reader()
    assert reader.observations.points == 44
    targets = [pixel for batch in bench.batches() for pixel in batch]
    for event, pixel in zip(bench.events(), targets, strict=True):
        assert reader.grid.pixel(event) == pixel
    where = np.unique([e["y"] for e in bench.events()])
    np.testing.assert_allclose(np.unique(where.round(9)), np.linspace(*sorted(slow), 11))


def test_settling_comes_between_the_move_and_the_exposure(bench: Any) -> None:
    messages = []
    bench.RE.msg_hook = lambda msg: messages.append((msg.command, msg.obj, msg.args))
    bench.scan(until="points(3)", settle=0.001, prefetch=0)
    commands = [command for command, obj, _ in messages if command in {"set", "sleep", "trigger"}]
    step = ["set", "set", "sleep", "trigger"]
    assert "".join(commands).count("".join(step)) == 3
    assert ("sleep", None, (0.001,)) in messages


def test_a_dwell_is_set_on_what_has_one(bench: Any) -> None:
    bench.det.dwell = bench.x.velocity
    bench.scan(until="points(20) | dose(1)", dwell=0.25, batch=1)
    assert bench.x.velocity.get() == 0.25
    assert len(bench.events()) == 4, "a dose of 1 s at 0.25 s each"


def test_stop_criteria_compose(bench: Any) -> None:
    assert (
        bench.scan(until="points(10) & coverage(0.1)").stop_reason == "50 points and coverage 0.1"
    )
    assert bench.scan(until="points(10) | coverage(0.1)").stop_reason == "10 points"
    assert bench.scan(until="time(0.2) | coverage(1)").stop_reason.startswith("time of 0.2")


def test_a_run_can_stop_at_the_error_that_its_agent_expects(bench: Any) -> None:
    outcome = bench.scan(
        bench.sampler("Steepest"), until="expected_error(0.02)", batch=10, prefetch=0
    )
    assert outcome.stop_reason.startswith("expected error 0.0")
    assert 50 < outcome.points <= 80  # two decisions running that expect less than 1 in 50
    waited = "no_improvement(0.5, 2) | points(400)"
    assert (
        "expected error fell by less"
        in bench.scan(bench.sampler("Steepest"), until=waited, batch=10).stop_reason
    )


def test_the_same_seed_gives_the_same_scan(bench: Any) -> None:
    for seed in (1, 1, 2):
        bench.scan(bench.sampler("Steepest"), until="points(60)", batch=10, seed=seed)
    first, again, other = (bench.batches(k) for k in range(3))
    assert first == again != other
