"""The rules by which a run ends, and what they judge by."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ..models import ErrorEstimate, points_for

# That the error is below the threshold, unless told otherwise.  On development images nine in ten
# stops were then right: the first of many looks that says so is the likeliest to be too hopeful.
SURE = 0.85
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
class Points(StopRule):
    """So many points."""

    num: int

    def reason(self, progress: Progress) -> str | None:
        return f"{progress.points} points" if self.points_left(progress) == 0 else None

    def points_left(self, progress: Progress) -> int:
        return max(0, min(self.num, progress.pixels) - progress.points)

    def __repr__(self) -> str:
        return f"points({self.num})"


@dataclass(frozen=True, repr=False)
class Coverage(StopRule):
    """A share of the raster's pixels."""

    fraction: float

    def reason(self, progress: Progress) -> str | None:
        return f"coverage {self.fraction:g}" if self.points_left(progress) == 0 else None

    def points_left(self, progress: Progress) -> int:
        return max(0, round(self.fraction * progress.pixels) - progress.points)

    def __repr__(self) -> str:
        return f"coverage({_exact(self.fraction)})"


@dataclass(frozen=True, repr=False)
class Limit(StopRule):
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
class Expected(StopRule):
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
class NoImprovement(StopRule):
    """The expected error has not fallen by a share of itself in so many decisions."""

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
    return isinstance(rule, Expected | NoImprovement)
