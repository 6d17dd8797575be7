"""An agent that is asked in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .grid import ScanGrid
from .registry import make_sampler
from .sampler import Sampler
from .scan_agent import ScanAgent


class AgentServer:
    """An agent behind JSON: what a worker runs.

    Parameters
    ----------
    spec : mapping
        ``agent`` and ``options`` (see ``make_sampler``), ``grid`` (``ScanGrid.describe()``),
        ``key``, ``seed``, ``until``, ``blocked``, ``stage``, ``growing``, ``fly``,
        ``longest_dwell``: as in ``ScanAgent``.
    sampler : Sampler, optional
        One built already, in place of ``agent`` and ``options``.
    """

    def __init__(self, spec: Mapping[str, Any], sampler: Sampler | None = None) -> None:
        self._spec = spec
        self._sampler = sampler or make_sampler(spec["agent"], spec.get("options"))
        getattr(self._sampler, "warm_up", lambda: None)()  # before the scan, not in its middle
        self._reset()
        self._agent.warm_up()

    def _reset(self) -> None:
        spec = self._spec
        self._agent = ScanAgent(
            ScanGrid.from_description(spec["grid"]),
            self._sampler,
            name=spec["agent"],
            key=spec.get("key", "value"),
            seed=spec.get("seed", 0),
            until=spec.get("until"),
            blocked=spec.get("blocked", ()),
            stage=spec.get("stage"),
            growing=spec.get("growing", False),
            fly=spec.get("fly", False),
            longest_dwell=spec.get("longest_dwell"),
        )

    def describe(self) -> dict[str, Any]:
        """Name, options and provenance, as they stand in the start document.

        Of several channels ``steered_by`` says which ones it decides by.
        """
        provenance = getattr(self._sampler, "provenance", dict)()
        options = dict(self._spec.get("options") or {})
        described = {"agent": self._spec["agent"], "options": options, **provenance}
        if len(self._agent.keys) > 1:
            described["steered_by"] = list(self._agent.steered_by)
        return described

    def decide(
        self,
        since: int,
        entries: list[list[float]],
        num: int,
        pending: list[list[int]],
        number: int,
        exposures: list[float] | None = None,
    ) -> dict[str, Any]:
        """Learn the log from position ``since`` on, then decide; 0 begins anew.

        ``exposures`` says for how many nominal dwells each entry was counted; where not given, 1.
        """
        if since == 0:
            self._reset()
        if since != len(self._agent.observations):
            raise ValueError(f"the log goes on at {len(self._agent.observations)}, not at {since}")
        self._agent.observe(entries, exposures)
        return self._agent.decide(num, pending, number).to_json()
