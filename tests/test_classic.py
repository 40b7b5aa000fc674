"""Modules, configs and commands written for pysurge 1.0.1 mean what they meant."""

import itertools
import re
import signal
import sys

import pytest
from support import account, case, config, journal, run_log, summary

LOG_LINE = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (?P<process>\S+) (?P<thread>\S+) (?P<level>[A-Z]+) (?P<message>.*)$"

# Every member that one had to write for 1.0.1.
UPLOAD = """
import itertools
import logging

from pysurge import TestCase

log = logging.getLogger(__name__)
numbers = itertools.count(0)


class UploadTest(TestCase):
    @classmethod
    def startup(cls):
        log.info("upload starts up")
        cls.started = True

    @classmethod
    def shutdown(cls):
        log.info("upload shuts down")

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.number = next(numbers)
        self.legacy = kwargs.get("legacy", False)

    @property
    def summary(self):
        return f"upload test, legacy: {self.legacy}"

    @property
    def description(self):
        return f"upload number {self.number}"

    @property
    def max_duration(self):
        return 5

    def setup(self):
        assert self.started

    def run(self):
        log.info("%s runs", self.description)
        self.metrics["upload->db_time_in_sec"] = self.number
        self.metrics["size"] = 2.5
        if self.number % 5 == 0:
            raise ValueError(f"no luck with {self.number}")

    def teardown(self):
        log.debug("%s is torn down", self.description)
"""


def test_the_classic_report_has_the_right_numbers(run_pysurge, tmp_path):
    files = {
        "uploads.py": UPLOAD,
        "config.yml": "tests:\n- test_class: uploads.UploadTest\n  kwargs: {legacy: true}\n  rate: 10\n",
    }
    done = run_pysurge("run config.yml -d 2s --workers 1", files)
    assert done.returncode == 0, done.stderr
    result = summary(tmp_path)
    assert result["account"] == account(passed=16, failed=4)
    lines = [match["message"] for match in re.finditer(LOG_LINE, run_log(tmp_path), re.M) if "Main" in match["thread"]]
    head = lines.index("---- Results for test '<UploadTest kwargs={'legacy': True}> -- upload test, legacy: True' ----")
    assert re.fullmatch(r">>> Ran for \d+\.\d{6} sec, fired 20 total tests", lines[head + 1])
    # The instance that validates the config is number 0, so iterations are 1 to 20, of which four fail.
    mean = sum(n for n in range(1, 21) if n % 5) / 16
    assert lines[head + 2 :] == [
        ">>> Successes: 16, failures: 4",
        "---- Metrics for test '<UploadTest kwargs={'legacy': True}> -- upload test, legacy: True' ----",
        ">>> size: 2.500000",
        f">>> upload->db_time_in_sec: {mean:.6f}",
    ]


def test_the_classic_command_takes_minutes_and_prints_the_classic_report(start_pysurge):
    files = {"uploads.py": UPLOAD, "config.yml": config(("uploads.UploadTest", 50))}
    run = start_pysurge("-c config.yml -d 1", files)
    run.err.wait_for("for 1m00s")
    run.out.wait_for(r"INFO upload number \d+ runs", count=20)
    run.signal(signal.SIGINT)
    assert run.wait() == 0, run.stderr
    run.leaves_nothing()
    found = re.search(
        r"---- Results for test '<UploadTest kwargs=\{\}> -- upload test, legacy: False' ----\n"
        r".* >>> Ran for (?P<ran>\d+\.\d{6}) sec, fired (?P<fired>\d+) total tests\n"
        r".* >>> Successes: (?P<passed>\d+), failures: (?P<failed>\d+)\n"
        r".* ---- Metrics for test '<UploadTest kwargs=\{\}> -- upload test, legacy: False' ----\n"
        r".* >>> size: 2\.500000\n"
        r".* >>> upload->db_time_in_sec: \d+\.\d{6}\n",
        run.stdout,
    )
    assert found, run.stdout
    assert int(found["fired"]) == int(found["passed"]) + int(found["failed"]) >= 20
    assert len(re.findall(r"INFO upload number \d+ runs", run.stdout)) == int(found["fired"])


def test_log_lines_have_the_classic_format_and_say_who_speaks(run_pysurge, tmp_path):
    files = {"uploads.py": UPLOAD, "config.yml": config(("uploads.UploadTest", 20))}
    done = run_pysurge("run config.yml -d 1s --workers 2", files)
    found = [match.groupdict() for match in re.finditer(LOG_LINE, done.stdout, re.M)]
    said = {(line["process"], line["level"], line["message"]) for line in found}
    for worker in ("Worker-1", "Worker-2"):
        assert (worker, "INFO", "upload starts up") in said
        assert (worker, "INFO", "upload shuts down") in said
    runs = [line for line in found if line["message"].endswith(" runs")]
    assert len(runs) == 20
    assert all(line["thread"].startswith("UploadTest") for line in runs)
    # A failure is an error with the description of the iteration and its message.
    failed = [line for line in found if line["level"] == "ERROR"]
    assert len(failed) == summary(tmp_path)["account"]["failed"] > 0
    for line in failed:
        number = re.search(r"upload number (\d+)", line["message"])[1]
        assert f"no luck with {number}" in line["message"]
    assert "DEBUG" not in done.stdout


