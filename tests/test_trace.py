"""`pysurge check --trace`: one iteration of each test in the foreground."""

import re

import pytest
from support import config, without_escapes

MODULE = """
import asyncio
import json
from pysurge import TestCase


class Upload(TestCase):
    @classmethod
    def startup(cls):
        print("starting up")

    @classmethod
    def shutdown(cls):
        print("shutting down")

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.size = kwargs.get("size", 1)

    @property
    def description(self):
        return f"upload of {self.size}"

    def setup(self):
        print("setting up")

    def run(self):
        secret = "open sesame"
        print("running", self.size)
        self.metrics["size"] = self.size
        self.check("has a size", self.size > 0, fail=True)
        MIDDLE

    def teardown(self):
        print("tearing down")


class Plain:
    def __init__(self, size=5):
        self.size = size

    def run(self):
        print("plain", self.size)


def function(size=7):
    print("function", size)
    return {"size": size}


async def coroutine():
    await asyncio.sleep(0)
    print("coroutine on", type(asyncio.current_task()).__name__)


class Coroutines:
    async def setup(self):
        self.loop = asyncio.get_running_loop()

    async def run(self):
        assert asyncio.get_running_loop() is self.loop
        print("coroutines")


def decode():
    json.loads("{")
"""


def files(*tests, middle="pass", **more):
    return {"load.py": MODULE.replace("MIDDLE", middle), "c.yml": config(*tests), **more}


UPLOAD = {"test_class": "load.Upload", "rate": 1, "kwargs": {"size": 3}}


def steps(stderr):
    return re.findall(r"^  (\S+(?: \S+)*?) +\d\S* [num]?s$", without_escapes(stderr), re.M)


def test_each_step_is_told_and_prints_are_plain(run_pysurge):
    done = run_pysurge("check --trace c.yml", files(UPLOAD))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "starting up\nsetting up\nrunning 3\ntearing down\nshutting down\n"
    wanted = ["import", "check", "startup of Upload", "instance", "setup", "run", "teardown", "shutdown of Upload"]
    assert steps(done.stderr) == wanted, done.stderr
    assert "passed" in done.stderr
    assert "metrics: {'size': 3}" in done.stderr
    assert "check has a size: held" in done.stderr


def test_every_kind_of_test(run_pysurge):
    tests = [
        UPLOAD,
        {"test": "load.Plain", "rate": 1, "kwargs": {"size": 2}},
        {"test": "load.py:function", "rate": 1, "kwargs": {"size": 9}},
        {"test": "load.coroutine", "rate": 1},
        {"test": "load.Coroutines", "rate": 1},
    ]
    done = run_pysurge("check --trace c.yml", files(*tests))
    assert done.returncode == 0, done.stderr
    for line in ("running 3", "plain 2", "function 9", "coroutine on Task", "coroutines"):
        assert f"{line}\n" in done.stdout
    assert "metrics: {'size': 9}" in done.stderr
    assert len(re.findall(r"^passed$", done.stderr, re.M)) == 5


def test_errors_show_the_users_frames_description_and_kwargs_and_the_rest_goes_on(run_pysurge):
    tests = [UPLOAD, {"test": "load.function", "rate": 1}]
    done = run_pysurge("check --trace c.yml", files(*tests, middle="raise LookupError('nobody knows')"))
    assert done.returncode == 2
    assert "run failed after" in done.stderr
    assert "iteration: upload of 3" in done.stderr
    assert "kwargs: {'size': 3}" in done.stderr
    assert "LookupError: nobody knows" in done.stderr
    assert re.search(r'File "load\.py", line \d+, in run', done.stderr)
    assert "_trace.py" not in done.stderr
    assert done.stdout.splitlines()[-3:] == ["tearing down", "function 7", "shutting down"]


@pytest.mark.parametrize(
    ("test", "words"),
    [
        ({"test": "load.nothing", "rate": 1}, ["has no `nothing`", "hint: "]),
        ({"test": "load.Plain", "rate": 1, "kwargs": {"sise": 2}}, ["refuses these kwargs", "hint: did you mean `size`?"]),
        ({"test_class": "load.Plain", "rate": 1}, ["is no TestCase"]),
        ({"test": "broken.Case", "rate": 1}, ["cannot be imported", "ZeroDivisionError", 'File "broken.py", line 1']),
    ],
)
def test_what_cannot_be_loaded_is_told_as_ever(run_pysurge, test, words):
    done = run_pysurge("check --trace c.yml", files(test, **{"broken.py": "1 / 0\n"}))
    assert done.returncode == 2
    for word in words:
        assert word in done.stderr
    assert "Traceback" not in done.stderr


