"""Coroutine tests: thousands in flight on one event loop per worker, fed, measured, bounded and ended as threads are."""

import json
import signal

import pytest
from support import account, journal, run_log, summary

_MODULE = """
import asyncio
import contextlib
import contextvars
import threading
import time

import pysurge
from pysurge import TestCase

mark = contextvars.ContextVar("mark", default="clean")


def note(*words):
    with open("journal", "a") as journal:
        journal.write(" ".join(map(str, words)) + "\\n")

"""


def project(body: str, *, name: str = "Case", **entry):
    """A module `co` with this body, and a config `c.yml` that runs one name of it."""
    key = "test_class" if name[0].isupper() else "test"
    tests = [{key: f"co.{name}", "rate": 20, "graceful_stop": "1s", **entry}]
    return {"co.py": _MODULE + body, "c.yml": json.dumps({"tests": tests})}


RUN = "run c.yml --workers 1 -d"


def test_every_hook_runs_on_the_one_loop_of_its_worker(run_pysurge, tmp_path):
    body = """
class Case(TestCase):
    max_duration = 5

    @classmethod
    async def startup(cls):
        note("startup", id(asyncio.get_running_loop()), threading.get_ident())

    @classmethod
    async def shutdown(cls):
        note("shutdown", id(asyncio.get_running_loop()), threading.get_ident())

    def setup(self):
        note("setup", id(asyncio.get_running_loop()), threading.get_ident())

    async def run(self):
        with self.timer("nap"):
            await asyncio.sleep(0.05)
        self.check("held", True)
        self.count("naps")
        self.metrics["length"] = 3
        note("run", id(asyncio.get_running_loop()), threading.get_ident())

    async def teardown(self):
        await asyncio.sleep(0)
        note("teardown", id(asyncio.get_running_loop()), threading.get_ident())
"""
    done = run_pysurge(f"{RUN} 1s --no-rehearsal", project(body))
    assert done.returncode == 0, done.stdout + done.stderr
    told = journal(tmp_path)
    assert len({tuple(line[1:]) for line in told}) == 1, "one loop, one thread"
    hooks = [line[0] for line in told]
    assert (hooks[0], hooks[-1]) == ("startup", "shutdown")
    assert [hooks.count(hook) for hook in ("setup", "run", "teardown")] == [20, 20, 20]
    test = summary(tmp_path)["tests"][0]
    assert test["account"] == account(passed=20)
    assert test["checks"]["held"]["passed"] == 20
    assert test["counts"]["naps"] == 20
    assert test["metrics"]["length"]["mean"] == 3
    assert test["timers"]["nap"]["passed"]["count"] == 20
    # The loop's own clock is read once per turn.
    assert test["service_time"]["min_s"] >= 0.045
    assert test["setup"]["count"] == test["teardown"]["count"] == 20


def test_thousands_are_in_flight_at_once_and_counted_exactly(run_pysurge, tmp_path):
    body = """
class Case(TestCase):
    max_duration = 5
    inside = 0

    async def run(self):
        Case.inside += 1
        await asyncio.sleep(1)
        self.metrics["inside"] = Case.inside
        Case.inside -= 1
"""
    done = run_pysurge(f"{RUN} 2s", project(body, rate=1_500, graceful_stop="30s"))
    assert done.returncode == 0, done.stdout + done.stderr
    test = summary(tmp_path)["tests"][0]
    assert test["account"] == account(passed=3_000)
    assert test["metrics"]["inside"]["max"] > 1_100
    assert test["service_time"]["min_s"] >= 0.99