def test_debug_shows_debug_log_lines(run_pysurge):
    files = {"uploads.py": UPLOAD, "config.yml": config(("uploads.UploadTest", 10))}
    done = run_pysurge("run config.yml -d 1s --debug", files)
    assert len(re.findall(r" DEBUG upload number \d+ is torn down$", done.stdout, re.M)) == 10


def test_one_startup_per_class_and_worker_shared_by_all_its_tests(run_pysurge, tmp_path):
    body = """
@classmethod
def startup(cls):
    note("startup", os.getpid())
    cls.token = os.urandom(8).hex()

@classmethod
def shutdown(cls):
    note("shutdown", os.getpid())

def run(self):
    note("run", os.getpid(), self.token, self.kwargs["size"])
"""
    tests = [{"test_class": "case.Case", "rate": 10, "kwargs": {"size": size}} for size in (1, 2)]
    done = run_pysurge("run c.yml -d 1s --workers 2", {**case(body), "c.yml": config(*tests)})
    assert done.returncode == 0, done.stderr
    lines = journal(tmp_path)
    pids = {words[1] for words in lines}
    assert len(pids) == 2
    for hook in ("startup", "shutdown"):
        assert sorted(words[1] for words in lines if words[0] == hook) == sorted(pids)
    runs = [words[1:] for words in lines if words[0] == "run"]
    assert sorted(size for _, _, size in runs) == ["1"] * 10 + ["2"] * 10
    assert len({(pid, token) for pid, token, _ in runs}) == 2
    assert lines[0][0] == "startup"
    assert lines[-1][0] == "shutdown"


HOOKS = """
def __init__(self, **kwargs):
    super().__init__(**kwargs)
    self.number = next(numbers)
    self.hook("init")

def hook(self, name):
    note(self.number, name)
    if name == self.kwargs.get("fails") and self.number > 0:
        raise {error}

def setup(self):
    self.hook("setup")

def run(self):
    self.hook("run")

def teardown(self):
    self.hook("teardown")
"""


@pytest.mark.parametrize(
    ("fails", "hooks", "passed"),
    [
        (None, ["init", "setup", "run", "teardown"], True),
        ("init", ["init"], False),
        ("setup", ["init", "setup", "teardown"], False),
        ("run", ["init", "setup", "run", "teardown"], False),
        ("teardown", ["init", "setup", "run", "teardown"], True),
    ],
)
def test_order_of_hooks_and_what_an_exception_in_each_means(run_pysurge, tmp_path, fails, hooks, passed):
    body = HOOKS.format(error='ValueError("no luck")')
    done = run_pysurge("run c.yml -d 500ms --workers 1", case(body, kwargs={"fails": fails}))
    result = summary(tmp_path)
    assert result["account"] == account(**{"passed" if passed else "failed": 10})
    assert done.returncode == result["exit_code"] == (0 if passed else 3)
    lines = sorted(journal(tmp_path), key=lambda words: int(words[0]))
    of_each = {number: [name for _, name in group] for number, group in itertools.groupby(lines, lambda words: words[0])}
    of_each.pop("0")  # the instance that validates the config
    assert len(of_each) == 10
    assert all(each == hooks for each in of_each.values()), of_each
    failures = result["tests"][0]["failures"]
    assert [failure["count"] for failure in failures] == ([10] if fails else [])
    if fails:
        phase = "__init__" if fails == "init" else fails
        assert (failures[0]["phase"], failures[0]["exception"]) == (phase, "ValueError")
        assert failures[0]["fails"] is not passed
        assert "no luck" in failures[0]["message"]
        assert "case.py" in failures[0]["frame"]
        assert "pysurge/" not in failures[0]["traceback"]
        assert len(re.findall(r" ERROR .*no luck", done.stdout)) == 10


@pytest.mark.parametrize(
    ("hook", "error"),
    [
        ("init", "KeyboardInterrupt"),
        ("setup", "SystemExit(0)"),
        ("run", "SystemExit(0)"),
        ("run", "KeyboardInterrupt"),
        ("run", "GeneratorExit"),
        ("run", "BaseException('x')"),
        ("teardown", "SystemExit(0)"),
    ],
)
def test_what_is_no_exception_fails_the_iteration_and_nothing_else(run_pysurge, tmp_path, hook, error):
    body = HOOKS.format(error=error)
    run_pysurge("run c.yml -d 500ms --workers 1", case(body, kwargs={"fails": hook}))
    result = summary(tmp_path)
    assert result["account"] == account(**{"passed" if hook == "teardown" else "failed": 10})
    assert [worker["end"] for worker in result["workers"]] == ["done"]


