"""ScanMotor on the simulated motor record, through both control layers.

The functions named `there` run in a client process of their own, beside the microscope's, with what
lab.py has as `lab`.
"""

import pytest


def fast_moves(lab, number, switch_interval):
    import sys

    x = lab.motor()
    sys.setswitchinterval(switch_interval)
    try:
        wrong = 0
        for n in range(number):
            target = 0.5 * (n % 7)
            x.set(target, timeout=20).wait()
            wrong += abs(x.read()["x"]["value"] - target) > x.tolerance
        return wrong
    finally:
        sys.setswitchinterval(0.005)


@pytest.mark.parametrize("switch_interval", [0.005, 1e-5])
def test_fast_moves_all_end_and_none_reads_the_position_before(client, switch_interval):
    assert client(fast_moves, number=150, switch_interval=switch_interval) == 0


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("switch_interval", [0.005, 1e-5])
def test_three_thousand_fast_moves_end_without_a_hang(client, switch_interval):
    assert client(fast_moves, number=3000, switch_interval=switch_interval) == 0


def test_a_reading_has_readback_and_setpoint_as_described_floats(client):
    def there(lab):
        x = lab.motor(at=3)
        return x.describe(), x.read(), x.hints

    described, read, hints = client(there)
    assert list(described) == list(read) == ["x", "x_user_setpoint"]
    assert hints == {"fields": ["x"]}
    for key, suffix in (("x", "RBV"), ("x_user_setpoint", "VAL")):
        entry = described[key]
        assert entry["source"] == f"PV:SIM:x.{suffix}"
        assert (entry["dtype"], entry["shape"], entry["dtype_numpy"]) == ("number", [], "<f8")
        assert (entry["units"], entry["precision"]) == ("um", 4)
        assert isinstance(read[key]["value"], float)
        assert read[key]["value"] == pytest.approx(3.0, abs=1e-6)


def test_a_stop_from_outside_fails_the_move_and_says_where_it_ended(client):
    def there(lab):
        import threading

        x = lab.motor(at=0)
        x.velocity.set(5).wait()
        passing = threading.Event()
        x.subscribe(lambda value, **_: value > 1 and passing.set(), run=False)
        status = x.set(10)
        assert passing.wait(10)
        lab.write("SIM:x.STOP", 1)
        error = status.exception(timeout=10)
        ended = x.position
        x.velocity.set(1e6).wait()
        x.set(4).wait()
        return status.success, str(error), str(status), ended, x.position

    success, error, text, ended, after = client(there)
    assert not success
    assert 1 < ended < 10
    assert f"ended at {ended:g}" in error and "another client" in error
    assert text.startswith("move of x (SIM:x) to 10 um failed: ended at")
    assert after == pytest.approx(4)


def test_a_move_that_the_record_refuses_fails_with_its_limits(client):
    def there(lab):
        x = lab.motor(at=2)
        # What a client does whose knowledge of the limits has been overtaken.
        x.check_value = lambda position: None
        status = x.set(1000)
        error = status.exception(timeout=10)
        x.set(3).wait()
        return type(error).__name__, str(error), x.position

    kind, error, position = client(there)
    assert kind == "LimitError", error
    assert "LVIO" in error and "-1.28..14.08" in error
    assert position == pytest.approx(3)


def test_targets_that_are_no_numbers_or_beyond_the_limits_move_nothing(client):
    def there(lab):
        x = lab.motor(at=2)
        errors = {}
        for target in (float("nan"), float("inf"), -float("inf"), 14.1, -1.3):
            try:
                x.set(target)
            except ValueError as error:
                errors[str(target)] = (type(error).__name__, str(error))
        x.set(-1.28).wait()
        x.set(14.08).wait()
        return errors, x.user_setpoint.get()

    errors, setpoint = client(there)
    assert [kind for kind, _ in errors.values()] == ["ValueError"] * 3 + ["LimitError"] * 2
    assert "x: a target must be a finite number of um, got nan" in errors["nan"][1]
    assert "14.1 um lies outside the soft limits -1.28..14.08 of SIM:x" in errors["14.1"][1]
    assert setpoint == pytest.approx(14.08)


