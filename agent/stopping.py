"""When a run has seen enough: rules that compose with ``|`` and ``&``.

>>> rule = coverage(0.15) | time(3600)
>>> rule
coverage(0.15) | time(3600)
>>> parse("coverage(0.15) | time(3600)") == rule
True
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..models import ErrorEstimate, points_for

SURE = 0.8  # that the error is below the threshold, unless told otherwise
SURER = 0.95  # what a reason tells the price of
DECISIONS = 2  # running, that must be sure


@dataclass(frozen=True)
class Progress:
    """What a stop rule may look at.

    Attributes
    ----------
    points : int
        Pixels with a usable value.
    pixels : int
        Pixels of the raster.
    seconds : float
        Since the run began.
    exposure : float
        Seconds of beam on the sample, repeated and unusable exposures included.
    estimates : tuple of ErrorEstimate
        The map's error that the agent expected at each decision.
    """

    points: int
    pixels: int
    seconds: float = 0.0
    exposure: float = 0.0
    estimates: tuple[ErrorEstimate, ...] = field(default=())


@dataclass(frozen=True)
class StopRule:
    """One criterion; its text is Python that ``parse`` reads again."""

    def reason(self, progress: Progress) -> str | None:
        """Why to stop now; None to go on."""
        raise NotImplementedError

    def points_left(self, progress: Progress) -> int | None:
        """How many points until it stops, where that is known."""
        return None

    def __or__(self, other: StopRule) -> StopRule:
        return AnyOf(self, other)

    def __and__(self, other: StopRule) -> StopRule:
        return AllOf(self, other)

    def budget(self, pixels: int) -> int | None:
        """Points of the whole run for a raster of so many pixels, where the rule tells."""
        return self.points_left(Progress(0, pixels))


@dataclass(frozen=True, repr=False)
class AnyOf(StopRule):
    """Stops when either does."""

    left: StopRule
    right: StopRule

    def reason(self, progress: Progress) -> str | None:
        """Why to stop now: the first that says so."""
        return self.left.reason(progress) or self.right.reason(progress)

    def points_left(self, progress: Progress) -> int | None:
        """The smaller of the two."""
        return min((n for n in _both(self, progress) if n is not None), default=None)

    def __repr__(self) -> str:
        return f"{self.left!r} | {_operand(self.right, AnyOf)}"


@dataclass(frozen=True, repr=False)
class AllOf(StopRule):
    """Stops when both do."""

    left: StopRule
    right: StopRule

    def reason(self, progress: Progress) -> str | None:
        """Why to stop now: both reasons."""
        reasons = [self.left.reason(progress), self.right.reason(progress)]
        return None if None in reasons else " and ".join(map(str, reasons))

    def points_left(self, progress: Progress) -> int | None:
        """The larger of the two, where both tell."""
        both = [n for n in _both(self, progress) if n is not None]
        return max(both) if len(both) == 2 else None

    def __repr__(self) -> str:
        return f"{_operand(self.left, AnyOf)} & {_operand(self.right, AnyOf, AllOf)}"


def _operand(rule: StopRule, *bracketed: type[StopRule]) -> str:
    """Text of an operand, in brackets where Python would group it otherwise."""
    return f"({rule!r})" if isinstance(rule, bracketed) else repr(rule)


def _exact(number: float) -> str:
    """The shortest text that reads back as the same number."""
    return f"{number:g}" if float(f"{number:g}") == number else repr(number)


def _both(rule: AnyOf | AllOf, progress: Progress) -> tuple[int | None, int | None]:
    return rule.left.points_left(progress), rule.right.points_left(progress)


@dataclass(frozen=True, repr=False)
class _Points(StopRule):
    num: int

    def reason(self, progress: Progress) -> str | None:
        return f"{progress.points} points" if self.points_left(progress) == 0 else None

    def points_left(self, progress: Progress) -> int:
        return max(0, min(self.num, progress.pixels) - progress.points)

    def __repr__(self) -> str:
        return f"points({self.num})"


@dataclass(frozen=True, repr=False)
class _Coverage(StopRule):
    fraction: float

    def reason(self, progress: Progress) -> str | None:
        return f"coverage {self.fraction:g}" if self.points_left(progress) == 0 else None

    def points_left(self, progress: Progress) -> int:
        return max(0, round(self.fraction * progress.pixels) - progress.points)

    def __repr__(self) -> str:
        return f"coverage({_exact(self.fraction)})"


@dataclass(frozen=True, repr=False)
class _Limit(StopRule):
    """A quantity of the progress that may not pass a limit."""

    name: str
    limit: float
    unit: str

    def reason(self, progress: Progress) -> str | None:
        spent = progress.seconds if self.name == "time" else progress.exposure
        return f"{self.name} of {self.limit:g} {self.unit}" if spent >= self.limit else None

    def __repr__(self) -> str:
        return f"{self.name}({_exact(self.limit)})"


@dataclass(frozen=True, repr=False)
class _Expected(StopRule):
    """The error expected of the map, by two decisions running: one may be too low by chance."""

    name: str
    threshold: float
    sure: float

    def reason(self, progress: Progress) -> str | None:
        latest = progress.estimates[-DECISIONS:]
        if len(latest) < DECISIONS or not all(self._below(each) for each in latest):
            return None
        last, value = latest[-1], self._value(latest[-1])
        said = f"{self.name.replace('_', ' ')} {value:.3g} below {self.threshold:g}"
        if not last.spread:
            return said
        chance = min(last.sureness(self.threshold / value), 0.99) if value else 0.99
        more = points_for(progress.estimates, self.threshold / (value * last.factor(SURER)))
        dear = f"; about {more} more points would make that {SURER:.0%}" if more else ""
        return f"{said}, {chance:.0%} sure{dear}"

    def _value(self, estimate: ErrorEstimate) -> float:
        return estimate.rms if self.name == "expected_rms" else estimate.nrmse

    def _below(self, estimate: ErrorEstimate) -> bool:
        return self._value(estimate) * estimate.factor(self.sure) < self.threshold

    def __repr__(self) -> str:
        sure = "" if self.sure == SURE else f", {_exact(self.sure)}"
        return f"{self.name}({_exact(self.threshold)}{sure})"


@dataclass(frozen=True, repr=False)
class _NoImprovement(StopRule):
    relative: float
    decisions: int

    def reason(self, progress: Progress) -> str | None:
        errors = [e.nrmse for e in progress.estimates if math.isfinite(e.nrmse)]
        if len(errors) <= self.decisions:
            return None
        before, since = min(errors[: -self.decisions]), min(errors[-self.decisions :])
        stalled = since > before * (1 - self.relative)
        if not stalled:
            return None
        share = f"less than {self.relative:.3g} of itself"
        return f"expected error fell by {share} in {self.decisions} decisions"

    def __repr__(self) -> str:
        return f"no_improvement({_exact(self.relative)}, {self.decisions})"


def watches_error(rule: StopRule) -> bool:
    """Whether a rule looks at the expected error, which costs an agent without one some time."""
    if isinstance(rule, AnyOf | AllOf):
        return watches_error(rule.left) or watches_error(rule.right)
    return isinstance(rule, _Expected | _NoImprovement)


def coverage(fraction: float) -> StopRule:
    """Stop when this share of the raster's pixels, over 0 to 1, has been measured.

    Examples
    --------
    ``until=coverage(0.15) | time(3600)``
    """
    _require(0 < fraction <= 1, f"coverage must lie over 0 and up to 1, but {fraction} came")
    return _Coverage(float(fraction))


def points(num: int) -> StopRule:
    """Stop after so many points.

    Examples
    --------
    ``until=points(500)``
    """
    _require(_whole(num) and num >= 1, f"points must be a whole number from 1, but {num} came")
    return _Points(int(num))


def time(seconds: float) -> StopRule:
    """Stop when the run has taken so many seconds.

    Examples
    --------
    ``until=coverage(0.2) | time(3600)``
    """
    _require(
        0 < seconds < math.inf,
        f"time must be a finite number of seconds above 0, but {seconds} came",
    )
    return _Limit("time", float(seconds), "s")


def dose(seconds: float) -> StopRule:
    """Stop when the sample has had so many seconds of beam, repeated exposures included.

    Examples
    --------
    ``until=coverage(0.2) | dose(60)``
    """
    _require(
        0 < seconds < math.inf, f"dose must be finite seconds of beam above 0, but {seconds} came"
    )
    return _Limit("dose", float(seconds), "s of beam")


def expected_error(threshold: float, sure: float = SURE) -> StopRule:
    """Stop when the NRMSE expected of the agent's map lies below a threshold.

    A few per cent of each batch are then drawn at random, as an audit.

    Parameters
    ----------
    threshold : float
    sure : float
        How sure the agent must be, 0.5 to less than 1, by two decisions running.

    Examples
    --------
    ``until=expected_error(0.05) | coverage(0.2)``
    """
    return _expected("expected_error", threshold, sure)


def expected_rms(threshold: float, sure: float = SURE) -> StopRule:
    """Stop likewise when the root mean square error, in the readings' unit, lies below."""
    return _expected("expected_rms", threshold, sure)


