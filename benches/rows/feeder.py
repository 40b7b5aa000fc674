"""What it costs to feed a no-op function with rows, against the same function with the same arguments each time."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import Effort, median, pysurge, spread
from report import Figure, per_s

MOST = 10_000_000
"""The highest rate the config allows: no core is done with it."""

ROWS = 1_000_000
"""More than are kept in memory."""

FEEDS: dict[str, tuple[str, dict[str, Any]]] = {
    "CSV, in its order": ("users.csv", {}),
    "CSV, shuffled": ("users.csv", {"order": "shuffle"}),
    "CSV of 10,000 rows, shuffled": ("few.csv", {"order": "shuffle"}),
    "JSON Lines, in their order": ("users.jsonl", {}),
}


def measure(effort: Effort) -> Iterator[Figure]:
    """One worker at saturation, fed and not, in turn."""
    seconds = effort.seconds(3)
    with tempfile.TemporaryDirectory(prefix="pysurge-bench-") as folder:
        write(Path(folder))
        for what, (file, order) in FEEDS.items():
            ratios, fed_per_s, costs_ns = [], [], []
            for _ in range(effort.pairs):
                bare = run(seconds, {"kwargs": {"user": "u1234567", "token": "secret-1234567"}})
                fed = run(seconds, {"data": {"from": str(Path(folder, file)), **order}})
                fed_per_s.append(fed)
                ratios.append(fed / bare)
                costs_ns.append(1e9 / fed - 1e9 / bare)
            yield Figure(
                "feeder",
                f"no-op function of two arguments, {what}: fed / the same arguments each time",
                f"{median(ratios):.2f} ({per_s(median(fed_per_s))}, {median(costs_ns):.0f} ns a row)",
                data={"ratios": ratios, "fed_per_s": fed_per_s, "costs_ns": costs_ns, "spread": spread(ratios)},
            )


def run(seconds: int, entry: dict[str, Any]) -> float:
    """Iterations per second."""
    load = {"test": "cases.take", "rate": MOST, **entry}
    return pysurge("take", MOST, f"{seconds}s", workers=1, load=load).per_s


def write(folder: Path) -> None:
    """Write the same rows in each form."""
    for name, rows in [("users.csv", ROWS), ("few.csv", 10_000)]:
        with open(folder / name, "w", encoding="ascii") as file:
            file.write("user,token\n")
            file.writelines(f"u{n},secret-{n}\n" for n in range(rows))
    with open(folder / "users.jsonl", "w", encoding="ascii") as file:
        file.writelines(json.dumps({"user": f"u{n}", "token": f"secret-{n}"}) + "\n" for n in range(ROWS))
