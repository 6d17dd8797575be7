"""A map of two elements over Channel Access: steered by both, and decided again from documents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skysteer.simulators import Ioc


@pytest.fixture(scope="module")
def elements(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ioc]:
    """A microscope over two elements that share nothing, with counting noise."""
    path = tmp_path_factory.mktemp("elements") / "elements.npy"
    rows, columns = np.indices((24, 24)) / 24.0
    np.save(path, np.stack([rows + (columns > 0.5), 4.0 * (np.hypot(rows, columns) < 0.6)]))
    with Ioc(image=str(path), dwell=0.001) as ioc:
        yield ioc


@pytest.mark.parametrize("agent", ["gp", "hybrid"])
def test_processes_of_two_elements_decide_together_and_again(
    elements: Ioc, start_client: Any, tmp_path: Path, agent: str
) -> None:
    client = start_client("pyepics", elements.environment)

    def there(lab, folder, agent):
        from pathlib import Path

        from bluesky import RunEngine

        from skysteer.agent import History
        from skysteer.devices import Counter
        from skysteer.plans import adaptive_scan, decide_again
        from skysteer.storage import Journal, read_journal

        y, x = lab.motor("y"), lab.motor("x")
        counter = lab.connected(Counter.with_channels(2)("SIM:counter:", name="counter"))
        counter.dwell.set(0.001).wait(5)
        grid = (y, 0.2, 0.8, 24, x, 0.2, 0.8, 24)
        RE = RunEngine(call_returns_result=True)
        RE.subscribe(Journal(folder))
        keys = ["counter", "counter2"]
        plan = adaptive_scan([counter], agent, *grid, key=keys, until="points(70)", batch=15)
        points = RE(plan).plan_result.points
        documents = read_journal(next(Path(folder).glob("*.jsonl")))
        again = [what for _, what in decide_again(History.of(documents))]
        return documents[0][1]["skysteer"]["steered_by"], points, again

    steered_by, points, again = client(there, folder=str(tmp_path), agent=agent)
    assert steered_by == ["counter", "counter2"]
    assert points == 70
    assert len(again) >= 4
    assert set(again) == {""}
