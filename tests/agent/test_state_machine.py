"""Whatever happens in whatever order, agent, reader and guard keep what they promise.

A scan as documents see it: points measured, missed, broken, emitted again after a rewind,
quarantined, out of order; people who forbid, allow, inject and reject; agents that are dropped and
rebuilt; runs that go on with others; suggestions that nobody took.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from skysteer.agent import (
    INTERVENTIONS,
    AgentServer,
    Axis,
    Decision,
    EventReader,
    Guard,
    History,
    Intervention,
    ScanGrid,
    keep_out_zone,
    standing_orders,
)

GRID = ScanGrid(Axis("y", 0.0, 4.0, 5), Axis("x", 10.0, 7.5, 6))
SPEC = {"agent": "spread", "grid": GRID.describe(), "seed": 3, "until": "points(25)"}
RECORD = {"agent": "spread", "grid": SPEC["grid"], "key": "det"}
KEYS = {key: {"dtype": "number", "shape": []} for key in ("y", "x", "det")}

rows, columns = st.integers(0, 4), st.integers(0, 5)
values = st.sampled_from([0.0, 1.0, 1.0, 5.0, -2.0, math.nan, math.inf])


def refuse_a_corner(position: Any) -> None:
    """A motor that cannot go everywhere: what ``check_value`` is."""
    if position["y"] > 3.5 and position["x"] > 9.5:
        raise ValueError("off limits")


class Scan(RuleBasedStateMachine):
    """Documents go to a reader; what it hears is what agent and guard are asked by."""

    events = Bundle("events")

    @initialize()
    def open_the_run(self) -> None:
        self.documents: list[tuple[str, dict[str, Any]]] = []
        self.reader = EventReader(GRID, "det")
        self.server, self.sent = AgentServer(SPEC), 0
        self.numbers = self.said = self.decisions = 0
        self.pending: list[tuple[int, int]] = []
        self.truth: dict[int, tuple[tuple[int, int] | None, float]] = {}  # kept by hand
        self.runs = self.before = 0
        self.open_a_run()

    def open_a_run(self) -> None:
        self.runs += 1
        self.before = self.numbers  # events are numbered from 1 in each run
        start = {"uid": f"run {self.runs}", "time": 0.0, "skysteer": RECORD}
        if self.runs > 1:
            start["resumed_from"] = f"run {self.runs - 1}"
        self.emit("start", start)
        for stream, keys in (("primary", KEYS), (INTERVENTIONS, {})):
            uid = self.descriptor(stream)
            self.emit("descriptor", {"uid": uid, "name": stream, "data_keys": keys})

    def descriptor(self, stream: str) -> str:
        return f"{stream} {self.runs}"

    # What happens.

    @rule(target=events, value=values, lands=st.sampled_from(["there", "beside", "nowhere"]))
    def measure(self, value: float, lands: str) -> int:
        """Measure the next target, if any, or a pixel somewhere."""
        pixel = self.pending.pop(0) if self.pending else (0, 0)
        if lands == "beside":
            pixel = (min(pixel[0] + 1, 4), pixel[1])
        position = GRID.position(pixel) if lands != "nowhere" else {"y": 99.0, "x": 99.0}
        self.numbers += 1
        self.truth[self.numbers] = (pixel if lands != "nowhere" else None, value)
        self.event("primary", self.numbers - self.before, {**position, "det": value})
        return self.numbers

    @rule(number=events, value=values)
    def emit_again(self, number: int, value: float) -> None:
        """The RunEngine rewinds: the same number, measured anew; of its own run only."""
        mine, place = self.descriptor("primary"), number - self.before
        events = (
            d for n, d in reversed(self.documents) if n == "event" and d["descriptor"] == mine
        )
        data = next((d["data"] for d in events if d["seq_num"] == place), None)
        if data is None:
            return
        self.truth[number] = (GRID.pixel(data), value)
        self.event("primary", place, {**data, "det": value})

    @rule()
    def deliver_twice(self) -> None:
        """The latest document comes once more: that is no news."""
        before = self.known()
        self.emit(*self.documents[-1])
        assert self.known() == before

    @rule(number=events)
    def quarantine(self, number: int) -> None:
        self.truth[number] = (None, math.nan)
        self.say("quarantine", seq_nums=[number], why="no beam")

    @rule(low=st.integers(0, 4), high=st.integers(0, 4))
    def forbid(self, low: int, high: int) -> None:
        self.say("forbid", slow=[min(low, high) - 0.1, max(low, high) + 0.1], fast=[7.4, 8.1])

    @precondition(lambda self: self.orders.zones)
    @rule(data=st.data())
    def allow(self, data: st.DataObject) -> None:
        self.say("allow", number=data.draw(st.sampled_from(sorted(self.orders.zones))))

    @rule(pixel=st.tuples(rows, columns))
    def reject(self, pixel: tuple[int, int]) -> None:
        self.say("reject", decision=0, pixels=[list(pixel)])

    @rule(pixel=st.tuples(rows, columns))
    def inject(self, pixel: tuple[int, int]) -> None:
        """A person's pixel goes to the motors through the same guard."""
        self.say("inject", pixels=[list(pixel)])
        taken = self.reader.observations.scan(GRID.shape).mask
        passed = self.guard().vet([pixel, pixel], taken, 5).pixels.tolist()
        free = not taken[pixel] and not self.unsafe()[pixel]
        assert passed == ([list(pixel)] if free else []), "once, if it is free and safe"

    @rule(num=st.integers(1, 4))
    def decide(self, num: int) -> None:
        """Take a batch as targets on their way."""
        decision = self.ask(num)
        taken = self.taken()
        verdict = self.guard().vet(decision.pixels, taken, num)
        # the agent knows of every pixel that is taken, but of no motor's own limits
        assert all(why.startswith("off limits") for why in verdict.refused), verdict.refused
        assert len(verdict.pixels) <= num
        assert not (taken | self.unsafe())[tuple(verdict.pixels.T)].any()
        self.pending += [(int(row), int(column)) for row, column in verdict.pixels]
        self.decisions += 1

    @rule(num=st.integers(1, 4))
    def suggest_in_vain(self, num: int) -> None:
        """An answer that nobody takes leaves no trace."""
        first, second = self.ask(num), self.ask(num)
        assert first.digest == second.digest
        assert first.pixels.tolist() == second.pixels.tolist()

    @rule()
    def give_up_what_is_pending(self) -> None:
        self.pending.clear()

    @rule(batch=st.lists(st.tuples(rows, columns, values), max_size=4))
    def nonsense_is_refused(self, batch: list[tuple[int, int, float]]) -> None:
        """Whatever an agent may answer, the guard lets nothing unsafe through."""
        wild = [(row * value, column + 0.5 * value) for row, column, value in batch]
        wild += [(-1, 0), (5, 0), (0, 6), (math.nan, 0)]
        passed = self.guard().vet(wild, self.taken(), 10).pixels
        assert not (self.taken() | self.unsafe())[tuple(passed.T)].any()
        assert len({*map(tuple, passed.tolist())}) == len(passed)

    @rule()
    def resume(self) -> None:
        """Everything is lost but the documents; a new run goes on with what they say."""
        past = History.of(self.documents)
        reader = EventReader(GRID, "det")
        reader.recall(past.log, past.interventions)
        assert list(past.log) == list(self.reader.observations.log)
        assert reader.interventions == self.reader.interventions
        assert past.events == self.numbers
        self.reader, self.server, self.sent = reader, AgentServer(SPEC), 0
        self.open_a_run()

    @rule()
    def lose_the_worker(self) -> None:
        """A new one hears the whole log."""
        self.server, self.sent = AgentServer(SPEC), 0

    # What always holds.

    @invariant()
    def an_agent_rebuilt_from_the_documents_decides_alike(self) -> None:
        again = EventReader(GRID, "det")
        again.read(self.documents)
        assert again.observations.fingerprint() == self.reader.observations.fingerprint()
        assert again.interventions == self.reader.interventions
        live, rebuilt = self.ask(3), self.ask(3, AgentServer(SPEC))
        assert live.digest == rebuilt.digest
        assert live.pixels.tolist() == rebuilt.pixels.tolist()

    @invariant()
    def what_is_known_does_not_depend_on_the_order_of_the_numbers(self) -> None:
        """A catalog gives each event once, the last of its number, in any order."""
        last = {entry.id: entry for entry in self.reader.observations.log}
        backwards = type(self.reader.observations)(reversed(list(last.values())))
        assert backwards.fingerprint() == self.reader.observations.fingerprint()

    @invariant()
    def the_map_has_the_last_word_on_each_pixel_and_nothing_taken_back(self) -> None:
        expected = {
            pixel: value
            for _, (pixel, value) in sorted(self.truth.items())
            if pixel is not None and math.isfinite(value)
        }
        scan = self.reader.observations.scan(GRID.shape)
        known = dict(zip(map(tuple, scan.pixels.tolist()), scan.values.tolist(), strict=True))
        assert known == expected

    # How it is asked.

    @property
    def orders(self) -> Any:
        return standing_orders(self.reader.interventions)

    def known(self) -> tuple[bytes, int]:
        return self.reader.observations.fingerprint(), len(self.reader.interventions)

    def guard(self) -> Guard:
        zones = [keep_out_zone(zone) for zone in self.orders.zones.values()]
        return Guard(GRID, refuse_a_corner, zones)

    def unsafe(self) -> Any:
        """(5, 6) what the motors refuse and people forbid, found out without the guard."""
        y, x = np.meshgrid(GRID.slow.setpoints, GRID.fast.setpoints, indexing="ij")
        zones = [(y >= z["slow"][0]) & (y <= z["slow"][1]) & (x >= 7.4) & (x <= 8.1)
                 for z in self.orders.zones.values()]  # fmt: skip
        return np.any([(y > 3.5) & (x > 9.5), *zones], axis=0)

    def unavailable(self) -> list[list[int]]:
        kept_out = np.argwhere(self.guard().forbidden()).tolist()
        return [*map(list, sorted(self.orders.rejected)), *kept_out, *map(list, self.pending)]

    def taken(self) -> Any:
        taken = self.reader.observations.scan(GRID.shape).mask
        for row, column in (*self.unavailable(), *self.reader.observations.barren()):
            taken[row, column] = True
        return taken

    def ask(self, num: int, server: AgentServer | None = None) -> Decision:
        """Ask the live worker, or another one, with what is new to it."""
        log = [[*entry] for entry in self.reader.observations.log]
        since = self.sent if server is None else 0
        answer = (server or self.server).decide(
            since, log[since:], num, self.unavailable(), self.decisions
        )
        if server is None:
            self.sent = len(log)
        return Decision.from_json(answer)

    def emit(self, name: str, document: dict[str, Any]) -> None:
        self.documents.append((name, document))
        self.reader(name, document)

    def event(self, stream: str, number: int, data: dict[str, Any]) -> None:
        event = {"descriptor": self.descriptor(stream), "seq_num": number, "data": data}
        self.emit("event", event)

    def say(self, kind: str, **detail: Any) -> None:
        seen = len(self.reader.observations)
        data = Intervention(self.said, kind, "Ada", seen, detail).data()
        self.said += 1
        event = {f"intervention_{key}": value for key, value in data.items()}
        self.event(INTERVENTIONS, self.said, event)


TestScan = Scan.TestCase
TestScan.settings = settings(
    max_examples=20,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
