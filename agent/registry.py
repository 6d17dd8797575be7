"""Samplers by name: those installed as entry points, and one's own from a file."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from .sampler import Sampler

GROUP = "skysteer.agents"


def sampler_names() -> list[str]:
    """Names of the samplers installed."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


def make_sampler(name: str, options: Mapping[str, Any] | None = None) -> Sampler:
    """Build a sampler from its name and JSON-able options.

    Parameters
    ----------
    name : str
        An installed name (``skysteer.agents`` entry point), ``module:Class``, or
        ``path/to/file.py:Class`` for one's own.
    options : mapping, optional
        Keyword arguments of the class.

    Raises
    ------
    ValueError
        If there is no such sampler, its file cannot be run, or it takes no such options.
    """
    factory, given = _find(name), dict(options or {})
    takes = inspect.signature(factory)
    try:
        takes.bind(**given)
    except TypeError as error:
        known = ", ".join(takes.parameters) or "no options"
        raise ValueError(f"agent {name!r} takes {known}, but {given} came") from error
    sampler = factory(**given)
    if not isinstance(sampler, Sampler):
        raise ValueError(f"agent {name!r} needs a method choose(request), but has none")
    return sampler


def check_agent(name: str) -> None:
    """Refuse a name that stands for no agent, without loading the installed ones.

    Raises
    ------
    ValueError
        As ``make_sampler``.
    """
    if name not in sampler_names():
        _find(name)


def _find(name: str) -> Any:
    installed = {entry.name: entry.load for entry in entry_points(group=GROUP)}
    if name not in installed and ":" not in name:
        raise ValueError(
            f"there is no agent {name!r}: choose one of {', '.join(sorted(installed))}, "
            "or name your own as path/to/file.py:Class"
        )
    where, _, attribute = name.rpartition(":")
    try:
        return installed[name]() if name in installed else getattr(_module(where), attribute)
    except Exception as error:  # whatever a file of one's own may raise
        what = f"{type(error).__name__}: {error}"
        raise ValueError(f"agent {name!r} cannot be loaded: {what}") from error


def _module(where: str) -> ModuleType:
    if not where.endswith(".py"):
        return importlib.import_module(where)
    path = Path(where).expanduser().resolve()
    # Named by its path, to shadow no module; and registered, as dataclasses look themselves up.
    spec = importlib.util.spec_from_file_location(str(path), path)
    assert spec and spec.loader  # noqa: S101  (a name that ends in .py has both)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
