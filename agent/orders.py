"""What people's words amount to: a fold over the interventions of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .intervention import Intervention

Pixel = tuple[int, int]

POLICY = "policy"  # who it is that gives up targets which cannot be measured


@dataclass(frozen=True)
class Orders:
    """What stands at a moment of a run.

    Attributes
    ----------
    zones : mapping of int to mapping
        Regions forbidden and not allowed again, by the intervention's number: ``slow`` and
        ``fast``, or ``polygon``, in motor units.
    rejected : frozenset of (row, column)
        Targets that a person does not want.
    injected : tuple of (row, column)
        Pixels that people want, in the order in which they were said, done or not.
    approved : frozenset of int
        Decisions that may be measured.
    agent : mapping or None
        ``agent`` and ``options`` of the one that decides from here; None for the run's first.
    stop : str
        Why a person ends the run; empty where nobody does.
    goal : mapping or None
        Where the stage goes at the end: ``row`` and ``column``, or ``to: best``.
    said : int
        How many interventions this comes from.
    """

    zones: Mapping[int, Mapping[str, Any]]
    rejected: frozenset[Pixel] = frozenset()
    injected: tuple[Pixel, ...] = ()
    approved: frozenset[int] = frozenset()
    agent: Mapping[str, Any] | None = None
    stop: str = ""
    goal: Mapping[str, Any] | None = None
    said: int = 0

    def decide_as(self, other: Orders) -> bool:
        """Whether the next batch is chosen as under others."""
        mine, its = ((o.zones, o.rejected, o.injected, o.agent) for o in (self, other))
        return mine == its

    def after(self, said: Intervention) -> Orders:
        """What stands after one intervention more."""
        detail = said.detail
        match said.kind:
            case "forbid":
                return replace(self, zones={**self.zones, said.number: detail})
            case "allow":
                kept = {n: zone for n, zone in self.zones.items() if n != detail["number"]}
                return replace(self, zones=kept)
            case "skip" if said.by == POLICY:  # a target that could not be measured
                return replace(self, rejected=self.rejected | {_pixel(detail)})
            case "reject":
                return replace(self, rejected=self.rejected | set(_pixels(detail)))
            case "inject":
                wanted = _pixels(detail)
                return replace(
                    self, injected=(*self.injected, *wanted), rejected=self.rejected - set(wanted)
                )
            case "approve":
                return replace(self, approved=self.approved | {detail["decision"]})
            case "agent":
                return replace(self, agent=detail)
            case "stop":
                why = f": {detail['why']}" if detail.get("why") else ""
                return replace(self, stop=f"stopped by {said.by}{why}")
            case "resume":  # of a run that was stopped, too
                return replace(self, stop="")
            case "move":
                return replace(self, goal=detail)
        return self


def standing_orders(interventions: Iterable[Intervention]) -> Orders:
    """Fold interventions of all kinds; those of which nothing stays change nothing."""
    standing = Orders({})
    for said in interventions:
        standing = replace(standing.after(said), said=standing.said + 1)
    return standing


def _pixels(detail: Mapping[str, Any]) -> Sequence[Pixel]:
    return [(int(row), int(column)) for row, column in detail["pixels"]]


def _pixel(detail: Mapping[str, Any]) -> Pixel:
    return int(detail["row"]), int(detail["column"])
