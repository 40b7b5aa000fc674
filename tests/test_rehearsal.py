"""A load is preceded by one iteration of each test, and is not fired where one of them fails."""

import json
import re
import signal

import pytest
from support import account, case, journal, summary, until

NOTED = """
@classmethod
def startup(cls):
    note("startup", os.getpid())

def run(self):
    note("run", os.getpid(), self.kwargs.get("name", "-"))

@classmethod
def shutdown(cls):
    note("shutdown", os.getpid())
"""


def test_each_test_is_run_once_before_the_load_in_one_worker(run_pysurge, tmp_path):
    files = case(NOTED)
    tests = [{"test_class": "case.Case", "rate": 10, "kwargs": {"name": name}} for name in ("a", "b")]
    files["c.yml"] = json.dumps({"tests": tests})
    done = run_pysurge("run c.yml -d 1s --workers 2", files, rehearsal=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rehearsed 2 tests" in done.stderr
    # What is rehearsed is in no figure.
    assert summary(tmp_path)["account"] == account(passed=20)
    noted = journal(tmp_path)
    runs = [line for line in noted if line[0] == "run"]
    assert len(runs) == 22
    first, second = runs[:2]
    assert (first[2], second[2]) == ("a", "b")
    assert first[1] == second[1]
    # The worker that rehearses is one of those that fire, and starts up once.
    assert len([line for line in noted if line[0] == "startup"]) == 2
    assert [line[0] for line in noted[:2]] == ["startup", "startup"]


def test_nothing_is_fired_where_a_rehearsal_fails(run_pysurge, tmp_path):
    body = """
    def run(self):
        note("run")
        self.helper({"id": 3})

    def helper(self, order):
        raise LookupError(f"no order {order['id']}")

    @classmethod
    def shutdown(cls):
        note("shutdown")
    """
    done = run_pysurge("run c.yml -d 1s --workers 2", case(body), rehearsal=True)
    assert done.returncode == 2
    assert "LookupError" in done.stdout + done.stderr
    assert "no order 3" in done.stdout + done.stderr
    assert 'raise LookupError(f"no order' in done.stdout + done.stderr
    assert "--no-rehearsal" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(journal(tmp_path)) == [["run"], ["shutdown"], ["shutdown"]]
    results = tmp_path / "pysurge-results"
    assert not results.exists() or not list(results.iterdir())


def test_all_that_fails_is_told_at_once(run_pysurge):
    files = case('def run(self):\n    raise LookupError(self.kwargs["name"])')
    tests = [{"test_class": "case.Case", "rate": 10, "kwargs": {"name": name}} for name in ("one", "two")]
    files["c.yml"] = json.dumps({"tests": tests})
    done = run_pysurge("run c.yml -d 1s", files, rehearsal=True)
    assert done.returncode == 2
    shown = done.stdout + done.stderr
    assert re.search(r"^\s+one$", shown, re.M)
    assert re.search(r"^\s+two$", shown, re.M)


def test_a_rehearsal_can_be_left_out(run_pysurge, tmp_path):
    done = run_pysurge("run c.yml -d 1s --no-rehearsal", case("def run(self):\n    raise LookupError"))
    assert done.returncode == 3
    assert summary(tmp_path)["account"] == account(failed=20)


@pytest.mark.parametrize("crash", ["os._exit(7)", "ctypes.string_at(0)"])
def test_a_worker_that_dies_in_its_rehearsal_ends_the_run_before_the_load(run_pysurge, tmp_path, crash):
    body = f"def run(self):\n    note('run')\n    {crash}"
    done = run_pysurge("run c.yml -d 1s --workers 2", case(body), rehearsal=True)
    assert done.returncode == 2
    assert "before the start" in done.stderr
    assert len(journal(tmp_path)) == 1


def test_ctrl_c_ends_a_rehearsal(start_pysurge, tmp_path):
    body = """
    def run(self):
        note("run")
        time.sleep(600)
    """
    running = start_pysurge("run c.yml -d 1s --workers 2", case(body), rehearsal=True)
    until(lambda: journal(tmp_path), "the rehearsal to begin")
    running.signal(signal.SIGINT)
    assert running.wait() == 130
    running.leaves_nothing()


def test_the_classic_form_is_not_rehearsed(run_pysurge, tmp_path):
    files = case(NOTED, rate=1)
    files["c.yml"] = json.dumps({"tests": [{"test_class": "case.Case", "rate": 1, "duration": "2s"}]})
    done = run_pysurge("-c c.yml", files)
    assert done.returncode == 0, done.stderr
    assert len([line for line in journal(tmp_path) if line[0] == "run"]) == 2
