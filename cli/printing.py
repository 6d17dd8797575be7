"""How a command prints what it found: lines, a table, or JSON."""

from __future__ import annotations

import json
import math
from typing import Any


def print_outcome(outcome: dict[str, Any], as_json: bool) -> None:
    """Print a result: a line for each of its names that has something to say, or JSON."""
    if as_json:
        print(json_line(outcome), flush=True)
        return
    for name, value in outcome.items():
        if value not in (None, []):
            print(f"{name.replace('_', ' '):>22}  {_shown(value)}")


def print_table(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    """Print rows below the names of their columns."""
    cells = [[name.replace("_", " ") for name in columns]]
    cells += [[_shown(row.get(name, "")) for name in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(map(_shown, value))
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def json_line(row: dict[str, Any]) -> str:
    """Give one line of JSON; what is not finite, which JSON has no word for, becomes null."""
    return json.dumps(
        {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
    )
