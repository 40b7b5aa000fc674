"""A run of every kind of test, with failures, metrics, checks, logs, pauses and scales: nothing grows with the iterations.

Memory, descriptors and threads of manager and workers are read from /proc once a second. `PYSURGE_LEAK_S=600` is the long form.
"""

import json
import os
import statistics
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

from support import HANG_S, checked_summary, executable, run_folder

DURATION_S = int(os.environ.get("PYSURGE_LEAK_S", "40"))

# Until then threads are made, pools and histograms find their size, and the allocator its arenas.
WARM_UP_S = min(60, DURATION_S // 3)

# What a process may have more of at the end than after the warm-up. RSS moves by arenas of malloc and what the interpreter
# frees late, whatever the iterations are: 8 MiB. Live changes are kept for good, in the schedules of each test and thread of a
# worker: 15 KiB each, and there is one in two seconds.
MIB = 1024 * 1024
WORKER_BYTES = 8 * MIB + DURATION_S // 2 * 15_000

# The manager keeps rows of the time series, at most 60 with so many tests (docs/design/time.md), which are joined two by two.
IDLE_TESTS = 80
MANAGER_BYTES = 16 * MIB

# All threads of a test are there from the start, whatever else the machine does: a thread more would be a MiB more.
MAX_THREADS = 8
THREADS = 4

# What is open at this moment: a client of the control socket, a file of a test of pytest.
DESCRIPTORS = 6

LOAD = '''
import asyncio
import itertools
import logging

import pysurge
from pysurge import TestCase

numbers = itertools.count()
log = logging.getLogger("mine")


class Quick(TestCase):
    def run(self):
        pass


class Telling(TestCase):
    """Everything that can be told, and one in five fails in one of many ways."""

    def setup(self):
        self.number = next(numbers)

    def run(self):
        number = self.number
        self.metrics["number"] = number
        pysurge.check("small", number < 1000)
        pysurge.count("bytes", number)
        with pysurge.timer("step"):
            pass
        if number % 20 == 0:
            log.info("number %d, %s", number, "x" * 200)
            print("printed", number)
        if number % 5 == 0:
            raise ValueError(f"{chr(97 + number % 26)}{chr(97 + number // 26 % 26)} failed with {number}")

    def teardown(self):
        self.itself = self


class Loop(TestCase):
    async def run(self):
        await asyncio.sleep(0)
        self.metrics["answer"] = 42.0


def function(size):
    return {"size": size}
'''

PYTEST = """
import pytest


@pytest.fixture
def resource(monkeypatch):
    # Not tmp_path, which makes and removes a folder for each iteration: the worker's memory grows with these.
    yield monkeypatch


@pytest.mark.parametrize("number", [1, 2])
def test_it(resource, number):
    assert number
"""

TESTS = [
    {"test_class": "load.Quick", "rate": 3000},
    {"test_class": "load.Quick", "rate": 500, "arrivals": "poisson"},
    {"test_class": "load.Telling", "rate": 300},
    {"test_class": "load.Loop", "rate": 1500},
    {"test": "load.py:function", "kwargs": {"size": 3}, "users": 3, "think_time": "5ms"},
    {"test": "test_theirs.py", "rate": 100},
    *({"name": f"idle {number}", "test_class": "load.Quick", "rate": 0.1, "max_threads": 1} for number in range(IDLE_TESTS)),
]


@dataclass
class Sample:
    """What a process has at one moment."""

    rss: int
    descriptors: int
    threads: int


def sample(pid: int) -> Sample:
    proc = Path(f"/proc/{pid}")
    rss = int((proc / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return Sample(rss, len(os.listdir(proc / "fd")), len(os.listdir(proc / "task")))


def test_nothing_grows_with_the_iterations(start_pysurge, tmp_path):
    files = {
        "load.py": LOAD,
        "test_theirs.py": PYTEST,
        "c.yml": json.dumps({"duration": f"{DURATION_S}s", "graceful_stop": "10s", "tests": TESTS}),
    }
    run = start_pysurge(f"run c.yml --workers 2 -o defaults.max_threads={MAX_THREADS}", files)
    run.err.wait_for(r"Ctrl\+C to stop early", timeout=HANG_S)
    pids = {"manager": run.pid, **{f"worker {number}": pid for number, pid in enumerate(run.workers(2), 1)}}
    samples = {name: [] for name in pids}
    over = threading.Event()
    changing = threading.Thread(target=change_now_and_then, args=(run.pid, over))
    changing.start()
    ticks = threading.Event()
    try:
        # Pauses make it longer; the last seconds, in which it ends, are not looked at.
        for _ in range(DURATION_S - 2):
            for name, pid in pids.items():
                samples[name].append(sample(pid))
            ticks.wait(1)
    finally:
        over.set()
        changing.join()
    assert run.wait(DURATION_S + 120) in (0, 3), run.stderr
    run.leaves_nothing()
    result = checked_summary(run_folder(tmp_path) / "summary.json")
    assert result["account"]["passed"] > 3_000 * DURATION_S, result["account"]
    assert result["account"]["failed"] > 20 * DURATION_S
    assert result["changes"]
    for name, taken in samples.items():
        some = taken[:: max(1, len(taken) // 20)]
        print(f"{name}: {taken[WARM_UP_S]} -> {taken[-1]}", [(one.rss // MIB, one.threads) for one in some])
    for name, taken in samples.items():
        allowed = MANAGER_BYTES if name == "manager" else WORKER_BYTES
        assert grown(taken, "rss") <= allowed, (name, [one.rss // MIB for one in taken])
        assert grown(taken, "descriptors") <= DESCRIPTORS, (name, [one.descriptors for one in taken])
        assert grown(taken, "threads") <= THREADS, (name, [one.threads for one in taken])


def grown(taken, what):
    """How much more there is at the end than after the warm-up, each as the median of some seconds."""
    figures = [getattr(one, what) for one in taken]
    span = max(5, len(figures) // 10)
    return statistics.median(figures[-span:]) - statistics.median(figures[WARM_UP_S : WARM_UP_S + span])


def change_now_and_then(pid, over):
    """Pause, resume and scale, every few seconds."""
    commands = [["pause"], ["resume"], ["scale", "1.5"], ["scale", "1"]]
    waits = [3.0, 0.3, 2.0, 2.0]
    while True:
        for command, wait in zip(commands, waits, strict=True):
            if over.wait(wait):
                return
            subprocess.run([executable(), "control", "--pid", str(pid), *command], capture_output=True, check=False)
