"""Whether a worker grows with the number of iterations it has measured."""

from collections.abc import Iterator

from harness import Effort, median, pysurge
from report import Figure

RATE = 500_000


def measure(effort: Effort) -> Iterator[Figure]:
    """The same rate and pool, briefly and for long, in turn."""
    brief, long_s = "200ms", 2 if effort.quick else 20
    small, big, iterations = [], [], []
    for _ in range(1 if effort.quick else 2):
        small.append(_rss(brief)[0])
        rss, passed = _rss(f"{long_s}s")
        big.append(rss)
        iterations.append(passed)
    ratio = median(big) / median(small)
    few, many = RATE / 5e6, min(iterations) / 1e6
    yield Figure(
        "memory",
        f"RSS of a worker after {many:.3g} M iterations with two metrics / after {few:.3g} M",
        f"{ratio:.3f} ({median(big) / 2**20:.1f} MiB / {median(small) / 2**20:.1f} MiB)",
        "<= 1.05",
        ratio <= 1.05,
        {"small_bytes": small, "big_bytes": big, "iterations": iterations},
    )


def _rss(duration: str) -> tuple[int, int]:
    run = pysurge("TwoMetrics", RATE, duration)
    return run.summary["workers"][0]["rss_bytes"], run.passed
