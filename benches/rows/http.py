"""What is left of a blocking HTTP client's speed when pysurge drives it."""

from collections.abc import Iterator

from cases import CLIENTS, SATURATING_RATE, THREADS
from harness import Effort, bare, idle_cpu_s, median, pysurge, spread
from machine import cores
from report import Figure, ns, per_s
from servers import fast_server

CLIENT_CORE, SERVER_CORE = 0, 1


def measure(effort: Effort) -> Iterator[Figure]:
    """The client in pysurge's pool and in as many plain threads, in turn, on one core; the server on another."""
    seconds = effort.seconds(4)
    idle_s = idle_cpu_s(effort)
    for client in CLIENTS:
        loop, ours, cpu_ns = [], [], []
        with fast_server(SERVER_CORE) as (url, server):
            for _ in range(effort.pairs):
                loop.append(bare("http", client, url, str(seconds), core=CLIENT_CORE))
                env = {"BENCH_CLIENT": client, "BENCH_URL": url}
                run = pysurge("ClientGet", SATURATING_RATE, f"{seconds}s", env=env, core=CLIENT_CORE)
                ours.append(run.per_s)
                cpu_ns.append((run.cpu_s - idle_s) / run.passed * 1e9)
        pairs = [mine / theirs["per_s"] for mine, theirs in zip(ours, loop, strict=True)]
        loop_per_s = [theirs["per_s"] for theirs in loop]
        loop_cpu_ns = [theirs["cpu_ns"] for theirs in loop]
        ratio = median(pairs)
        yield Figure(
            "http",
            f"{client} in {THREADS} threads on one core, {server}: pysurge / bare threads",
            f"{ratio:.2f} ({per_s(median(ours))} / {per_s(median(loop_per_s))})",
            ">= 0.9",
            ratio >= 0.9,
            {"ratios": pairs, "ours_per_s": ours, "bare_per_s": loop_per_s, "spread": spread(pairs), "cores": cores()},
        )
        yield Figure(
            "http",
            "  CPU per request, the client included",
            f"{ns(median(cpu_ns))} / {ns(median(loop_cpu_ns))}",
            data={"ours_cpu_ns": cpu_ns, "bare_cpu_ns": loop_cpu_ns},
        )
