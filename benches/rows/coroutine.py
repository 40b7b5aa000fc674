"""What an iteration of a coroutine test costs, against a bare event loop that makes a task per iteration and awaits it."""

from collections.abc import Iterator

from harness import Effort, bare, idle_cpu_s, median, pysurge, spread
from report import Figure, ns, per_s

SATURATING_RATE = 10_000_000
"""The most the config allows."""

IN_FLIGHT = 5_000
"""Of iterations that sleep for a second: so many start in each second, too."""

MOST = 1.3
"""An iteration may cost so many times what a task of the bare loop costs."""


def measure(effort: Effort) -> Iterator[Figure]:
    """A no-op at saturation; then thousands in flight that do nothing but sleep."""
    seconds = effort.seconds(4)
    idle_s = idle_cpu_s(effort)
    loop, ours, cpu_ns = [], [], []
    for _ in range(effort.pairs):
        loop.append(bare("coroutine", str(seconds)))
        run = pysurge("CoroutineNoop", SATURATING_RATE, f"{seconds}s")
        ours.append(run.per_s)
        cpu_ns.append((run.cpu_s - idle_s) / run.passed * 1e9)
    bare_ns = [theirs["cpu_ns"] for theirs in loop]
    cost = [mine / theirs for mine, theirs in zip(cpu_ns, bare_ns, strict=True)]
    yield Figure(
        "coroutine",
        f"no-op coroutine at saturation, CPU: pysurge / bare {loop[0]['loop']} loop",
        f"{median(cost):.2f} ({ns(median(cpu_ns))} / {ns(median(bare_ns))}; {per_s(median(ours))})",
        f"<= {MOST}",
        median(cost) <= MOST,
        {"ratios": cost, "ours_per_s": ours, "ours_cpu_ns": cpu_ns, "bare": loop, "spread": spread(cost)},
    )
    short = pysurge("CoroutineSleep", IN_FLIGHT, "2s")
    long = pysurge("CoroutineSleep", IN_FLIGHT, f"{2 + seconds}s", watch=True)
    planned = IN_FLIGHT * (2 + seconds)
    cpu_us = (long.cpu_s - short.cpu_s) / (long.passed - short.passed) * 1e6
    sleep = bare("coroutine_sleep", str(IN_FLIGHT), str(2 + seconds))
    late = long.test["lateness"]
    yield Figure(
        "coroutine",
        f"sleep(1) at {IN_FLIGHT:,}/s, {IN_FLIGHT:,} in flight: iterations, exact",
        f"{long.passed:,} of {planned:,}; {long.most_threads} threads in the worker",
        "all",
        long.passed == planned,
        {"account": long.summary["account"]},
    )
    yield Figure(
        "coroutine",
        "  lateness p50, p99; CPU per iteration (a bare loop that starts them by call_at)",
        f"{ns(late['p50_s'] * 1e9)}, {ns(late['p99_s'] * 1e9)}; {cpu_us:.1f} us "
        f"({ns(sleep['p50_ns'])}, {ns(sleep['p99_ns'])}; {sleep['cpu_ns'] / 1e3:.1f} us)",
        data={"lateness": late, "cpu_us": cpu_us, "bare": sleep},
    )