def _expected(name: str, threshold: float, sure: float) -> StopRule:
    _require(
        0 < threshold < math.inf,
        f"the {name.replace('_', ' ')}'s threshold must be finite and above 0, "
        f"but {threshold} came",
    )
    _require(0.5 <= sure < 1, f"sure must lie from 0.5 to below 1, but {sure} came")
    return _Expected(name, float(threshold), float(sure))


def no_improvement(relative: float = 0.02, decisions: int = 10) -> StopRule:
    """Stop when the expected error has not fallen by this share of itself in so many decisions.

    Examples
    --------
    ``until=no_improvement(0.02, decisions=10) | coverage(0.3)``
    """
    _require(0 < relative < 1, f"the improvement must lie between 0 and 1, but {relative} came")
    _require(
        _whole(decisions) and decisions >= 1,
        f"decisions must be a whole number from 1, but {decisions} came",
    )
    return _NoImprovement(float(relative), int(decisions))


_RULES: dict[str, Callable[..., StopRule]] = {
    rule.__name__: rule
    for rule in (coverage, points, time, dose, expected_error, expected_rms, no_improvement)
}


def parse(text: str | StopRule) -> StopRule:
    """Read a rule from its text, as it stands in a start document or on a command line.

    Raises
    ------
    ValueError
        If the text is no composition of the known rules.
    """
    if isinstance(text, StopRule):
        return text
    try:
        return _from_syntax(_expression(text))
    except (SyntaxError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(
            f"a stop rule reads like 'coverage(0.15) | time(3600)', made of {', '.join(_RULES)}; "
            f"{text!r} came"
        ) from error


def _from_syntax(node: ast.expr) -> StopRule:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _from_syntax(node.left) | _from_syntax(node.right)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd):
        return _from_syntax(node.left) & _from_syntax(node.right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _RULES:
        keywords = {str(k.arg): _literal(k.value) for k in node.keywords}
        return _RULES[node.func.id](*map(_literal, node.args), **keywords)
    raise SyntaxError("not a stop rule")


def _expression(text: str) -> ast.expr:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (ValueError, MemoryError) as error:  # a null byte, or brackets too deep
        raise SyntaxError(str(error)) from error


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError as error:
        raise SyntaxError(str(error)) from error


def _whole(number: float) -> bool:
    return math.isfinite(number) and number == int(number)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
