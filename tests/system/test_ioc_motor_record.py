"""The motor record, as pyepics sees it: expectations are those of synApps' motorRecord.cc."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from skysteer.simulators import Ioc

CLIENT = Path(__file__).parents[1] / "simulators" / "motor_record_client.py"
MOVING, DONE, PLUS_SWITCH = 1 << 10, 1 << 1, 1 << 2  # of MSTA


@pytest.fixture(scope="module")
def seen(run_client: Callable[..., Any]) -> Iterator[dict[str, Any]]:
    with Ioc(velocity=10.0, ramp=0.1, x_limits=(-2.0, 12.0), time_scale=2.0) as ioc:
        yield run_client(ioc, CLIENT)


def of(field: str, events: list[list[Any]]) -> list[Any]:
    return [value for name, value in events if name == field]


def test_val_is_posted_at_once_and_dmov_frames_the_motion(seen: dict[str, Any]) -> None:
    events = seen["a_move"]["events"]
    names = [name for name, _ in events]
    assert names[0] == "DMOV"
    assert names[-1] == "DMOV"
    assert of("DMOV", events) == [0, 1]
    assert of("VAL", events) == [2.0]
    assert names.index("VAL") < names.index("RBV")
    assert of("MOVN", events) == [1, 0]
    assert of("MSTA", events)[0] & MOVING
    assert of("MSTA", events)[-1] & DONE
    readbacks = of("RBV", events)
    assert readbacks == sorted(readbacks)
    assert any(0 < value < 2 for value in readbacks)
    assert readbacks[-1] == 2.0


def test_a_put_completes_at_the_end_of_the_motion(seen: dict[str, Any]) -> None:
    move = seen["a_move"]
    assert (move["RBV"], move["DMOV"], move["MOVN"]) == (2.0, 1, 0)
    assert (
        move["seconds"] >= (2.0 / 10.0 + 0.1) / 2.0 - 1e-3
    )  # distance / VELO + ACCL, twice as fast


@pytest.mark.parametrize("where", ["before", "after"])
def test_beyond_a_soft_limit_lvio_is_set_and_nothing_moves(
    seen: dict[str, Any], where: str
) -> None:
    case = seen["beyond_a_limit"]
    assert case["status"] == 1  # the put itself is no error
    assert case[where]["LVIO"] == (1 if where == "after" else 0)
    assert (case[where]["VAL"], case[where]["RBV"], case[where]["DMOV"]) == (0.0, 0.0, 1)
    assert of("DMOV", case["events"]) == [0, 1]
    assert of("VAL", case["events"]) == [0.0]  # the client sees its value taken back
    assert (case["then"]["LVIO"], case["then"]["RBV"]) == (0, 1.0)


def test_nan_is_beyond_every_limit(seen: dict[str, Any]) -> None:
    case = seen["not_a_number"]
    assert (case["LVIO"], case["VAL"], case["RBV"], case["DMOV"]) == (1, 0.0, 0.0, 1)


def test_settings_that_are_no_numbers_are_refused(seen: dict[str, Any]) -> None:
    case = seen["numbers_that_are_none"]
    for field in ("VELO", "ACCL", "BDST", "OFF", "HLM", "DLLM"):
        assert case[field] == case["before"][field]
    assert case["RBV"] == 0.5


def test_control_limits_follow_the_soft_limits_of_user_and_dial(seen: dict[str, Any]) -> None:
    case = seen["limits"]
    assert case["first"] == [-2.0, 12.0]
    assert (case["ctrl"]["lower_ctrl_limit"], case["ctrl"]["upper_ctrl_limit"]) == (-2.0, 3.0)
    assert (case["ctrl"]["units"], case["ctrl"]["precision"]) == ("um", 4)
    assert (case["refused"]["DHLM"], case["refused"]["LVIO"], case["refused"]["RBV"]) == (3, 1, 0)
    assert (case["then"]["HLM"], case["then"]["LVIO"], case["then"]["RBV"]) == (4.0, 0, 3.5)


def test_a_new_target_on_the_way_is_one_motion(seen: dict[str, Any]) -> None:
    case = seen["a_new_target_on_the_way"]
    assert not case["early"]
    assert case["first"], "the first put must complete too"
    assert of("DMOV", case["events"]) == [0, 1]
    assert of("VAL", case["events"]) == [8.0, 0.5]
    assert (case["VAL"], case["RBV"]) == (0.5, 0.5)
    readbacks = of("RBV", case["events"])
    assert max(readbacks) < 8.0


def test_a_stop_ends_where_it_stopped_with_val_at_the_readback(seen: dict[str, Any]) -> None:
    for name in ("a_stop", "a_stop_in_a_pause"):
        case = seen[name]
        assert case["completed"]
        assert (case["DMOV"], case["MOVN"], case["STOP"]) == (1, 0, 0)
        assert 1.0 < case["RBV"] < 10.0
        assert case["VAL"] == case["RBV"]
    assert seen["a_stop_at_rest"]["RBV"] == 1.0


def test_a_pause_keeps_the_target_and_go_reaches_it(seen: dict[str, Any]) -> None:
    case = seen["a_pause"]
    paused = case["paused"]
    assert (paused["VAL"], paused["DMOV"], paused["MOVN"]) == (6.0, 0, 0)
    assert 1.0 < paused["RBV"] < 6.0
    assert not case["early"]
    assert case["completed"]
    assert (case["RBV"], case["DMOV"]) == (6.0, 1)


def test_spmg_stop_forgets_the_target_and_holds_the_next_until_go(seen: dict[str, Any]) -> None:
    case = seen["spmg_stop"]
    assert case["stopped"]["VAL"] == case["stopped"]["RBV"] < 6.0
    assert case["waiting"]["RBV"] == case["stopped"]["RBV"]
    assert (case["early"], case["done"], case["RBV"]) == (False, True, 3.0)


def test_spmg_move_moves_once_and_then_pauses(seen: dict[str, Any]) -> None:
    assert (seen["spmg_move"]["RBV"], seen["spmg_move"]["SPMG"]) == (1.0, 1)


def test_tweaks_and_relative_moves_add_up(seen: dict[str, Any]) -> None:
    case = seen["tweaks"]
    assert case["after"]["RBV"] == pytest.approx(0.5)
    assert (case["after"]["TWF"], case["after"]["TWR"]) == (0, 0)
    assert case["then"]["RBV"] == pytest.approx(1.75)
    assert case["then"]["RLV"] == 0


def test_offset_and_direction_change_numbers_and_move_nothing(seen: dict[str, Any]) -> None:
    case = seen["an_offset"]
    shifted, moved, mirrored = case["shifted"], case["moved"], case["mirrored"]
    assert (shifted["VAL"], shifted["RBV"], shifted["DVAL"], shifted["DRBV"]) == (11, 11, 1, 1)
    assert (shifted["LLM"], shifted["HLM"], shifted["DLLM"], shifted["DHLM"]) == (8, 22, -2, 12)
    assert (moved["RBV"], moved["DRBV"]) == (12, 2)
    assert (mirrored["RBV"], mirrored["DRBV"]) == (8, 2)  # OFF - dial
    assert (mirrored["LLM"], mirrored["HLM"]) == (-2, 12)
    assert all(s["DMOV"] == 1 for s in (shifted, moved, mirrored))


def test_set_mode_calibrates_by_the_offset(seen: dict[str, Any]) -> None:
    case = seen["a_calibration"]
    assert (case["VAL"], case["RBV"], case["DVAL"], case["OFF"]) == (5.0, 5.0, 1.0, 4.0)


def test_backlash_is_taken_out_by_an_approach_from_its_side(seen: dict[str, Any]) -> None:
    case = seen["backlash"]
    down, up = case["down"], case["up"]
    assert min(down) == pytest.approx(1.5)
    assert down[-1] == 2.0
    assert up == sorted(up)
    assert up[-1] == 4.0


def test_a_limit_switch_stops_the_stage(seen: dict[str, Any]) -> None:
    case = seen["a_limit_switch"]
    assert case["hit"]["RBV"] == pytest.approx(13.4)
    assert (case["hit"]["HLS"], case["hit"]["LLS"], case["hit"]["DMOV"]) == (1, 0, 1)
    assert case["hit"]["MSTA"] & PLUS_SWITCH
    assert (case["then"]["HLS"], case["then"]["RBV"]) == (0, 5.0)


def test_dmov_blinks_for_a_move_that_takes_no_time_or_goes_nowhere(seen: dict[str, Any]) -> None:
    case = seen["velocity"]
    assert case["fast"] == 1e6  # VMAX
    assert case["moves"] == [0, 1] * 3
    assert case["RBV"] == 2.0
