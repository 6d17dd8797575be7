"""The devices on a C IOC that nobody here wrote: EPICS base's softIoc, by epicscorelibs."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

DATABASE = Path(__file__).with_name("beamline.db")


def free_port():
    """Give a port that is free for UDP and TCP on loopback."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
    ):
        udp.bind(("127.0.0.1", 0))
        tcp.bind(udp.getsockname())
        return udp.getsockname()[1]


@pytest.fixture(scope="module")
def c_ioc():
    """Start softIoc; it ends with the pipe on its standard input, and so with this process."""
    port = free_port()
    server = {
        "EPICS_CAS_INTF_ADDR_LIST": "127.0.0.1",
        "EPICS_CAS_SERVER_PORT": str(port),
        "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "epicscorelibs.ioc", "-m", "P=C:,MOVE=1", "-d", str(DATABASE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **server},
    )
    yield {"EPICS_CA_ADDR_LIST": f"127.0.0.1:{port}", "EPICS_CA_AUTO_ADDR_LIST": "NO"}
    process.kill()
    process.communicate()


@pytest.fixture(scope="module", params=["pyepics", "caproto"])
def client(request, c_ioc, start_client):
    return start_client(request.param, c_ioc)


def test_counts_of_whole_numbers_read_as_described_floats_and_none_is_stale(client):
    def there(lab):
        from skysteer.devices import Counter

        counter = lab.connected(Counter.with_channels(2)("C:counter:", nominal_i0=2e6))
        counter.dwell.set(0.005).wait(5)
        readings = []
        for _ in range(100):
            counter.trigger().wait(20)
            readings.append(counter.read())
        return counter.describe(), readings

    described, readings = client(there)
    assert {entry["dtype_numpy"] for entry in described.values()} == {"<f8"}
    assert {entry["dtype"] for entry in described.values()} == {"number"}
    values = [{key: entry["value"] for key, entry in reading.items()} for reading in readings]
    assert all(isinstance(value, float) for reading in values for value in reading.values())
    counts = [reading["counter_counts"] for reading in values]
    assert counts == [counts[0] + n for n in range(100)]
    assert [reading["counter_counts2"] for reading in values] == [2 * n for n in counts]
    assert values[9]["counter_i0"] == 0.005 * 2e6
    assert values[9]["counter"] == pytest.approx(counts[9] / 0.005)
    assert values[9]["counter2"] == pytest.approx(2 * counts[9] / 0.005)


@pytest.mark.parametrize("current", ["5", "nan"])
def test_the_ring_current_is_followed_and_without_beam_holds_a_run(client, current):
    def there(lab, current):
        from bluesky import RunEngine
        from bluesky.plans import count

        from skysteer.devices import RingCurrent, beam_suspender

        ring = lab.connected(RingCurrent("C:ring:"))
        lab.write("C:ring:Current", float(current))
        while ring.current.get() == 400:
            pass
        low, points = ring.read(), []
        RE = RunEngine()
        RE.install_suspender(beam_suspender(ring, minimum=50, settle=0))
        lab.write_later(0.5, "C:ring:Current", 400.0)
        RE.subscribe(lambda name, document: points.append(document["data"]), "event")
        RE(count([ring], 3))
        return low, ring.describe(), points

    low, described, points = client(there, current=current)
    assert str(low["ring_current"]["value"]) in ("5.0", "nan")
    assert described["ring_current"]["units"] == "mA"
    assert [point["ring_current"] for point in points] == [400, 400, 400]


def motor(lab, actions):
    """Make a ScanMotor on the records that stand for a motor record's fields, and use it."""
    import copy

    from skysteer.devices import ScanMotor

    components = {name: copy.copy(c) for name, c in ScanMotor._sig_attrs.items()}
    for component in components.values():
        component.suffix = component.suffix.replace(".", ":")
    x = lab.connected(type("Emulated", (ScanMotor,), components)("C:x", name="x"))
    x.set(0).wait()
    said = []
    for action, target in actions:
        errors = []
        if action == "force":
            x.check_value = lambda position: None
        if action == "retarget":
            errors.append(x.set(-target))
        move = x.set(target)
        x.user_readback.get(timeout=0.5)
        errors = [status.exception(timeout=30) for status in (*errors, move)]
        said.append((move.timeout, str(errors), x.read()["x"]["value"]))
    return said


def test_a_move_ends_with_its_put_completion_at_the_target(client):
    [(timeout, error, position)] = client(motor, actions=[("set", 3)])
    assert (error, position) == ("[None]", 3)
    assert timeout == pytest.approx(2 * (3 / 2 + 2 * 0.5) + 10)


def test_a_refused_move_fails_though_its_put_completes(client):
    [(_, error, position)] = client(motor, actions=[("force", 7)])
    assert "refused it (LVIO): soft limits -5..5" in error
    assert position == 0


def test_a_move_that_ends_in_alarm_fails_and_the_next_does_not(client):
    said = client(motor, actions=[("set", 4.8), ("set", 3)])
    assert [position for _, _, position in said] == [4.8, 3]
    assert "the record is in alarm (MAJOR)" in said[0][1]
    assert said[1][1] == "[None]"


def test_a_new_target_on_the_way_does_not_hold_up_the_circuit(client):
    [(_, errors, position)] = client(motor, actions=[("retarget", 2)])
    assert "replaced by a move of x (C:x) to 2 um" in errors
    assert position == 2


def test_a_missing_field_is_named(client):
    def there(lab):
        from skysteer.devices import Counter, connect

        try:
            connect([Counter.with_channels(3)("C:counter:")], timeout=2)
        except TimeoutError as error:
            return str(error)

    assert "counter: no answer within 2 s from C:counter:Counts3: check" in client(there)
