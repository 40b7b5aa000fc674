"""The verdict on the generator: a good run is valid, a bad one says why and what to try.

How much of a core a worker gets depends on what else the machine does. Where a cause needs the CPU to itself, the other cause
that a busy machine gives is allowed, and only where the figures beside it say so. Nothing here asks how long anything took.
"""

import json
import os
import re
import signal
import sys
import time

import pytest
from support import case, executable, journal, report_in, summary, until

# Computes in Python, a few milliseconds each time, and never waits for anything.
BURN = """
def run(self):
    total = 0
    for number in range(200_000):
        total += number * number
"""

# Holds the interpreter in C for a tenth of a second or so: sorting calls no Python code, so nobody else gets the lock.
HOLD = """
numbers = [hash(str(number)) for number in range(300_000)]

def run(self):
    sorted(self.numbers)
"""

WAIT = """
max_duration = 20

def run(self):
    time.sleep(1)
"""

free_threaded = not getattr(sys, "_is_gil_enabled", lambda: True)()


def project(body, **entry):
    return {**case(body), "c.yml": json.dumps({"tests": [{"test_class": "case.Case", **entry}]})}


def cause(result, *kinds):
    """The one cause of these kinds."""
    found = [cause for cause in result["verdict"]["causes"] if cause["kind"] in kinds]
    assert len(found) == 1, result["verdict"]
    return found[0]


def assert_cpu_is_named(result, validity):
    """The CPU is the cause: the workers' own, or where others took it from them, the machine's."""
    named = cause(result, "worker_cpu", "machine_cpu")
    assert result["verdict"]["validity"] == named["validity"] == validity
    assert named["test"] is None
    assert named["advice"]
    if named["kind"] == "machine_cpu":
        most = max(worker["cpu_share"] for worker in result["workers"])
        assert most < 0.9 <= result["machine"]["cpu_share"], result["workers"]
        return
    assert "is the limit of this test on this machine" in named["text"]
    assert "docs/how-to/scale.md" in named["advice"]
    # What the CPU explains is not told again.
    assert not [other for other in result["verdict"]["causes"] if other["kind"] in {"late", "dropped", "threads", "gil"}]


def test_a_good_run_is_valid(run_pysurge, tmp_path):
    done = run_pysurge("run c.yml -d 3s --workers 2 --require-valid", project(WAIT, rate=20))
    assert done.returncode == 0, done.stdout
    result = summary(tmp_path)
    assert result["verdict"] == {"validity": "valid", "causes": []}
    assert report_in(done.stdout).startswith("VALID")


def test_a_short_run_does_not_alarm(run_pysurge, tmp_path):
    done = run_pysurge("run c.yml --workers 1 --require-valid", project(WAIT, rate=10, iterations=3))
    assert done.returncode == 0, done.stdout
    assert summary(tmp_path)["verdict"]["validity"] == "valid"


def test_an_open_test_that_computes_too_much_is_invalid(run_pysurge, tmp_path):
    done = run_pysurge("run c.yml -d 3s --workers 1 --require-valid", project(BURN, rate=1000))
    assert done.returncode == 4, done.stdout
    result = summary(tmp_path)
    assert_cpu_is_named(result, "invalid")
    assert result["exit_code"] == 4
    named = cause(result, "worker_cpu", "machine_cpu")
    assert "planned iterations were never started" in named["text"]
    report = report_in(done.stdout)
    assert report.startswith("INVALID")
    # The cause and what to try stand below it, in lines of the terminal's width.
    words = " ".join(report.split())
    assert " ".join(named["text"].split()[:6]) in words
    assert " ".join(named["advice"].split()[:4]) in words


def test_users_who_compute_are_invalid_though_nobody_is_late(run_pysurge, tmp_path):
    # One alone: nobody waits for a thread or for the interpreter, and the rate is the CPU's all the same.
    done = run_pysurge("run c.yml -d 4s --workers 1", project(BURN, users=1))
    assert done.returncode == 0, "without --require-valid it is only said"
    result = summary(tmp_path)
    if result["workers"][0]["cpu_share"] >= 0.95:
        assert_cpu_is_named(result, "invalid")
    else:  # others took their part
        assert cause(result, "worker_cpu", "machine_cpu")["validity"] in {"degraded", "invalid"}


def test_users_who_wait_are_valid(run_pysurge, tmp_path):
    done = run_pysurge("run c.yml -d 3s --workers 1 --require-valid", project(WAIT, users=4))
    # Whatever else the machine does: they would not have had more of it.
    assert summary(tmp_path)["verdict"] == {"validity": "valid", "causes": []}
    assert done.returncode == 0


@pytest.mark.skipif(free_threaded, reason="there is no lock to hold")
def test_a_c_function_that_holds_the_interpreter_is_named(run_pysurge, tmp_path):
    done = run_pysurge("run c.yml -d 4s --workers 1 --require-valid", project(HOLD, rate=40))
    assert done.returncode == 4, done.stdout
    result = summary(tmp_path)
    named = cause(result, "worker_cpu", "machine_cpu", "gil")
    assert named["validity"] == "invalid"


