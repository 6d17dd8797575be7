"""The multichannel mode on the simulated microscope, through both control layers."""

import math

import pytest

from skysteer.devices import MultichannelCounter


def test_bins_are_counted_where_the_encoder_passed_them(client):
    def there(lab):
        from skysteer.devices import MultichannelCounter

        x = lab.motor("x", at=0.0)
        lab.motor("y", at=0.7)
        counter = lab.connected(
            MultichannelCounter("SIM:counter:", encoders={"x": "X", "y": "Y"}, timeout=30)
        )
        flights = []
        for start, pitch, begin, end in ((0.25, 0.1, 0.1, 0.9), (0.75, -0.1, 0.9, 0.1)):
            x.set(begin).wait(20)
            x.velocity.set(4.0).wait(20)
            x.acceleration.set(0.02).wait(20)
            counter.prepare("x", start=start, pitch=pitch, bins=5, dwell=0.025).wait(20)
            x.set(end).wait(20)
            counter.complete().wait(20)
            x.velocity.set(1e6).wait(20)
            flights.append(counter.bins())
        return flights, list(counter.read())

    flights, keys = client(there)
    for bins, way in zip(flights, (1, -1), strict=True):
        centres = [0.3, 0.4, 0.5, 0.6, 0.7][::way]
        assert set(bins) == {*keys, "x", "y"}
        assert bins["x"] == pytest.approx(centres, abs=1e-6)
        assert bins["y"] == pytest.approx([0.7] * 5, abs=1e-6)
        assert bins["counter_dwell"] == pytest.approx([0.025] * 5, rel=1e-6)
        assert bins["counter_i0"] == pytest.approx([1e7 * 0.025] * 5, rel=1e-6)
        rates = [counts / 0.025 for counts in bins["counter_counts"]]
        assert bins["counter"] == pytest.approx(rates, rel=1e-6)
    assert flights[0]["counter"] == pytest.approx(flights[1]["counter"][::-1], rel=1e-6)


def test_either_axis_may_fly(client):
    def there(lab):
        from skysteer.devices import MultichannelCounter

        y = lab.motor("y", at=0.0)
        lab.motor("x", at=0.5)
        counter = lab.connected(MultichannelCounter("SIM:counter:", encoders={"y": "Y", "x": "X"}))
        y.velocity.set(10.0).wait(20)
        counter.prepare("y", start=0.15, pitch=0.1, bins=4, dwell=0.01).wait(20)
        y.set(0.7).wait(20)
        counter.complete().wait(20)
        return counter.bins()

    bins = client(there)
    assert bins["y"] == pytest.approx([0.2, 0.3, 0.4, 0.5], abs=1e-6)
    assert bins["x"] == pytest.approx([0.5] * 4, abs=1e-6)


def test_a_flight_that_is_cut_short_gives_the_bins_it_has_and_the_next_one_its_own(client):
    def there(lab):
        from skysteer.devices import MultichannelCounter

        x = lab.motor("x", at=0.0)
        counter = lab.connected(MultichannelCounter("SIM:counter:", encoders={"x": "X"}))
        x.velocity.set(2.0).wait(20)
        counter.prepare("x", start=0.1, pitch=0.1, bins=50, dwell=0.05).wait(20)
        move = x.set(9.0)
        while x.user_readback.get() < 0.55:
            pass
        x.stop(success=True)
        while not move.done or x.moving:
            pass
        stood = x.user_readback.get()
        counter.complete().wait(20)
        cut = counter.bins()
        x.velocity.set(1e6).wait(20)
        counter.prepare("x", start=0.1, pitch=0.1, bins=3, dwell=0.05).wait(20)
        counter.stop()
        counter.complete().wait(20)
        return stood, cut, counter.bins()

    stood, cut, nothing = client(there)
    passed = math.floor((stood - 0.1) / 0.1 + 1e-6)
    assert 4 <= passed < 50
    assert {key: len(values) for key, values in cut.items()} == dict.fromkeys(cut, passed)
    assert nothing == {key: [] for key in cut}


def test_what_cannot_be_flown_is_refused(client):
    def there(lab):
        from skysteer.devices import MultichannelCounter

        counter = lab.connected(MultichannelCounter("SIM:counter:", encoders={"x": "X"}))
        said = []
        for axis, bins, pitch in (("z", 5, 0.1), ("x", 5000, 0.1), ("x", 5, 0.0)):
            try:
                counter.prepare(axis, start=0, pitch=pitch, bins=bins, dwell=0.01).wait(20)
                said.append("")
            except Exception as error:
                said.append(str(error) or type(error).__name__)
        return said

    said = client(there)
    assert said[0] == "counter has no encoder for 'z': encoders= names x"
    assert said[1].startswith("counter takes 1 to 4096 bins of a width other than 0, but 5000 of")
    assert said[2].endswith("but 5 of 0.0 came")


def test_an_encoder_has_a_name_that_the_counter_knows():
    with pytest.raises(ValueError, match="encoders are X and Y, but"):
        MultichannelCounter("SIM:counter:", encoders={"x": "1"})
