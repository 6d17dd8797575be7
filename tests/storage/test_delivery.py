"""What the user is told of the way to the catalog."""

import shlex
from pathlib import Path

from skysteer.storage.delivery import Delivery
from skysteer.storage.destination import Destination

HERE = Path("/data/my runs")
URL = "https://me:secret@store.example:8443/api/v1/metadata/raw?api_key=secret"
SHOWN = "https://store.example:8443/api/v1/metadata/raw"


def command(delivery: Delivery) -> list[str]:
    return shlex.split(str(delivery).split("`")[1])


def test_what_is_late_comes_with_the_whole_command():
    late = Delivery(Destination(HERE), 1, {"a": "took too long"})
    assert str(late).startswith(
        "1 of 2 run(s) are in the journal, but not yet in the catalog (took"
    )
    assert command(late) == ["skysteer", "runs", "--out", str(HERE), "sync"]


def test_the_command_names_the_server_without_its_key():
    late = Delivery(Destination(HERE, URL), 0, {"a": "401"})
    assert command(late) == ["skysteer", "runs", "--out", str(HERE), "sync", "--tiled", SHOWN]
    assert "secret" not in str(late)


def test_what_has_arrived_is_named_with_its_catalog():
    assert str(Delivery(Destination(HERE), 2)) == f"2 run(s) in the catalog {HERE}/catalog"
    assert str(Delivery(Destination(HERE, URL), 1)) == f"1 run(s) in the catalog {SHOWN}"
