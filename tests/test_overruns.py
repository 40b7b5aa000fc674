"""Iterations that run longer than their max_duration, and user code that never lets go of the interpreter."""

import json
import re

import pytest
from support import Launcher, account, case, run_log, summary

RUN = "run c.yml --workers 1 -d"


def overruns(log: str) -> list[str]:
    """The records of overrunning iterations, with their stacks."""
    return re.findall(r"^[^\n]* WARNING [^\n]* overruns: (?:.*\n)(?:  .*\n)*", log, re.MULTILINE)


def with_import(module: str, files: dict[str, str]) -> dict[str, str]:
    """The same project, its module importing one more."""
    return {**files, "case.py": f"import {module}\n{files['case.py']}"}


THIRD_HANGS = """
max_duration = 0.2
begun = itertools.count()

def run(self):
    if next(self.begun) == 2:
        self.deeper()

def deeper(self):
    time.sleep(1.5)  # here it hangs
"""


def test_an_overrunning_iteration_is_told_once_with_its_stack(run_pysurge, tmp_path):
    files = case(THIRD_HANGS, rate=20, kwargs={"size": 3})
    done = run_pysurge(f"{RUN} 2s", files)
    assert done.returncode == 0, done.stderr
    assert summary(tmp_path)["account"] == account(passed=40)
    (told,) = overruns(run_log(tmp_path))
    head, *stack = told.splitlines()
    assert re.search(
        r" Worker-1 Case-\d+ WARNING test '<Case kwargs=\{'size': 3\}>' overruns: iteration 2 has run for 0\.\d+ s, "
        r"its max_duration is 0\.2 s, its kwargs are \{'size': 3\}$",
        head,
    ), head
    # The user's frames and no other, the innermost last.
    assert [line.split(", in ")[1] for line in stack if line.startswith("  File")] == ["run", "deeper"]
    assert all("case.py" in line for line in stack if line.startswith("  File")), stack
    assert stack[-1].strip() == "time.sleep(1.5)  # here it hangs"


def test_a_hang_does_not_lower_the_rate(run_pysurge, tmp_path):
    # At 20/s and 0.1 s three threads would do.
    body = """
max_duration = 0.1

def run(self):
    time.sleep(10_000)
"""
    done = run_pysurge(f"{RUN} 1s", case(body, rate=30, graceful_stop="0s"))
    result = summary(tmp_path)
    assert result["account"] == account(interrupted=30), done.stderr
    told = overruns(run_log(tmp_path))
    assert len(told) == 20
    assert len(re.findall("20 iterations that overran were told, further ones are only counted", run_log(tmp_path))) == 1


def test_max_threads_is_a_hard_limit(run_pysurge, tmp_path):
    body = """
max_duration = 0.1

def run(self):
    time.sleep(10_000)
"""
    run_pysurge(f"{RUN} 1s", case(body, rate=30, graceful_stop="0s", max_threads=4))
    result = summary(tmp_path)["account"]
    assert (result["interrupted"], result["dropped"]) == (4, 26)


def test_tasks_overrun_too(run_pysurge, tmp_path):
    body = """
max_duration = 0.2
begun = 0

async def run(self):
    Case.begun += 1
    if Case.begun == 3:
        await self.deeper()

async def deeper(self):
    await asyncio.sleep(1)  # here it hangs
"""
    run_pysurge(f"{RUN} 1s", with_import("asyncio", case(body, rate=20)))
    assert summary(tmp_path)["account"] == account(passed=20)
    (told,) = overruns(run_log(tmp_path))
    assert re.search(r" event-loop WARNING test '<Case kwargs=\{\}>' overruns: iteration 2 has run for 0\.\d+ s, ", told)
    assert re.search(r', in run\n.*\n  File "\S*case\.py", line \d+, in deeper\n.*here it hangs', told), told


def test_a_stack_that_cannot_be_had_is_not_waited_for(run_pysurge, tmp_path):
    # The interpreter is held for longer than anybody waits for it, then all goes on.
    body = """
max_duration = 0.2
begun = itertools.count()

def run(self):
    if next(self.begun) == 2:
        ctypes.PyDLL(None).sleep(4)
"""
    done = run_pysurge(f"{RUN} 6s", case(body, rate=5))
    assert done.returncode == 0, done.stderr
    assert summary(tmp_path)["account"] == account(passed=30)
    (told,) = overruns(run_log(tmp_path))
    assert "iteration 2 " in told
    assert "its stack could not be had: another thread holds the interpreter" in run_log(tmp_path)


# These wait for ten seconds and more, so all of them go on at the same time.

HOLDS = {
    "a C function": "ctypes.PyDLL(None).sleep(10_000)  # here it hangs",
    "a regular expression": "re.match('(a+)+$', 'a' * 40 + 'b')  # here it hangs",
    "a coroutine": "re.match('(a+)+$', 'a' * 40 + 'b')  # here it hangs",
}
CROWD = "while True: pass"


@pytest.fixture(scope="module")
def holders(tmp_path_factory):
    bodies = {name: f"def run(self):\n    {code}\n" for name, code in {**HOLDS, "a crowd": CROWD}.items()}
    bodies["a coroutine"] = "async " + bodies["a coroutine"]
    launchers = {name: Launcher(tmp_path_factory.mktemp("held")) for name in bodies}
    yield {
        name: each.start(f"{RUN} 13s", with_import("re", case(bodies[name], rate=1, graceful_stop="500ms")), rehearsal=False)
        for name, each in launchers.items()
    }
    for each in launchers.values():
        each.close()


@pytest.mark.parametrize("name", HOLDS)
def test_a_worker_frozen_by_user_code_is_killed_and_its_stack_told(holders, name):
    run = holders[name]
    run.wait()
    run.leaves_nothing()
    result = summary(run.folder)
    (test,) = result["tests"]
    counts = test["account"]
    assert counts["lost"] >= 1
    assert counts["planned"] == sum(value for end, value in counts.items() if end != "planned")
    stack = r'most recent call first:\n(?:  File .*\n)*?  File "\S*case\.py", line \d+ in run\b'
    assert re.search(stack, run_log(run.folder)), run.stderr


def test_a_crowd_that_computes_is_not_frozen(holders):
    run = holders["a crowd"]
    run.wait()
    run.leaves_nothing()
    result = summary(run.folder)
    assert result["account"]["lost"] == 0
    assert result["account"]["interrupted"] >= 1
    assert json.dumps(result["incidents"]) == "[]"