def test_each_iteration_has_a_task_and_a_context_of_its_own(run_pysurge, tmp_path):
    body = """
class Case(TestCase):
    max_duration = 5

    async def setup(self):
        assert mark.get() == "clean", mark.get()
        self.task = asyncio.current_task()
        mark.set(str(id(self)))

    async def run(self):
        assert asyncio.current_task() is self.task
        await asyncio.sleep(0.1)
        seen = await asyncio.create_task(self.child())
        assert seen == mark.get() == str(id(self))
        try:
            await asyncio.wait_for(asyncio.sleep(10), 0.01)
        except asyncio.TimeoutError:
            self.count("timeouts")

    async def child(self):
        await asyncio.sleep(0)
        return mark.get()
"""
    done = run_pysurge(f"{RUN} 1s", project(body, rate=100))
    test = summary(tmp_path)["tests"][0]
    assert (done.returncode, test["account"]) == (0, account(passed=100)), done.stdout
    assert test["counts"]["timeouts"] == 100


def test_what_fails_is_grouped_and_torn_down_all_the_same(run_pysurge, tmp_path):
    body = """
class Case(TestCase):
    max_duration = 5

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.number = next(numbers)
        # One instance is made to look at it, before the run.
        if self.number % 4 == 0:
            raise ValueError("no instance")

    async def setup(self):
        await asyncio.sleep(0)
        if self.number % 4 == 1:
            raise KeyError("no setup")

    async def run(self):
        note("run", self.number)
        await asyncio.sleep(0)
        if self.number % 4 == 2:
            raise SystemExit("no run")
        self.check("even", False, fail=True)

    async def teardown(self):
        note("teardown", self.number)
"""
    body = "import itertools\nnumbers = itertools.count(-1)\n" + body
    done = run_pysurge(f"{RUN} 1s --no-rehearsal", project(body, rate=40))
    assert done.returncode == 3, "nothing passed"
    test = summary(tmp_path)["tests"][0]
    assert test["account"]["failed"] == 40
    groups = {(failure["phase"], failure["exception"]): failure for failure in test["failures"]}
    assert set(groups) == {("__init__", "ValueError"), ("setup", "KeyError"), ("run", "SystemExit"), ("run", "check failed")}
    assert "co.py" in groups["run", "SystemExit"]["traceback"] and "_loop" not in groups["run", "SystemExit"]["traceback"]
    noted = [line[0] for line in journal(tmp_path)]
    assert noted.count("teardown") == 40 - groups["__init__", "ValueError"]["count"]
    assert noted.count("run") == noted.count("teardown") - groups["setup", "KeyError"]["count"]


@pytest.mark.parametrize("late", ["queue", "drop"])
def test_max_threads_bounds_how_many_are_in_flight(run_pysurge, tmp_path, late):
    body = """
class Case(TestCase):
    max_duration = 1
    inside = 0

    async def run(self):
        Case.inside += 1
        self.metrics["inside"] = Case.inside
        await asyncio.sleep(0.2)
        Case.inside -= 1
"""
    run_pysurge(f"{RUN} 1s", project(body, rate=100, max_threads=5, late=late, graceful_stop="30s"))
    test = summary(tmp_path)["tests"][0]
    assert test["metrics"]["inside"]["max"] == 5
    ends = test["account"]
    assert ends["planned"] == 100 and ends["dropped"] > 0 and ends["planned"] == ends["passed"] + ends["dropped"]
    parts = test["lateness_parts"]
    if late == "queue":
        assert parts["no_free_thread"]["max_s"] > 0.3


def test_users_of_the_closed_model_take_turns(run_pysurge, tmp_path):
    body = """
class Case(TestCase):
    inside = 0
    everybody = asyncio.Event()

    async def run(self):
        Case.inside += 1
        self.metrics["inside"] = Case.inside
        # Nobody leaves before all are there.
        if Case.inside == 300:
            self.everybody.set()
        await asyncio.wait_for(self.everybody.wait(), 30)
        await asyncio.sleep(0.001)
        Case.inside -= 1
"""
    files = project(body)
    tests = [{"test_class": "co.Case", "users": 300, "iterations": 5_000}]
    run_pysurge("run c.yml --workers 1", {**files, "c.yml": json.dumps({"tests": tests})})
    test = summary(tmp_path)["tests"][0]
    assert test["account"] == account(passed=5_000)
    assert test["metrics"]["inside"]["max"] == 300


