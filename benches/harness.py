"""Runs pysurge and its opponents in processes of their own and reads what they measured.

Nothing is measured in this process. Every command that was run is noted, for the record in the results.
"""

import concurrent.futures
import contextlib
import json
import math
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from machine import on_core

BENCHES = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
PYSURGE = str(BIN / "pysurge")

TIMEOUT_S = 180
"""More than any single command here may take."""

commands: list[str] = []
"""Every kind of command that was run, each once."""


class BenchError(Exception):
    """Something that was to be measured did not run."""


@dataclass(frozen=True)
class Effort:
    """How long and how often to measure."""

    quick: bool

    @property
    def pairs(self) -> int:
        """How often the two sides of a ratio take turns."""
        return 2 if self.quick else 5

    def seconds(self, whole: int) -> int:
        """How long one measurement takes."""
        return max(1, whole // 4) if self.quick else whole


@dataclass(frozen=True)
class Run:
    """A finished run: its summary, and what was seen of it from outside."""

    summary: dict[str, Any]
    started_wall_s: float
    """The wall clock just before the command was started."""
    most_threads: int
    """Most threads seen in one worker; 0 if nobody looked."""

    @property
    def test(self) -> dict[str, Any]:
        """The only test."""
        return self.summary["tests"][0]

    @property
    def passed(self) -> int:
        """Iterations that passed."""
        return self.summary["account"]["passed"]

    @property
    def cpu_s(self) -> float:
        """CPU time of all workers, imports included."""
        return sum(worker["cpu_s"] for worker in self.summary["workers"])

    @property
    def per_s(self) -> float:
        """Passed iterations per second until the last one ended: an overloaded run goes on a little after its plan."""
        return self.passed / self.summary["elapsed_s"]


def pysurge(
    case: str,
    rate: float,
    duration: str,
    *,
    workers: int | None = 1,
    kwargs: dict[str, Any] | None = None,
    load: dict[str, Any] | None = None,
    env: dict[str, str] | None = None,
    core: int | None = None,
    watch: bool = False,
) -> Run:
    """One run of one class of `cases` in a temporary folder, at a rate or under another load; that may name another `test`."""
    with tempfile.TemporaryDirectory(prefix="pysurge-bench-") as folder:
        entry = {"kwargs": kwargs or {}, **(load or {"rate": rate})}
        if "test" not in entry:
            entry["test_class"] = f"cases.{case}"
        config = {"tests": [entry]}
        # JSON is YAML.
        Path(folder, "config.yml").write_text(json.dumps(config), encoding="utf-8")
        command = [PYSURGE, "run", "config.yml", "-d", duration, "--quiet", "--no-rehearsal", "--results", "results"]
        if workers is not None:
            command += ["--workers", str(workers)]
        note([*command, "#", case, json.dumps(load) if load else f"{rate:g}/s"])
        started_wall_s = time.time()
        with on_core(core):
            process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(BENCHES), **(env or {})},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        watcher = Watcher(process.pid) if watch else None
        try:
            output, _ = process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise BenchError(f"{shlex.join(command)} did not end within {TIMEOUT_S} s") from None
        most_threads = watcher.stop() if watcher else 0
        summaries = list(Path(folder, "results").glob("*/summary.json"))
        if len(summaries) != 1:
            raise BenchError(f"{shlex.join(command)} exited with {process.returncode} and no summary:\n{output}")
        summary = json.loads(summaries[0].read_text(encoding="utf-8"))
        if summary["status"] != "finished" or summary["account"]["failed"]:
            raise BenchError(f"{case} failed:\n{output}")
        return Run(summary, started_wall_s, most_threads)


class Watcher:
    """Looks once a second how many threads the children of a process have."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._most = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(1):
            # A process that ends while it is looked at is no news.
            with contextlib.suppress(OSError):
                children = Path(f"/proc/{self._pid}/task/{self._pid}/children").read_text(encoding="ascii").split()
                for child in children:
                    self._most = max(self._most, len(os.listdir(f"/proc/{child}/task")))

    def stop(self) -> int:
        """The most threads seen in one child."""
        self._over.set()
        self._thread.join()
        return self._most


def bare(*args: str, core: int | None = None) -> dict[str, Any]:
    """One of the loops of `bare.py`, in a fresh interpreter, whose last line of output is JSON."""
    command = [sys.executable, str(BENCHES / "bare.py"), *args]
    note(command)
    try:
        with on_core(core):
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        return json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        raise BenchError(f"{shlex.join(command)} did not end within {TIMEOUT_S} s") from None
    except (IndexError, ValueError):
        raise BenchError(f"{shlex.join(command)} exited with {done.returncode}:\n{done.stdout}{done.stderr}") from None


def bare_twice(*args: str) -> list[dict[str, Any]]:
    """The same loop in two processes at once."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda _: bare(*args), range(2)))


def note(command: list[str]) -> None:
    """Keeps a command for the record, without this machine's folders."""
    text = " ".join(command)
    for folder, short in ((f"{BIN}/", ""), (f"{BENCHES}/", "benches/")):
        text = text.replace(folder, short)
    if text not in commands:
        commands.append(text)


def idle_cpu_s(effort: Effort) -> float:
    """CPU time that a worker needs to start and end, with next to no iterations."""
    return statistics.median(pysurge("NoopRun", 1, "1s").cpu_s for _ in range(1 if effort.quick else 3))


def median(values: Iterator[float] | list[float]) -> float:
    """The median."""
    return statistics.median(values)


def spread(values: list[float]) -> float:
    """Half the range between the quartiles, as a share of the median: how much to believe the median."""
    if len(values) < 3:
        return (max(values) - min(values)) / 2 / statistics.median(values)
    low, _, high = statistics.quantiles(values, n=4)
    return (high - low) / 2 / statistics.median(values)


def percentile(ordered: list[float], share: float) -> float:
    """The least value that this share of the ordered ones do not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
