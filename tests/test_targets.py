"""Existing code as it is: functions, any class with a run(), files and modules, named on the command line or in a config."""

import json

import pytest
from support import account, journal, summary

JOBS = '''
import functools
import threading

from pysurge import TestCase


def note(*words):
    with open("journal", "a") as journal:
        journal.write(" ".join(map(str, words)) + "\\n")


def greet(name="you", times=1):
    """Greets somebody."""
    note("greet", name, times)


def figures():
    return {"size": 3, "share": 0.5}


def answer():
    return {"status": "ok", "size": 3}


def wrong():
    raise KeyError("order")


def lazy():
    return greet_later()


async def greet_later():
    note("later")


class Plain:
    def __init__(self, size=1):
        self.size = size
        self.metrics = {}

    def setup(self):
        note("setup", self.size)

    def run(self):
        note("run", self.size)
        self.metrics["size"] = self.size

    def teardown(self):
        note("teardown")

    @classmethod
    def startup(cls):
        note("startup")

    @staticmethod
    def shutdown():
        note("shutdown")


class Served:
    """Has an attribute called metrics that is something else."""

    metrics = "http://127.0.0.1/metrics"

    def run(self):
        pass


class Bare:
    def run(self):
        note("bare", threading.current_thread().name)


class Case(TestCase):
    def run(self):
        note("case", self.kwargs)


partly = functools.partial(greet, "partly")
'''

PACKAGE = {
    "shop/__init__.py": "",
    "shop/rules.py": "TAX = 2\n",
    "shop/pay.py": "from .rules import TAX\n\ndef pay(): return {'tax': TAX}\n",
}


def one(tmp_path):
    (test,) = summary(tmp_path)["tests"]
    return test


@pytest.mark.parametrize("target", ["jobs.greet", "jobs.py:greet", "./jobs.py:greet"])
def test_a_function_is_fired_with_its_kwargs(run_pysurge, tmp_path, target):
    args = ["run", target, "--rate", "10", "-d", "1s", "--workers", "2", "--kwarg", "name=ann", "--kwarg", "times=3"]
    done = run_pysurge(args, {"jobs.py": JOBS})
    assert done.returncode == 0, done.stdout + done.stderr
    test = one(tmp_path)
    assert test["account"] == account(passed=10)
    assert (test["label"], test["summary"]) == ("greet(name='ann', times=3)", "Greets somebody.")
    assert journal(tmp_path) == [["greet", "ann", "3"]] * 10


def test_numbers_that_a_function_returns_are_metrics(run_pysurge, tmp_path):
    run_pysurge("run jobs.py:figures --rate 5 -d 1s", {"jobs.py": JOBS})
    metrics = one(tmp_path)["metrics"]
    assert {name: (figures["count"], figures["mean"]) for name, figures in metrics.items()} == {
        "size": (5, 3.0),
        "share": (5, 0.5),
    }


def test_what_else_a_function_returns_means_nothing(run_pysurge, tmp_path):
    run_pysurge("run jobs.py:answer --rate 5 -d 1s", {"jobs.py": JOBS})
    test = one(tmp_path)
    assert test["account"] == account(passed=5)
    assert test["metrics"] == {}
    assert test["metrics_refused"] == 0


def test_a_function_that_raises_fails_with_the_users_frames(run_pysurge, tmp_path):
    done = run_pysurge("run jobs.py:wrong --rate 5 -d 1s", {"jobs.py": JOBS})
    assert done.returncode == 3
    (failure,) = one(tmp_path)["failures"]
    assert (failure["exception"], failure["count"], failure["phase"]) == ("KeyError", 5, "run")
    assert "in wrong" in failure["traceback"]
    assert "ERROR test 'wrong()' hit error: 'order'" in done.stdout


def test_a_function_that_gives_a_coroutine_fails_in_plain_words(run_pysurge, tmp_path):
    run_pysurge("run jobs.py:lazy --rate 5 -d 1s", {"jobs.py": JOBS})
    (failure,) = one(tmp_path)["failures"]
    assert "write it as `async def`" in failure["message"]


@pytest.mark.parametrize(
    ("target", "words"), [("jobs.partly", ["greet", "partly", "1"]), ("jobs.Bare", ["bare"]), ("jobs.Case", ["case", "{}"])]
)
def test_whatever_can_be_run_is_run(run_pysurge, tmp_path, target, words):
    done = run_pysurge(f"run {target} --rate 5 -d 1s --workers 1", {"jobs.py": JOBS})
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line[: len(words)] for line in journal(tmp_path)] == [words] * 5


def test_any_class_with_a_run_has_its_hooks_called(run_pysurge, tmp_path):
    done = run_pysurge("run jobs.Plain --kwarg size=4 --rate 3 -d 1s --workers 1", {"jobs.py": JOBS})
    assert done.returncode == 0, done.stdout + done.stderr
    noted = journal(tmp_path)
    assert (noted[0], noted[-1]) == (["startup"], ["shutdown"])
    assert noted[1:-1] == [["setup", "4"], ["run", "4"], ["teardown"]] * 3
    test = one(tmp_path)
    assert test["label"] == "<Plain kwargs={'size': 4}>"
    assert test["metrics"]["size"]["mean"] == 4
    assert test["setup"]["count"] == 3


