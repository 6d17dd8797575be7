from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skysteer.simulators import Ioc

CLIENT = Path(__file__).parents[1] / "simulators" / "counter_client.py"
STALLED, PROBLEM = 1 << 6, 1 << 9  # of MSTA


@pytest.fixture(scope="module")
def seen(run_client: Callable[..., Any]) -> Any:
    """What the client saw of an exact microscope."""
    scenarios = ("dwell", "a_bad_dwell", "an_abort", "a_second_asker", "faults", "a_stuck_motor",
                 "the_ring")  # fmt: skip
    with Ioc(shape=(16, 16), kind="gradients", noise="none") as ioc:
        return run_client(ioc, CLIENT, *scenarios)


def test_the_same_seed_counts_the_same_in_any_order(
    ioc: Callable[..., Ioc], run_client: Callable[..., Any]
) -> None:
    forwards, backwards = (
        run_client(ioc(shape=(16, 16)), CLIENT, order)[order] for order in ("forwards", "backwards")
    )
    assert forwards == backwards
    assert forwards["3 4"][0]["I0"] != forwards["3 4"][1]["I0"]


def test_a_count_takes_its_dwell_time_and_counts_for_it(seen: Any) -> None:
    for dwell, seconds, reading in seen["dwell"]:
        assert seconds >= dwell
        assert reading["Elapsed"] == dwell
        assert reading["I0"] == pytest.approx(1e7 * dwell)
        assert reading["Acquire"] == 0


def test_a_dwell_that_is_no_time_is_refused(seen: Any) -> None:
    assert seen["a_bad_dwell"] == 0.2  # the one before


def test_an_aborted_count_completes_with_what_it_has(seen: Any) -> None:
    result = seen["an_abort"]
    assert (result["counting"], result["after"]) == (1, 0)
    assert 0 < result["elapsed"] < 60
    assert result["rate"] == pytest.approx(1e7)
    assert result["reads"] < 30  # 100 reads; each would wait for the count, were it in the way


def test_who_asks_during_a_count_waits_for_it(seen: Any) -> None:
    assert seen["a_second_asker"] == {"both": 1, "elapsed": 0.3}


def test_faults_show_in_the_counts_and_can_be_mended(seen: Any) -> None:
    result = seen["faults"]
    healthy = result["healthy"]
    assert healthy["Counts"] > 0
    assert (result["LostCounts"]["Counts"], result["LostCounts"]["I0"]) == (0, healthy["I0"])
    assert (result["NaN"]["Counts"], result["NaN"]["I0"]) == (None, healthy["I0"])
    dumped = result["BeamDump"]
    assert (dumped["Counts"], dumped["I0"], dumped["current"]) == (0, 0, 0)
    assert result["mended"] == healthy | {"current": 100.0}
    assert result["slow count"] >= 0.4
    assert result["slow move"] >= 0.4


def test_a_stuck_motor_waits_or_gives_up(seen: Any) -> None:
    result = seen["a_stuck_motor"]
    assert result["stuck"] == {"done": 0, "RBV": 0.0, "DMOV": 0}
    assert result["y"] == 0.4
    assert result["freed"] == {"RBV": 0.7, "DMOV": 1}
    assert (result["stalled"]["RBV"], result["stalled"]["DMOV"]) == (0.7, 1)
    assert int(result["stalled"]["MSTA"]) & STALLED
    assert int(result["stalled"]["MSTA"]) & PROBLEM
    assert result["then"]["RBV"] == 0.2
    assert not int(result["then"]["MSTA"]) & PROBLEM


def test_a_steady_ring_posts_nothing_when_nothing_happens(seen: Any) -> None:
    assert seen["the_ring"] == [100.0]


def test_time_can_be_sped_up_and_the_ring_decays_and_is_topped_up(
    ioc: Callable[..., Ioc], run_client: Callable[..., Any]
) -> None:
    running = ioc(shape=(8, 8), lifetime=20.0, top_up=10.0, current=200.0, time_scale=20.0)
    seen = run_client(running, CLIENT, "the_ring", "dwell")
    currents = np.array(seen["the_ring"])
    assert len(currents) > 8
    assert currents.max() <= 200
    assert currents.min() >= 200 * math.exp(-0.5) * 0.99
    assert (np.diff(currents) > 0).any()
    assert (np.diff(currents) < 0).any()
    dwell, seconds, reading = seen["dwell"][-1]
    assert seconds >= dwell / 20
    assert reading["Elapsed"] == dwell


def test_each_channel_of_the_specimen_has_a_pv(
    ioc: Callable[..., Ioc], run_client: Callable[..., Any], tmp_path: Path
) -> None:
    image = tmp_path / "channels.npy"
    np.save(image, np.arange(1.0, 19.0).reshape(2, 3, 3))
    running = ioc(image=str(image), peak_rate=18.0, noise="none", dwell=0.1)
    assert "SIM:counter:Counts2" in running.pvs
    seen = run_client(running, CLIENT, "two_channels")
    assert seen["two_channels"] == pytest.approx([0.2, 1.1])
