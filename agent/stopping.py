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
from typing import Any

from .stop_rule import SURE, Coverage, Expected, Limit, NoImprovement, Points, StopRule


def coverage(fraction: float) -> StopRule:
    """Stop when this share of the raster's pixels, over 0 to 1, has been measured.

    Examples
    --------
    ``until=coverage(0.15) | time(3600)``
    """
    _require(0 < fraction <= 1, f"coverage must lie over 0 and up to 1, but {fraction} came")
    return Coverage(float(fraction))


def points(num: int) -> StopRule:
    """Stop after so many points.

    Examples
    --------
    ``until=points(500)``
    """
    _require(_whole(num) and num >= 1, f"points must be a whole number from 1, but {num} came")
    return Points(int(num))


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
    return Limit("time", float(seconds), "s")


def dose(seconds: float) -> StopRule:
    """Stop when the sample has had so many seconds of beam, repeated exposures included.

    Examples
    --------
    ``until=coverage(0.2) | dose(60)``
    """
    _require(
        0 < seconds < math.inf, f"dose must be finite seconds of beam above 0, but {seconds} came"
    )
    return Limit("dose", float(seconds), "s of beam")


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
    return Expected(name, float(threshold), float(sure))


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
    return NoImprovement(float(relative), int(decisions))


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