def test_what_hangs_is_cancelled_and_finalised_and_its_stack_told_once(run_pysurge, tmp_path):
    body = """
@contextlib.asynccontextmanager
async def connection():
    try:
        yield
    finally:
        await asyncio.sleep(0.05)
        note("closed")

async def stream():
    try:
        while True:
            yield 1
    finally:
        note("stream ended")

class Case(TestCase):
    max_duration = 1

    async def run(self):
        async for _ in stream():
            async with connection():
                await asyncio.sleep(1_000)  # hangs here

    async def teardown(self):
        await asyncio.sleep(0.05)
        note("torn down")

    @classmethod
    async def shutdown(cls):
        note("shutdown")
"""
    done = run_pysurge(f"{RUN} 1s --no-rehearsal", project(body, rate=10))
    test = summary(tmp_path)["tests"][0]
    assert test["account"] == account(interrupted=10)
    assert test["failures"] == []
    noted = journal(tmp_path)
    assert noted.count(["closed"]) == noted.count(["torn", "down"]) == noted.count(["stream", "ended"]) == 10
    assert noted.count(["shutdown"]) == 1
    log = run_log(tmp_path)
    # Each may have been told before as one that overruns.
    _, abandoned = log.split("10 tasks of Case still run")
    assert abandoned.count("hangs here") == 1
    assert "_loop.py" not in log
    assert done.returncode == 3


def test_a_task_that_swallows_its_cancellation_holds_nobody_up(run_pysurge, tmp_path):
    body = """
class Case(TestCase):
    max_duration = 1

    async def run(self):
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(1_000)

    @classmethod
    async def shutdown(cls):
        note("shutdown")
"""
    run_pysurge(f"{RUN} 1s --no-rehearsal", project(body, rate=5))
    assert summary(tmp_path)["tests"][0]["account"] == account(interrupted=5)
    assert journal(tmp_path) == [["shutdown"]]
    assert "did not end within" in run_log(tmp_path)


def test_a_coroutine_that_blocks_the_loop_makes_others_late(run_pysurge, tmp_path):
    body = """
class Case(TestCase):
    max_duration = 5

    async def run(self):
        if self.kwargs["blocks"]:
            time.sleep(0.3)
"""
    files = project(body)
    tests = [
        {"test_class": "co.Case", "rate": 1, "kwargs": {"blocks": True}},
        {"test_class": "co.Case", "rate": 100, "kwargs": {"blocks": False}},
    ]
    run_pysurge(f"{RUN} 2s", {**files, "c.yml": json.dumps({"tests": tests})})
    late = summary(tmp_path)["tests"][1]
    assert late["account"] == account(passed=200)
    assert late["lateness_parts"]["waited_for_gil"]["max_s"] > 0.2


def test_a_coroutine_that_never_gives_the_loop_back_does_not_hold_up_the_end(run_pysurge, tmp_path):
    body = """
class Case(TestCase):
    max_duration = 1

    async def run(self):
        time.sleep(1_000)  # blocks here

    @classmethod
    async def shutdown(cls):
        note("shutdown")
"""
    run_pysurge(f"{RUN} 1s --no-rehearsal", project(body, rate=10))
    ends = summary(tmp_path)["tests"][0]["account"]
    assert ends["planned"] == 10 and ends["passed"] == 0 and ends["interrupted"] >= 1 and ends["lost"] == 0
    log = run_log(tmp_path)
    assert "blocks here" in log and "a coroutine blocks the event loop" in log
    assert journal(tmp_path) == []


def test_the_first_ctrl_c_lets_iterations_end_and_the_second_cancels_them(start_pysurge, tmp_path):
    body = """
class Case(TestCase):
    max_duration = 600

    async def run(self):
        print("an iteration began", flush=True)
        try:
            await asyncio.sleep(600)
        finally:
            note("finalised")
"""
    running = start_pysurge(f"{RUN} 60s --no-rehearsal", project(body, graceful_stop="600s"))
    running.out.wait_for("an iteration began", count=3)
    running.signal(signal.SIGINT)
    running.err.wait_for(r"Ctrl\+C again")
    running.signal(signal.SIGINT)
    assert running.wait() == 130
    running.leaves_nothing()
    ends = summary(tmp_path)["account"]
    assert ends["interrupted"] == len(journal(tmp_path)) >= 3


