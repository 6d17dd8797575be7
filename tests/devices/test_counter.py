"""Counter on the simulated microscope, through both control layers, and its formula."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skysteer.devices import normalised_rate

COUNTS = st.floats(0, 1e9)
POSITIVE = st.floats(1e-3, 1e9)


@given(counts=COUNTS, i0=POSITIVE, nominal=POSITIVE, longer=st.floats(0.1, 10))
def test_the_steering_value_does_not_depend_on_the_dwell(counts, i0, nominal, longer):
    once = normalised_rate(counts, i0, nominal)
    assert normalised_rate(counts * longer, i0 * longer, nominal) == pytest.approx(once)


@given(rate=COUNTS, dwell=st.floats(1e-3, 10), nominal=POSITIVE)
def test_at_the_nominal_intensity_the_steering_value_is_the_count_rate(rate, dwell, nominal):
    assert normalised_rate(rate * dwell, nominal * dwell, nominal) == pytest.approx(rate)


@pytest.mark.parametrize("i0", [0.0, -1.0, math.nan, math.inf])
def test_without_a_beam_monitor_the_steering_value_is_not_a_number(i0):
    assert math.isnan(normalised_rate(5.0, i0, 1e6))


def test_counts_that_are_not_a_number_stay_so():
    assert math.isnan(normalised_rate(math.nan, 5.0, 1e6))


def test_a_count_takes_the_dwell_and_reads_what_it_counted(client):
    def there(lab):
        counter = lab.counter()
        readings = []
        for n in range(100):
            counter.dwell.set(0.001 * (1 + n % 3)).wait(5)
            counter.trigger().wait(20)
            readings.append({key: r["value"] for key, r in counter.read().items()})
        return readings

    for n, reading in enumerate(client(there)):
        dwell = 0.001 * (1 + n % 3)
        # The microscope is noiseless: its monitor counts 1e7/s, so a stale value shows.
        assert reading["counter_dwell"] == pytest.approx(dwell)
        assert reading["counter_i0"] == pytest.approx(1e7 * dwell)
        assert reading["counter"] == pytest.approx(reading["counter_counts"] / dwell)
        assert all(isinstance(value, float) for value in reading.values())


def test_a_counter_describes_and_hints_what_it_reads(client):
    def there(lab):
        counter = lab.counter(name="det", nominal_i0=5e6)
        counter.trigger().wait(20)
        return counter.describe(), list(counter.read()), counter.hints

    described, keys, hints = client(there)
    assert list(described) == keys == ["det", "det_dwell", "det_counts", "det_i0"]
    assert hints == {"fields": ["det"]}
    units = {key: entry["units"] for key, entry in described.items()}
    assert units == {
        "det": "counts/s",
        "det_dwell": "s",
        "det_counts": "counts",
        "det_i0": "counts",
    }
    for entry in described.values():
        assert (entry["dtype"], entry["shape"], entry["dtype_numpy"]) == ("number", [], "<f8")
    assert "SIM:counter:I0" in described["det"]["source"] and "5e+06" in described["det"]["source"]


def test_channels_left_out_of_the_reading_still_steer(client):
    def there(lab):
        counter = lab.counter()
        counter.read_attrs = ["dwell"]
        counter.trigger().wait(20)
        return counter.read(), list(counter.describe()), counter.counts.get() / 0.01

    read, described, rate = client(there)
    assert list(read) == described == ["counter", "counter_dwell"]
    assert read["counter"]["value"] == pytest.approx(rate)


def test_without_beam_a_count_reads_nan_and_not_an_error(client):
    def there(lab):
        counter = lab.counter()
        lab.write("SIM:fault:BeamDump", 1)
        counter.trigger().wait(20)
        dark = counter.read()
        lab.write("SIM:fault:BeamDump", 0)
        counter.trigger().wait(20)
        return dark["counter"]["value"], dark["counter_i0"]["value"], counter.read()["counter"]

    rate, i0, after = client(there)
    assert i0 == 0
    assert math.isnan(rate)
    assert after["value"] > 0


@pytest.mark.parametrize("dwell", [0.0, -1.0, math.nan, math.inf])
def test_a_dwell_that_is_no_time_is_refused(client, dwell):
    def there(lab, dwell):
        counter = lab.counter()
        try:
            counter.dwell.set(float(dwell))
        except ValueError as error:
            return str(error)

    assert "counter_dwell: a dwell must be a positive number of s, got" in client(
        there, dwell=str(dwell)
    )


def test_unstaging_puts_back_the_dwell_of_before(client):
    def there(lab):
        counter = lab.counter(0.02)
        counter.stage()
        counter.dwell.set(0.005).wait(5)
        during = counter.dwell.get()
        counter.unstage()
        after = counter.dwell.get()
        counter.unstage()
        return during, after, counter.dwell.get()

    assert client(there) == pytest.approx([0.005, 0.02, 0.02])


def test_unstaging_aborts_a_count_under_way(client):
    def there(lab):
        counter = lab.counter(60)
        counter.stage()
        count = counter.trigger()
        counter.unstage()
        count.wait(5)
        counter.dwell.set(0.01).wait(5)
        counter.trigger().wait(20)

    client(there)


def test_a_pause_aborts_the_count_and_the_next_one_is_whole(client):
    def there(lab):
        counter = lab.counter(60)
        aborted = counter.trigger()
        counter.pause()
        aborted.wait(5)
        counter.dwell.set(0.2).wait(5)
        counter.trigger().wait(20)
        return counter.read()["counter_i0"]["value"]

    assert client(there) == pytest.approx(0.2 * 1e7)


def test_a_count_started_at_once_after_an_abort_is_not_ended_by_it(client):
    def there(lab):
        counter = lab.counter(0.1)
        whole = 0
        for _ in range(20):
            aborted = counter.trigger()
            counter.pause()
            again = counter.trigger()
            aborted.wait(5)
            again.wait(20)
            whole += counter.read()["counter_i0"]["value"] == 0.1 * 1e7
        return whole

    assert client(there) == 20


def test_a_count_that_is_stopped_or_takes_too_long_fails_and_the_next_works(client):
    def there(lab):
        counter = lab.counter(30, timeout=0.3)
        late = counter.trigger()
        late_error = type(late.exception(timeout=20)).__name__
        while counter.acquire.get():
            pass
        stopped = counter.trigger()
        try:
            counter.trigger()
        except RuntimeError as error:
            busy = str(error)
        counter.stop()
        stopped_error = str(stopped.exception(timeout=5))
        counter.dwell.set(0.01).wait(5)
        counter.trigger().wait(20)
        return late_error, str(late), busy, stopped_error, counter.read()["counter_i0"]["value"]

    late, text, busy, stopped, i0 = client(there)
    assert late == "StatusTimeoutError"
    assert text.startswith("count of counter (SIM:counter:) not done within 0.3 s: check that")
    assert busy == "counter is counting already: wait for it, or stop() it"
    assert "stop()" in stopped
    assert i0 == pytest.approx(1e5)


def test_a_count_may_take_at_least_twice_the_dwell(client):
    def there(lab):
        counter = lab.counter(40)
        count = counter.trigger()
        counter.stop(success=True)
        counter.dwell.set(0.01).wait(5)
        return count.timeout

    assert client(there) == pytest.approx(90)
