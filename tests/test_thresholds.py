"""Thresholds as a user meets them: what passes, what fails, what stops a run, what is refused, and what CI gets of it."""

import json
import xml.etree.ElementTree as ET

import pytest
from support import case, summary

NAP = """
def run(self):
    n = next(counter)
    self.check("status is 200", n % 10 != 0)
    self.metrics["n"] = 2.0
    self.count("bytes", 10)
    with self.timer("nap"):
        time.sleep(0.01)
    if n % 5 == 0:
        raise ValueError("five")
"""


def project(body, *, thresholds=(), top=(), **keys):
    files = case(body)
    files["case.py"] = "import itertools\ncounter = itertools.count(1)\n" + files["case.py"]
    test = {"test_class": "case.Case", "rate": 50, "thresholds": list(thresholds), **keys}
    return {**files, "c.yml": json.dumps({"thresholds": list(top), "tests": [test]}, indent=1)}


def states(folder):
    return {result["expression"]: result["state"] for result in summary(folder)["thresholds"]}


# What it says of 100 iterations in one worker, of which 20 fail and 10 have a check that does not hold.
JUDGED = [
    ("response_time.p50 > 9ms", True),
    ("service_time.max < 9ms", False),
    ("setup.p99 < 1s", None),
    ("lateness.p50 < 10s", True),
    ("failures < 21%", True),
    ("failures < 20%", False),
    ("failures < 21", True),
    ("passed >= 80", True),
    ("dropped == 0", True),
    ("rate > 95%", True),
    ("rate > 1/s", True),
    ("rate > 51/s", False),
    ("checks.status_is_200 >= 90%", True),
    ('checks."status is 200" > 90%', False),
    ("checks > 89%", True),
    ("checks.another > 1%", None),
    ("metrics.n.mean == 2", True),
    ("metrics.n.count == 80", True),
    ("timers.nap.p95 > 9ms", True),
    ("timers.nap.count > 80", False),
    ("counts.bytes == 1000", True),
    ("counts.bytes.rate > 100/s", True),
    ("response_time.p50 < 5s for 1s", True),
    ("response_time.min > 5s for 1s", False),
    ("failures < 99% in 99% of seconds", True),
    ("failures > 99% in 1% of seconds", False),
]


def test_every_form_is_judged(run_pysurge, tmp_path):
    wanted = {None: "no_data", True: "passed", False: "failed"}
    files = project(NAP, thresholds=[expression for expression, _ in JUDGED])
    done = run_pysurge("run c.yml -d 2s --workers 1", files)
    assert done.returncode == 3
    assert states(tmp_path) == {expression: wanted[holds] for expression, holds in JUDGED}
    for result in summary(tmp_path)["thresholds"]:
        assert (result["actual"] is None) == (result["state"] == "no_data")
        # Of so many, those that hold are only counted.
        assert result["state"] == "passed" or result["actual_text"] in done.stdout
    assert "no data" in done.stdout


def test_a_run_that_keeps_its_thresholds_passes(run_pysurge, tmp_path):
    files = project("def run(self): pass", thresholds=["failures < 1%"], top=["rate > 90%", "passed > 50"])
    done = run_pysurge("run c.yml -d 2s", files)
    assert done.returncode == 0, done.stdout + done.stderr
    results = summary(tmp_path)["thresholds"]
    assert [(one["expression"], one["test"], one["state"]) for one in results] == [
        ("rate > 90%", None, "passed"),
        ("passed > 50", None, "passed"),
        ("failures < 1%", "<Case kwargs={}>", "passed"),
    ]


def test_thresholds_over_all_tests_and_of_each(run_pysurge, tmp_path):
    body = """
def run(self):
    if self.kwargs["fails"]:
        raise ValueError
"""
    tests = [
        {"test_class": "case.Case", "rate": 20, "kwargs": {"fails": fails}, "name": name, "thresholds": ["failures < 50%"]}
        for fails, name in ((True, "bad"), (False, "good"))
    ]
    config = {"thresholds": ["failures <= 50%", "failures < 50%"], "tests": tests}
    done = run_pysurge("run c.yml -d 1s", {**case(body), "c.yml": json.dumps(config)})
    assert done.returncode == 3
    results = [(one["test"], one["state"]) for one in summary(tmp_path)["thresholds"]]
    assert results == [(None, "passed"), (None, "failed"), ("bad", "failed"), ("good", "passed")]


