"""What is refused, and that nothing has moved, been opened or been left running by then."""

from __future__ import annotations

import math
from typing import Any

import bluesky.plan_stubs as bps
import numpy as np
import pytest
from bluesky.utils import FailedStatus
from ophyd import SoftPositioner
from ophyd.sim import ABDetector, SynSignal

from skysteer.plans import adaptive_scan


def refused(bench: Any, match: str, agent: Any = "low-discrepancy", **changes: Any) -> None:
    moved = []
    bench.x.subscribe(lambda **news: moved.append(news), run=False)
    with pytest.raises(ValueError, match=match):
        bench.scan(agent, **changes)
    assert bench.runs() == []
    assert not moved
    assert bench.RE.state == "idle"


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"batch": 0}, "batch must be a whole number, 1 or more, but 0 came"),
        ({"batch": 2.5}, "batch must be a whole number"),
        ({"batch": True}, "batch must be a whole number"),
        ({"prefetch": -1}, "prefetch must be a whole number, 0 or more"),
        ({"prefetch": 0.5}, "prefetch must be a whole number"),
        ({"until": "coverage(0)"}, "coverage must lie over 0"),
        ({"until": "coverage(2)"}, "coverage must lie over 0"),
        ({"until": "forever()"}, "a stop rule reads like"),
        ({"until": "dose(3)"}, "needs dwell"),
        ({"dwell": 0.1}, "no detector has any of dwell, exposure_time"),
        ({"dwell": 0}, "dwell must be seconds above 0"),
        ({"dwell": math.nan}, "dwell must be seconds above 0"),
        ({"settle": -1}, "settle must be seconds"),
        ({"settle": math.inf}, "settle must be seconds"),
        ({"decision_timeout": 0}, "decision_timeout must be seconds above 0"),
        ({"keep_out": [{"slow": [0, 1]}]}, "a keep-out zone has 'slow' and 'fast'"),
        ({"keep_out": [{"slow": [0, 1], "fast": 3}]}, "a keep-out zone has"),
    ],
)
def test_bad_options_are_refused(bench: Any, changes: dict[str, Any], match: str) -> None:
    refused(bench, match, **changes)


@pytest.mark.parametrize(
    ("agent", "match"),
    [
        ("clairvoyant", "there is no agent 'clairvoyant': choose one of"),
        ("nowhere/mine.py:Mine", "cannot be loaded"),
        ({"options": {}}, "an agent is a name, a mapping"),
        (object(), "an agent is a name, a mapping"),
        ({"agent": "uniform", "options": {"luck": 7}}, "takes no options, but {'luck': 7} came"),
    ],
)
def test_an_agent_that_is_none_is_refused(bench: Any, agent: Any, match: str) -> None:
    refused(bench, match, agent)


@pytest.mark.parametrize(
    ("name", "match"),
    [("Unbuildable", "cannot be built: .*its weights are missing"), ("NoChoice", "needs a method")],
)
def test_an_agent_that_cannot_be_built_is_refused(bench: Any, name: str, match: str) -> None:
    refused(bench, match, bench.own(name))


def test_an_agent_that_takes_for_ever_to_build_is_refused(bench: Any) -> None:
    agent = {"agent": bench.own("SlowToBuild"), "options": {"seconds": 60}}
    refused(bench, "cannot be built: no answer within 0.2 s", agent, decision_timeout=0.2)


def test_options_that_are_not_json_are_refused(bench: Any) -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        bench.scan({"agent": "uniform", "options": {"what": object()}})
    assert bench.runs() == []


def test_a_scan_without_detector_is_refused(bench: Any) -> None:
    with pytest.raises(ValueError, match="needs a detector to steer by"):
        bench.RE(adaptive_scan([], "uniform", *bench.axes))


@pytest.mark.parametrize("num", [0, 2.5])
def test_a_grid_that_is_none_is_refused(bench: Any, num: float) -> None:
    with pytest.raises(ValueError, match="whole number of points"):
        bench.RE(adaptive_scan([bench.det], "uniform", bench.y, 0, 1, num, bench.x, 0, 1, 3))


def test_a_grid_off_the_limits_is_refused_before_anything_moves(bench: Any) -> None:
    bench.x = SoftPositioner(name="x", limits=(0, 20), init_pos=3.0)
    refused(bench, r"axis 'x' spans 0 to 24, but the stage's soft limits are 0 to 20: shorten")
    assert bench.x.position == 3.0


def test_a_key_that_no_detector_has_is_refused_with_those_there_are(bench: Any) -> None:
    bench.det = ABDetector(name="ab")
    refused(
        bench, "no detector has the data key 'dte' to steer by: there are ab_a, ab_b", key="dte"
    )


class AsyncDetector(SynSignal):
    """Describes itself in a coroutine, as ophyd-async's devices do."""

    async def describe(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        return super().describe()


@pytest.mark.parametrize("kind", ["read in a step of one's own", "described in a coroutine"])
def test_a_key_that_nobody_reads_ends_the_run_at_the_descriptor(
    bench: Any, kind: str, recwarn: pytest.WarningsRecorder
) -> None:
    def step(detectors: Any, targets: Any, positions: Any) -> Any:
        for motor, position in targets.items():
            yield from bps.mv(motor, position)
        yield from bps.trigger_and_read([*detectors, *targets])

    changes: dict[str, Any] = {"per_step": step}
    if kind == "described in a coroutine":
        bench.det, changes = AsyncDetector(name="det", func=lambda: 1.0), {}
    with pytest.raises(ValueError, match="has no data key 'dte'; it has det, x"):
        bench.scan(key="dte", **changes)
    assert not [warning for warning in recwarn if "never awaited" in str(warning.message)]
    assert bench.events() == []
    assert bench.stop()["exit_status"] == "fail"


def test_an_array_may_not_steer(bench: Any) -> None:
    bench.det = SynSignal(name="det", func=lambda: np.zeros((4, 4)))
    with pytest.raises(ValueError, match=r"key 'det' is .*array .*shape \(4, 4\)"):
        bench.scan()
    assert bench.events() == []


def test_a_move_that_fails_ends_the_run_with_its_reason(bench: Any) -> None:
    class Stuck(SoftPositioner):
        def set(self, position: float, **options: Any) -> Any:
            status = super().set(position, **options)
            if position > 15:
                status = type(status)(self, position)
                status.set_exception(RuntimeError("the motor stalled"))
            return status

    bench.x = Stuck(name="x", init_pos=0.0)
    bench.det.sim_set_func(lambda: float(bench.x.position))
    with pytest.raises(FailedStatus):
        bench.scan(on_bad_point=None)
    assert bench.stop()["exit_status"] == "fail"
    assert all(event["x"] <= 15 for event in bench.events())
