"""What the chaos suite fires, and the truth about it: each iteration that reaches its `run` says so in one line of a file.

The line is written in one call at the end of the file, so that none is torn and a `kill -9` afterwards does not take it back.
"""

import collections
import csv
import json
from pathlib import Path
from typing import Any

DURATION_S = 4.0
GRACE_S = 2.0

# Rows of data: their number is the iteration's, in the open model over all workers.
ROWS = 20_000

# What a worker does when it is told to by a file of its own. The evil hand has no other way to these.
TARGET = '''
import asyncio
import ctypes
import os
import resource
import subprocess
import threading
import time
from pathlib import Path

import pysurge
from pysurge import TestCase

ARRIVALS = os.open("arrivals", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
KEPT = []


def arrived(test, number="-"):
    os.write(ARRIVALS, f"{test} {os.getpid()} {number}\\n".encode())


def close_channel():
    for name in os.listdir("/proc/self/fd"):
        if int(name) >= 4000:
            os.close(int(name))


def burn():
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        pass


def starve():
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used, used))


DEEDS = {
    "close": close_channel,
    "burn": burn,
    "hold": lambda: ctypes.PyDLL(None).usleep(700_000),
    "crash": lambda: ctypes.string_at(0),
    "exit": lambda: os._exit(0),
    "descriptors": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12)),
    "starve": starve,
    "leak": lambda: KEPT.append(bytearray(200_000_000)),
}


def listen():
    order = Path(f"evil/{os.getpid()}")
    while True:
        time.sleep(0.02)
        if order.exists():
            deed = order.read_text()
            order.unlink()
            DEEDS[deed]()


class Case(TestCase):
    @classmethod
    def startup(cls):
        # Of each class once, of each worker once.
        if not KEPT:
            KEPT.append(threading.Thread(target=listen, daemon=True))
            KEPT[0].start()


class Even(Case):
    def run(self):
        arrived("even", self.data["number"])
        time.sleep(0.002)


class Poisson(Case):
    """Fails now and then, and starts processes."""

    def run(self):
        arrived("poisson", self.data["number"])
        number = int(self.data["number"])
        self.metrics["number"] = number
        pysurge.check("even", number % 2 == 0)
        if number % 25 == 0:
            subprocess.run(["sleep", "0.3"], check=False)
        if number % 7 == 0:
            raise ValueError(f"no luck with {number}")


class Users(Case):
    def run(self):
        arrived("users")
        time.sleep(0.01)


class Limited(Case):
    def run(self):
        arrived("limited")
        time.sleep(0.005)


class Loop(Case):
    async def run(self):
        arrived("loop", self.data["number"])
        await asyncio.sleep(0.01)
'''

RATES = {"even": 100, "poisson": 60, "loop": 100}
ITERATIONS = 300
USERS = 4

# What the target sees beyond the account, at most, per worker that died: what its users began after its last word, and it
# speaks once a second. Without a number of iterations nobody had planned that; with one, others begin it again.
BEYOND = {"users": int(USERS * 1.5 / 0.030), "limited": ITERATIONS}


def write(folder: Path) -> None:
    """Write the project."""
    data = {"from": "rows.csv"}
    tests: list[dict[str, Any]] = [
        {"name": "even", "test_class": "target.Even", "rate": RATES["even"], "data": data},
        {"name": "poisson", "test_class": "target.Poisson", "rate": RATES["poisson"], "arrivals": "poisson", "data": data},
        {"name": "users", "test_class": "target.Users", "users": USERS, "think_time": "20ms"},
        {"name": "limited", "test_class": "target.Limited", "users": 3, "iterations": ITERATIONS},
        {"name": "loop", "test_class": "target.Loop", "rate": RATES["loop"], "data": data},
    ]
    config = {"duration": f"{DURATION_S}s", "graceful_stop": f"{GRACE_S}s", "tests": tests}
    (folder / "chaos.yml").write_text(json.dumps(config))
    (folder / "target.py").write_text(TARGET)
    (folder / "rows.csv").write_text("number\n" + "".join(f"{number}\n" for number in range(ROWS)))
    (folder / "evil").mkdir()


def arrivals(folder: Path) -> dict[str, collections.Counter[str]]:
    """Per test, which iterations arrived how often."""
    found: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    path = folder / "arrivals"
    for line in path.read_text().splitlines() if path.exists() else []:
        test, _, number = line.split(" ")
        found[test][number] += 1
    return found


def series_sums(run: Path) -> dict[tuple[str, str], int]:
    """Test and measure to the sum of its counts over the rows of timeseries.csv."""
    sums: collections.Counter[tuple[str, str]] = collections.Counter()
    with (run / "timeseries.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["measure"] in ("planned", "passed", "failed", "dropped"):
                sums[row["test"], row["measure"]] += int(float(row["count"] or 0))
    return sums
