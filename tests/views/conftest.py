"""Real runs, and summaries of any shape, for the tests of what people see."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from bluesky import RunEngine
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from ophyd.sim import SynAxis, SynSignal

from skysteer.agent import Axis, ScanGrid
from skysteer.models import SparseScan
from skysteer.plans import adaptive_scan
from skysteer.views import MeasuredPoint, RunSummary

Documents = list[tuple[str, dict[str, Any]]]
SHAPE = (9, 13)


class InUnits:
    """Gives an ophyd.sim device units."""

    units = ""

    def describe(self):
        return {key: {**each, "units": self.units} for key, each in super().describe().items()}


class Motor(InUnits, SynAxis):
    units = "um"


class Counter(InUnits, SynSignal):
    units = "counts/s"


class Bench:
    """Two motors and a counter that reads an image, row 0 at y = 2 and column 0 at x = -3."""

    def __init__(self) -> None:
        self.y, self.x = Motor(name="y"), Motor(name="x")
        rows, columns = np.indices(SHAPE)
        self.truth = 10.0 * rows + columns + 100.0 * ((rows < 2) & (columns > 9))
        self.bad: Callable[[int, int], float | None] = lambda row, column: None
        self.counts = Counter(func=self.read, name="counts")

    def read(self) -> float:
        row, column = round((self.y.position - 2) / 0.5), round((self.x.position + 3) / 0.25)
        inside = 0 <= row < SHAPE[0] and 0 <= column < SHAPE[1]
        value = float(self.truth[row, column]) if inside else 0.0
        wrong = self.bad(row, column)
        return value if wrong is None else wrong

    @property
    def axes(self) -> tuple[Any, ...]:
        return (self.y, 2.0, 6.0, 9, self.x, -3.0, 0.0, 13)


def run(plan: Any) -> Documents:
    """The documents of a plan, as a RunEngine emits them."""
    documents: Documents = []
    RunEngine()(plan, lambda name, doc: documents.append((name, dict(doc))))
    return documents


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture(scope="session")
def adaptive_run() -> Documents:
    """An adaptive scan of 40 points of the bench's 117."""
    bench = Bench()
    return run(
        adaptive_scan(
            [bench.counts], "low-discrepancy", *bench.axes, until="points(40)", batch=8, seed=3
        )
    )


@pytest.fixture
def summary_of() -> Callable[..., RunSummary]:
    """A factory of summaries of any shape: ``summary_of((20, 300), points=50)``."""

    def make(
        shape: tuple[int, int],
        points: int = 40,
        *,
        value: Callable[[int, int], float] = lambda row, column: float(row - 2 * column),
        ends: tuple[tuple[float, float], tuple[float, float]] | None = None,
        agent: str = "an-agent",
        **changes: Any,
    ) -> RunSummary:
        spans = ends or tuple((0.0, 0.1 * max(num - 1, 1)) for num in shape)
        grid = ScanGrid(Axis("y", *spans[0], shape[0]), Axis("x", *spans[1], shape[1]))
        chosen = np.random.default_rng(0).choice(grid.size, min(points, grid.size), replace=False)
        pixels = np.stack(np.unravel_index(chosen, shape), axis=1)
        values = np.array([value(*pixel) for pixel in pixels], dtype=float)
        events = tuple(
            MeasuredPoint(k + 1, row, column, *_xy(grid, (row, column)), v, 1e9 + 0.1 * k)
            for k, ((row, column), v) in enumerate(zip(pixels.tolist(), values, strict=True))
        )
        fields = {
            "start": {"uid": "u", "time": 1e9, "plan_name": agent},
            "stop": {"exit_status": "success"},
            "grid": grid,
            "key": "counts",
            "units": "counts/s",
            "axis_units": ("um", "um"),
            "events": events,
            "decisions": (),
            "scan": SparseScan(shape, pixels, values),
            "seconds": 0.1 * len(events),
            "stop_reason": "done",
        }
        return RunSummary(**{**fields, **changes})

    return make


@pytest.fixture
def nothing_overlaps_or_is_cut_off() -> Callable[[Figure], None]:
    """A check of a figure's axes, titles, texts and legends, as they are rendered."""

    def check(figure: Figure) -> None:
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        boxes: list[tuple[Any, Any]] = [
            (axes, part.get_tightbbox(canvas.get_renderer()) or axes.bbox)
            for axes in figure.axes
            for part in (axes.xaxis, axes.yaxis, axes._left_title, axes.patch)
        ]
        boxes += [(text, text.get_window_extent()) for text in figure.texts]
        for (mine, one), (yours, other) in combinations(boxes, 2):
            assert mine is yours or _apart(one, other), (one, other)
        for axes in figure.axes:
            if legend := axes.get_legend():
                assert _apart(legend.get_window_extent(), axes._left_title.get_window_extent())
        for _, box in boxes:
            assert box.x0 >= 0 and box.y0 >= 0
            assert box.x1 <= figure.bbox.width and box.y1 <= figure.bbox.height

    return check


def _apart(one: Any, other: Any) -> bool:
    apart = one.x1 <= other.x0 + 1 or other.x1 <= one.x0 + 1
    return apart or one.y1 <= other.y0 + 1 or other.y1 <= one.y0 + 1


def _xy(grid: ScanGrid, pixel: tuple[int, int]) -> tuple[float, float]:
    position = grid.position(pixel)
    return position["x"], position["y"]
