"""A space of motors that is no grid: limits, constraints, fixed motors, keep-out zones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..models import SearchRegion
from .keep_out import Zone, keep_out_zone

MOST_MOTORS = 6
ROUNDING = 1e-9  # of the range: so far a target may lie beyond a constraint


@dataclass(frozen=True)
class MotorSpace:
    """Motors, their limits, and what they may not do together.

    Parameters
    ----------
    names : tuple of str
        Data keys under which the motors are read, one to six.
    low, high : tuple of float
        Limits, in the motors' units.
    inequalities : tuple of (mapping, float)
        Coefficients by motor and a bound: the sum of coefficient times position is at most that.
    fixed : mapping of str to float
        Motors that stay where they are told to.
    keep_out : tuple of ((str, str), Zone)
        Rectangles and polygons in two motors, the first of which is the zone's slow axis.

    Raises
    ------
    ValueError
        For limits that are none, too many motors, or a name that is none of them.

    Examples
    --------
    >>> space = MotorSpace(("pitch", "height"), (0, -1), (4, 1), inequalities=(({"pitch": 1}, 3),))
    >>> space.objection({"pitch": 3.5, "height": 0})
    'beyond a constraint (pitch <= 3)'
    >>> space.objection({"pitch": 2.0, "height": 0}) is None
    True
    """

    names: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    inequalities: tuple[tuple[Mapping[str, float], float], ...] = ()
    fixed: Mapping[str, float] | None = None
    keep_out: tuple[tuple[tuple[str, str], Zone], ...] = ()

    def __post_init__(self) -> None:
        if not (1 <= len(self.names) <= MOST_MOTORS and len(set(self.names)) == len(self.names)):
            raise ValueError(
                f"1 to {MOST_MOTORS} different motors are needed, but {self.names} came"
            )
        for name, low, high in zip(self.names, self.low, self.high, strict=True):
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise ValueError(
                    f"motor {name!r} needs a lower and a higher limit, but {low}, {high} came"
                )
        object.__setattr__(self, "fixed", dict(self.fixed or {}))
        for name, value in self.still.items():
            low, high = self.limits(name)
            if not low <= value <= high:
                raise ValueError(
                    f"motor {name!r} is fixed at {value}, outside of its limits {low:g} to {high:g}"
                )
        for name in (n for coefficients, _ in self.inequalities for n in coefficients):
            self.limits(name)
        for name in (n for motors, _ in self.keep_out for n in motors):
            self.limits(name)

    @classmethod
    def of(
        cls,
        motors: Sequence[tuple[str, float, float]],
        inequalities: Sequence[Sequence[Any]] = (),
        fixed: Mapping[str, float] | None = None,
        keep_out: Sequence[Mapping[str, Any]] = (),
    ) -> MotorSpace:
        """Build one from (name, low, high), and JSON-able forms of the rest.

        A zone is ``{"motors": [first, second], "polygon": [[f, s], ...]}``, or with ``slow`` and
        ``fast`` in place of the polygon, the ends on the first and the second motor.

        Raises
        ------
        ValueError
            For a zone or a constraint that is none.
        """
        names, low, high = zip(*motors, strict=True) if motors else ((), (), ())
        zones = tuple(_zone(zone) for zone in keep_out)
        rules = tuple(_inequality(rule) for rule in inequalities)
        ends = tuple(map(float, low)), tuple(map(float, high))
        return cls(tuple(names), *ends, rules, fixed, zones)

    @property
    def still(self) -> Mapping[str, float]:
        """Motors that stay, and where."""
        return self.fixed or {}

    def limits(self, name: str) -> tuple[float, float]:
        """Ends of a motor's range.

        Raises
        ------
        ValueError
            If it is none of these motors.
        """
        if name not in self.names:
            raise ValueError(f"{name!r} is none of the motors {', '.join(self.names)}")
        k = self.names.index(name)
        return self.low[k], self.high[k]

    def position(self, vector: ArrayLike) -> dict[str, float]:
        """Motor units by name, from (D,) numbers in the order of the names."""
        return dict(zip(self.names, map(float, np.asarray(vector, float)), strict=True))

    def vector(self, data: Mapping[str, Any]) -> tuple[float, ...]:
        """(D,) where the motors stand, from readings by name."""
        return tuple(float(data[name]) for name in self.names)

    def objection(self, position: Mapping[str, float]) -> str | None:
        """Why the motors may not go to a position (motor units by name); None where they may."""
        if not all(math.isfinite(position.get(name, math.nan)) for name in self.names):
            return "not finite"
        for name, low, high in zip(self.names, self.low, self.high, strict=True):
            slack = ROUNDING * (high - low)
            if not low - slack <= position[name] <= high + slack:
                return f"off the limits of {name}, {low:g} to {high:g}"
            if abs(position[name] - self.still.get(name, position[name])) > slack:
                return f"{name} is fixed at {self.still[name]:g}"
        for coefficients, bound in self.inequalities:
            total = sum(c * position[name] for name, c in coefficients.items())
            slack = sum(abs(c) * np.ptp(self.limits(name)) for name, c in coefficients.items())
            if total > bound + ROUNDING * slack:
                return f"beyond a constraint ({_text(coefficients)} <= {bound:g})"
        for (first, second), zone in self.keep_out:
            if zone.covers(position[first], position[second]):
                return "kept out"
        return None

    def region(self) -> SearchRegion:
        """Give the same to the models, which know no names."""
        index = {name: k for k, name in enumerate(self.names)}
        steep = [
            (np.array([coefficients.get(name, 0.0) for name in self.names]), bound)
            for coefficients, bound in self.inequalities
        ]
        return SearchRegion(
            np.array(self.low),
            np.array(self.high),
            steep,
            {index[name]: value for name, value in self.still.items()},
            self._outside_of_zones if self.keep_out else None,
        )

    def describe(self) -> dict[str, Any]:
        """JSON-able form, as it stands in the start document."""
        return {
            "motors": [list(m) for m in zip(self.names, self.low, self.high, strict=True)],
            "inequalities": [[dict(steep), bound] for steep, bound in self.inequalities],
            "fixed": dict(self.still),
            "keep_out": [{"motors": list(m), **asdict(zone)} for m, zone in self.keep_out],
        }

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> MotorSpace:
        """Rebuild a space from ``describe()``."""
        return cls.of(**description)

    def _outside_of_zones(self, at: NDArray[np.float64]) -> NDArray[np.bool_]:
        free = np.ones(len(at), dtype=bool)
        for (first, second), zone in self.keep_out:
            columns = at[:, self.names.index(first)], at[:, self.names.index(second)]
            free &= ~zone.covers(*columns)
        return free


def _zone(zone: Mapping[str, Any]) -> tuple[tuple[str, str], Zone]:
    motors = zone.get("motors") if isinstance(zone, Mapping) else None
    if not (isinstance(motors, list | tuple) and len(motors) == 2 and motors[0] != motors[1]):
        raise ValueError(f"a keep-out zone names its two 'motors', but {zone!r} came")
    return (motors[0], motors[1]), keep_out_zone(zone)


def _inequality(rule: Sequence[Any]) -> tuple[Mapping[str, float], float]:
    try:
        coefficients, bound = rule
        steep, most = {str(n): float(c) for n, c in dict(coefficients).items()}, float(bound)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"a constraint is ({{motor: coefficient, ...}}, bound), but {rule!r} came"
        ) from error
    if not (steep and all(map(math.isfinite, (*steep.values(), most)))):
        raise ValueError(f"a constraint needs finite numbers, but {rule!r} came")
    return steep, most


def _text(coefficients: Mapping[str, float]) -> str:
    return " + ".join(name if c == 1 else f"{c:g} {name}" for name, c in coefficients.items())
