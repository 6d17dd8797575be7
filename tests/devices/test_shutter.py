"""The shutter: beam while it is open, and closed when a scan is over."""

import math


def test_without_beam_nothing_is_counted(client):
    def there(lab):
        from skysteer.devices import Shutter

        shutter, counter, counts = lab.connected(Shutter("SIM:shutter:")), lab.counter(), []
        for state in ("close", "open"):
            shutter.set(state).wait(30)
            counter.trigger().wait(30)
            counts.append(counter.read()["counter"]["value"])
        return counts, shutter.is_open.get()

    (dark, lit), is_open = client(there)
    assert math.isnan(dark), "nothing is normalised by nothing"
    assert lit > 0
    assert is_open == 1


def test_a_scan_opens_it_for_its_points_and_leaves_it_closed(client):
    def there(lab):
        import time

        from bluesky import RunEngine

        from skysteer.agent import make_sampler
        from skysteer.devices import Shutter
        from skysteer.plans import adaptive_scan

        shutter, counter = lab.connected(Shutter("SIM:shutter:")), lab.counter()
        x, y = lab.motor("x"), lab.motor("y")
        counts = []
        RE = RunEngine(call_returns_result=True)
        key = counter.name
        RE.subscribe(lambda _, event: counts.append(event["data"].get(key)), "event")
        lab.write("SIM:shutter:Open", 0)
        plan = adaptive_scan([counter], make_sampler("low-discrepancy", {}), y, 0, 3, 4, x, 0, 3, 4,
                             until="points(5)", shutter=shutter)  # fmt: skip
        outcome = RE(plan).plan_result
        deadline = time.monotonic() + 60
        while shutter.is_open.get() and time.monotonic() < deadline:
            time.sleep(0.01)  # it is closed without waiting for it
        return outcome.points, [c for c in counts if c is not None], shutter.is_open.get()

    points, counts, is_open = client(there)
    assert points == len(counts) == 5 and min(counts) > 0
    assert is_open == 0


def test_it_takes_no_other_state(client):
    def there(lab):
        from skysteer.devices import Shutter

        try:
            lab.connected(Shutter("SIM:shutter:")).set("ajar")
        except ValueError as error:
            return str(error)

    assert client(there) == "shutter is set to 'open' or 'close', but 'ajar' came"
