"""What an agent hears of a run: one stream's events, the last word on each."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from event_model import compose_run

from skysteer.agent import Axis, EventReader, Observation, ScanGrid

GRID = ScanGrid(Axis("y", 0, 3, 4), Axis("x", 0, 3, 4))
NUMBER = {"dtype": "number", "shape": [], "source": "test"}
KEYS: dict[str, Any] = {"y": NUMBER, "x": NUMBER, "counts": NUMBER}


def stream(reader: EventReader, name: str = "primary", keys: dict[str, Any] = KEYS) -> Any:
    """A stream whose documents event-model itself composes and validates."""
    bundle = compose_run().compose_descriptor(name=name, data_keys=keys)
    reader("descriptor", bundle.descriptor_doc)
    return bundle


def data(row: float, column: float, value: float) -> dict[str, float]:
    return {"y": row, "x": column, "counts": value}


def event(bundle: Any, number: int, values: dict[str, float]) -> dict[str, Any]:
    stamps = dict.fromkeys(values, 0.0)
    return bundle.compose_event(data=values, timestamps=stamps, seq_num=number)


@pytest.fixture
def reader() -> EventReader:
    return EventReader(GRID, "counts")


def test_an_event_is_learned_at_its_measured_position(reader: EventReader) -> None:
    primary = stream(reader)
    reader("event", event(primary, 1, data(1.2, 2.9, 7.0)))
    assert reader.observations.log == [Observation(1, 1, 3, 7.0)]


def test_a_page_of_events_is_learned_as_its_events(reader: EventReader) -> None:
    primary = stream(reader)
    page = primary.compose_event_page(
        data={"y": [0.0, 1.0], "x": np.array([2.0, 3.0]), "counts": [5, np.float32(6)]},
        timestamps={key: [0.0, 0.0] for key in KEYS},
        seq_num=[1, 2],
        validate=False,
    )
    reader("event_page", page)
    assert reader.observations.log == [Observation(1, 0, 2, 5.0), Observation(2, 1, 3, 6.0)]


def test_an_event_emitted_again_after_a_rewind_replaces_the_first(reader: EventReader) -> None:
    primary = stream(reader)
    for number, values in [(1, data(0, 0, 5)), (2, data(1, 1, 6)), (2, data(1, 2, 8))]:
        reader("event", event(primary, number, values))
    scan = reader.observations.scan(GRID.shape)
    assert scan.pixels.tolist() == [[0, 0], [1, 2]]
    assert scan.values.tolist() == [5, 8]


def test_other_streams_and_strangers_are_ignored(reader: EventReader) -> None:
    baseline = stream(reader, "baseline", {"temperature": NUMBER})
    reader(
        "event", baseline.compose_event(data={"temperature": 4.0}, timestamps={"temperature": 0})
    )
    unheard = compose_run().compose_descriptor(name="primary", data_keys=KEYS)
    reader("event", event(unheard, 1, data(0, 0, 5)))
    reader("stop", {"exit_status": "success"})
    assert len(reader.observations) == 0


def test_a_stream_described_anew_goes_on(reader: EventReader) -> None:
    reader("event", event(stream(reader), 1, data(0, 0, 5)))
    reader("event", event(stream(reader), 2, data(0, 1, 6)))
    assert reader.observations.points == 2


@pytest.mark.parametrize("lost", [math.nan, 99.0])
def test_a_point_off_the_grid_is_heard_and_teaches_nothing(
    reader: EventReader, lost: float
) -> None:
    reader("event", event(stream(reader), 1, data(0, lost, 5)))
    assert reader.observations.log == [Observation(1, -1, -1, 5.0)]
    assert reader.observations.points == 0


def test_a_stream_without_the_key_is_refused_before_a_point_is_measured(
    reader: EventReader,
) -> None:
    with pytest.raises(ValueError, match=r"'primary' has no data key 'x', 'counts'; it has i0, y"):
        stream(reader, keys={"y": NUMBER, "i0": NUMBER})


@pytest.mark.parametrize("key", ["counts", "x"])
@pytest.mark.parametrize(
    "kind",
    [
        {"dtype": "array", "shape": [128, 128], "source": "test"},
        {"dtype": "array", "shape": [1], "source": "test"},
        {"dtype": "string", "shape": [], "source": "test"},
    ],
)
def test_a_reading_that_is_no_single_number_is_refused(
    reader: EventReader, key: str, kind: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=f"key '{key}' is of type {kind['dtype']}"):
        stream(reader, keys={**KEYS, key: kind})


def test_a_whole_run_is_read_at_once(reader: EventReader) -> None:
    bundle = compose_run().compose_descriptor(name="primary", data_keys=KEYS)
    documents = [("descriptor", bundle.descriptor_doc)]
    documents += [("event", event(bundle, k + 1, data(k, k, k))) for k in range(4)]
    assert reader.read(documents).points == 4