def test_limits_and_tolerance_follow_the_record(client):
    def there(lab):
        import time

        def eventually(condition):
            deadline = time.monotonic() + 10
            while not condition() and time.monotonic() < deadline:
                time.sleep(0.01)
            return condition()

        y = lab.motor("y")
        first = y.limits, y.tolerance
        lab.write("SIM:y.HLM", 9.0)
        lab.write("SIM:y.RDBD", 0.25)
        followed = eventually(lambda: y.limits[1] == 9.0 and y.tolerance == 0.25)
        lab.write("SIM:y.HLM", first[0][1])
        lab.write("SIM:y.RDBD", 1e-4)
        return first, followed, lab.motor("y", tolerance=0.5).tolerance

    (limits, tolerance), followed, own = client(there)
    assert limits == pytest.approx((-1.28, 14.08))
    assert tolerance == pytest.approx(1e-4)
    assert followed
    assert own == 0.5


def test_a_stuck_motor_fails_in_time_and_moves_again_when_freed(client):
    def there(lab):
        x = lab.motor(at=1)
        lab.write("SIM:fault:StuckX", 1)
        status = x.set(5, timeout=0.5)
        error = status.exception(timeout=30)
        lab.write("SIM:fault:StuckX", 0)
        x.set(6).wait()
        return type(error).__name__, str(status), x.position

    kind, text, position = client(there)
    assert kind == "StatusTimeoutError"
    assert text.startswith("move of x (SIM:x) to 5 um not done within 0.5 s: last readback 1;")
    assert position == pytest.approx(6)


def test_a_stalled_motor_fails(client):
    def there(lab):
        x = lab.motor(at=1)
        lab.write("SIM:fault:StuckX", 2)
        status = x.set(5)
        error = status.exception(timeout=30)
        lab.write("SIM:fault:StuckX", 0)
        x.set(6).wait()
        return str(error), x.position

    error, position = client(there)
    assert error.startswith("ended at 1 (VAL 5)") and "stalled" in error
    assert position == pytest.approx(6)


def test_each_move_has_a_time_limit_from_the_record(client):
    def there(lab):
        x, given = lab.motor(at=0), lab.motor(timeout=33)
        x.velocity.set(4).wait()
        x.acceleration.set(0.5).wait()
        by_record = x.set(10)
        x.stop(success=True)
        by_device = given.set(1)
        given.stop(success=True)
        by_call = x.set(2, timeout=44)
        x.stop(success=True)
        x.acceleration.set(0).wait()
        x.velocity.set(1e6).wait()
        return by_record.timeout, by_device.timeout, by_call.timeout

    by_record, by_device, by_call = client(there)
    assert by_record == pytest.approx(2 * (10 / 4 + 2 * 0.5) + 10)
    assert by_device == 33
    assert by_call == 44


def test_only_a_stop_that_is_no_success_fails_the_move(client):
    def there(lab):
        x = lab.motor(at=0)
        x.velocity.set(5).wait()
        forgiven = x.set(10)
        x.stop(success=True)
        forgiven.wait(10)
        again = x.set(10)
        x.stop()
        error = again.exception(timeout=10)
        x.velocity.set(1e6).wait()
        x.set(10).wait()
        return forgiven.success, again.success, str(error), x.position

    forgiven, again, error, position = client(there)
    assert forgiven
    assert not again
    assert "stop()" in error
    assert position == pytest.approx(10)


def test_a_new_target_on_the_way_fails_the_move_it_replaces_and_is_reached(client):
    def there(lab):
        x = lab.motor(at=0)
        x.velocity.set(20).wait()
        seen = []
        x.subscribe(lambda value, **_: seen.append(value), run=False)
        first = x.set(10)
        second = x.set(1)
        second.wait(30)
        x.velocity.set(1e6).wait()
        return str(first.exception(timeout=1)), x.position, max(seen)

    error, position, furthest = client(there)
    assert "replaced by a move of x (SIM:x) to 1 um" in error
    assert position == pytest.approx(1)
    assert furthest < 10


def test_a_move_into_a_limit_switch_fails_with_the_switch(client):
    def there(lab):
        y = lab.motor("y")
        high = y.limits[1]
        lab.write("SIM:y.HLM", 100.0)
        y.check_value = lambda position: None
        status = y.set(50)
        error = str(status.exception(timeout=10))
        y.set(5).wait()
        lab.write("SIM:y.HLM", high)
        return error, y.position

    error, position = client(there)
    assert "limit switch SIM:y.HLS closed at 15.6" in error
    assert position == pytest.approx(5)
