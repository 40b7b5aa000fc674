"""A screen of a terminal as a page, so that a browser can take its picture: each cell with its character, colour and weight."""

from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pyte.screens import Char, HistoryScreen

# A quiet dark scheme; pyte calls yellow brown.
COLOURS = {
    "default": "#d7dde6",
    "black": "#2a323d",
    "red": "#ff7b72",
    "green": "#56d364",
    "brown": "#e3b341",
    "blue": "#79b8ff",
    "magenta": "#d2a8ff",
    "cyan": "#56d4dd",
    "white": "#d7dde6",
}

PAGE = """<!doctype html>
<meta charset="utf-8">
<style>
  body {{ margin: 0; background: #ffffff; }}
  #terminal {{
    display: inline-block; padding: 14px 18px; border-radius: 10px; background: #12161c; color: {default};
    font: 14px/1.28 "DejaVu Sans Mono", monospace; white-space: pre;
  }}
</style>
<div id="terminal">{lines}</div>
"""


def page(lines: "Iterable[Mapping[int, Char]]", columns: int) -> str:
    """The page: an element `#terminal` with these lines of cells."""
    return PAGE.format(default=COLOURS["default"], lines="\n".join(_line(line, columns) for line in lines))


def _line(cells: "Mapping[int, Char]", columns: int) -> str:
    runs = groupby((cells[x] for x in range(columns)), key=_style)
    return "".join(f'<span style="{style}">{escape("".join(cell.data for cell in run))}</span>' for style, run in runs)


def _style(cell: "Char") -> str:
    # Bright colours are their plain ones; grey is what is said quietly.
    name = "default" if cell.fg == "brightblack" else cell.fg.removeprefix("bright")
    colour = COLOURS.get(name, f"#{name}")
    weight = "; font-weight: 600" if cell.bold else ""
    quiet = "; opacity: 0.65" if cell.fg == "brightblack" else ""
    return f"color: {colour}{weight}{quiet}"


def shown(screen: "HistoryScreen") -> "list[Mapping[int, Char]]":
    """The lines on the screen, without empty ones at the end."""
    return _trimmed([screen.buffer[y] for y in range(screen.lines)])


def everything(screen: "HistoryScreen") -> "list[Mapping[int, Char]]":
    """The same, with the lines that have scrolled off in front of them."""
    return _trimmed([*screen.history.top, *(screen.buffer[y] for y in range(screen.lines))])


def _trimmed(lines: "list[Mapping[int, Char]]") -> "list[Mapping[int, Char]]":
    while lines and not any(cell.data.strip() for cell in lines[-1].values()):
        lines.pop()
    return lines
