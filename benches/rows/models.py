"""What the other load models cost beside a constant rate, and whether their counts are exact."""

from collections.abc import Iterator

from harness import Effort, median, pysurge, spread
from report import Figure, per_s

MOST = 10_000_000
"""The highest rate the config allows: no core is done with it."""

SATURATING = {
    "Poisson arrivals": {"rate": MOST, "arrivals": "poisson"},
    "a ramp": {"start_rate": MOST / 2, "stages": [{"duration": "1h", "rate": MOST}]},
    "4 users": {"users": 4},
}

EXACT = {
    "a ramp from 0 to 20,000/s in 5 s": ({"stages": [{"duration": "5s", "rate": 20_000}]}, 50_000),
    "up, hold, step, down": (
        {
            "stages": [
                {"duration": "2s", "rate": 5_000},
                {"duration": "2s", "rate": 5_000},
                {"duration": "1s", "rate": 8_000, "jump": True},
                {"duration": "1s", "rate": 0},
            ]
        },
        27_000,
    ),
    "100,000 iterations at 20,000/s": ({"rate": 20_000, "iterations": 100_000}, 100_000),
    "100,000 iterations of 8 users": ({"users": 8, "iterations": 100_000}, 100_000),
}


def measure(effort: Effort) -> Iterator[Figure]:
    """A no-op at saturation in one worker, each model against a constant rate in turn; then counts over two workers."""
    seconds = effort.seconds(3)
    for what, load in SATURATING.items():
        ratios, ours = [], []
        for _ in range(effort.pairs):
            constant = pysurge("NoopRun", MOST, f"{seconds}s", workers=1, kwargs={"a": 1})
            run = pysurge("NoopRun", 0, f"{seconds}s", workers=1, kwargs={"a": 1}, load=load)
            ours.append(run.per_s)
            ratios.append(run.per_s / constant.per_s)
        yield Figure(
            "models",
            f"no-op at saturation, {what} / constant rate",
            f"{median(ratios):.2f} ({per_s(median(ours))})",
            data={"ratios": ratios, "ours_per_s": ours, "spread": spread(ratios)},
        )
    for what, (load, wanted) in EXACT.items():
        run = pysurge("NoopRun", 0, "60s", workers=2, kwargs={"a": 1}, load=load)
        account = run.summary["account"]
        yield Figure(
            "models",
            f"{what}, over two workers: passed of planned",
            f"{account['passed']:,} of {account['planned']:,}",
            f"{wanted:,}",
            account["planned"] == account["passed"] == wanted,
            {"account": account, "lateness": run.test["lateness"]},
        )
