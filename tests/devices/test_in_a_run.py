"""The devices under a real RunEngine: documents, stops from outside, pauses, frozen IOCs, beam."""

import os
import signal

import pytest

from skysteer.simulators import Ioc


def test_documents_are_valid_and_events_hold_what_was_described(client):
    def there(lab):
        import event_model
        from bluesky import RunEngine
        from bluesky.plan_stubs import abs_set
        from bluesky.plans import list_scan
        from bluesky.preprocessors import pchain

        from skysteer.devices import RingCurrent, ScanStage

        counter, ring = lab.counter(), lab.connected(RingCurrent("SIM:ring:"))
        stage = lab.connected(ScanStage("SIM:", name="stage"))
        for axis in (stage.x, stage.y):
            axis.velocity.set(1e6).wait()
        documents = []

        def keep(name, document):
            event_model.schema_validators[event_model.DocumentNames[name]].validate(document)
            documents.append((name, document))

        RE = RunEngine()
        RE.subscribe(keep)
        points = [0, 1.5, 3]
        scan = list_scan([counter, ring], stage.x, points, stage.y, points)
        RE(pchain(abs_set(counter.dwell, 0.004, wait=True), scan))
        return documents

    documents = client(there)
    names = [name for name, _ in documents]
    assert names == ["start", "descriptor", "event", "event", "event", "stop"]
    descriptor, events = documents[1][1], [document for _, document in documents[2:5]]
    fields = {device: hint["fields"] for device, hint in descriptor["hints"].items()}
    assert fields == {
        "counter": ["counter"],
        "ring": [],
        "stage_x": ["stage_x"],
        "stage_y": ["stage_y"],
    }
    for event in events:
        assert set(event["data"]) == set(descriptor["data_keys"])
        assert all(isinstance(value, float) for value in event["data"].values())
    assert {key["dtype_numpy"] for key in descriptor["data_keys"].values()} == {"<f8"}
    assert [event["data"]["stage_y"] for event in events] == pytest.approx([0, 1.5, 3])
    assert [event["data"]["counter_dwell"] for event in events] == pytest.approx([0.004] * 3)


def test_a_stop_from_outside_ends_the_run_and_is_no_event(client):
    def there(lab):
        from bluesky import RunEngine
        from bluesky.plans import list_scan
        from bluesky.utils import FailedStatus

        x, counter = lab.motor(at=0), lab.counter(0.01)
        x.velocity.set(4).wait()
        documents = []
        RE = RunEngine()
        RE.subscribe(lambda name, document: documents.append((name, document)))
        stops = []

        def stop_on_the_way(value, **_):
            if 7 < value < 9.9 and not stops:
                stops.append(value)
                lab.write_later(0, "SIM:x.STOP", 1)

        x.subscribe(stop_on_the_way, run=False)
        try:
            RE(list_scan([counter], x, [1, 3, 5, 10, 12]))
        except FailedStatus as error:
            failure = str(error)
        x.velocity.set(1e6).wait()
        return documents, failure

    documents, failure = client(there)
    measured = [document["data"]["x"] for name, document in documents if name == "event"]
    assert measured == pytest.approx([1, 3, 5], abs=1e-3)
    stop = documents[-1][1]
    assert stop["exit_status"] == "fail"
    assert "move of x (SIM:x) to 10 um failed: ended at" in stop["reason"]
    assert "another client" in failure


