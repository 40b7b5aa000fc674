"""Whether exactly as many iterations are planned and started as the rate asks for."""

from collections.abc import Iterator

from harness import Effort, pysurge
from report import Figure, ns

CASES = ((0.1, 20), (1, 10), (3.7, 10), (100, 10), (10_000, 5), (100_000, 5))
"""Rate in iterations per second, and seconds."""


def measure(effort: Effort) -> Iterator[Figure]:
    """Each rate once, over two workers: a count is exact or it is not."""
    for rate, whole_s in CASES:
        if effort.quick and rate < 100:
            continue
        seconds = 2 if effort.quick else whole_s
        run = pysurge("NoopRun", rate, f"{seconds}s", workers=2, kwargs={"a": 1})
        # Of a plan that ends between two iterations, the one before the end is the last.
        wanted = round(rate * seconds)
        account = run.summary["account"]
        achieved = run.passed / run.summary["duration_s"] / rate
        late_ns = run.test["lateness"]["p99_s"] * 1e9
        exact = account["planned"] == account["passed"] == wanted
        yield Figure(
            "exact",
            f"{rate:g}/s for {seconds} s over two workers: passed of planned",
            f"{account['passed']:,} of {account['planned']:,}, achieved/asked {achieved:.4f}, late p99 {ns(late_ns)}",
            f"{wanted:,}, 1.000 +- 0.001" if rate > 10 else f"{wanted:,}",
            exact and (rate <= 10 or abs(achieved - 1) <= 0.001),
            {"account": account, "achieved_over_asked": achieved, "lateness": run.test["lateness"]},
        )
