"""More than the machine can do, or allows: the run ends in time, all is accounted for, and the verdict says what was short."""

import json
import re
import time

import pytest
from support import case, executable, summary


def project(body, head="", **entry):
    files = {**case(body), "c.yml": json.dumps({"tests": [{"test_class": "case.Case", **entry}]})}
    files["case.py"] = head + files["case.py"]
    return files


def causes(result):
    return {cause["kind"] for cause in result["verdict"]["causes"]}


COMPUTE = """
def run(self):
    until = time.monotonic() + 0.005
    while time.monotonic() < until:
        pass
"""

LATE = {"queue": {"late": "queue"}, "drop": {"late": "drop", "max_lateness": "20ms"}}


@pytest.mark.parametrize("kind", ["", "async "], ids=["thread", "coroutine"])
@pytest.mark.parametrize("late", LATE)
def test_ten_times_the_possible_rate(run_pysurge, tmp_path, late, kind):
    body = COMPUTE.replace("def", f"{kind}def")
    begun = time.monotonic()
    done = run_pysurge("run c.yml --workers 1", project(body, rate=2000, duration="1s", **LATE[late]))
    # A second of load, one in which to catch up, and what start and end take on a busy machine.
    assert time.monotonic() - begun < 25
    assert done.returncode == 0
    result = summary(tmp_path)
    ends = result["account"]
    assert ends["planned"] == 2000
    assert ends["passed"] + ends["dropped"] == 2000
    assert 20 <= ends["passed"] < 1000
    assert result["verdict"]["validity"] == "invalid"
    assert causes(result) & {"gil", "worker_cpu", "machine_cpu"}


@pytest.mark.parametrize("kind", ["", "async "], ids=["thread", "coroutine"])
def test_the_highest_rate_there_is(run_pysurge, tmp_path, kind):
    run_pysurge("run c.yml --workers 2", project(f"{kind}def run(self): pass", rate=10_000_000, duration="500ms"))
    result = summary(tmp_path)
    ends = result["account"]
    assert ends["planned"] == 5_000_000 == ends["passed"] + ends["dropped"]
    assert ends["passed"] > 10_000


def test_thousands_of_threads(run_pysurge, tmp_path):
    entry = {"rate": 1500, "max_threads": 10_000, "duration": "3s", "graceful_stop": "20s"}
    run_pysurge("run c.yml --workers 2", project("max_duration = 60\ndef run(self): time.sleep(1)", **entry))
    ends = summary(tmp_path)["account"]
    # It may be more than the machine can do; it is all told.
    assert ends["planned"] == 4500
    assert ends["passed"] >= 1000
    assert (ends["failed"], ends["lost"]) == (0, 0)


# As where the system allows no more: no thread can have a stack so large.
NO_MORE_THREADS = "threading.stack_size(2**46)"


def test_threads_that_the_system_refuses(run_pysurge, tmp_path):
    body = f"max_duration = 10\ndef run(self):\n    {NO_MORE_THREADS}\n    time.sleep(0.3)\n"
    done = run_pysurge("run c.yml --workers 1", project(body, rate=200, duration="2s"))
    assert done.stdout.count("unable to start a new thread") == 1, done.stdout
    result = summary(tmp_path)
    ends = result["account"]
    assert ends["planned"] == 400 == ends["passed"] + ends["dropped"]
    assert ends["passed"] >= 16
    assert "limits" in causes(result)
    assert re.search("refused .*thread", done.stdout), done.stdout


def test_no_thread_at_all(run_pysurge, tmp_path):
    body = f"@classmethod\ndef startup(cls):\n    {NO_MORE_THREADS}\n\ndef run(self): pass\n"
    done = run_pysurge("run c.yml --workers 1", project(body, rate=20, duration="500ms"))
    assert done.returncode == 3
    assert done.stdout.count("unable to start a new thread") == 1, done.stdout
    assert summary(tmp_path)["account"]["dropped"] == 10


@pytest.mark.parametrize("limit", [7, 12, 24, 40])
def test_too_few_descriptors_for_the_workers(run_pysurge, tmp_path, limit):
    program = ["/bin/sh", "-c", f'ulimit -n {limit} && exec "$@"', "sh", executable()]
    done = run_pysurge("run c.yml --workers 8", project("def run(self): pass", rate=20, duration="300ms"), program=program)
    assert done.returncode in (1, 2)
    assert "Too many open files" in done.stderr
    assert not re.search("panicked|Traceback", done.stderr)


def test_descriptors_that_a_test_needs(run_pysurge, tmp_path):
    body = "def run(self): kept.append(open('/dev/null'))"
    program = ["/bin/sh", "-c", 'ulimit -n 64 && exec "$@"', "sh", executable()]
    files = project(body, "kept = []\n", rate=200, duration="1s")
    done = run_pysurge("run c.yml --workers 1", files, program=program)
    result = summary(tmp_path)
    ends = result["account"]
    assert ends["planned"] == 200 == ends["passed"] + ends["failed"], done.stderr
    assert 10 <= ends["passed"] <= 60
    assert "limits" in causes(result)


def test_memory_that_a_test_leaks(run_pysurge, tmp_path):
    body = """
@classmethod
def startup(cls):
    import resource
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    # Room for the arenas of malloc, which take address space and no memory.
    resource.setrlimit(resource.RLIMIT_AS, (used + 1_000_000_000,) * 2)

def run(self):
    kept.append(bytearray(20_000_000))
"""
    done = run_pysurge("run c.yml --workers 1", project(body, "kept = []\n", users=1, iterations=100))
    result = summary(tmp_path)
    ends = result["account"]
    assert ends["planned"] == 100 == ends["passed"] + ends["failed"], ends
    assert 10 <= ends["passed"] <= 60, done.stdout
    assert "limits" in causes(result)
    (worker,) = result["workers"]
    assert worker["rss_bytes"] > 200_000_000


def test_a_flood_of_lines(run_pysurge, tmp_path):
    body = """
def run(self):
    until = time.monotonic() + 0.3
    lines = 0
    while time.monotonic() < until:
        logging.info("flooding")
        print("flooding")
        os.write(1, b"flooding\\n" * 100)
        lines += 102
    self.metrics["lines"] = lines
"""
    begun = time.monotonic()
    run_pysurge("run c.yml --workers 2", project(body, rate=10, duration="2s"))
    assert time.monotonic() - begun < 40
    result = summary(tmp_path)
    assert result["account"]["passed"] == 20
    lines = result["tests"][0]["metrics"]["lines"]
    (log,) = (tmp_path / "pysurge-results").glob("*/run.log")
    kept = log.read_text().count("flooding")
    # Each line is in the log, or counted as dropped; the pipe holds the writer back, so nothing of it is dropped in between.
    assert kept + result["output_dropped"] == lines["mean"] * lines["count"]
