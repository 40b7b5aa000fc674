"""Tests of pytest as load: fixtures by scope, what is collected and how the load is shared, outcomes, the end."""

import json
import re
import signal
import subprocess
import sys
from collections import Counter
from importlib.metadata import entry_points

import pytest
from support import account, journal, summary, until

CONFTEST = """
import os
import threading

import pytest


def note(*words):
    with open("journal", "a") as journal:
        journal.write(" ".join(map(str, words)) + "\\n")


def pytest_configure(config):
    config.addinivalue_line("markers", "surge: how it is fired")
    config.addinivalue_line("markers", "slow: takes long")


@pytest.fixture(scope="session")
def client():
    note("client", "up", os.getpid(), threading.current_thread().name)
    yield {"orders": []}
    note("client", "down", os.getpid())


@pytest.fixture(scope="module")
def catalogue(client):
    note("catalogue", "up", os.getpid())
    yield {"tea": 3}
    note("catalogue", "down", os.getpid())


@pytest.fixture
def order(client):
    mine = {"thread": threading.get_ident()}
    note("order", "up", os.getpid())
    yield mine
    assert mine["thread"] == threading.get_ident()
    note("order", "down", os.getpid())


@pytest.fixture(autouse=True)
def always(request):
    note("always", request.node.name, os.getpid())
"""

SHOP = '''
import time

import pytest

from pysurge import check, metric


@pytest.mark.parametrize("item", ["tea", "cake"])
def test_buy(order, catalogue, item):
    """Buys something."""
    assert order["thread"]
    check("known", item in catalogue)
    metric("price", 3)


@pytest.mark.surge(weight=3)
class TestLook:
    def test_list(self, client):
        assert client["orders"] == []

    @pytest.mark.slow
    def test_detail(self, client, tmp_path):
        (tmp_path / "page").write_text("x")
        assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.surge(rate=4)
def test_pay(order):
    time.sleep(0.01)


@pytest.mark.skip(reason="not written yet")
def test_refund():
    raise AssertionError
'''

PROJECT = {"conftest.py": CONFTEST, "test_shop.py": SHOP}


def passed(tmp_path):
    return {test["label"].partition("::")[2]: test["account"]["passed"] for test in summary(tmp_path)["tests"]}