def test_what_is_no_dict_of_metrics_means_nothing(run_pysurge, tmp_path):
    run_pysurge("run jobs.Served --rate 3 -d 1s", {"jobs.py": JOBS})
    assert (one(tmp_path)["metrics"], one(tmp_path)["metrics_refused"]) == ({}, 0)


def test_a_file_of_a_package_is_that_module(run_pysurge, tmp_path):
    done = run_pysurge("run shop/pay.py:pay --rate 5 -d 1s", PACKAGE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert one(tmp_path)["metrics"]["tax"]["mean"] == 2


def test_all_kinds_stand_in_one_config(run_pysurge, tmp_path):
    tests = [
        {"test": "jobs.greet", "rate": 5, "kwargs": {"name": "a"}},
        {"test": "jobs.py:Plain", "rate": 4},
        {"test_class": "jobs.Case", "users": 1, "pacing": "500ms"},
        {"test": "jobs.greet_later", "rate": 3},
        {"test": "test_jobs.py", "rate": 2},
    ]
    files = {"jobs.py": JOBS, "test_jobs.py": "def test_it(): pass\n", "c.yml": json.dumps({"tests": tests})}
    done = run_pysurge("run c.yml -d 1s", files)
    assert done.returncode == 0, done.stdout + done.stderr
    labels = {test["label"]: test["account"]["passed"] for test in summary(tmp_path)["tests"]}
    assert labels == {
        "greet(name='a')": 5,
        "<Plain kwargs={}>": 4,
        "<Case kwargs={}>": 2,
        "greet_later()": 3,
        "test_jobs.py::test_it": 2,
    }


def test_without_a_load_it_says_what_it_takes(start_pysurge):
    running = start_pysurge("run jobs.py:greet", {"jobs.py": JOBS}, rehearsal=True)
    running.err.wait_for(r"no load given: 1 iteration/s for 30 ?s")
    running.err.wait_for(r"1/s, for 30s")
    running.process.terminate()
    assert running.wait() == 0


WRONG = {
    "no file": ("run nothing.py:greet", "there is no file `nothing.py`"),
    "no function": ("run jobs.py:gret", "did you mean `greet`?"),
    "a wrong kwarg": ("run jobs.py:greet --kwarg nane=1", "did you mean `name`?"),
    "a module": ("run jobs", "jobs"),
    "a generator": ("run more.py:numbers", "generator function"),
    "a module that raises": ("run broken.py:f", "ZeroDivisionError"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_target_is_refused_before_anything_is_fired(run_pysurge, tmp_path, name):
    command, said = WRONG[name]
    files = {"jobs.py": JOBS, "more.py": "def numbers(): yield 1\n", "broken.py": "1 / 0\n"}
    done = run_pysurge(command, files)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert "_loader.py" not in done.stderr
    assert not journal(tmp_path)


# What any code can tell, wherever it is called.

STEPS = """
import asyncio
import contextvars
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from pysurge import TestCase, check, count, metric, timer


def helper(number):
    check("odd", number % 2 == 1)
    count("bytes", 10)
    metric("number", number)
    with timer("step"):
        time.sleep(0.002)


def plain(number=1):
    helper(number)


def strict():
    check("never", False, fail=True)


class Case(TestCase):
    def run(self):
        self.check("own", True)
        helper(2)


async def later(number=3):
    await asyncio.sleep(0.01)
    helper(number)
    await asyncio.to_thread(count, "in a thread")


def in_threads():
    with ThreadPoolExecutor(2) as pool:
        for _ in range(2):
            pool.submit(contextvars.copy_context().run, count, "copied").result()
        pool.submit(count, "not copied").result()
"""


@pytest.mark.parametrize(
    ("target", "odd", "number"), [("steps.plain", True, 1), ("steps.Case", False, 2), ("steps.later", True, 3)]
)
def test_any_function_can_tell_of_the_iteration_that_is_running(run_pysurge, tmp_path, target, odd, number):
    done = run_pysurge(f"run {target} --rate 40 -d 1s", {"steps.py": STEPS})
    assert done.returncode == 0, done.stdout + done.stderr
    test = one(tmp_path)
    assert (test["checks"]["odd"]["passed"], test["checks"]["odd"]["failed"]) == ((40, 0) if odd else (0, 40))
    assert test["counts"]["bytes"] == 400
    assert test["metrics"]["number"]["mean"] == number
    assert test["metrics"]["number"]["count"] == 40
    assert test["timers"]["step"]["passed"]["count"] == 40
    if target == "steps.later":
        assert test["counts"]["in a thread"] == 40
    if target == "steps.Case":
        assert test["checks"]["own"]["passed"] == 40


def test_a_check_can_fail_the_iteration_of_a_function(run_pysurge, tmp_path):
    done = run_pysurge("run steps.strict --rate 5 -d 1s", {"steps.py": STEPS})
    assert done.returncode == 3
    (failure,) = one(tmp_path)["failures"]
    assert (failure["message"], failure["count"]) == ("never", 5)
    assert "steps.py" in failure["frame"]


def test_a_copied_context_leads_to_its_iteration(run_pysurge, tmp_path):
    run_pysurge("run steps.in_threads --rate 10 -d 1s", {"steps.py": STEPS})
    assert one(tmp_path)["counts"] == {"copied": 20}