def test_the_warm_up_is_not_judged(run_pysurge, tmp_path):
    body = """
def run(self):
    if time.monotonic() - began < 1.0:
        raise ValueError("cold")
"""
    files = project(body, thresholds=["failures == 0", "passed > 10"], warmup="2s", rate=20)
    files["case.py"] = "import time\nbegan = time.monotonic()\n" + files["case.py"]
    done = run_pysurge("run c.yml -d 3s", files)
    assert done.returncode == 0, done.stdout
    assert summary(tmp_path)["tests"][0]["warmup"]["account"]["failed"] > 0


def test_a_threshold_can_stop_the_run(run_pysurge, tmp_path):
    stop = {"threshold": "failures < 10%", "abort_on_fail": True, "after": "2s"}
    done = run_pysurge("run c.yml -d 60s", project("def run(self): raise ValueError('always')", thresholds=[stop]))
    assert done.returncode == 3
    result = summary(tmp_path)
    assert result["stop_cause"] == "threshold"
    assert 2 <= result["duration_s"] < 30
    (threshold,) = result["thresholds"]
    assert threshold["aborted"]
    assert result["account"]["planned"] == result["account"]["failed"] + result["account"]["dropped"]
    assert "failures < 10%" in done.stderr


def test_flags_add_thresholds_and_junit_tells_them(run_pysurge, tmp_path):
    command = "run c.yml -d 1s --threshold 'failures < 50%' --threshold 'response_time.p50 < 1us' --junit out.xml"
    done = run_pysurge(command, project("def run(self): pass"))
    assert done.returncode == 3
    assert states(tmp_path) == {"failures < 50%": "passed", "response_time.p50 < 1us": "failed"}
    suites = ET.parse(tmp_path / "out.xml").getroot()
    failed = [one.get("name") for one in suites.iter("testcase") if one.find("failure") is not None]
    assert failed == ["threshold: response_time.p50 < 1us"]
    assert suites.get("failures") == "1"


def test_junit_is_written_of_a_run_that_was_stopped(run_pysurge, tmp_path):
    stop = {"threshold": "failures < 10%", "abort_on_fail": True}
    files = project("def run(self): raise ValueError", thresholds=[stop])
    assert run_pysurge("run c.yml --junit out.xml", files).returncode == 3
    assert ET.parse(tmp_path / "out.xml").getroot().find(".//failure") is not None


@pytest.mark.parametrize(
    ("expression", "at", "said"),
    [
        ("response_time.p95 < 250", "250", "ms"),
        ("respnse_time.p95 < 1s", "respnse_time", "response_time"),
        ("response_time.avg < 1s", "avg", "mean"),
        ("failures <", "", ""),
        ("failures < 1% for ever", "ever", ""),
        ("response_time.p101 < 1s", "p101", ""),
    ],
)
def test_a_wrong_expression_is_pointed_at(run_pysurge, tmp_path, expression, at, said):
    files = case("def run(self): pass")
    config = f"tests:\n- test_class: case.Case\n  rate: 5\n  thresholds:\n  - {expression}\n"
    done = run_pysurge("run c.yml -d 1s", {**files, "c.yml": config})
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    column = config.splitlines()[4].index(expression) + expression.rindex(at) + 1
    assert f"c.yml:5:{column}" in done.stderr, done.stderr
    assert said in done.stderr
    again = run_pysurge(["run", "c.yml", "-d", "1s", "--threshold", expression], project("def run(self): pass"))
    assert again.returncode == 2
    assert "--threshold" in again.stderr
    assert said in again.stderr
    assert "^" in again.stderr


def test_the_closed_model_has_no_rate_to_keep(run_pysurge):
    files = project("def run(self): pass", thresholds=["rate > 95%"])
    config = json.loads(files["c.yml"])
    del config["tests"][0]["rate"]
    config["tests"][0]["users"] = 2
    done = run_pysurge("run c.yml -d 1s", {**files, "c.yml": json.dumps(config)})
    assert done.returncode == 2
    assert "with `users` no rate is planned" in done.stderr
    assert "help:" in done.stderr
