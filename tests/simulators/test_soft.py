from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.plans as bp
import event_model
import numpy as np
import pytest
from bluesky import RunEngine
from bluesky.protocols import Checkable, Movable, Readable, Stoppable, Triggerable
from bluesky.suspenders import SuspendFloor

from skysteer.simulators import SoftMicroscope, Specimen

RATES = np.random.default_rng(0).uniform(1e3, 1e5, (12, 15))


@pytest.fixture
def microscope() -> SoftMicroscope:
    return SoftMicroscope(Specimen(RATES), noise="none")


def run(plan: Any) -> list[tuple[str, Any]]:
    documents: list[tuple[str, Any]] = []
    RunEngine()(plan, lambda name, doc: documents.append((name, doc)))
    return documents


def events(documents: list[tuple[str, Any]]) -> list[dict[str, Any]]:
    return [doc["data"] for name, doc in documents if name == "event"]


def test_a_grid_scan_sees_the_specimen(microscope: SoftMicroscope) -> None:
    m = microscope
    plan = bp.grid_scan([m.counter, m.ring], m.y, 0, 1.1, 12, m.x, 0, 1.4, 15)
    documents = run(plan)
    seen = [event["counter"] for event in events(documents)]
    np.testing.assert_allclose(np.reshape(seen, RATES.shape), RATES)
    for name, document in documents:
        event_model.schema_validators[event_model.DocumentNames[name]].validate(document)


def test_the_keys_and_types_are_those_of_the_real_devices(microscope: SoftMicroscope) -> None:
    m = microscope
    expected = {
        m.x: ["x", "x_user_setpoint"],
        m.counter: ["counter", "counter_dwell", "counter_counts", "counter_i0"],
        m.ring: ["ring_current"],
    }
    for device, keys in expected.items():
        reading, description = device.read(), device.describe()
        assert list(reading) == list(description) == keys
        for key in keys:
            assert type(reading[key]["value"]) is float
            assert description[key]["dtype_numpy"] == "<f8"
            assert description[key]["shape"] == []
            assert description[key]["units"]
        assert isinstance(device, Readable)
    for protocol in (Movable, Checkable, Stoppable):
        assert isinstance(m.x, protocol)
    assert isinstance(m.counter, Triggerable)


def test_further_channels_have_keys_of_their_own() -> None:
    m = SoftMicroscope(Specimen(np.stack([RATES, 2 * RATES])), noise="none")
    m.counter.trigger().wait(5)
    reading = m.counter.read()
    assert reading["counter_counts2"]["value"] == 2 * reading["counter_counts"]["value"] > 0
    assert reading["counter2"]["value"] == 2 * reading["counter"]["value"]
    assert m.counter.describe()["counter2"]["units"] == "counts/s"


def test_an_integer_target_is_a_float_in_the_documents(microscope: SoftMicroscope) -> None:
    microscope.x.set(1).wait(1)
    assert [type(entry["value"]) for entry in microscope.x.read().values()] == [float, float]


@pytest.mark.parametrize("value", [-100.0, 100.0, np.nan, np.inf])
def test_a_target_beyond_the_limits_is_refused(microscope: SoftMicroscope, value: float) -> None:
    with pytest.raises(ValueError, match="expected within its limits"):
        microscope.x.set(value)
    with pytest.raises(ValueError, match="expected within its limits"):
        microscope.x.check_value(value)
    assert microscope.x.position == 0.0


def test_the_steering_value_is_normalised_by_the_monitor(microscope: SoftMicroscope) -> None:
    microscope.ring.current.put(25.0)
    microscope.counter.trigger().wait(1)
    reading = {key: entry["value"] for key, entry in microscope.counter.read().items()}
    assert reading["counter"] == pytest.approx(RATES[0, 0])
    assert reading["counter_counts"] == pytest.approx(RATES[0, 0] * 0.01 / 4)
    microscope.ring.current.put(0.0)
    microscope.counter.trigger().wait(1)
    assert np.isnan(microscope.counter.read()["counter"]["value"])


def test_the_dwell_time_can_be_set_in_a_plan(microscope: SoftMicroscope) -> None:
    def plan() -> Any:
        yield from bps.abs_set(microscope.counter.dwell, 0.5, wait=True)
        yield from bp.count([microscope.counter])

    (event,) = events(run(plan()))
    assert event["counter_dwell"] == 0.5
    assert event["counter_counts"] == pytest.approx(RATES[0, 0] * 0.5)


def test_the_same_seed_counts_the_same_in_any_order() -> None:
    def scan(order: Callable[[list[float]], list[float]], seed: int) -> dict[float, float]:
        m = SoftMicroscope(Specimen(RATES), seed=seed, scatter=0.01)
        points: Any = order([0.1 * k for k in range(15)])
        plan = bp.list_scan([m.counter], m.x, points)
        return {e["x_user_setpoint"]: e["counter_counts"] for e in events(run(plan))}

    assert scan(list, 3) == scan(lambda points: points[::-1], 3)
    assert scan(list, 3) != scan(list, 4)


def test_in_real_time_moves_and_counts_take_their_time() -> None:
    m = SoftMicroscope(Specimen(RATES), real_time=True, velocity=5.0, ramp=0.0, dwell=0.2)
    move = m.x.set(1.0)
    assert not move.done
    assert m.x.position < 1.0
    move.wait(20)
    assert m.x.position == 1.0
    count = m.counter.trigger()
    assert not count.done
    count.wait(20)


def test_a_stopped_move_fails_where_it_stopped_unless_forgiven() -> None:
    m = SoftMicroscope(Specimen(RATES), real_time=True, velocity=1.0)
    for forgiven in (False, True):
        move = m.x.set(1.4 if m.x.position < 0.7 else 0.0)
        time.sleep(0.2)
        m.x.stop(success=forgiven)
        error = move.exception(10)
        assert (error is None) == forgiven
        assert m.x.position == m.x.read()["x_user_setpoint"]["value"] not in (0.0, 1.4)
    m.x.stop()  # at rest: harmless


def test_a_new_target_fails_the_move_before_and_arrives() -> None:
    m = SoftMicroscope(Specimen(RATES), real_time=True, velocity=5.0, ramp=0.1)
    first = m.x.set(1.4)
    second = m.x.set(0.3)
    with pytest.raises(RuntimeError, match="sent elsewhere"):
        first.wait(10)
    second.wait(10)
    assert m.x.position == 0.3


def test_a_suspender_hears_of_a_beam_dump(microscope: SoftMicroscope) -> None:
    RE = RunEngine()
    suspender = SuspendFloor(microscope.ring.current, 10.0, resume_thresh=20.0)
    RE.install_suspender(suspender)
    microscope.ring.current.put(0.0)
    assert suspender.tripped
    microscope.ring.current.put(100.0)
    RE.remove_suspender(suspender)


def test_play_hides_from_the_readback_and_shows_in_the_counts() -> None:
    ramp = np.tile(np.arange(100.0), (3, 1))
    m = SoftMicroscope(Specimen(ramp), noise="none", play=0.4)

    def at(target: float) -> float:
        m.x.set(target).wait(1)
        m.counter.trigger().wait(1)
        assert m.x.position == target
        return m.counter.read()["counter"]["value"]

    assert at(5.0) == pytest.approx(48.0)  # 0.2 um short at 10 counts/s/um
    at(8.0)
    assert at(5.0) == pytest.approx(52.0)
