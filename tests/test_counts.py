"""Counts are exact, and equal to what the server itself counted."""

from collections import Counter
from datetime import datetime

import pytest
from support import account, config, report_in, summary

# One connection per thread and one request with an id of its own per iteration.
GET = """
import http.client
import threading
import uuid

from pysurge import TestCase


class Get(TestCase):
    local = threading.local()
    max_duration = 10

    def run(self):
        if not hasattr(self.local, "connection"):
            self.local.connection = http.client.HTTPConnection("127.0.0.1", self.kwargs["port"], timeout=10)
        connection = self.local.connection
        connection.request("GET", self.kwargs["path"], headers={"X-Request-Id": uuid.uuid4().hex})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"answered with {answer.status}")
"""


def get(target, path, rate):
    return {"test_class": "get.Get", "rate": rate, "kwargs": {"port": target.port, "path": path}}


@pytest.mark.parametrize(
    ("workers", "rate", "duration", "expected"),
    [
        (1, 50, "2s", 100),
        (2, 100, "1s", 100),
        (3, 100, "1s", 100),
        (3, 7, "1s", 7),
        (2, 2.5, "1200ms", 3),
        (1, 0.5, "2s", 1),
        (2, 1, "1s", 1),
        (2, 1000, "1s", 1000),
    ],
)
def test_the_server_counted_what_was_planned(run_pysurge, target, tmp_path, workers, rate, duration, expected):
    files = {"get.py": GET, "c.yml": config(get(target, "/items/1", rate))}
    done = run_pysurge(f"run c.yml -d {duration} --workers {workers}", files)
    assert done.returncode == 0, done.stdout + done.stderr
    assert summary(tmp_path)["account"] == account(passed=expected)
    arrivals = target.arrivals()
    assert len(arrivals) == expected
    assert len({arrival.request_id for arrival in arrivals}) == expected
    assert {(arrival.method, arrival.path, arrival.status) for arrival in arrivals} == {("GET", "/items/1", 200)}


@pytest.mark.parametrize(("rate", "duration", "at_least"), [(3.7, "1s", 3), (0.1, "1s", 0), (7.3, "1500ms", 10)])
def test_a_fraction_of_an_iteration_is_one_more_or_none(run_pysurge, tmp_path, rate, duration, at_least):
    files = {"idle.py": IDLE, "c.yml": config(("idle.Idle", rate))}
    done = run_pysurge(f"run c.yml -d {duration} --workers 3", files)
    assert done.returncode == 0, done.stdout + done.stderr
    result = summary(tmp_path)["account"]
    assert result["planned"] in (at_least, at_least + 1)
    assert result["passed"] == result["planned"]


def test_tests_do_not_disturb_each_other(run_pysurge, target, tmp_path):
    tests = [get(target, "/items/1", 80), get(target, "/no/such/path", 20), get(target, "/items/3", 0.5)]
    done = run_pysurge("run c.yml -d 2s --workers 2", {"get.py": GET, "c.yml": config(*tests)})
    assert done.returncode == 0, done.stdout + done.stderr
    result = summary(tmp_path)
    assert [test["account"] for test in result["tests"]] == [
        account(passed=160),
        account(failed=40),
        account(passed=1),
    ]
    arrivals = Counter((arrival.path, arrival.status) for arrival in target.arrivals())
    assert arrivals == {("/items/1", 200): 160, ("/no/such/path", 404): 40, ("/items/3", 200): 1}
    (failure,) = result["tests"][1]["failures"]
    assert (failure["exception"], failure["message"], failure["count"]) == ("RuntimeError", "answered with 404", 40)


IDLE = """
from pysurge import TestCase


class Idle(TestCase):
    def run(self):
        pass
"""


def test_many_iterations_that_do_nothing(run_pysurge, tmp_path):
    files = {"idle.py": IDLE, "c.yml": config(("idle.Idle", 5000), ("idle.Idle", 1000.5))}
    done = run_pysurge("run c.yml -d 2s --workers 2", files)
    assert done.returncode == 0, done.stdout + done.stderr
    tests = summary(tmp_path)["tests"]
    assert [test["account"] for test in tests] == [account(passed=10000), account(passed=2001)]
    for test in tests:
        for figures in ("response_time", "service_time", "lateness"):
            assert test[figures]["count"] == test["account"]["passed"]
        assert test["achieved_rate_per_s"] == test["asked_rate_per_s"]


CLOCKED = """
import os
import time

from pysurge import TestCase


class Clocked(TestCase):
    def run(self):
        now = time.time()
        with open("starts", "a") as starts:
            starts.write(f"{os.getpid()} {now!r}\\n")
"""


def test_nothing_starts_before_its_planned_instant_and_the_workers_share_evenly(run_pysurge, tmp_path):
    rate, seconds = 40, 3
    files = {"clocked.py": CLOCKED, "c.yml": config(("clocked.Clocked", rate))}
    done = run_pysurge(f"run c.yml -d {seconds}s --workers 2", files)
    assert done.returncode == 0, done.stdout + done.stderr
    starts = [line.split() for line in (tmp_path / "starts").read_text().splitlines()]
    assert sorted(Counter(pid for pid, _ in starts).values()) == [60, 60]
    began = datetime.fromisoformat(summary(tmp_path)["started_at"].replace("Z", "+00:00")).timestamp()
    tolerance = 0.02  # the start is told in milliseconds, and the wall clock may be moved a little
    for nth, at in enumerate(sorted(float(at) for _, at in starts)):
        assert at - began >= nth / rate - tolerance, f"iteration {nth} started {at - began} s after the start"
    # So no second can have had more than its share, and all seconds together had exactly theirs.
    assert len(starts) == rate * seconds


def test_a_slow_target_is_not_asked_less(run_pysurge, target, tmp_path):
    done = run_pysurge("run c.yml -d 1s", {"get.py": GET, "c.yml": config(get(target, "/delay/700", 60))})
    assert done.returncode == 0, done.stdout + done.stderr
    result = summary(tmp_path)
    assert result["account"] == account(passed=60)
    assert len(target.arrivals()) == 60
    assert result["tests"][0]["service_time"]["min_s"] >= 0.7
    assert result["elapsed_s"] >= 1.6 > result["duration_s"] == 1.0


def test_response_time_is_counted_from_the_planned_instant(run_pysurge, tmp_path):
    module = """
import time

from pysurge import TestCase


class Slow(TestCase):
    def run(self):
        time.sleep(0.5)
"""
    # Two threads can start four a second and are asked for twenty: the waiting is in the figures.
    files = {"slow.py": module, "c.yml": config({"test_class": "slow.Slow", "rate": 20, "max_threads": 2})}
    done = run_pysurge("run c.yml -d 1s --workers 1", files)
    test = summary(tmp_path)["tests"][0]
    assert test["account"]["planned"] == 20
    assert test["account"]["dropped"] > 0
    assert test["response_time"]["max_s"] >= test["lateness"]["max_s"] >= 0.3
    assert test["service_time"]["max_s"] < test["response_time"]["max_s"]
    assert test["response_time"]["mean_s"] == pytest.approx(test["lateness"]["mean_s"] + test["service_time"]["mean_s"])
    assert report_in(done.stdout).startswith("INVALID")
