"""Faults in mid-air, over Channel Access: what was counted counts, and the rest is flown again."""

from __future__ import annotations

from pathlib import Path

import pytest

from .test_faults import run

CLIENT = Path(__file__).with_name("flown_faults_client.py")


@pytest.mark.parametrize("layer", ["caproto", pytest.param("pyepics", marks=pytest.mark.soak)])
def test_a_stage_stopped_by_others_and_an_ioc_that_dies_in_mid_air_cost_no_pixel(
    layer: str,
) -> None:
    (said,) = run(CLIENT, timeout=160, layer=layer)
    assert (said["points"], said["reason"]) == (60, "60 points")
    assert said["measured"] == said["targets"]
    kinds = [kind for kind, _ in said["kinds"]]
    assert set(kinds) <= {"retry", "wait"} and len(kinds) >= 2 and len(said["flights"]) > 4
    assert all(value > 0 for value in said["values"])
    assert min(said["pages"]) < 6, "a flight that was cut short left the bins that it had"
    assert (said["speeds"], said["ramps"]) == ([10.0, 10.0], [0.1, 0.1])
    assert said["exposures"] > len(said["measured"])
