"""The agent: a grid, what has been observed on it, and a sampler that chooses."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..models import (
    ErrorEstimate,
    ErrorMap,
    TestedMap,
    inverse_distance,
    load_error_network,
)
from .audit import Audit, with_audits
from .batch_size import USUAL_BATCH, growing_batch
from .decision import EXPECTATION, Decision
from .dwell_choice import dwell_chooser
from .grid import ScanGrid
from .low_discrepancy import LowDiscrepancy
from .observations import Observation, Observations
from .route import flown_order, tour
from .sampler import Choice, Request, Sampler
from .segment import dwells_at
from .segment_sampler import SegmentSampler
from .stage_time import StageTime
from .start_design import StartDesign
from .stop_rule import Progress, StopRule, watches_error
from .stopping import parse
from .suggestion_id import place_of, suggestion_id


class ScanAgent:
    """Decides where on a grid to measure next.

    Its decisions are a fold over the observation log: with the same log, pending targets, number
    and seed, a new agent decides as the old one.

    Parameters
    ----------
    grid : ScanGrid
    sampler : Sampler
    name : str
        The sampler's name, as it stands in the documents.
    key : str or sequence of str
        Data keys of the steering readings, in the points that ``ingest`` takes.
    seed : int
    until : StopRule or str, optional
        Tells the budget, and answers ``should_stop``.
    blocked : (B, 2) array-like of int, optional
        Pixels that may never be chosen.
    stage : StageTime or mapping, optional
        How long its moves take, in motor units: routes are the quickest by that, and the
        shortest without it.
    growing : bool
        Whether batches are smaller than asked for while little has been measured.
    fly : bool
        Whether the stage may fly over segments of pixels: those that gain most for their time.
    longest_dwell : float, optional
        Seconds up to which a target may be counted, where each may have its own dwell: the
        stage's or some octaves more. Readings of one pixel then add their counts.

    Raises
    ------
    ValueError
        If it shall fly or choose the dwell, and nobody says how long its moves take; or if it
        shall choose the dwell without the sampler's ``counts_per_unit``.

    Notes
    -----
    ``suggest``, ``ingest``, ``get_best_points`` and ``should_stop`` are the protocol that
    gest-api, Xopt and bluesky-adaptive share: points are mappings by axis name with an ``"_id"``.
    """

    def __init__(
        self,
        grid: ScanGrid,
        sampler: Sampler,
        *,
        name: str = "",
        key: str | Sequence[str] = "value",
        seed: int = 0,
        until: StopRule | str | None = None,
        blocked: ArrayLike = (),
        stage: StageTime | Mapping[str, Any] | None = None,
        growing: bool = False,
        fly: bool = False,
        longest_dwell: float | None = None,
    ) -> None:
        self.grid = grid
        self.sampler = sampler
        self.name = name or type(sampler).__name__
        self.keys = (key,) if isinstance(key, str) else tuple(key)
        self.seed = int(seed)
        self.until = None if until is None else parse(until)
        self.observations = Observations(adds=longest_dwell is not None)
        self._blocked = np.asarray(blocked, dtype=np.int64).reshape(-1, 2)
        self._budget = None if self.until is None else self.until.budget(grid.size)
        self._stage = None if stage is None else StageTime.of(stage).in_pixels(grid)
        self._growing = bool(growing)
        self._chooser = self._segment_sampler() if fly else sampler
        self._dwells = dwell_chooser(sampler, self._stage, longest_dwell)
        self._start = StartDesign.of(
            grid.shape,
            self._chooser,
            getattr(sampler, "start", 0.01),
            grid.size if self._budget is None else min(self._budget, grid.size),
            self.seed,
            self._stage,
        )
        watched = self.until is not None and watches_error(self.until)
        self._audit = Audit(grid.shape, self.seed) if watched else None
        self._tested: TestedMap | None = None

    @property
    def steered_by(self) -> tuple[str, ...]:
        """The keys that the sampler decides by: the first, where it takes no more."""
        return self.keys if getattr(self.sampler, "several_channels", False) else self.keys[:1]

    def warm_up(self) -> None:
        """Compile what is compiled when first used, besides the sampler's own."""
        if isinstance(self._chooser, SegmentSampler):
            self._chooser.warm_up()

    def observe(
        self, entries: Iterable[Sequence[Any]], exposures: Iterable[float] | None = None
    ) -> None:
        """Append observations (id, row, column, value) to the log; None is no usable value.

        Of several channels further values follow.  ``exposures`` says for how many nominal dwells
        each was counted, where these differ.
        """
        fresh = [_observation(*entry) for entry in entries]
        if exposures is not None:
            timed = zip(fresh, exposures, strict=True)
            fresh = [each._replace(exposure=_number(exposure)) for each, exposure in timed]
        self.observations.extend(fresh)

    def decide(self, num: int, pending: ArrayLike = (), number: int = 0) -> Decision:
        """Decide on the next batch.

        Parameters
        ----------
        num : int
            Points wanted, 1 or more; during the start no more than are left of it, and where
            batches grow no more than that allows.
        pending : (Q, 2) array-like of int
            Targets on their way, in the order of the visit.
        number : int
            The decision's own number.

        Returns
        -------
        Decision
            Ordered as a short route from where the stage will stand; empty where no pixel is left.
        """
        wall, cpu = time.perf_counter(), time.process_time()
        on_the_way = np.asarray(pending, dtype=np.int64).reshape(-1, 2)
        request = self._request(num, on_the_way, number)
        position = self._position(on_the_way)
        source, choice = self._choose(request)
        order, lengths = self._route(source, choice, position)
        return Decision(
            number=request.number,
            pixels=choice.pixels[order],
            scores=choice.scores[order],
            lengths=lengths,
            dwells=dwells_at(choice.dwells, choice.lengths, order, lengths),
            source=source,
            seen=len(self.observations),
            digest=self._digest(request, position),
            **self._expectation(source, choice, request),
            ms=(time.perf_counter() - wall) * 1e3,
            cpu_ms=(time.process_time() - cpu) * 1e3,
        )

    def reconstruct(self) -> NDArray[np.float64]:
        """(M, N) the map as the agent sees it; inverse-distance unless its sampler has its own."""
        scan = self.observations.scan(self.grid.shape)
        own = getattr(self.sampler, "reconstruct", inverse_distance)
        return own(scan)

    # The ecosystem's protocol.

    def suggest(self, num_points: int | None = None) -> list[dict[str, Any]]:
        """Suggest points as mappings by axis name, in motor units; changes nothing."""
        wanted = 1 if num_points is None else num_points
        following = self.observations.next_id
        decision = self.decide(wanted, number=following)
        first = following // self.grid.size + 1
        return [
            {"_id": suggestion_id(self.grid, first + k, pixel), **self.grid.position(pixel)}
            for k, pixel in enumerate((int(row), int(column)) for row, column in decision.pixels)
        ]

    def ingest(self, points: Iterable[Mapping[str, Any]]) -> None:
        """Learn points: mappings with ``_id``, the measured position by axis name, the value.

        A suggestion's outcome may leave the position out; a point that nobody suggested may have
        any ``_id``, or none.

        Raises
        ------
        ValueError
            For a point without the value, or of which nobody can say where it was measured.
        """
        for point in points:
            missing = [key for key in self.keys if key not in point]
            if missing:
                raise ValueError(f"a point needs its value {missing[0]!r}, but {dict(point)} came")
            number, (row, column) = place_of(self.grid, point, self.observations.next_id)
            self.observe([(number, row, column, *(point[key] for key in self.keys))])

    def register_failures(self, suggestions: Iterable[Mapping[str, Any]]) -> None:
        """Learn that suggestions could not be measured: they are not suggested again."""
        nothing = dict.fromkeys(self.keys, np.nan)
        self.ingest({**suggestion, **nothing} for suggestion in suggestions)

    ask = suggest
    tell = ingest

    def get_best_points(self) -> list[tuple[int, dict[str, float], dict[str, float]]]:
        """Tell id, position and outcome of the highest value measured; empty before the first.

        Of several channels it is the first one's highest.
        """
        best = self.observations.best
        if best is None:
            return []
        outcome = dict(zip(self.keys, best.values, strict=True))
        return [(best.id, self.grid.position((best.row, best.column)), outcome)]

    def should_stop(self) -> tuple[bool, str]:
        """Whether the points measured meet the stop rule, and its reason; it knows no clock."""
        if self.until is None:
            return False, ""
        reason = self.until.reason(Progress(self.observations.points, self.grid.size))
        return reason is not None, reason or ""

    def report(self) -> dict[str, Any]:
        """Tell what the agent believes: its map, where it measured, and how it came to be."""
        scan = self.observations.scan(self.grid.shape)
        return {
            "agent": self.name,
            "seed": self.seed,
            "map": self.reconstruct() if len(scan.values) else None,
            "measured": scan.mask,
            "coverage": scan.coverage,
        }

    def _segment_sampler(self) -> SegmentSampler:
        if self._stage is None:
            raise ValueError(
                "flying needs the stage's speed, acceleration and settling to be worth it, "
                "but no stage came: give stage="
            )
        return SegmentSampler(self.sampler, self._stage, self._blocked)

    def _route(
        self, source: str, choice: Choice, position: tuple[int, int] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The order in which a choice's pixels are visited, and the lengths of its segments."""
        order = np.arange(len(choice.pixels))
        segments = len(choice.lengths) < len(order)
        if source == "start" or getattr(self.sampler, "ordered", False):
            return order, choice.lengths
        if not segments:
            return tour(choice.pixels, position, self._stage), choice.lengths
        if not isinstance(self._chooser, SegmentSampler):  # the sampler's own order
            return order, choice.lengths
        return flown_order(choice.pixels, choice.lengths, position, self._stage)

    def _request(self, num: int, pending: NDArray[np.int64], number: int) -> Request:
        if num < 1:
            raise ValueError(f"a batch has 1 point or more, but {num} were asked for")
        scan = self.observations.scan(self.grid.shape)
        if not getattr(self.sampler, "several_channels", False):
            scan = scan.channels[0]
        unavailable = np.concatenate([self._blocked, self.observations.barren(), pending])
        num = self._grown(int(num))
        request = Request(scan, unavailable, num, int(number), self.seed, self._budget)
        if self._audit is None:
            return request
        return replace(request, audited=self._audit.drawn(request))

    def _grown(self, num: int) -> int:
        start = self._start  # whole rows are worth most
        if not self._growing or (start.flown and self.observations.points < len(start)):
            return num
        most = num if getattr(self.sampler, "large_batches", False) else min(num, USUAL_BATCH)
        return growing_batch(most, self.observations.points, self.grid.size)

    def _choose(self, request: Request) -> tuple[str, Choice]:
        left = self._start.left(request, self.observations, self._blocked)[: request.num]
        if len(left) or request.exhausted:
            return "start", self._start.choice(left)
        if not len(request.scan.values) and len(self._start):
            return "start", LowDiscrepancy().choose(request)  # nothing to choose by as yet
        if self._audit is None:
            return self.name, self._asked(request)
        drawn = self._audit.draw(request)
        rest = max(1, request.num - len(drawn))
        pending = np.concatenate([request.pending, drawn])
        choice = self._asked(replace(request, pending=pending, num=rest))
        return self.name, with_audits(drawn, choice, request.num)

    def _asked(self, request: Request) -> Choice:
        choice = self._chooser.choose(request)
        if not isinstance(choice, Choice):
            came = type(choice).__name__
            raise TypeError(f"choose() must return a Choice, but a {came} came")
        return choice if self._dwells is None else self._dwells.of(choice, request)

    def _expectation(self, source: str, choice: Choice, request: Request) -> dict[str, float]:
        """The sampler's own word; where it has none and a rule waits for it, one by tests."""
        own = {key: float(getattr(choice, key)) for key in EXPECTATION}
        if self._audit is None or source == "start" or not np.isnan(choice.expected_error):
            return own
        found = self._error_of_the_map(request)
        return dict(zip(EXPECTATION, (found.nrmse, found.low, found.high, found.rms), strict=True))

    def _error_of_the_map(self, request: Request) -> ErrorEstimate:
        """Of the inverse-distance map, from readings that were tests before they were learnt."""
        if self._tested is None:
            layers, _ = load_error_network()
            self._tested = TestedMap(ErrorMap(request.scan.shape, layers))
        self._tested.update(request.scan)
        return self._tested.error_estimate(request.audited)

    def _position(self, pending: NDArray[np.int64]) -> tuple[int, int] | None:
        """Where the stage will stand when the batch begins, where that is known."""
        if len(pending):
            return (int(pending[-1, 0]), int(pending[-1, 1]))
        last = self.observations.last
        return None if last is None or last.row < 0 else (last.row, last.column)

    def _digest(self, request: Request, position: tuple[int, int] | None) -> str:
        whole = hashlib.sha256()
        numbers = (request.num, request.number, self.seed, request.budget)
        whole.update(repr((self.name, self.grid.describe(), numbers, position)).encode())
        whole.update(b"" if self._stage is None else repr(self._stage).encode())
        whole.update(b"flies" if isinstance(self._chooser, SegmentSampler) else b"")
        whole.update(b"" if self._dwells is None else repr(self._dwells.longest).encode())
        whole.update(np.ascontiguousarray(request.pending).tobytes())
        whole.update(self.observations.fingerprint())
        return whole.hexdigest()[:16]


def _observation(number: Any, row: Any, column: Any, value: Any, *others: Any) -> Observation:
    further = tuple(map(_number, others))
    return Observation(int(number), int(row), int(column), _number(value), further)


def _number(told: Any) -> float:
    return np.nan if told is None else float(told)
