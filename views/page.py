"""A page of HTML that stands alone: no script, no link, its images inside."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from matplotlib.figure import Figure

WIDE = 500  # CSS pixels of an image that has a row for itself
# The policy forbids what the page does not need, whatever came into it.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
TOKENS = """
:root { color-scheme: light dark; --ink: #1c1c1c; --soft: #5c5c5c; --line: #d9d9d9;
  --paper: #ffffff; --tint: #f5f5f2; --mark: #0072b2; --warn: #b34700 }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e6e1; --soft: #a9a7a2; --line: #3d3d3d;
  --paper: #17181a; --tint: #222426; --mark: #6db9e8; --warn: #ff9d57 } }
"""
"""Colours of all pages, light and dark."""
CSS = """
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 Charter, "Bitstream Charter", "Source Serif 4", Cambria, Georgia, serif }
main { max-width: 58rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; counter-reset: figure }
h1, h2, dl, table, figcaption, pre, .meta { font-family: system-ui, "Segoe UI", Roboto,
  "Helvetica Neue", Arial, sans-serif }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; overflow-wrap: anywhere }
h2 { font-size: 1.1rem; margin: 2.6rem 0 .6rem; padding-bottom: .25rem;
  border-bottom: 1px solid var(--line) }
p { margin: .6rem 0; max-width: 44rem }
.meta { color: var(--soft); font-size: .85rem; overflow-wrap: anywhere; max-width: none }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(7.5rem, 1fr)); gap: 1px;
  margin: 1.5rem 1px }
dl div { outline: 1px solid var(--line); padding: .6rem .8rem }
dt { color: var(--soft); font-size: .75rem }
dd { margin: 0; font-size: 1.2rem; font-variant-numeric: tabular-nums }
figure { margin: 1rem 0; break-inside: avoid }
.images { display: flex; flex-wrap: wrap; gap: .5rem; justify-content: safe center;
  align-items: center; overflow-x: auto;
  background: #ffffff; border: 1px solid var(--line); padding: .5rem }
.images img { flex-grow: 1; height: auto }
figcaption { color: var(--soft); font-size: .85rem; line-height: 1.45; margin-top: .5rem }
figcaption::before { counter-increment: figure; content: "Figure " counter(figure) ". ";
  color: var(--ink); font-weight: 600 }
.scroll { overflow-x: auto }
table { border-collapse: collapse; font-size: .85rem; width: 100%; break-inside: avoid }
th, td { text-align: left; vertical-align: top; padding: .3rem 1rem .3rem 0;
  border-bottom: 1px solid var(--line); font-weight: 400; font-variant-numeric: tabular-nums }
tbody th { color: var(--soft) }
.settings tbody th { width: 14rem }
thead th { font-weight: 600 }
td { overflow-wrap: anywhere }
.people td:nth-child(2) { white-space: nowrap }
.times th:not(:first-child), .times td { text-align: right; padding: .3rem 0 .3rem .8rem;
  white-space: nowrap }
pre { background: var(--tint); border: 1px solid var(--line); padding: .8rem 1rem;
  font: .8rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; break-inside: avoid }
.warn { border-left: 3px solid var(--warn); padding-left: .8rem }
li { overflow-wrap: anywhere }
@media (max-width: 40rem) { .settings tbody th { width: 8rem } .times { font-size: .72rem }
  .times th:not(:first-child), .times td { padding-left: .4rem } main { padding-top: 1.5rem } }
@media print { :root { color-scheme: light; --ink: #000; --soft: #444; --line: #bbb; --paper: #fff;
  --tint: #fff } main { max-width: none; padding: 0 } body { font-size: 10pt }
  h2 { break-after: avoid } }
"""


@dataclass(frozen=True)
class Picture:
    """A figure and the words that stand for it where it is not seen.

    A ``photo`` is a PNG, and one that is wide scrolls on a narrow page; a drawing is an SVG, and
    shrinks.
    """

    figure: Figure
    alt: str
    photo: bool = False


def page(title: str, parts: Iterable[str]) -> str:
    """Put parts, which are HTML already, into a page."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{TOKENS}{CSS}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )


def element(tag: str, text: Any, kind: str = "") -> str:
    """One element around a text, which is escaped."""
    attribute = f' class="{kind}"' if kind else ""
    return f"<{tag}{attribute}>{escape(str(text))}</{tag}>"


def facts(pairs: Mapping[str, str]) -> str:
    """A strip of key figures."""
    cells = (
        f"<div>{element('dt', name)}{element('dd', fact)}</div>" for name, fact in pairs.items()
    )
    return f"<dl>{''.join(cells)}</dl>"


def settings_table(pairs: Mapping[str, Any]) -> str:
    """A table of names and settings."""
    rows = (
        f'<tr><th scope="row">{escape(name)}</th>{element("td", setting)}</tr>'
        for name, setting in pairs.items()
    )
    body = f"<tbody>{''.join(rows)}</tbody>"
    return f'<div class="scroll"><table class="settings">{body}</table></div>'


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], kind: str = "") -> str:
    """A table with a head; of the kind ``times`` where it holds numbers, or ``people``."""
    columns = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(
        f'<tr><th scope="row">{escape(str(first))}</th>'
        + "".join(element("td", cell) for cell in rest)
        + "</tr>"
        for first, *rest in rows
    )
    attribute = f' class="{kind}"' if kind else ""
    return (
        f'<div class="scroll"><table{attribute}><thead><tr>{columns}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def figure(caption: str, pictures: Sequence[Picture]) -> str:
    """A numbered figure of one or more images, side by side where there is room."""
    images = "".join(_image(picture) for picture in pictures)
    return (
        f'<figure><div class="images">{images}</div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def title_of(made: Figure) -> str:
    """The title of a figure's first panel."""
    return made.axes[0].get_title(loc="left")


def _image(picture: Picture) -> str:
    buffer, made = io.BytesIO(), picture.figure
    if picture.photo:
        made.savefig(buffer, format="png", dpi=made.dpi, facecolor="white")
    else:
        made.savefig(buffer, format="svg", facecolor="white", metadata={"Date": None})
    kind = "png" if picture.photo else "svg+xml"
    content = base64.b64encode(buffer.getvalue()).decode()
    width, height = (round(96 * inches) for inches in made.get_size_inches())
    least = f"min({width}px, 36rem)" if picture.photo and width > WIDE else "0px"
    most = f"max({least}, min({width}px, 100%))"
    basis = "100%" if width > WIDE else "20rem"
    return (
        f'<img src="data:image/{kind};base64,{content}" width="{width}" height="{height}" '
        f'style="flex-basis: {basis}; min-width: {least}; max-width: {most}" '
        f'alt="{escape(picture.alt)}">'
    )
