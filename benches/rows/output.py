"""What a flood of prints costs the load: user code must never wait for whoever reads."""

from collections.abc import Iterator

from harness import Effort, median, pysurge, spread
from report import Figure, per_s

MOST = 10_000_000
"""The highest rate the config allows: no core is done with it."""


def measure(effort: Effort) -> Iterator[Figure]:
    """A test that prints one line at saturation in one worker, against the same that only formats it, in turn."""
    seconds = effort.seconds(3)
    ratios, printing, formatting, dropped = [], [], [], []
    for _ in range(effort.pairs):
        bare = pysurge("FormatLine", MOST, f"{seconds}s", workers=1, kwargs={"who": "mine"})
        run = pysurge("PrintLine", MOST, f"{seconds}s", workers=1, kwargs={"who": "mine"})
        formatting.append(bare.per_s)
        printing.append(run.per_s)
        ratios.append(run.per_s / bare.per_s)
        dropped.append(run.summary["output_dropped"])
    yield Figure(
        "output",
        "a test that prints a line / one that only formats it, at saturation",
        f"{median(ratios):.2f} ({per_s(median(printing))}, {per_s(median(formatting))})",
        data={
            "ratios": ratios,
            "print_per_s": printing,
            "format_per_s": formatting,
            "dropped": dropped,
            "spread": spread(ratios),
        },
    )
