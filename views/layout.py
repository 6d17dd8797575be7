"""Where the panels of a figure lie, in inches: maps keep their shape, whatever it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

LEFT, RIGHT, TOP, BOTTOM = 0.75, 1.05, 0.45, 0.6
"""Inches around a panel: for its axis, its colour bar, its title and its axis again."""
HEADER = 0.35
"""Inches on top, for a figure's title."""
AREA = 10.0
"""Square inches of a map, as far as its sides allow."""
WIDEST, HIGHEST = 7.5, 6.5
NARROWEST, LOWEST, TALLEST = 2.2, 1.7, 3.2
"""Inches that a plot needs which is no map, and a title."""
SHAPE = 1.25
"""Width over height that a whole figure should come near to."""
FEW, EMPTY = 4, 0.2
"""Panels that fill their rows; what an empty place of more counts for, as the shape's log does."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Layout:
    """Size of a figure and boxes of its panels.

    Attributes
    ----------
    width, height : float
        Of the figure, inches.
    boxes : tuple of (left, bottom, width, height)
        Of the panels, in reading order, in fractions of the figure.
    """

    width: float
    height: float
    boxes: tuple[Box, ...]


def map_size(ratio: float) -> tuple[float, float]:
    """Width and height in inches of a map of the given width over height."""
    width = min(math.sqrt(AREA * ratio), WIDEST, HIGHEST * ratio)
    return width, width / ratio


def arrange(
    sizes: Sequence[tuple[float, float]], header: float = HEADER, shape: float = SHAPE
) -> Layout:
    """Lay panels out in rows, so that the figure comes nearest to a page's shape.

    Places may stay empty, at the end of the last row, from five panels on.

    Parameters
    ----------
    sizes : sequence of (width, height)
        Of the panels in reading order, inches.
    header : float
        Inches on top, for a title.
    shape : float
        Width over height that the page has.
    """
    num = len(sizes)
    empty = {n: -num % n for n in range(1, num + 1) if num > FEW or num % n == 0}

    def amiss(columns: int) -> float:
        layout = _rows_of(columns, sizes, header)
        return abs(math.log(layout.width / layout.height / shape)) + EMPTY * empty[columns]

    return _rows_of(min(empty, key=amiss), sizes, header)


def _rows_of(columns: int, sizes: Sequence[tuple[float, float]], header: float) -> Layout:
    rows = -(-len(sizes) // columns)
    widths = [max(NARROWEST, *(w for w, _ in sizes[c::columns])) for c in range(columns)]
    heights = [max(h for _, h in sizes[r * columns : (r + 1) * columns]) for r in range(rows)]
    width = sum(widths) + columns * (LEFT + RIGHT)
    height = sum(heights) + rows * (TOP + BOTTOM) + header
    boxes: list[Box] = []
    for k, (w, h) in enumerate(sizes):
        row, column = divmod(k, columns)
        left = sum(widths[:column]) + column * (LEFT + RIGHT) + LEFT
        top = header + sum(heights[:row]) + row * (TOP + BOTTOM) + TOP
        boxes.append((left / width, 1 - (top + h) / height, w / width, h / height))
    return Layout(width, height, tuple(boxes))
