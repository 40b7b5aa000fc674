"""What an iteration of a test of pytest costs: against the same work in a bare loop, and against pytest itself."""

from collections.abc import Iterator
from pathlib import Path

from harness import BENCHES, Effort, bare, median, pysurge, spread
from report import Figure, ns, per_s

SATURATING_RATE = 10_000_000
"""The most the config allows."""

FILE = BENCHES / "suite" / "test_two_fixtures.py"
"""One test with two function fixtures, one of which yields."""


def measure(effort: Effort) -> Iterator[Figure]:
    """One worker at saturation, the bare loop, and pytest over very many copies of the test, in turn."""
    seconds = effort.seconds(3)
    ours, loop, plain = [], [], []
    for _ in range(effort.pairs):
        loop.append(bare("fixtures", str(seconds))["per_s"])
        ours.append(pysurge("pytest", SATURATING_RATE, f"{seconds}s", load=entry(FILE)).per_s)
        plain.append(bare("plain_pytest", str(FILE))["per_s"])
    over_pytest = [mine / theirs for mine, theirs in zip(ours, plain, strict=True)]
    over_loop = [mine / theirs for mine, theirs in zip(ours, loop, strict=True)]
    yield Figure(
        "pytest",
        "test with two function fixtures: pysurge / pytest itself, iterations per second",
        f"{median(over_pytest):.1f} ({per_s(median(ours))} / {per_s(median(plain))})",
        data={"ratios": over_pytest, "ours_per_s": ours, "pytest_per_s": plain, "spread": spread(over_pytest)},
    )
    yield Figure(
        "pytest",
        "  the same work in a bare loop of calls",
        f"{median(over_loop):.3f} ({per_s(median(loop))}); {ns(1e9 / median(ours) - 1e9 / median(loop))} more each",
        data={"ratios": over_loop, "bare_per_s": loop},
    )


def entry(file: Path) -> dict[str, object]:
    """The test of the config."""
    return {"test": str(file), "rate": SATURATING_RATE, "max_threads": 1}
