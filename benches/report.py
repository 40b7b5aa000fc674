"""Figures, the table they are printed as, and the JSON they are kept in."""

import json
import shutil
import textwrap
from dataclasses import asdict, dataclass, field
from typing import Any

HEADINGS = ("row", "what", "figure", "goal", "met")


@dataclass
class Figure:
    """One line of the table."""

    row: str
    what: str
    figure: str
    """For people, with its unit."""
    goal: str = ""
    met: bool | None = None
    """None where there is no goal, or where it could not be measured."""
    data: dict[str, Any] = field(default_factory=dict)
    """For programs: the numbers behind the figure, each measurement by itself."""

    def cells(self) -> tuple[str, ...]:
        """The line as text."""
        met = {True: "yes", False: "NO", None: ""}[self.met]
        return (self.row, self.what, self.figure, self.goal, met)


def table(figures: list[Figure]) -> str:
    """All figures as one Markdown table with aligned columns."""
    lines = [HEADINGS, *(figure.cells() for figure in figures)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    rows = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines]
    rows.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(rows)


def loudly(text: str) -> str:
    """A message that nobody overlooks."""
    width = min(shutil.get_terminal_size().columns, 100) - 4
    body = "\n".join(f"!!  {line}" for line in textwrap.wrap(text, width))
    return f"{'!' * (width + 4)}\n{body}\n{'!' * (width + 4)}"


def as_json(about: dict[str, Any], figures: list[Figure]) -> str:
    """The whole result, for programs."""
    return json.dumps({"schema_version": 1, **about, "figures": [asdict(figure) for figure in figures]}, indent=2) + "\n"


def ns(value: float) -> str:
    """A duration in nanoseconds, for people."""
    for limit, divisor, unit in ((1e3, 1, "ns"), (1e6, 1e3, "us"), (1e9, 1e6, "ms")):
        if value < limit:
            return f"{value / divisor:.3g} {unit}"
    return f"{value / 1e9:.3g} s"


def per_s(value: float) -> str:
    """A rate, for people."""
    for limit, divisor, unit in ((1e4, 1, ""), (1e6, 1e3, "k")):
        if value < limit:
            return f"{value / divisor:.4g}{unit}/s"
    return f"{value / 1e6:.3g}M/s"
