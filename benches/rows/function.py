"""What an iteration costs when the test is a function that does nothing: pysurge against a bare loop that calls it."""

from collections.abc import Iterator

from harness import Effort, bare, idle_cpu_s, median, pysurge, spread
from report import Figure, ns, per_s

SATURATING_RATE = 10_000_000
"""The most the config allows."""

VARIANTS = {"nothing": "no-op function", "give": "function that gives a dict of two figures"}


def measure(effort: Effort) -> Iterator[Figure]:
    """One worker against the loop, in turn."""
    seconds = effort.seconds(3)
    idle_s = idle_cpu_s(effort)
    for name, what in VARIANTS.items():
        loop, ours, cpu_ns = [], [], []
        for _ in range(effort.pairs):
            loop.append(bare("function", name, str(seconds)))
            run = pysurge(name, SATURATING_RATE, f"{seconds}s", load={"test": f"cases.{name}", "rate": SATURATING_RATE})
            ours.append(run.per_s)
            cpu_ns.append((run.cpu_s - idle_s) / run.passed * 1e9)
        pairs = [mine / theirs["per_s"] for mine, theirs in zip(ours, loop, strict=True)]
        bare_ns = median([theirs["cpu_ns"] for theirs in loop])
        yield Figure(
            "function",
            f"{what}: pysurge / bare loop with a clock around each call",
            f"{median(pairs):.2f} ({per_s(median(ours))}, {ns(median(cpu_ns))} of CPU each / {ns(bare_ns)})",
            data={"ratios": pairs, "ours_per_s": ours, "ours_cpu_ns": cpu_ns, "bare": loop, "spread": spread(pairs)},
        )
