"""pysurge beside its peers, in turn in the same run: dispatch of a no-op, the rate reached, how late tests start.

Each peer lives in an environment of its own and is driven the way its users would; what starts when is noted by the
test itself, the same for all (`scripts/starts.py`), because most of them do not tell.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from harness import BenchError, Effort, bare, median
from report import Figure, loudly, ns, per_s

from . import k9, locust, ours, pysurge_old
from .tool import Tool, say

TOOLS: tuple[type[Tool], ...] = (ours.Ours, pysurge_old.PysurgeOld, k9.K9Sync, k9.K9Async, locust.Locust)

T = TypeVar("T")

RATES = (1_000, 20_000)

LATENESS_RATE = 1_000


def measure(effort: Effort, folder: Path) -> Iterator[Figure]:
    """All tools, row by row; one that cannot be installed or fails is said to, loudly, and left out."""
    tools = []
    for make in TOOLS:
        try:
            tool = make(folder)
            tool.install()
            tools.append(tool)
        except BenchError as error:
            say(loudly(f"{make.name} cannot be installed and is missing from the table: {error}"))
            yield Figure("peers", f"!! {make.name}", "CANNOT BE INSTALLED", data={"missing": str(error)})
    yield from _dispatch(tools, effort)
    for rate in RATES:
        yield from _rate(tools, rate, effort)
    yield from _lateness(tools, effort)


def _dispatch(tools: list[Tool], effort: Effort) -> Iterator[Figure]:
    seconds, loop = effort.seconds(3), []

    def one_round() -> None:
        loop.append(bare("dispatch", "NoopRun", str(seconds))["per_s"])

    found = _in_turn(tools, effort.pairs, lambda tool: tool.dispatch(seconds), one_round)
    yield Figure("dispatch", "bare Python loop", per_s(median(loop)), data={"per_s": loop})
    for tool, rates in found.items():
        yield _figure(
            "dispatch",
            f"{tool.name}, {tool.how_dispatch}",
            rates,
            lambda rates=rates: f"{per_s(median(rates))}, {median(rates) / median(loop):.3f} of the loop",
            {"per_s": rates},
        )


def _rate(tools: list[Tool], rate: int, effort: Effort) -> Iterator[Figure]:
    seconds = effort.seconds(5)
    found = _in_turn(tools, 1 if effort.quick else 2, lambda tool: tool.noops(rate, seconds))
    for tool, runs in found.items():
        achieved = [starts.achieved(rate, seconds) for starts in runs]
        yield _figure(
            "rate",
            f"{tool.name}, {tool.how_rate}: no-ops started / asked at {rate:,}/s",
            achieved,
            lambda achieved=achieved: f"{median(achieved):.4f}",
            {"achieved": achieved},
        )


def _lateness(tools: list[Tool], effort: Effort) -> Iterator[Figure]:
    seconds = effort.seconds(10)
    found = _in_turn(tools, 1 if effort.quick else 3, lambda tool: tool.sleeps(LATENESS_RATE, seconds))
    for tool, runs in found.items():
        p50 = [starts.late_ns(LATENESS_RATE, 0.5) for starts in runs]
        p99 = [starts.late_ns(LATENESS_RATE, 0.99) for starts in runs]
        achieved = [starts.achieved(LATENESS_RATE, seconds) for starts in runs]
        yield _figure(
            "lateness",
            f"{tool.name}, {tool.how_rate}: sleep(0.05) at {LATENESS_RATE:,}/s, behind an even grid: p50, p99",
            runs,
            lambda p50=p50, p99=p99: f"{ns(median(p50))}, {ns(median(p99))}",
            {"p50_ns": p50, "p99_ns": p99, "achieved": achieved},
        )


def _in_turn(
    tools: list[Tool], rounds: int, what: Callable[[Tool], T], before_round: Callable[[], None] = lambda: None
) -> dict[Tool, list[T]]:
    """A B C A B C …; what fails is told, and missing."""
    found: dict[Tool, list[T]] = {tool: [] for tool in tools}
    for _ in range(rounds):
        before_round()
        for tool, results in found.items():
            try:
                results.append(what(tool))
            except BenchError as error:
                say(loudly(f"{tool.name}: {error}"))
    return found


def _figure(row: str, what: str, results: Sequence[object], text: Callable[[], str], data: dict[str, Any]) -> Figure:
    if not results:
        return Figure(row, what, "!! FAILED", data={"missing": "failed each time"})
    return Figure(row, what, text(), data=data)
