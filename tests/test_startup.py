"""What happens before iterations start: imports, `startup`, and Ctrl+C in them."""

import os
import re
import signal

import pytest
from support import CTRL_C, account, config, journal, run_log, summary, until

CASES = """
import os
import sys
import time

from pysurge import TestCase


def first():
    try:
        os.close(os.open("first", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def note(*words):
    with open("journal", "a") as journal:
        journal.write(" ".join(map(str, words)) + "\\n")


class Good(TestCase):
    def run(self):
        note("run", os.getpid())


class Bad(Good):
    @classmethod
    def startup(cls):
        raise ConnectionError("no database")

    @classmethod
    def shutdown(cls):
        note("shutdown", os.getpid())


class FirstIsBad(Bad):
    @classmethod
    def startup(cls):
        if first():
            raise ConnectionError("no database")
        note("started", os.getpid())


class Exits(Good):
    @classmethod
    def startup(cls):
        sys.exit(0)


class FirstDies(Good):
    @classmethod
    def startup(cls):
        if first():
            os._exit(9)


class Hangs(Good):
    @classmethod
    def startup(cls):
        print("startup began", flush=True)
        time.sleep(10_000)
"""


def project(*classes, rate=20):
    return {"cases.py": CASES, "c.yml": config(*((f"cases.{name}", rate) for name in classes))}


def test_a_class_that_cannot_start_up_is_not_run_and_the_others_are(run_pysurge, tmp_path):
    done = run_pysurge("run c.yml -d 1s --workers 2", project("Good", "Bad"))
    assert done.returncode == 3
    result = summary(tmp_path)
    good, bad = result["tests"]
    assert (good["not_run"], good["account"]) == (None, account(passed=20))
    assert bad["account"] == account()
    assert "no database" in bad["not_run"]
    assert "not run" in done.stdout
    assert "startup of cases.Bad failed in Worker-1: ConnectionError: no database" in done.stderr
    assert re.search(r'File "\S*cases\.py", line \d+, in startup', done.stderr)
    assert len(re.findall(r"MainThread ERROR Startup for <class 'cases.Bad'> failed!", done.stdout)) == 2
    assert "no database" in run_log(tmp_path)
    # `shutdown` runs for every class whose `startup` was tried.
    assert sum(words[0] == "shutdown" for words in journal(tmp_path)) == 2


@pytest.mark.parametrize("classes", [["Bad"], ["Bad", "Bad"], ["Exits"], ["Bad", "Exits"]])
def test_when_no_class_can_start_up_nothing_is_fired(run_pysurge, tmp_path, classes):
    done = run_pysurge("run c.yml -d 60s --workers 2", project(*classes))
    assert done.returncode == 2
    assert not any(words[0] == "run" for words in journal(tmp_path))
    result = summary(tmp_path)
    assert result["account"] == account()
    assert all(test["not_run"] for test in result["tests"])


def test_a_class_that_starts_up_in_one_worker_only_keeps_its_whole_rate(run_pysurge, tmp_path):
    done = run_pysurge("run c.yml -d 1s --workers 2", project("FirstIsBad", "Good", rate=30))
    assert done.returncode == 0
    result = summary(tmp_path)
    partly, good = result["tests"]
    assert partly["account"] == good["account"] == account(passed=30)
    assert (partly["workers"], good["workers"]) == (1, 2)
    assert result["verdict"]["validity"] == "degraded"
    assert "on 1 of 2 workers" in done.stdout
    assert len([words for words in journal(tmp_path) if words[0] == "started"]) == 1