def test_the_load_is_shared_by_weight(run_pysurge, tmp_path):
    done = run_pysurge("run test_shop.py --rate 16 -d 2s --workers 2", PROJECT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert passed(tmp_path) == {
        "test_buy[tea]": 4,
        "test_buy[cake]": 4,
        "TestLook::test_list": 12,
        "TestLook::test_detail": 12,
        "test_pay": 8,
    }
    assert "test_refund" in done.stderr
    assert "not written yet" in done.stderr


def test_fixtures_are_made_as_often_as_their_scope_says(run_pysurge, tmp_path):
    run_pysurge("run test_shop.py --rate 16 -d 2s --workers 2", PROJECT)
    noted = journal(tmp_path)
    counts = Counter((line[0], line[1]) for line in noted)
    workers = {line[2] for line in noted if line[0] == "client"}
    assert len(workers) == 2
    assert (counts["client", "up"], counts["client", "down"]) == (2, 2)
    assert (counts["catalogue", "up"], counts["catalogue", "down"]) == (2, 2)
    assert (counts["order", "up"], counts["order", "down"]) == (16, 16)
    assert sum(count for (name, _), count in counts.items() if name == "always") == 40
    for worker in workers:
        own = [line[:2] for line in noted if worker in line and line[0] in ("client", "catalogue")]
        assert own == [["client", "up"], ["catalogue", "up"], ["catalogue", "down"], ["client", "down"]]
    # Wide fixtures are made where startup hooks run.
    assert {line[3] for line in noted if line[:2] == ["client", "up"]} == {"MainThread"}


def test_setup_and_teardown_are_no_part_of_the_service_time(run_pysurge, tmp_path):
    files = {
        "test_slow.py": """
import time
import pytest

@pytest.fixture
def slow():
    time.sleep(0.05)
    yield
    time.sleep(0.03)

def test_it(slow):
    time.sleep(0.01)
"""
    }
    run_pysurge("run test_slow.py --rate 10 -d 1s", files)
    (test,) = summary(tmp_path)["tests"]
    assert test["setup"]["min_s"] >= 0.05
    assert test["teardown"]["min_s"] >= 0.03
    assert 0.01 <= test["service_time"]["p50_s"] < 0.03


@pytest.mark.parametrize(
    ("args", "labels"),
    [
        ("test_shop.py::test_pay", {"test_pay"}),
        ("test_shop.py::TestLook", {"TestLook::test_list", "TestLook::test_detail"}),
        ("test_shop.py::test_buy[cake]", {"test_buy[cake]"}),
        ("test_shop.py -k cake", {"test_buy[cake]"}),
        ("test_shop.py -m slow", {"TestLook::test_detail"}),
        ("./ -k 'pay or cake'", {"test_pay", "test_buy[cake]"}),
    ],
)
def test_tests_are_chosen_as_pytest_chooses_them(run_pysurge, tmp_path, args, labels):
    done = run_pysurge(f"run {args} --rate 4 -d 1s --workers 1", PROJECT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(passed(tmp_path)) == labels


def test_the_error_text_is_that_of_pytest(run_pysurge, tmp_path):
    files = {"test_sum.py": "def test_sum():\n    numbers = [1, 2]\n    assert sum(numbers) == 4\n"}
    done = run_pysurge("run test_sum.py --rate 5 -d 1s", files)
    assert done.returncode == 3
    (failure,) = summary(tmp_path)["tests"][0]["failures"]
    assert failure["exception"] == "AssertionError"
    assert "assert 3 == 4" in failure["message"]
    assert "+  where 3 = sum([1, 2])" in failure["message"]
    assert "in test_sum" in failure["traceback"]
    assert "_pytest" not in failure["traceback"]


def test_skip_and_xfail_do_what_pytest_does(run_pysurge, tmp_path):
    files = {
        "test_marks.py": """
import pytest

def test_skips_itself(): pytest.skip("no service")
@pytest.mark.xfail
def test_fails_as_expected(): assert False
@pytest.mark.xfail(strict=True)
def test_strict(): pass
@pytest.mark.xfail(raises=KeyError)
def test_other_error(): raise ValueError("other")
@pytest.mark.skipif(True, reason="never here")
def test_never(): pass
"""
    }
    done = run_pysurge("run test_marks.py --rate 20 -d 1s", files)
    tests = {test["label"].partition("::")[2]: test for test in summary(tmp_path)["tests"]}
    assert {name: (test["account"]["passed"], test["account"]["failed"]) for name, test in tests.items()} == {
        "test_skips_itself": (5, 0),
        "test_fails_as_expected": (5, 0),
        "test_strict": (0, 5),
        "test_other_error": (0, 5),
    }
    assert tests["test_skips_itself"]["counts"] == {"skipped": 5}
    assert tests["test_fails_as_expected"]["counts"] == {"failed as expected": 5}
    assert "never here" in done.stderr


def test_a_wide_fixture_that_fails_is_a_failed_startup(run_pysurge, tmp_path):
    files = {
        "test_wide.py": """
import pytest

@pytest.fixture(scope="session")
def database():
    raise ConnectionError("no database")

def test_with(database): pass
def test_without(): pass
"""
    }
    done = run_pysurge("run test_wide.py --rate 10 -d 1s --workers 2", files)
    assert done.returncode == 3
    assert "ConnectionError" in done.stdout + done.stderr
    tests = {test["label"].partition("::")[2]: test for test in summary(tmp_path)["tests"]}
    assert tests["test_with"]["not_run"]
    assert tests["test_without"]["account"] == account(passed=5)


def test_ctrl_c_tears_down_what_is_wide(start_pysurge, tmp_path):
    running = start_pysurge("run test_shop.py --rate 20 -d 600s --workers 2", PROJECT)
    until(lambda: sum(line[0] == "always" for line in journal(tmp_path)) > 20, "iterations")
    running.signal(signal.SIGINT)
    assert running.wait() == 0
    running.leaves_nothing()
    counts = Counter(tuple(line[:2]) for line in journal(tmp_path))
    assert counts["client", "down"] == counts["client", "up"] == 2
    assert counts["order", "down"] == counts["order", "up"]


def test_tests_that_change_the_process_run_alone(run_pysurge, tmp_path):
    files = {
        "test_env.py": """
import os
import time

def test_patched(monkeypatch):
    monkeypatch.setenv("ONLY_HERE", "1")
    time.sleep(0.005)

def test_plain():
    for _ in range(5):
        assert "ONLY_HERE" not in os.environ
        time.sleep(0.001)
"""
    }
    done = run_pysurge("run test_env.py --rate 200 -d 1s --workers 1", files)
    assert done.returncode == 0, done.stdout + done.stderr
    assert summary(tmp_path)["account"] == account(passed=200)
    assert "monkeypatch" in done.stderr


def test_a_threads_name_tells_its_test(run_pysurge):
    files = {
        "test_names.py": """
import pytest

@pytest.mark.parametrize("item", ["tea", "cake"])
def test_it(item):
    raise LookupError(item)
"""
    }
    done = run_pysurge("run test_names.py --rate 10 -d 1s --workers 1", files)
    told = re.findall(r" (test_it#\d)-\d+ ERROR test 'test_names.py::test_it\[(\w+)\]'", done.stdout)
    assert set(told) == {("test_it#1", "tea"), ("test_it#2", "cake")}


def test_a_config_holds_tests_of_pytest(run_pysurge, tmp_path):
    tests = [
        {"test": "test_shop.py", "k": "buy", "rate": 6, "tags": ["a"]},
        {"test": "test_shop.py::test_pay", "users": 1, "pacing": "250ms", "name": "pay"},
    ]
    files = {**PROJECT, "c.yml": json.dumps({"tests": tests, "pytest_args": ["-p", "no:cacheprovider"]})}
    done = run_pysurge("run c.yml -d 1s --workers 1", files)
    assert done.returncode == 0, done.stdout + done.stderr
    assert passed(tmp_path) == {"test_buy[tea]": 3, "test_buy[cake]": 3, "test_pay": 4}
    assert [test["name"] for test in summary(tmp_path)["tests"]] == [None, None, "pay"]
    # The run's own config fires the same again.
    again = run_pysurge(["check", str(next((tmp_path / "pysurge-results").iterdir()) / "config.yml")])
    assert again.returncode == 0, again.stdout + again.stderr


def test_rows_reach_a_test_by_a_fixture(run_pysurge, tmp_path):
    files = {
        "users.csv": "user\nann\nbob\ncid\n",
        "test_user.py": "def test_it(surge_data):\n    open('journal', 'a').write(surge_data['user'] + '\\n')\n",
    }
    done = run_pysurge("run test_user.py --data users.csv --reuse once --rate 10 -d 1s --workers 2", files)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(line[0] for line in journal(tmp_path)) == ["ann", "bob", "cid"]


WRONG = {
    "no file": ("run tests/test_nothing.py", {}, "test_nothing.py"),
    "nothing collected": ("run test_shop.py -k nothing_at_all", PROJECT, "nothing_at_all"),
    "a wrong expression": ("run test_shop.py -k 'and or'", PROJECT, "-k"),
    "an import error": ("run test_bad.py", {"test_bad.py": "import nowhere_to_be_found\n"}, "nowhere_to_be_found"),
    "an unknown fixture": ("run test_bad.py", {"test_bad.py": "def test_a(no_such): pass\n"}, "no_such"),
    "all skipped": (
        "run test_bad.py",
        {"test_bad.py": "import pytest\n@pytest.mark.skip(reason='why not')\ndef test_a(): pass\n"},
        "why not",
    ),
    "kwargs": ("run test_shop.py --kwarg a=1", PROJECT, "kwarg"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_collected_is_told(run_pysurge, name):
    args, files, said = WRONG[name]
    done = run_pysurge(args, files)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert "internal error" not in done.stderr
    assert "_pytest/" not in done.stderr


def test_plain_pytest_knows_nothing_of_pysurge(tmp_path):
    for name, text in PROJECT.items():
        (tmp_path / name).write_text(text)
    plain = [sys.executable, "-m", "pytest", "-q", "--strict-markers", "-W", "error"]
    done = subprocess.run(plain, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed, 1 skipped" in done.stdout
    # What pytest would load by itself, from any package.
    plugins = entry_points(group="pytest11")
    assert len(plugins) > 0
    assert not [plugin for plugin in plugins if plugin.value.startswith("pysurge")]


def test_without_pytest_it_says_what_to_install(run_pysurge):
    # A module that stands in front of the real one and is not there.
    files = {**PROJECT, "pytest.py": "raise ModuleNotFoundError(\"No module named 'pytest'\", name='pytest')\n"}
    done = run_pysurge("run test_shop.py --rate 5 -d 1s", files)
    assert done.returncode == 2
    assert re.search(r"-m\s+pip\s+install\s+'pytest>=", done.stderr)
