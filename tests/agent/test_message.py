"""Messages are validated word by word; what people's words amount to is a fold."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skysteer.agent import Intervention, Message, detail_of, standing_orders

GOOD: list[tuple[str, dict[str, Any]]] = [
    ("stop", {}),
    ("stop", {"why": "enough"}),
    ("pause", {"why": ""}),
    ("resume", {}),
    ("approve", {"decision": 3}),
    ("reject", {}),
    ("reject", {"decision": 3, "pixels": [[1, 2]]}),
    ("forbid", {"slow": [0.5, 1.0], "fast": [-1.0, 2.0]}),
    ("forbid", {"polygon": [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]]}),
    ("allow", {"number": 0}),
    ("inject", {"pixels": [[0, 0], [5, 6]]}),
    ("agent", {"agent": "slads", "options": {"batch": 3}}),
    ("move", {"to": "best"}),
    ("move", {"row": 1, "column": 2}),
]

BAD: list[tuple[dict[str, Any], str]] = [
    ({}, "kind is one of stop, pause"),
    ({"kind": "launch"}, "kind is one of"),
    ({"kind": ["stop"]}, "kind is one of"),
    ({"kind": "stop"}, "by takes 1 to 100"),
    ({"kind": "stop", "by": ""}, "by takes 1 to 100"),
    ({"kind": "stop", "by": "x" * 101}, "by takes 1 to 100"),
    ({"kind": "stop", "by": "a\nb"}, "printable"),
    ({"kind": "stop", "by": "Ada", "detail": [1]}, "JSON object"),
    ({"kind": "stop", "by": "Ada", "sudo": True}, "'sudo' came too"),
    ({"kind": "stop", "by": "Ada", "detail": {"at": 3}}, "stop takes why"),
    ({"kind": "stop", "by": "Ada", "detail": {"why": "x" * 301}}, "0 to 300"),
    ({"kind": "resume", "by": "Ada", "detail": {"why": "x"}}, "resume takes nothing"),
    ({"kind": "approve", "by": "Ada", "detail": {"decision": -1}}, "whole number"),
    ({"kind": "approve", "by": "Ada", "detail": {"decision": True}}, "whole number"),
    ({"kind": "inject", "by": "Ada"}, "inject needs pixels"),
    ({"kind": "inject", "by": "Ada", "detail": {"pixels": []}}, "list of 1 to 1000"),
    ({"kind": "inject", "by": "Ada", "detail": {"pixels": [[1.5, 2]]}}, "whole number"),
    ({"kind": "inject", "by": "Ada", "detail": {"pixels": [[1, 2]] * 1001}}, "list of 1 to 1000"),
    ({"kind": "forbid", "by": "Ada", "detail": {"slow": [0, 1]}}, "slow and fast or polygon"),
    (
        {"kind": "forbid", "by": "Ada", "detail": {"slow": [0, math.nan], "fast": [0, 1]}},
        "finite",
    ),
    ({"kind": "forbid", "by": "Ada", "detail": {"polygon": [[0, 0], [1, 1]]}}, "3 to 100"),
    ({"kind": "agent", "by": "Ada", "detail": {"options": {}}}, "agent needs agent"),
    ({"kind": "agent", "by": "Ada", "detail": {"agent": "a", "options": [1]}}, "JSON object"),
    ({"kind": "move", "by": "Ada", "detail": {"row": 1}}, "row and column or to"),
    ({"kind": "move", "by": "Ada", "detail": {"to": "moon"}}, "'best'"),
]


@pytest.mark.parametrize(("kind", "detail"), GOOD)
def test_a_message_survives_its_way_through_json(kind: str, detail: dict[str, Any]) -> None:
    sent = Message.from_json({"kind": kind, "by": "Ada", "detail": detail})
    assert Message.from_json(json.loads(json.dumps(sent.to_json()))) == sent
    assert sent.detail == detail


@pytest.mark.parametrize(("data", "why"), BAD)
def test_a_message_that_makes_no_sense_is_refused_in_one_short_line(
    data: dict[str, Any], why: str
) -> None:
    with pytest.raises(ValueError) as refused:
        Message.from_json(data)
    assert why in str(refused.value)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 200


scalars = st.sampled_from([None, True, 0, -1, 7, 2**80, 0.5, math.nan, math.inf, "", "best", "x\n"])
json_like = scalars | st.lists(scalars, max_size=3) | st.lists(st.lists(scalars, max_size=3))
KEYS = ("why", "decision", "pixels", "slow", "fast", "polygon", "number", "agent", "options", "to")


@settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    kind=st.sampled_from([kind for kind, _ in GOOD]),
    detail=st.dictionaries(st.sampled_from(KEYS), json_like, max_size=3) | json_like,
)
def test_whatever_comes_is_taken_or_refused_but_never_breaks_the_scan(
    kind: str, detail: Any
) -> None:
    try:
        message = Message.from_json({"kind": kind, "by": "Ada", "detail": detail})
    except ValueError:
        return
    recorded = {"decision": 0, "pixels": [], **message.detail}  # the plan fills in what it knows
    assert standing_orders([Intervention(0, kind, "Ada", 0, recorded)])


def orders(*said: tuple[str, dict[str, Any]]) -> Any:
    return standing_orders(
        Intervention(k, kind, "Ada", 0, detail) for k, (kind, detail) in enumerate(said)
    )


def test_what_is_forbidden_stands_until_it_is_allowed() -> None:
    zone, other = {"slow": [0, 1], "fast": [0, 1]}, {"polygon": [[0, 0], [0, 1], [1, 0]]}
    assert orders(("forbid", zone), ("forbid", other)).zones == {0: zone, 1: other}
    assert orders(("forbid", zone), ("forbid", other), ("allow", {"number": 0})).zones == {1: other}


def test_what_is_rejected_comes_back_only_when_it_is_injected() -> None:
    rejected = ("reject", {"decision": 2, "pixels": [[1, 1], [2, 2]]})
    assert orders(rejected).rejected == {(1, 1), (2, 2)}
    both = orders(rejected, ("inject", {"pixels": [[2, 2]]}))
    assert both.rejected == {(1, 1)} and both.injected == ((2, 2),)


def test_the_last_word_on_agent_goal_and_end_stands() -> None:
    switched = orders(("agent", {"agent": "a"}), ("agent", {"agent": "b", "options": {"k": 1}}))
    assert switched.agent == {"agent": "b", "options": {"k": 1}}
    assert orders(("move", {"to": "best"}), ("move", {"row": 1, "column": 2})).goal == {
        "row": 1,
        "column": 2,
    }
    assert orders(("stop", {"why": "tea"})).stop == "stopped by Ada: tea"
    assert orders(("stop", {}), ("resume", {})).stop == ""


def test_only_what_changes_the_choice_makes_a_decision_stale() -> None:
    before = orders()
    for kind, detail in (("pause", {}), ("approve", {"decision": 0}), ("move", {"to": "best"})):
        assert orders((kind, detail)).decide_as(before)
    for kind, detail in (
        ("inject", {"pixels": [[1, 1]]}),
        ("reject", {"decision": 0, "pixels": [[1, 1]]}),
        ("agent", {"agent": "a"}),
        ("forbid", {"slow": [0, 1], "fast": [0, 1]}),
    ):
        assert not orders((kind, detail)).decide_as(before)


@pytest.mark.parametrize(
    ("typed", "detail"),
    [
        ("stop", {}),
        ("stop it is late", {"why": "it is late"}),
        ("approve 3", {"decision": 3}),
        ("reject 3,4 5,6", {"pixels": [[3, 4], [5, 6]]}),
        ("forbid -1,2 3,4.5", {"slow": [-1.0, 2.0], "fast": [3.0, 4.5]}),
        ("forbid 0,0 0,1 1,0", {"polygon": [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]]}),
        ('agent slads {"start": 0.1}', {"agent": "slads", "options": {"start": 0.1}}),
        ("move best", {"to": "best"}),
        ("move 3,4", {"row": 3, "column": 4}),
    ],
)
def test_a_message_is_typed_in_a_few_words(typed: str, detail: dict[str, Any]) -> None:
    kind, *words = typed.split()
    assert detail_of(kind, words) == detail
    assert Message.from_json({"kind": kind, "by": "Ada", "detail": detail_of(kind, words)})


@pytest.mark.parametrize(
    "typed",
    ["approve 1,x", "allow x", "allow 1 2", "inject here", "forbid 1", "forbid a,b c,d",
     "agent", "agent slads {", "move best please", "move", "resume now"],
)  # fmt: skip
def test_words_that_cannot_be_read_are_refused(typed: str) -> None:
    kind, *words = typed.split()
    with pytest.raises(ValueError):
        Message.from_json({"kind": kind, "by": "Ada", "detail": detail_of(kind, words)})