def test_a_worker_that_dies_in_startup_ends_the_run_before_it_began(run_pysurge, tmp_path):
    done = run_pysurge("run c.yml -d 60s --workers 2", project("FirstDies"))
    assert done.returncode == 2
    assert "9" in done.stderr
    assert "worker" in done.stderr
    assert journal(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_startup_that_hangs(start_pysurge, tmp_path, number):
    run = start_pysurge("run c.yml --workers 2", project("Hangs"))
    run.out.wait_for("startup began", count=2)
    # Once is enough, but then `shutdown` has its time; whoever does not want to wait goes on pressing.
    until(lambda: run.process.poll() is not None or run.signal(number), "the end after many signals")
    # One that comes while the interpreter itself is on its way out can be the one that ends it.
    assert run.wait() in (130, -number)
    assert "stopped before anything was fired" in run.stderr
    run.leaves_nothing()
    assert not list((tmp_path / "pysurge-results").glob("*"))


def test_one_ctrl_c_is_enough_for_a_startup_that_ends(start_pysurge, tmp_path):
    module = CASES.replace("time.sleep(10_000)", "[time.sleep(0.01) for _ in iter(lambda: os.path.exists('gate'), True)]")
    run = start_pysurge("run c.yml --workers 2", {**project("Hangs"), "cases.py": module})
    run.out.wait_for("startup began", count=2)
    run.signal(signal.SIGINT)
    (tmp_path / "gate").touch()
    assert run.wait() == 130
    run.leaves_nothing()
    assert journal(tmp_path) == []


IMPORTS = "from pysurge import TestCase\n\nclass Case(TestCase):\n    def run(self):\n        pass\n"


def imported(head):
    return {"case.py": head + "\n" + IMPORTS, "c.yml": config(("case.Case", 20))}


def test_a_module_that_prints_and_logs_on_import(run_pysurge, tmp_path):
    head = "import logging, sys\nprint('hello')\nprint('oops', file=sys.stderr)\nlogging.warning('careful')\n"
    done = run_pysurge("run c.yml -d 500ms --workers 2", imported(head))
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"hello$", done.stdout, re.M)) == 2
    assert len(re.findall(r"oops$", done.stderr, re.M)) == 2
    assert len(re.findall(r" Worker-[12] MainThread WARNING careful$", done.stdout, re.M)) == 2


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def f(:", "SyntaxError"),
        ("import sys; sys.exit(0)", "SystemExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("class Odd(BaseException): pass\nraise Odd('hm')", "Odd: hm"),
    ],
)
def test_a_module_that_cannot_be_imported(run_pysurge, tmp_path, head, message):
    done = run_pysurge("run c.yml -d 60s --workers 2", imported(head))
    assert done.returncode == 2
    assert done.stdout == ""
    assert message in done.stderr
    assert "c.yml:4:" in done.stderr
    assert "case.py" in done.stderr
    for ours in ("_loader.py", "_worker.py", "importlib"):
        assert ours not in done.stderr
    assert not list((tmp_path / "pysurge-results").glob("*"))


def test_a_module_that_ends_its_worker_on_import(run_pysurge):
    done = run_pysurge("run c.yml -d 60s --workers 2", imported("import os\nos._exit(9)"))
    assert done.returncode == 2
    assert "9" in done.stderr


@pytest.mark.parametrize("code", ["time.sleep(10_000)", "while True: pass"])
def test_ctrl_c_ends_an_import_that_hangs(start_on_terminal, code):
    run = start_on_terminal("run c.yml --workers 2", imported(f"import time\nprint('import began', flush=True)\n{code}"))
    run.out.wait_for("import began", count=2)
    run.press(CTRL_C)
    assert run.wait() == 130
    run.leaves_nothing()
    assert "stopped before anything was fired" in run.screen


def test_one_ctrl_c_ends_an_import_that_hangs(start_pysurge):
    run = start_pysurge("run c.yml", imported("import time\nprint('import began', flush=True)\ntime.sleep(10_000)"))
    run.out.wait_for("import began")
    os.kill(run.pid, signal.SIGINT)
    assert run.wait() == 130
    run.leaves_nothing()


def test_the_current_folder_is_searched_first_and_the_configs_folder_last(run_pysurge, tmp_path):
    case = "from pysurge import TestCase\n\nclass Case(TestCase):\n    def run(self):\n        print('this is WHERE')\n"
    files = {
        "deep/beside.py": case.replace("WHERE", "beside the config"),
        "deep/both.py": case.replace("WHERE", "the wrong one"),
        "both.py": case.replace("WHERE", "the right one"),
        "pkg/__init__.py": "",
        "pkg/inner/__init__.py": "",
        "pkg/inner/cases.py": case.replace("WHERE", "deep in a package"),
        "deep/c.yml": config(*((f"{name}.Case", 20) for name in ("beside", "both", "pkg.inner.cases"))),
    }
    done = run_pysurge("run deep/c.yml -d 500ms", files)
    assert done.returncode == 0, done.stderr
    for text in ("beside the config", "the right one", "deep in a package"):
        assert len(re.findall(f"this is {text}$", done.stdout, re.M)) == 10


def test_python_path_and_current_folder_reach_the_workers(run_pysurge, tmp_path):
    module = "import os\nfrom pysurge import TestCase\n\nclass Case(TestCase):\n    def run(self):\n"
    module += "        assert os.getcwd() == self.kwargs['cwd'], os.getcwd()\n        assert os.environ['MINE'] == 'yes'\n"
    test = {"test_class": "elsewhere.Case", "rate": 20, "kwargs": {"cwd": str(tmp_path)}}
    files = {"lib/elsewhere.py": module, "c.yml": config(test)}
    env = {"PYTHONPATH": str(tmp_path / "lib"), "MINE": "yes"}
    done = run_pysurge("run c.yml -d 500ms", files, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