def test_only_run_is_needed(run_pysurge, tmp_path):
    module = 'from pysurge import TestCase\n\nclass Least(TestCase):\n    """Does nothing.\n\n    At all.\n    """\n'
    files = {"least.py": module + "    def run(self):\n        pass\n", "c.yml": config(("least.Least", 20))}
    done = run_pysurge("run c.yml -d 0.5s", files)
    assert done.returncode == 0, done.stderr
    test = summary(tmp_path)["tests"][0]
    assert (test["label"], test["summary"]) == ("<Least kwargs={}>", "Does nothing.")
    assert test["account"] == account(passed=10)
    assert test["metrics"] == {}
    assert test["setup"]["count"] == test["teardown"]["count"] == 0


def test_metrics_are_kept_only_of_iterations_that_passed(run_pysurge, tmp_path):
    module = """
import itertools
from pysurge import TestCase

numbers = itertools.count(1)


class Metrics(TestCase):
    def run(self):
        number = next(numbers)
        self.metrics["number"] = number
        self.metrics["never"] = float("nan")
        if number > 5:
            raise RuntimeError("too late")
"""
    run_pysurge("run c.yml -d 1s --workers 1", {"m.py": module, "c.yml": config(("m.Metrics", 10))})
    test = summary(tmp_path)["tests"][0]
    assert test["account"] == account(passed=5, failed=5)
    assert list(test["metrics"]) == ["number"]
    figures = test["metrics"]["number"]
    assert (figures["count"], figures["mean"], figures["min"], figures["max"]) == (5, 3, 1, 5)
    assert test["metrics_refused"] == 5


SCRIPT_HEAD = "import sys, time\nfrom pysurge import Manager, TestCase, TestRunner\n"


def test_manager_runs_a_config_from_a_script(run_pysurge):
    script = (
        SCRIPT_HEAD
        + """
if __name__ == "__main__":
    config = {"tests": [{"test_class": "uploads.UploadTest", "rate": 20}]}
    Manager(config, 1).start()
    print("the script goes on")
"""
    )
    done = run_pysurge(["script.py"], {"script.py": script, "uploads.py": UPLOAD}, program=[sys.executable])
    assert done.returncode == 0, done.stderr
    assert "fired 20 total tests" in done.stdout
    assert done.stdout.endswith("the script goes on\n")


def test_manager_takes_every_key_of_a_config(run_pysurge):
    script = (
        SCRIPT_HEAD
        + """
class Idle(TestCase):
    def run(self):
        pass

if __name__ == "__main__":
    tests = [
        {"test_class": "__main__.Idle", "stages": [{"duration": "1s", "rate": 20}], "name": "ramp"},
        {"test_class": "__main__.Idle", "users": 2, "iterations": 50},
    ]
    Manager({"workers": 1, "tests": tests}, None).start()
    print("the script goes on")
"""
    )
    done = run_pysurge(["script.py"], {"script.py": script}, program=[sys.executable])
    assert done.returncode == 0, done.stderr
    assert "fired 10 total tests" in done.stdout
    assert "fired 50 total tests" in done.stdout
    assert done.stdout.endswith("the script goes on\n")


def test_manager_without_duration_runs_until_ctrl_c(start_pysurge):
    script = (
        SCRIPT_HEAD
        + """
if __name__ == "__main__":
    Manager({"tests": [{"test_class": "uploads.UploadTest", "rate": 20}]}, None, debug=True).start()
    print("the script goes on")
"""
    )
    run = start_pysurge(["script.py"], {"script.py": script, "uploads.py": UPLOAD}, program=[sys.executable])
    run.out.wait_for(r"DEBUG upload number \d+ is torn down", count=3)
    run.signal(signal.SIGINT)
    assert run.wait() == 0, run.stderr
    assert "Traceback" not in run.stderr
    assert run.stdout.endswith("the script goes on\n")
    run.leaves_nothing()


def test_manager_refuses_a_bad_config_with_a_value_error(run_pysurge):
    script = (
        SCRIPT_HEAD
        + """
try:
    Manager({"tests": [{"test_class": "uploads.UploadTest", "rats": 0}]}, 1)
except ValueError as error:
    print(error)
"""
    )
    done = run_pysurge(["script.py"], {"script.py": script, "uploads.py": UPLOAD}, program=[sys.executable])
    assert done.returncode == 0, done.stderr
    assert "rats" in done.stdout
    assert "did you mean" in done.stdout


def test_test_runner_fires_one_class_in_this_process(run_pysurge):
    script = (
        SCRIPT_HEAD
        + """
from uploads import UploadTest


class Quick(UploadTest):
    started = True


runner = TestRunner(Quick, {"legacy": True}, 100)
assert not runner.running
runner.run()
assert runner.running
deadline = time.monotonic() + 30
while runner.successes + runner.failures < 50:
    assert time.monotonic() < deadline
    time.sleep(0.01)
runner.stop()
while runner.running:
    assert time.monotonic() < deadline
    time.sleep(0.01)
metrics = runner.metrics["upload->db_time_in_sec"]
print(runner.successes == len(metrics) == len(set(metrics)), runner.failures > 0, all(n % 5 for n in metrics))
"""
    )
    done = run_pysurge(["script.py"], {"script.py": script, "uploads.py": UPLOAD}, program=[sys.executable])
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("True True True\n")
