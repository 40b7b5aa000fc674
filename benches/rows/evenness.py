"""How evenly requests reach the target when two workers share a rate, as the target's own log saw them."""

import itertools
import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from harness import Effort, bare, median, pysurge
from report import Figure
from servers import target

RATE = 1_000

WARM_UP = RATE // 2
"""Arrivals left out at the start, where connections are made."""


def measure(effort: Effort) -> Iterator[Figure]:
    """Two workers, and one plain loop that sleeps to the schedule, in turn against a target of their own."""
    seconds = effort.seconds(10)
    ours, loop = [], []
    for _ in range(1 if effort.quick else 3):
        ours.append(_variation(lambda url: pysurge("Get", RATE, f"{seconds}s", workers=2, kwargs={"url": url}), seconds))
        loop.append(_variation(lambda url: bare("arrivals", url, str(RATE), str(seconds)), seconds))
    yield Figure(
        "evenness",
        f"gaps between arrivals, {RATE:,}/s from two workers: coefficient of variation (one loop that sleeps)",
        f"{median(ours):.3f} ({median(loop):.3f})",
        data={"ours": ours, "bare": loop},
    )


def _variation(fire: Callable[[str], object], seconds: int) -> float:
    """Standard deviation of the gaps between arrivals, over their mean."""
    with tempfile.TemporaryDirectory(prefix="pysurge-bench-") as folder:
        log = Path(folder, "arrivals.log")
        with target("--log", str(log)) as url:
            fire(url)
        lines = log.read_text(encoding="utf-8").splitlines()
    # The last that many: the first line is the look whether the target answers.
    arrivals = sorted(int(line.split()[0]) for line in lines if line[:1].isdigit())[-RATE * seconds + WARM_UP :]
    gaps = [after - before for before, after in itertools.pairwise(arrivals)]
    return statistics.pstdev(gaps) / statistics.mean(gaps)
