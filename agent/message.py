"""What people may say to a running scan: messages, validated word by word."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MOST_PIXELS = 1000
MOST_CORNERS = 100
LONGEST_NAME = 100
LONGEST_TEXT = 300

Detail = dict[str, Any]


@dataclass(frozen=True)
class Message:
    """One thing that a person says to a scan.

    Attributes
    ----------
    kind : str
        ``stop``, ``pause``, ``resume``, ``approve``, ``reject``, ``forbid``, ``allow``, ``inject``,
        ``agent`` or ``move``.
    by : str
        Who says it.
    detail : mapping
        What the kind needs, JSON-able: see ``KINDS``.
    """

    kind: str
    by: str
    detail: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Message:
        """Read a message that may come from anywhere.

        Raises
        ------
        ValueError
            For anything that is missing, too long, or of another kind than expected.
        """
        unknown = sorted(set(data) - {"kind", "by", "detail"}, key=str)
        if unknown:
            raise ValueError(f"a message has kind, by and detail, but {unknown[0]!r:.40} came too")
        kind = data.get("kind")
        if not isinstance(kind, str) or kind not in KINDS:
            raise ValueError(f"a message's kind is one of {', '.join(KINDS)}, not {kind!r:.40}")
        detail = data.get("detail", {})
        if not isinstance(detail, Mapping):
            raise ValueError(f"a message's detail is a JSON object, not {detail!r:.40}")
        return cls(kind, _text("by", data.get("by"), LONGEST_NAME, least=1), _detail(kind, detail))

    def to_json(self) -> dict[str, Any]:
        """JSON-able form."""
        return {"kind": self.kind, "by": self.by, "detail": dict(self.detail)}


def detail_of(kind: str, words: Sequence[str]) -> Detail:
    """Read a kind's detail from words, as they are typed.

    Parameters
    ----------
    kind : str
    words : sequence of str
        ``stop``, ``pause``: why; ``approve``, ``allow``: a number; ``reject``: a number, pixels
        ``ROW,COLUMN``, or both; ``inject``: pixels; ``forbid``: ``LOW,HIGH`` of the slow and of the
        fast axis, or three corners ``SLOW,FAST`` or more; ``agent``: a name, and options as JSON;
        ``move``: ``best`` or a pixel.

    Raises
    ------
    ValueError
        For words that cannot be read.

    Examples
    --------
    >>> detail_of("forbid", ["0,1.5", "2,3"])
    {'slow': [0.0, 1.5], 'fast': [2.0, 3.0]}
    >>> detail_of("reject", ["4", "10,20"])
    {'decision': 4, 'pixels': [[10, 20]]}
    """
    try:
        return _TYPED.get(kind, _nothing)(list(words))
    except (ValueError, IndexError) as error:
        raise ValueError(f"{kind} does not take {' '.join(words)!r:.60}: see --help") from error


def _nothing(words: list[str]) -> Detail:
    return {"words": words} if words else {}


def _why(words: list[str]) -> Detail:
    return {"why": " ".join(words)} if words else {}


def _about_batch(words: list[str]) -> Detail:
    pixels = [_pair(word, int) for word in words if "," in word]
    numbers = [int(word) for word in words if "," not in word]
    return {
        **({"decision": numbers[0]} if numbers else {}),
        **({"pixels": pixels} if pixels else {}),
    }


def _zone(words: list[str]) -> Detail:
    pairs = [_pair(word, float) for word in words]
    return {"slow": pairs[0], "fast": pairs[1]} if len(pairs) == 2 else {"polygon": pairs}


def _agent(words: list[str]) -> Detail:
    return {
        "agent": words[0],
        **({"options": json.loads(" ".join(words[1:]))} if words[1:] else {}),
    }


def _target(words: list[str]) -> Detail:
    if words == ["best"]:
        return {"to": "best"}
    ((row, column),) = (_pair(word, int) for word in words)
    return {"row": row, "column": column}


def _pair(word: str, number: Callable[[str], Any]) -> list[Any]:
    one, other = word.split(",")
    return [number(one), number(other)]


_TYPED: dict[str, Callable[[list[str]], Detail]] = {
    "stop": _why,
    "pause": _why,
    "approve": _about_batch,
    "reject": _about_batch,
    "allow": lambda words: {"number": int(" ".join(words))} if words else {},
    "inject": lambda words: {"pixels": [_pair(word, int) for word in words]},
    "forbid": _zone,
    "agent": _agent,
    "move": _target,
}


def _detail(kind: str, detail: Mapping[str, Any]) -> Detail:
    checks = KINDS[kind]
    unknown = sorted(set(detail) - set(checks), key=str)
    if unknown:
        expected = ", ".join(checks) or "nothing"
        raise ValueError(f"{kind} takes {expected}, but {unknown[0]!r:.40} came")
    given = {key: checks[key](key, value) for key, value in detail.items() if value is not None}
    either = NEEDED.get(kind, ((),))
    if set(given) not in map(set, either):
        ways = " or ".join(" and ".join(way) or "nothing" for way in either)
        raise ValueError(f"{kind} needs {ways}, but {', '.join(given) or 'nothing'} came")
    return given


def _text(name: str, value: Any, most: int = LONGEST_TEXT, least: int = 0) -> str:
    if not (isinstance(value, str) and least <= len(value) <= most and value.isprintable()):
        raise ValueError(
            f"{name} takes {least} to {most} printable characters, but {value!r:.40} came"
        )
    return value


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise ValueError(f"{name} takes a whole number, 0 or more, but {value!r:.40} came")
    return value


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} takes finite numbers, but {value!r:.40} came")
    return float(value)


def _ends(name: str, value: Any) -> list[float]:
    low, high = _list(name, value, 2, 2)
    return [_number(name, low), _number(name, high)]


def _corners(name: str, value: Any) -> list[list[float]]:
    return [_ends(name, corner) for corner in _list(name, value, 3, MOST_CORNERS)]


def _pixels(name: str, value: Any) -> list[list[int]]:
    pairs = [_list(name, pair, 2, 2) for pair in _list(name, value, 1, MOST_PIXELS)]
    return [[_whole(name, row), _whole(name, column)] for row, column in pairs]


def _list(name: str, value: Any, least: int, most: int) -> Sequence[Any]:
    if not isinstance(value, list | tuple) or not least <= len(value) <= most:
        many = f"{least}" if least == most else f"{least} to {most}"
        raise ValueError(f"{name} takes a list of {many}, but {value!r:.40} came")
    return value


def _options(name: str, value: Any) -> Detail:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ValueError(f"{name} takes a JSON object, but {value!r:.40} came")
    return dict(value)


def _goal(name: str, value: Any) -> str:
    if value != "best":
        raise ValueError(f"{name} takes 'best', but {value!r:.40} came")
    return value


KINDS: dict[str, dict[str, Callable[[str, Any], Any]]] = {
    "stop": {"why": _text},
    "pause": {"why": _text},
    "resume": {},
    "approve": {"decision": _whole},
    "reject": {"decision": _whole, "pixels": _pixels},
    "forbid": {"slow": _ends, "fast": _ends, "polygon": _corners},
    "allow": {"number": _whole},
    "inject": {"pixels": _pixels},
    "agent": {"agent": _text, "options": _options},
    "move": {"row": _whole, "column": _whole, "to": _goal},
}
"""The kinds, and how each part of their detail is checked."""

NEEDED: dict[str, tuple[tuple[str, ...], ...]] = {
    "stop": ((), ("why",)),
    "pause": ((), ("why",)),
    "approve": ((), ("decision",)),
    "reject": ((), ("decision",), ("pixels",), ("decision", "pixels")),
    "forbid": (("slow", "fast"), ("polygon",)),
    "allow": (("number",),),
    "inject": (("pixels",),),
    "agent": (("agent",), ("agent", "options")),
    "move": (("row", "column"), ("to",)),
}
"""Which parts must come together."""
