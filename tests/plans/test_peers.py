"""The ecosystem's protocol: our agent under bluesky-adaptive's plans, and theirs under ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from skysteer.agent import Axis, Peer, ScanAgent, ScanGrid, make_sampler

adaptive = pytest.importorskip(
    "bluesky_adaptive.plans", reason="bluesky-adaptive >= 1 is not installed"
)
from bluesky_adaptive.protocols import (  # noqa: E402
    OptimizationProblem,
    Optimizer,
    SupportsStoppingCriteria,
    TrialFaultAware,
)
from bluesky_adaptive.scipy import SCP, Objective, RangeDOF, ScipyCFG  # noqa: E402
from bluesky_adaptive.scipy.inverter import InteractiveOptimizer  # noqa: E402
from bluesky_adaptive.scipy.normalizers import Minimize  # noqa: E402


def grid_of(bench: Any) -> ScanGrid:
    return ScanGrid(Axis("y", 0, bench.rows - 1, bench.rows), Axis("x", 0, 24, bench.columns))


class Readings:
    """What their evaluation function gives: outcomes by ``_id``, without positions."""

    def __init__(self, bench: Any) -> None:
        self.order: list[list[Any]] = []
        self.values: dict[str, float] = {}
        bench.RE.subscribe(self._hear)

    def _hear(self, name: str, document: Mapping[str, Any]) -> None:
        if name == "start" and "blop_acquisition_order" in document:
            self.order.append(list(document["blop_acquisition_order"]))
            self.values = {}
        elif name == "event" and "det" in document["data"]:
            identity = self.order[-1][len(self.values)]
            self.values[identity] = document["data"]["det"]

    def __call__(self, uid: Any, suggestions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [{"_id": each["_id"], "value": self.values[each["_id"]]} for each in suggestions]


@pytest.mark.parametrize("name", ["spread", "low-discrepancy"])
def test_their_plan_drives_our_agent_to_its_stop_rule(bench: Any, name: str) -> None:
    grid = grid_of(bench)
    agent = ScanAgent(grid, make_sampler(name), name=name, until="points(60)", seed=2)
    assert isinstance(agent, Optimizer)
    assert isinstance(agent, SupportsStoppingCriteria) and isinstance(agent, TrialFaultAware)
    problem = OptimizationProblem(
        optimizer=agent,
        actuators=[bench.y, bench.x],
        sensors=[bench.det],
        evaluation_function=Readings(bench),
    )
    bench.RE(adaptive.optimize(problem, iterations=None, n_points=5))
    scan = agent.observations.scan(grid.shape)
    assert len(scan.values) == 60 and agent.should_stop() == (True, "60 points")
    places = [grid.position((int(row), int(column))) for row, column in scan.pixels]
    hill = [10 * np.exp(-((p["x"] - 15) ** 2 + (p["y"] - 6) ** 2) / 40) for p in places]
    steps = [3.0 * (p["x"] > 8) for p in places]
    np.testing.assert_allclose(scan.values, np.add(hill, steps))


def test_what_their_plan_could_not_measure_is_not_suggested_again(bench: Any) -> None:
    agent = ScanAgent(grid_of(bench), make_sampler("spread"), until="points(60)")

    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("the stage is stuck")
        yield

    problem = OptimizationProblem(
        optimizer=agent,
        actuators=[bench.y, bench.x],
        sensors=[bench.det],
        evaluation_function=Readings(bench),
        acquisition_plan=fail,
    )
    before = agent.suggest(5)
    with pytest.raises(RuntimeError, match="stuck"):
        bench.RE(adaptive.optimize(problem, iterations=1, n_points=5))
    after = agent.suggest(5)
    assert not {(p["y"], p["x"]) for p in before} & {(p["y"], p["x"]) for p in after}


@pytest.fixture
def powell(bench: Any) -> Iterator[InteractiveOptimizer]:
    """Their Powell, which looks for the hill at x = 15, y = 6."""
    config = ScipyCFG(
        dofs=[
            RangeDOF(actuator=bench.y, bounds=(0, bench.rows - 1), parameter_type="float"),
            RangeDOF(actuator=bench.x, bounds=(0, bench.columns - 1), parameter_type="float"),
        ],
        objective=Objective(name="loss", minimize=True),
        optimizer=SCP.POWELL,
        initial=[12.0, 10.0],
    )
    optimizer = InteractiveOptimizer(Minimize(config), timeout=100)
    optimizer.force_resiliance = True
    yield optimizer
    optimizer.close()
    optimizer._t.join(20)


def test_their_optimiser_steers_our_plan(bench: Any, powell: InteractiveOptimizer) -> None:
    steer = bench.det
    bench.det.sim_set_func(lambda: (bench.x.position - 15) ** 2 + (bench.y.position - 6) ** 2)
    agent = Peer(powell, grid_of(bench), outcome="loss")
    outcome = bench.scan(agent, until="points(40)", batch=1)
    assert outcome.points == 40, bench.decisions()[-1]["note"]
    visited = [(round(e["y"]), round(e["x"])) for e in bench.events()]
    assert len(set(visited)) == 40
    assert min(e[steer.name] for e in bench.events()) <= 1.0, "it has found the valley"
    assert {d["source"] for d in bench.decisions()} <= {"Peer", ""}