def test_a_check_that_fails_fails_the_iteration(run_pysurge):
    done = run_pysurge("check --trace c.yml", files({**UPLOAD, "kwargs": {"size": 0}}))
    assert done.returncode == 2
    assert "check failed: has a size" in done.stderr


def test_a_row_of_data(run_pysurge):
    init = "    def __init__(self, user):\n        self.user = user\n"
    module = f"class Fed:\n{init}    def run(self):\n        print(self.user, self.data)\n"
    test = {"test": "fed.Fed", "rate": 1, "data": "users.csv"}
    project = files(test, **{"fed.py": module, "users.csv": "user,age\nann,5\nbob,6\n"})
    done = run_pysurge("check --trace c.yml", project)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "ann {'user': 'ann', 'age': '5'}\n"


def test_breakpoint_works_on_a_terminal(start_on_terminal):
    run = start_on_terminal("check --trace c.yml", files(UPLOAD, middle="breakpoint(); print('after it')"))
    run.err.wait_for(r"\(Pdb\) ")
    run.press(b"p secret * 2\n")
    run.err.wait_for("open sesameopen sesame")
    run.press(b"c\n")
    assert run.wait() == 0, run.screen
    assert "after it" in run.screen
    assert "shutting down" in run.screen


def test_leaving_the_debugger_ends_it_without_a_traceback(start_on_terminal):
    run = start_on_terminal("check --trace c.yml", files(UPLOAD, middle="breakpoint(); print('after it')"))
    run.err.wait_for(r"\(Pdb\) ")
    run.press(b"q\n")
    if "quit" in run.screen.lower() and run.process.poll() is None:
        run.press(b"y\n")
    assert run.wait() == 2, run.screen
    assert "shutting down" in run.screen
    assert "Traceback" not in run.screen


def test_pdb_opens_at_the_users_frame(start_on_terminal):
    run = start_on_terminal("check --trace --pdb c.yml", files({"test": "load.decode", "rate": 1}))
    run.err.wait_for(r"\(Pdb\) ")
    run.press(b"p 'here:' + __name__\n")
    run.err.wait_for("here:load")
    run.press(b"q\n")
    assert run.wait() == 2, run.screen
    assert "Traceback" not in run.screen


def test_ctrl_c(start_on_terminal):
    run = start_on_terminal("check --trace c.yml", files(UPLOAD, middle="import time; print('sleeps'); time.sleep(60)"))
    run.err.wait_for("sleeps")
    run.press(b"\x03")
    assert run.wait() == 130, run.screen
    assert "tearing down" in run.screen
    assert "shutting down" in run.screen
    assert "Traceback" not in run.screen


PYTEST = """
import pytest

@pytest.fixture(scope="module")
def wide():
    print("wide up")
    yield 5
    print("wide down")

@pytest.fixture
def narrow(wide):
    print("narrow up")
    yield wide + 1
    print("narrow down")

@pytest.mark.parametrize("size", [1, 2])
def test_sizes(narrow, size):
    print("testing", size)
    assert narrow == 6

def test_fails(narrow):
    assert narrow == 7

@pytest.mark.skip(reason="not today")
def test_skipped():
    pass
"""


def test_tests_of_pytest(run_pysurge):
    done = run_pysurge("check --trace test_it.py::test_sizes", {"test_it.py": PYTEST})
    assert done.returncode == 0, done.stdout + done.stderr
    for line in ("wide up", "narrow up", "testing 1", "testing 2", "narrow down", "wide down"):
        assert line in done.stdout
    assert len(re.findall(r"^passed$", done.stderr, re.M)) == 2


def test_a_test_of_pytest_that_fails(run_pysurge):
    done = run_pysurge("check --trace test_it.py", {"test_it.py": PYTEST})
    assert done.returncode == 2
    assert "assert 6 == 7" in done.stderr
    assert "narrow down" in done.stdout
