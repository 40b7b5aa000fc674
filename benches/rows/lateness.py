"""How late iterations start when the target takes 50 ms, and what each costs."""

from collections.abc import Iterator

from harness import Effort, bare, median, pysurge
from report import Figure, ns

RATES = (100, 1_000, 4_000)

GOAL_RATE = 1_000


def measure(effort: Effort) -> Iterator[Figure]:
    """One worker; beside it a thread that does nothing but wake to the same schedule."""
    seconds = effort.seconds(10)
    rounds = 1 if effort.quick else 3
    for rate in RATES:
        timers, runs, cpu_us = [], [], []
        for _ in range(rounds):
            timers.append(bare("lateness", str(rate), str(seconds // 2 + 1)))
            # The slope between a short and a long run leaves out what start and end cost.
            short = pysurge("Sleep", rate, "1s")
            run = pysurge("Sleep", rate, f"{seconds}s", watch=True)
            runs.append(run)
            cpu_us.append((run.cpu_s - short.cpu_s) / (run.passed - short.passed) * 1e6)
        ours = {name: median([run.test["lateness"][f"{name}_s"] * 1e9 for run in runs]) for name in ("p50", "p99", "max")}
        timer = {name: median([one[f"{name}_ns"] for one in timers]) for name in ("p50", "p99", "max")}
        met = ours["p50"] < 60e3 and ours["p99"] < 300e3 if rate == GOAL_RATE else None
        yield Figure(
            "lateness",
            f"sleep(0.05) at {rate:,}/s: p50, p99, max (a thread that only wakes)",
            f"{_listed(ours)} ({_listed(timer)})",
            "p50 < 60 us, p99 < 300 us" if rate == GOAL_RATE else "",
            met,
            {"rounds": [run.test["lateness"] for run in runs], "bare": timers},
        )
        threads = max(run.most_threads for run in runs)
        yield Figure(
            "lateness",
            "  CPU per iteration; threads in the worker",
            f"{median(cpu_us):.1f} us; {threads}",
            "<= 60 us" if rate == GOAL_RATE else "",
            median(cpu_us) <= 60 if rate == GOAL_RATE else None,
            {"cpu_us": cpu_us, "threads": threads},
        )


def _listed(late: dict[str, float]) -> str:
    return ", ".join(ns(late[name]) for name in ("p50", "p99", "max"))
