"""What an iteration costs when the test does nothing: pysurge against a bare loop over the same class."""

from collections.abc import Iterator

from harness import Effort, bare, bare_twice, idle_cpu_s, median, pysurge, spread
from machine import cores
from report import Figure, ns, per_s

SATURATING_RATE = 10_000_000
"""The most the config allows, and more than two workers can do here."""

VARIANTS = {"NoopRun": "only run overridden", "NoopAll": "__init__, setup, run, teardown overridden"}


def measure(effort: Effort) -> Iterator[Figure]:
    """One worker against the loop, and two workers against one, in turn."""
    seconds = effort.seconds(3)
    idle_s = idle_cpu_s(effort)
    workers = (1, 2) if cores() >= 2 else (1,)
    for case, what in VARIANTS.items():
        loop, ours, cpu_ns, double, ceiling = [], [], [], [], []
        for _ in range(effort.pairs):
            loop.append(bare("dispatch", case, str(seconds)))
            for count in workers:
                run = pysurge(case, SATURATING_RATE, f"{seconds}s", workers=count, kwargs={"a": 1})
                if count == 1:
                    ours.append(run.per_s)
                    cpu_ns.append((run.cpu_s - idle_s) / run.passed * 1e9)
                else:
                    double.append(run.per_s)
                    ceiling.append(sum(one["per_s"] for one in bare_twice("dispatch", case, str(seconds))))
        pairs = [mine / theirs["per_s"] for mine, theirs in zip(ours, loop, strict=True)]
        cpu = [theirs["cpu_ns"] / mine for mine, theirs in zip(cpu_ns, loop, strict=True)]
        loop_per_s = [theirs["per_s"] for theirs in loop]
        ratio = median(pairs)
        yield Figure(
            "dispatch",
            f"no-op, {what}: pysurge / bare loop",
            f"{ratio:.2f} ({per_s(median(ours))} / {per_s(median(loop_per_s))})",
            ">= 0.95",
            ratio >= 0.95,
            {"ratios": pairs, "ours_per_s": ours, "bare_per_s": loop_per_s, "spread": spread(pairs)},
        )
        yield Figure(
            "dispatch",
            "  same, per CPU second: what others on the machine take does not count",
            f"{median(cpu):.2f} ({ns(median(cpu_ns))} / {ns(median([theirs['cpu_ns'] for theirs in loop]))})",
            data={"ratios": cpu, "ours_cpu_ns": cpu_ns},
        )
        if not double:
            continue
        scaling = [two / one for two, one in zip(double, ours, strict=True)]
        loops = [two / one for two, one in zip(ceiling, loop_per_s, strict=True)]
        yield Figure(
            "dispatch",
            "  two workers / one (two bare loops / one)",
            f"{median(scaling):.2f}, {per_s(median(double))} ({median(loops):.2f})",
            ">= 1.9",
            median(scaling) >= 1.9,
            {"ratios": scaling, "two_per_s": double, "two_bare_loops_ratios": loops},
        )