@pytest.mark.skipif(free_threaded, reason="there is no lock to hold")
def test_a_lock_that_is_held_while_waiting_is_named(run_pysurge, tmp_path):
    # `PyDLL` calls C without giving the interpreter back: here to a function that only waits, so the CPU has room.
    body = """
held = ctypes.PyDLL(None)

def run(self):
    self.held.usleep(60_000)
"""
    done = run_pysurge("run c.yml -d 4s --workers 1", project(body, rate=50))
    result = summary(tmp_path)
    assert result["verdict"]["validity"] == "invalid", done.stdout
    assert "interpreter lock" in cause(result, "gil")["text"]


def test_too_few_threads_are_named_with_the_number(run_pysurge, tmp_path):
    body = """
max_duration = 0.01

def run(self):
    time.sleep(0.5)
"""
    # Without a limit of the config each that overruns would have a thread of its own.
    run_pysurge("run c.yml -d 3s --workers 1", project(body, rate=20, max_threads=2))
    result = summary(tmp_path)
    named = cause(result, "threads")
    assert (result["verdict"]["validity"], named["validity"]) == ("invalid", "invalid")
    assert named["test"] == result["tests"][0]["label"]
    # Ten, and one that waits; each takes half a second and what a busy machine adds.
    needed = int(re.search(r"20/s of \d+ ms each need about (\d+):", named["text"])[1])
    assert 11 <= needed <= 15
    assert "max_duration" in named["advice"]


def test_a_target_that_freezes_is_not_the_generators_fault(run_pysurge, tmp_path):
    # All iterations of one second in four sit in the target: sixty, of which it may have half. There is CPU to spare.
    body = """
max_duration = 0.2

def run(self):
    began = time.monotonic()
    while int(began) % 4 == 1 and int(time.monotonic()) % 4 == 1:
        time.sleep(0.01)
"""
    run_pysurge("run c.yml -d 6s --workers 1", project(body, rate=60, max_threads=30))
    result = summary(tmp_path)
    assert result["account"]["dropped"] == 0
    assert "the target got slow" in cause(result, "threads")["text"]
    assert result["verdict"]["validity"] == "degraded"


def test_too_many_open_files_are_named(start_pysurge, tmp_path):
    body = """
kept = []

def run(self):
    for _ in range(20):
        self.kept.append(os.open("/dev/null", os.O_RDONLY))
"""
    limited = ["/bin/sh", "-c", 'ulimit -n 120 && exec "$@"', "sh"]
    running = start_pysurge(
        "run c.yml -d 2s --workers 1 --require-valid", project(body, rate=20), program=[*limited, executable()]
    )
    assert running.wait() == 4, running.stderr
    result = summary(tmp_path)
    assert result["account"]["failed"] > 0
    named = cause(result, "limits")
    assert named["text"] == f"{result['account']['failed']} iterations failed with too many open files"
    assert "120 open (`ulimit -n`)" in named["advice"]


def test_failures_of_the_target_leave_the_run_valid(run_pysurge, tmp_path):
    body = """
max_duration = 20

def run(self):
    time.sleep(1)
    raise ConnectionRefusedError(111, "Connection refused")
"""
    done = run_pysurge("run c.yml -d 2s --workers 1 --require-valid", project(body, rate=10))
    assert done.returncode == 3, "nothing passed"
    assert summary(tmp_path)["verdict"]["validity"] == "valid"


def test_a_worker_that_is_stopped_stood_still(start_pysurge, tmp_path):
    body = """
max_duration = 20

def run(self):
    note("began")
    time.sleep(0.01)
"""
    running = start_pysurge("run c.yml -d 6s --workers 1", project(body, rate=50))
    until(lambda: len(journal(tmp_path)) > 20, "iterations to begin")
    (worker,) = running.workers(1)
    os.kill(worker, signal.SIGSTOP)
    try:
        # How long it stands still is the point; that it did is read from the result.
        time.sleep(2)
    finally:
        os.kill(worker, signal.SIGCONT)
    assert running.wait() == 0, running.stderr
    result = summary(tmp_path)
    assert result["workers"][0]["stood_still_s"] >= 1
    named = cause(result, "stood_still")
    assert (result["verdict"]["validity"], named["validity"]) == ("invalid", "invalid")
    assert named["text"].startswith("the worker stood still for ")


def test_an_invalid_run_goes_before_a_failed_threshold(run_pysurge, tmp_path):
    entry = {"rate": 1000, "thresholds": ["service_time.min > 1h"]}
    done = run_pysurge("run c.yml -d 2s --workers 1 --require-valid", project(BURN, **entry))
    result = summary(tmp_path)
    assert result["thresholds"][0]["state"] == "failed"
    assert done.returncode == result["exit_code"] == 4, "a threshold over figures of the generator says nothing"


def test_the_verdict_is_live(start_on_terminal, tmp_path):
    terminal = start_on_terminal("run c.yml -d 60s --workers 1", project(BURN, rate=1000))
    terminal.err.wait_for("(?i)invalid")
    path = until(lambda: next(tmp_path.glob("pysurge-results/*/summary.json"), None), "a summary while it runs")
    assert json.loads(path.read_text())["status"] == "running"
    terminal.press(b"\x03")
    terminal.err.wait_for("stopping")
    assert terminal.wait() in {0, 130}