def test_a_pause_on_the_way_and_in_a_count_costs_no_point(client):
    def there(lab):
        import threading

        from bluesky import RunEngine
        from bluesky.plans import list_scan
        from bluesky.utils import RunEngineInterrupted

        x, counter = lab.motor(at=0), lab.counter(0.3)
        x.velocity.set(10).wait()
        points, paused = [], []
        RE = RunEngine()

        def pause_here(place):
            paused.append(place)
            threading.Thread(target=RE.request_pause).start()

        def on_the_way(value, **_):
            if 4 < value < 8 and not paused:
                pause_here("moving")

        def when_counting(message):
            if message.command == "wait" and counter.acquire.get() == 1 and len(paused) == 1:
                pause_here("counting")

        RE.subscribe(lambda name, document: points.append(document["data"]), "event")
        x.subscribe(on_the_way, run=False)
        RE.msg_hook = when_counting
        interruptions = 0
        go_on = lambda: RE(list_scan([counter], x, [1, 10, 11, 12]))  # noqa: E731
        while go_on is not None:
            try:
                go_on()
                go_on = None
            except RunEngineInterrupted:
                interruptions += 1
                go_on = RE.resume
        x.velocity.set(1e6).wait()
        return points, paused, interruptions

    points, paused, interruptions = client(there)
    assert paused == ["moving", "counting"]
    assert interruptions == 2
    assert [point["x"] for point in points] == pytest.approx([1, 10, 11, 12], abs=1e-3)
    assert [point["counter_i0"] for point in points] == pytest.approx([0.3e7] * 4)


def test_the_run_waits_while_the_beam_is_gone(client):
    def there(lab):
        from bluesky import RunEngine
        from bluesky.plans import list_scan

        from skysteer.devices import RingCurrent, beam_suspender

        x, counter = lab.motor(), lab.counter(0.05)
        ring = lab.connected(RingCurrent("SIM:ring:"))
        points, reasons = [], []
        RE = RunEngine()
        RE.record_interruptions = True
        RE.install_suspender(beam_suspender(ring, minimum=20, settle=0.1))

        def follow(name, document):
            if "counter" in document["data"]:
                points.append(document["data"])
                if len(points) == 3:
                    lab.write_later(0, "SIM:fault:BeamDump", 1)
            else:
                reasons.append((document["data"]["interruption"], len(points)))
                lab.write_later(0.5, "SIM:fault:BeamDump", 0)

        RE.subscribe(follow, "event")
        RE(list_scan([counter, ring], x, [n / 2 for n in range(12)]))
        return points, reasons

    points, reasons = client(there)
    assert [point["x"] for point in points] == pytest.approx([n / 2 for n in range(12)])
    assert all(point["ring_current"] == 100 for point in points)
    assert all(point["counter_i0"] == pytest.approx(0.05 * 1e7) for point in points)
    reason, done = reasons[0]
    assert "ring_current" in reason and "waiting for beam" in reason
    assert done < 12


def lose_the_ioc_on_arrival(lab, pid, blow):
    """Send the IOC's process a signal when a move has completed, before its readback is fetched."""
    import os

    x = lab.motor()
    get = x.user_readback.get

    def strike(**options):
        x.user_readback.get = get
        os.kill(pid, blow)
        return get(**options)

    x.user_readback.get = strike
    status = x.set(1)
    status.exception(timeout=30)
    return str(status)


@pytest.mark.parametrize("blow", [signal.SIGSTOP, signal.SIGKILL])
@pytest.mark.parametrize("layer", ["pyepics", "caproto"])
def test_a_move_whose_end_cannot_be_read_says_that_the_ioc_is_silent(start_client, layer, blow):
    with Ioc(kind="gradients", noise="none") as ioc:
        client = start_client(layer, ioc.environment)
        text = client(lose_the_ioc_on_arrival, pid=ioc.pid, blow=blow)
        if blow == signal.SIGSTOP:
            os.kill(ioc.pid, signal.SIGCONT)
    assert text == (
        "move of x (SIM:x) to 1 um failed: could not verify the arrival: "
        "the IOC does not answer: check that it runs"
    )


@pytest.mark.soak
@pytest.mark.parametrize("layer", ["pyepics", "caproto"])
def test_an_ioc_that_was_silent_for_a_minute_is_written_to_again(start_client, layer):
    def there(lab, pid):
        import contextlib
        import os
        import signal
        import time

        from ophyd.utils import DisconnectedError

        x, counter = lab.motor(timeout=1), lab.counter(timeout=1)
        os.kill(pid, signal.SIGSTOP)
        with contextlib.suppress(Exception):
            x.set(1).wait(5)
        time.sleep(50)  # after half a minute libca takes the circuit for dead
        os.kill(pid, signal.SIGCONT)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(DisconnectedError, TimeoutError):
                x.set(2).wait(5)
                counter.trigger().wait(5)
                return x.position
            time.sleep(0.5)

    with Ioc(kind="gradients", noise="none") as ioc:
        client = start_client(layer, ioc.environment)
        assert client(there, pid=ioc.pid) == pytest.approx(2)