def test_a_startup_that_raises_keeps_the_class_out(run_pysurge, tmp_path):
    body = """
class Case(TestCase):
    @classmethod
    async def startup(cls):
        await asyncio.sleep(0)
        raise RuntimeError("no database")

    async def run(self):
        note("run")
"""
    done = run_pysurge(f"{RUN} 1s", project(body))
    assert done.returncode == 2
    assert "no database" in done.stdout + done.stderr and "co.py" in done.stdout + done.stderr
    assert journal(tmp_path) == []


def test_what_runs_beside_the_iterations_is_ended_with_the_loop(run_pysurge, tmp_path):
    body = """
class Case(TestCase):
    @classmethod
    async def startup(cls):
        cls.beside = asyncio.ensure_future(cls.heartbeat())

    @staticmethod
    async def heartbeat():
        try:
            await asyncio.sleep(1_000)
        finally:
            note("heartbeat ended")

    async def run(self):
        note(await asyncio.to_thread(lambda: "in a thread"))
"""
    done = run_pysurge(f"{RUN} 1s --no-rehearsal", project(body, rate=5))
    assert done.returncode == 0, done.stdout
    assert journal(tmp_path) == [["in", "a", "thread"]] * 5 + [["heartbeat", "ended"]]


def test_a_coroutine_function_gets_kwargs_and_gives_metrics(run_pysurge, tmp_path):
    body = """
async def fetch(size, unit="kB"):
    with pysurge.timer("wait"):
        await asyncio.sleep(0.01)
    pysurge.check("unit", unit == "kB")
    await asyncio.gather(part(), part())
    return {"size": size}

async def part():
    pysurge.count("parts")
"""
    done = run_pysurge(f"{RUN} 1s", project(body, name="fetch", kwargs={"size": 7}))
    assert done.returncode == 0, done.stdout + done.stderr
    test = summary(tmp_path)["tests"][0]
    assert test["account"] == account(passed=20)
    assert test["metrics"]["size"]["mean"] == 7
    assert test["checks"]["unit"]["passed"] == 20
    assert test["counts"]["parts"] == 40
    assert test["timers"]["wait"]["passed"]["count"] == 20


def test_a_rehearsal_runs_one_iteration_on_the_loop_and_stops_where_it_fails(run_pysurge, tmp_path):
    body = """
class Case(TestCase):
    async def run(self):
        note("run")
        await asyncio.sleep(0.01)
        raise LookupError("nothing there")
"""
    done = run_pysurge("check c.yml", project(body))
    assert done.returncode == 2
    assert "nothing there" in done.stdout + done.stderr and "co.py" in done.stdout + done.stderr
    assert journal(tmp_path) == [["run"]]


def test_rows_of_data_reach_coroutines_once_each(run_pysurge, tmp_path):
    body = """
async def greet(name):
    await asyncio.sleep(0)
    note(name)
"""
    files = project(body, name="greet", data={"from": "users.csv", "reuse": "once"}, rate=200)
    rows = [f"user{number}" for number in range(100)]
    run_pysurge("run c.yml --workers 2 -d 20s --no-rehearsal", {**files, "users.csv": "\n".join(["name", *rows]) + "\n"})
    assert sorted(journal(tmp_path)) == sorted([row] for row in rows)


def test_single_iterations_are_told_and_the_slowest_shown(run_pysurge, tmp_path):
    body = """
async def nap():
    await asyncio.sleep(0.01)
"""
    run_pysurge(f"{RUN} 1s --samples all.csv --no-rehearsal", project(body, name="nap", rate=100))
    _, *lines = (tmp_path / "all.csv").read_text().splitlines()
    assert len(lines) == 100
    test = summary(tmp_path)["tests"][0]
    assert len(test["slowest"]) == 10
    assert {exhibit["thread"] for exhibit in test["slowest"]} == {"event-loop"}
