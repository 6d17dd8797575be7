"""connect: what its errors say, and that it waits for all devices together."""


def test_devices_of_another_prefix_are_named_with_what_to_check(client, microscope):
    def there(lab):
        from skysteer.devices import Counter, RingCurrent, ScanStage, connect

        ring = RingCurrent("SIM:ring:")
        devices = [ScanStage("OTHER:", name="stage"), Counter("SIM:conter:"), ring]
        try:
            connect(devices, timeout=1.5)
        except TimeoutError as error:
            return str(error), ring.connected

    message, connected = client(there)
    assert connected
    assert message.startswith("stage, counter: no answer within 1.5 s from OTHER:x, OTHER:y, ")
    for pv in ("Acquire", "Dwell", "Counts", "I0"):
        assert f"SIM:conter:{pv}" in message
    assert "SIM:ring" not in message
    assert f"EPICS_CA_ADDR_LIST ('127.0.0.1:{microscope.port}'" in message
    assert "prefix" in message and "IOC runs" in message


def test_a_field_that_the_record_lacks_is_named_alone(client):
    def there(lab):
        from ophyd import Component as Cpt
        from ophyd import Device, EpicsSignalRO

        from skysteer.devices import connect

        class Wrong(Device):
            readback = Cpt(EpicsSignalRO, ".RBV")
            missing = Cpt(EpicsSignalRO, ".NOPE")

        try:
            connect([Wrong("SIM:x", name="wrong")], timeout=1.5)
        except TimeoutError as error:
            return str(error)

    assert "wrong: no answer within 1.5 s from SIM:x.NOPE: check" in client(there)


def test_devices_of_a_working_ioc_connect_and_can_be_used_at_once(client):
    def there(lab):
        from skysteer.devices import Counter, RingCurrent, ScanStage, connect

        devices = [
            ScanStage("SIM:", name="stage"),
            ScanStage("S", name="swapped", x="IM:y", y="IM:x", tolerance=0.5, timeout=7),
            Counter("SIM:counter:"),
            RingCurrent("SIM:ring:"),
        ]
        connect(devices)
        connect([])
        stage, swapped, _, ring = devices
        stage.x.velocity.set(1e6).wait()
        stage.y.velocity.set(1e6).wait()
        stage.x.set(2).wait()
        stage.y.set(5).wait()
        read = {key: r["value"] for device in devices for key, r in device.read().items()}
        return read, [stage.hints, ring.hints], [swapped.x.tolerance, swapped.y.timeout]

    read, hints, settings = client(there)
    assert [read["stage_x"], read["stage_y"]] == [2, 5]
    assert [read["swapped_x"], read["swapped_y_user_setpoint"]] == [5, 2]
    assert read["ring_current"] == 100
    assert hints == [{"fields": ["stage_x", "stage_y"]}, {"fields": []}]
    assert settings == [0.5, 7]
