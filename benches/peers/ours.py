"""pysurge, this one, as installed where the benchmark runs."""

from pathlib import Path

import harness
from rows.dispatch import SATURATING_RATE

from .tool import SCRIPTS, Starts, Tool


class Ours(Tool):
    """The tool the others are compared with."""

    name = "pysurge (this)"
    requirement = "pysurge"
    how_dispatch = "1 worker"
    how_rate = "a worker per core"

    def __init__(self, folder: Path) -> None:
        self.venv = harness.BIN.parent

    def install(self) -> None:
        """It is."""

    def dispatch(self, seconds: int) -> float:
        return harness.pysurge("NoopRun", SATURATING_RATE, f"{seconds}s", kwargs={"a": 1}).per_s

    def noops(self, rate: int, seconds: int) -> Starts:
        return self._fire("noop", rate, seconds)

    def sleeps(self, rate: int, seconds: int) -> Starts:
        return self._fire("sleep", rate, seconds)

    def _fire(self, test: str, rate: int, seconds: int) -> Starts:
        config = str(SCRIPTS / f"ours_{test}.yml")
        command = ["pysurge", "run", config, "-d", f"{seconds}s", "--quiet", "--no-results"]
        return self.starts(command, BENCH_RATE=rate)
