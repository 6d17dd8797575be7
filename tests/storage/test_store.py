"""What a store hands on to the catalog's keeper."""

from __future__ import annotations

from pathlib import Path

import pytest

from skysteer.storage import Journal, Store
from skysteer.storage.destination import Destination


def test_a_run_that_goes_on_with_others_takes_them_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else `resume` would end while the catalog has the last run, but not yet those before."""
    monkeypatch.setattr("skysteer.storage.store.start_keeper", lambda _: lambda: True)
    journal = Journal(tmp_path / "journal")
    for uid, before in (("alone", None), ("first", None), ("second", "first"), ("other", "lost")):
        journal("start", {"uid": uid, "time": 0.0, **({"resumed_from": before} if before else {})})
    journal.close()
    store = Store(tmp_path)
    store("start", {"uid": "third", "time": 1.0, "resumed_from": "second"})
    assert set(Destination(tmp_path).pending()) == {"first", "second", "third"}
    store("start", {"uid": "fourth", "time": 2.0, "resumed_from": "lost"})
    assert set(Destination(tmp_path).pending()) == {"first", "second", "third", "fourth"}