def lose_the_ioc(lab, pid, blow):
    """Scan, and send the IOC's process a signal before the third move."""
    import os

    from bluesky import RunEngine
    from bluesky.plans import list_scan

    x, counter = lab.motor(timeout=1), lab.counter(timeout=1)
    documents = []
    RE = RunEngine()
    RE.subscribe(lambda name, document: documents.append((name, document)))

    def strike(message):
        if message.command == "set" and sum(name == "event" for name, _ in documents) == 2:
            os.kill(pid, blow)
            RE.msg_hook = None

    RE.msg_hook = strike
    said = []
    for attempt in (lambda: RE(list_scan([counter], x, [1, 2, 3, 4])), lambda: x.set(1).wait()):
        try:
            attempt()
        except Exception as error:
            said.append(f"{type(error).__name__}: {error}")
    return documents, said


@pytest.mark.parametrize("blow", [signal.SIGSTOP, signal.SIGKILL])
@pytest.mark.parametrize("layer", ["pyepics", "caproto"])
def test_a_lost_ioc_ends_the_run_in_time_with_the_reason(start_client, layer, blow):
    with Ioc(kind="gradients", noise="none") as ioc:
        client = start_client(layer, ioc.environment)
        documents, (failure, after) = client(lose_the_ioc, pid=ioc.pid, blow=blow)
        if blow == signal.SIGSTOP:
            os.kill(ioc.pid, signal.SIGCONT)
    assert [name for name, _ in documents].count("event") == 2
    stop = documents[-1][1]
    assert stop["exit_status"] == "fail"
    assert stop["reason"] and stop["reason"] in failure
    if blow == signal.SIGSTOP:
        assert "move of x (SIM:x) to 3 um not done within 1 s: last readback 2;" in failure
        assert "check that the IOC answers" in failure
    else:
        assert after == "DisconnectedError: x: SIM:x is not connected; is its IOC up?"


def test_a_scan_that_chooses_its_dwell_sets_the_counter_over_channel_access(client):
    def there(lab):
        from bluesky import RunEngine

        from skysteer.agent import History
        from skysteer.devices import ScanStage
        from skysteer.plans import adaptive_scan, decide_again

        counter, stage = lab.counter(), lab.connected(ScanStage("SIM:", name="stage"))
        for axis in (stage.x, stage.y):
            axis.velocity.set(1e6).wait()
        documents = []
        RE = RunEngine(call_returns_result=True)
        RE.subscribe(lambda name, document: documents.append((name, document)))
        agent = {"agent": "slads", "options": {"counts_per_unit": 1e-5}}
        times = {"speed": 1000.0, "settle": 0.002, "dwell": 0.001}
        plan = adaptive_scan(
            [counter], agent, stage.y, 1, 2, 11, stage.x, 1, 2, 11, until="points(24)", batch=4,
            dwell=0.001, longest_dwell=0.008, stage=times, seed=1,
        )  # fmt: skip
        outcome = RE(plan).plan_result
        past = History.of(documents)
        return {
            "wanted": [0.001 * t for each in past.made for t in each.decision.dwells.tolist()],
            "told": [
                document["data"]["counter_dwell"]
                for name, document in documents
                if name == "event" and "counter_dwell" in document["data"]
            ],
            "i0": [
                document["data"]["counter_i0"]
                for name, document in documents
                if name == "event" and "counter_dwell" in document["data"]
            ],
            "points": outcome.points,
            "differs": [what for _, what in decide_again(past) if what],
        }

    done = client(there)
    assert done["told"] == pytest.approx(done["wanted"])
    assert len(set(done["told"])) > 1
    assert done["points"] == 24
    assert done["differs"] == []
    rates = [i0 / dwell for i0, dwell in zip(done["i0"], done["told"], strict=True)]
    assert max(rates) < 1.05 * min(rates)  # the monitor counted for as long as the event says
