"""What the machine allows: raised where it can be, said before the start where it is short."""

import json
import re

from support import account, case, executable, journal, summary

# The command with few descriptors, of which more may be had.
FEW = ["/bin/sh", "-c", 'ulimit -Sn 100 && exec "$@"', "sh"]


def project(body, **entry):
    return {**case(body), "c.yml": json.dumps({"tests": [{"test_class": "case.Case", **entry}]})}


def test_the_soft_limit_of_descriptors_is_raised_for_the_workers(start_pysurge, tmp_path):
    body = """
import resource

def run(self):
    note("limit", *self.resource.getrlimit(self.resource.RLIMIT_NOFILE))
"""
    running = start_pysurge("run c.yml", project(body, rate=10, iterations=3), program=[*FEW, executable()])
    assert running.wait() == 0, running.stderr
    for _, soft, hard in journal(tmp_path):
        assert soft == hard
        assert int(soft) > 100


def test_what_is_short_of_threads_is_said_before_the_start(start_pysurge):
    body = "max_duration = 60\ndef run(self): pass"
    running = start_pysurge("run c.yml --workers 2", project(body, rate=100, duration="60s"))
    running.err.wait_for("Ctrl[+]C to stop")
    running.signal(2)
    assert running.wait() == 0
    said = re.search(r"warning: .*?keeps ([0-9,]+) threads busy.*?: ([0-9,]+) are short", running.stderr, re.S)
    assert said, running.stderr
    assert (said[1], said[2]) == ("6,000", "3,952")
    assert running.stderr.index("warning") < running.stderr.index("Ctrl+C to stop")


def test_nothing_is_said_where_nobody_declares_a_duration(run_pysurge):
    done = run_pysurge("run c.yml --workers 1", project("def run(self): pass", rate=2000, duration="200ms"))
    assert done.returncode == 0
    assert "warning" not in done.stderr


def test_a_rehearsal_says_what_the_load_needs(run_pysurge):
    done = run_pysurge("check c.yml", project("def run(self): time.sleep(0.1)", rate=200, duration="1m"))
    assert done.returncode == 0
    (threads,) = re.findall(r"at 200/s this needs about (\d+) threads", done.stdout)
    assert 20 <= int(threads) <= 40


def test_more_users_than_threads_is_a_choice(run_pysurge, tmp_path):
    entry = {"users": 50, "max_threads": 4, "iterations": 200}
    done = run_pysurge("run c.yml --workers 2", project("def run(self): time.sleep(0.001)", **entry))
    assert done.returncode == 0
    assert summary(tmp_path)["account"] == account(passed=200)
