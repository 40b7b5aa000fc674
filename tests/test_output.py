"""What goes where: report and data to stdout, progress to stderr, figures into the run's folder."""

import datetime
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support import (
    REPOSITORY,
    account,
    checked_summary,
    config,
    report_in,
    run_folder,
    run_log,
    summary,
    without_escapes,
)

CASES = """
import logging

from pysurge import TestCase


class Quick(TestCase):
    \"\"\"Does little.\"\"\"

    def setup(self):
        pass

    def run(self):
        logging.info("a log line")
        self.metrics["size"] = 3

    def teardown(self):
        pass


class Failing(TestCase):
    \"\"\"Fails each time.\"\"\"

    def run(self):
        raise LookupError(f"nobody knows {id(self)}")
"""


def project(*tests, rate=20):
    return {"cases.py": CASES, "load.yml": config(*((f"cases.{name}", rate) for name in tests or ["Quick"]))}


def test_the_report_says_everything_on_stdout(run_pysurge, tmp_path):
    done = run_pysurge("run load.yml -d 1s", project("Quick", "Failing"))
    assert done.returncode == 0
    report = report_in(done.stdout)
    assert re.match(r"[A-Z]+  40 of 40 planned iterations were started, p99 \S+ \S+ late\n", report)
    for label in ("<Quick kwargs={}>", "<Failing kwargs={}>", "Does little.", "Fails each time."):
        assert label in report
    head = re.split(r" {2,}", "planned  fired  passed  failed  dropped  interrupted  lost")
    assert report.count("  ".join(head)) == 2
    table = [line.split() for line in report.splitlines() if re.fullmatch(r"[\d ]+", line)]
    assert table == [["20", "20", "20", "0", "0", "0", "0"], ["20", "20", "0", "20", "0", "0", "0"]]
    assert report.count("asked 20/s, achieved 20/s (100.0 %)") == 2
    for name in ("mean", "p50", "p90", "p95", "p99", "p99.9", "max"):
        assert re.search(rf"^ .*\s{re.escape(name)}(\s|$)", report, re.M), name
    for name in ("response time", "service time", "lateness", "setup", "teardown"):
        assert re.search(rf"^  {name} ", report, re.M), name
    assert re.search(r"metric +count +mean +min +p50 +p95 +p99 +max\n +size +20 +3 ", report)
    assert re.search(r"20 .*LookupError", report), "failures are one group, with a count"
    # In the failing test's block: its group has message and traceback, and the three slowest have it beside them.
    failures, _, slowest = report[report.index("<Failing kwargs={}> ─") :].partition("slowest")
    assert failures.count("nobody knows") <= 3, "and one message and traceback"
    assert slowest.count("nobody knows") <= 3, "and beside the slowest iterations"
    assert re.search(r'File "\S*cases\.py", line \d+, in run', report)
    folder = run_folder(tmp_path).relative_to(tmp_path)
    assert report.endswith(f"results: {folder}\nreport: {folder}/report.html\n")


def test_progress_and_diagnostics_go_to_stderr(run_pysurge):
    done = run_pysurge("run load.yml -d 1s --workers 2", project())
    assert done.stderr == "1 test, 2 workers, 20/s, for 1s; Ctrl+C to stop early\n"
    assert len(re.findall("INFO a log line$", done.stdout, re.M)) == 20


def test_quiet_shows_the_report_alone(run_pysurge, tmp_path):
    done = run_pysurge("run load.yml -d 1s --quiet", project("Quick", "Failing"))
    assert done.stderr == ""
    assert done.stdout == report_in(done.stdout)
    assert "a log line" not in done.stdout
    assert "a log line" in run_log(tmp_path)


def test_quiet_still_shows_what_goes_wrong(run_pysurge):
    bad = CASES + "\n    @classmethod\n    def startup(cls):\n        raise LookupError('no database')\n"
    files = {**project("Quick", "Failing"), "cases.py": bad}
    done = run_pysurge("run load.yml -d 500ms --quiet", files)
    assert done.returncode == 3
    assert "no database" in done.stderr


def test_no_escape_sequence_leaves_where_nobody_has_a_terminal(run_pysurge, tmp_path):
    done = run_pysurge("run load.yml -d 1s", project("Quick", "Failing"))
    assert "\x1b" not in done.stdout + done.stderr + run_log(tmp_path)
    assert "\r" not in done.stdout + done.stderr
    for args in ("--help", "run --help", "run nowhere.yml", "rnu", "check load.yml"):
        done = run_pysurge(args)
        assert "\x1b" not in done.stdout + done.stderr, args


@pytest.mark.parametrize("columns", [40, 60, 120])
def test_a_terminal_shows_progress_and_colours_and_the_whole_report(start_on_terminal, tmp_path, columns):
    run = start_on_terminal("run load.yml -d 1500ms", project("Quick", "Failing"), columns=columns)
    screen = run.err.wait_for("left")  # the progress line
    assert run.wait() == 0
    assert "\x1b[" in screen
    assert re.search(r"\x1b\[[0-9;]*3\dm", run.screen), "colours"
    plain = without_escapes(run.screen)
    report = report_in(plain)
    for label in ("Quick", "Failing"):  # a verdict that is not "valid" may name them before
        assert len(re.findall(rf"^<{label} kwargs=\{{\}}> ─", report, re.M)) == 1
    assert f"results: {run_folder(tmp_path).relative_to(tmp_path)}" in report
    # Nothing that is drawn reaches the last column.
    progress = [part for part in re.split(r"[\r\n]", plain) if re.search(r"\bleft\b", part)]
    assert progress
    assert all(len(part) < columns for part in progress), progress
    assert not re.search(r"\bleft\b", report), "no progress after the report began"
    assert run.screen.count("\x1b[?25l") == run.screen.count("\x1b[?25h"), "the cursor is shown again"
    assert summary(tmp_path)["account"] == account(passed=30, failed=30)


def test_log_lines_flow_above_the_progress_line(start_on_terminal, tmp_path):
    run = start_on_terminal("run load.yml -d 1500ms", project("Quick"))
    assert run.wait() == 0
    plain = without_escapes(run.screen)
    lines = re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} Worker-\d Quick\S+ INFO a log line\n", plain)
    assert len(lines) == 30


def test_a_report_into_a_file_while_progress_is_on_the_terminal(start_on_terminal, tmp_path):
    run = start_on_terminal("run load.yml -d 1500ms", project("Quick"), pipe_stdout=True)
    run.err.wait_for("left")
    assert run.wait() == 0
    assert "\x1b" not in run.stdout
    assert len(re.findall("INFO a log line$", run.stdout, re.M)) == 30
    assert "30 passed" in report_in(run.stdout)
    assert "30 passed, 0 failed;" not in run.screen


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_can_be_refused(start_on_terminal, env):
    run = start_on_terminal("run load.yml -d 1s", project("Quick", "Failing"), env=env)
    assert run.wait() == 0
    assert not re.search(r"\x1b\[[0-9;]*m", run.screen)
    assert report_in(run.screen)


def test_colours_of_an_error_on_a_terminal(start_on_terminal):
    run = start_on_terminal("run nowhere.yml")
    assert run.wait() == 2
    assert re.search(r"\x1b\[[0-9;]*m", run.screen)
    plain = start_on_terminal("run nowhere.yml", env={"NO_COLOR": "1"})
    assert plain.wait() == 2
    assert "\x1b" not in plain.screen
    assert without_escapes(run.screen) == plain.screen


def test_the_run_folder_has_summary_log_and_config(run_pysurge, tmp_path):
    done = run_pysurge("run load.yml -d 1s", project("Quick", "Failing"))
    folder = run_folder(tmp_path)
    assert re.fullmatch(r"\d{8}-\d{6}-load", folder.name)
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.yml",
        "report.html",
        "run.log",
        "summary.json",
        "timeseries.csv",
    ]
    result = summary(tmp_path)
    assert (result["status"], result["stop_cause"], result["exit_code"]) == ("finished", "duration", done.returncode)
    assert (result["name"], result["schema_version"]) == ("load", 1)
    assert result["planned_duration_s"] == result["duration_s"] == 1.0
    assert [test["test_class"] for test in result["tests"]] == ["cases.Quick", "cases.Failing"]
    assert all(worker["cpu_s"] > 0 and worker["rss_bytes"] > 0 for worker in result["workers"])
    version = run_pysurge("--version").stdout.split()
    assert version == ["pysurge", result["pysurge_version"]]
    (failure,) = result["tests"][1]["failures"]
    assert (failure["phase"], failure["exception"], failure["count"]) == ("run", "LookupError", 20)
    assert 0 <= failure["first_s"] <= failure["last_s"]
    log = run_log(tmp_path)
    assert len(re.findall(" INFO a log line$", log, re.M)) == 20
    assert "nobody knows" in log
    assert "stopping: the planned duration was reached" in log


def test_each_run_has_a_folder_of_its_own(run_pysurge, tmp_path):
    for _ in range(3):
        assert run_pysurge("run load.yml -d 100ms --results deep/in/here", project()).returncode == 0
    folders = list((tmp_path / "deep/in/here").iterdir())
    assert len(folders) == 3
    for folder in folders:
        assert checked_summary(folder / "summary.json")["account"] == account(passed=2)
    assert not (tmp_path / "pysurge-results").exists()


def test_no_results_makes_no_folder(run_pysurge, tmp_path):
    done = run_pysurge("run load.yml -d 100ms --no-results", project())
    assert done.returncode == 0
    assert "results:" not in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) in (["cases.py", "load.yml"], CACHED)


CACHED = ["__pycache__", "cases.py", "load.yml"]


@pytest.mark.parametrize("results", ["afile", "afile/below", "/proc/nowhere"])
def test_a_results_folder_that_cannot_be_made_ends_the_run_before_it_began(run_pysurge, results):
    done = run_pysurge(f"run load.yml -d 60s --results {results}", {**project(), "afile": ""})
    assert done.returncode == 2
    assert done.stdout == ""
    assert "error: failed to make the results folder" in done.stderr
    assert "--no-results" in done.stderr


def test_the_kept_config_runs_again_and_holds_no_secret(run_pysurge, tmp_path):
    text = """
tests:
- test_class: cases.Quick
  rate: ${RATE:-20}
  kwargs:
    token: ${SECRET_TOKEN}
    header: "Bearer ${SECRET_TOKEN}"
    plain: [1, 2.5, yes, ~, "x: y", 2026-01-02]
"""
    env = {"SECRET_TOKEN": "hunter2"}
    done = run_pysurge("run load.yml -d 100ms", {"cases.py": CASES, "load.yml": text}, env=env)
    assert done.returncode == 0, done.stderr
    kept = run_folder(tmp_path) / "config.yml"
    assert "hunter2" not in kept.read_text()
    loaded = yaml.safe_load(kept.read_text())
    assert loaded["tests"][0]["kwargs"] == yaml.safe_load(text)["tests"][0]["kwargs"]
    again = run_pysurge(["run", str(kept), "-d", "100ms", "--results", "again"], env=env)
    assert again.returncode == 0, again.stderr
    (folder,) = (tmp_path / "again").iterdir()
    assert checked_summary(folder / "summary.json")["tests"][0]["label"] == summary(tmp_path)["tests"][0]["label"]


def test_kwargs_reach_the_test_as_yaml_meant_them(run_pysurge, tmp_path):
    text = """
tests:
- test_class: kinds.Kinds
  rate: 20
  kwargs:
    text: hello
    number: 5
    float: 2.5
    exponent: 1e3
    truth: yes
    nothing: ~
    date: 2026-01-02
    list: [1, [2], {a: b}]
    variable: ${WORD}
    default: ${NO_SUCH_VARIABLE:-fallback}
    typed: ${NUMBER}
    quoted: "${NUMBER}"
    big: 123456789012345678901234567890
"""
    module = """
import json
from pysurge import TestCase

class Kinds(TestCase):
    def run(self):
        with open("kwargs", "w") as file:
            file.write(repr(self.kwargs))
"""
    files = {"kinds.py": module, "load.yml": text}
    done = run_pysurge("run load.yml -d 100ms", files, env={"WORD": "x: y", "NUMBER": "12"})
    assert done.returncode == 0, done.stderr
    expected = yaml.safe_load(text)["tests"][0]["kwargs"]
    # pyyaml knows nothing of variables, nor that 1e3 is a number.
    got = eval((tmp_path / "kwargs").read_text(), {"datetime": datetime})
    for key in ("variable", "default", "typed", "quoted", "exponent"):
        expected.pop(key)
    assert {key: got[key] for key in expected} == expected
    assert (got["variable"], got["default"], got["quoted"]) == ("x: y", "fallback", "12")
    assert got["typed"] == 12
    assert got["exponent"] in ("1e3", 1000.0)


def test_check_shows_what_happened_once_and_fires_no_load(run_pysurge, tmp_path):
    done = run_pysurge("check load.yml", project("Quick"))
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"<Quick kwargs=\{\}>\n +Does little\.\n +passed: .*run \S+ [mun]?s", done.stdout), done.stdout
    assert len(re.findall("a log line", done.stdout)) == 1
    assert not (tmp_path / "pysurge-results").exists()


def test_check_fails_where_an_iteration_fails(run_pysurge, tmp_path):
    done = run_pysurge("check load.yml", project("Quick", "Failing"))
    assert done.returncode == 2
    assert "passed: " in done.stdout
    assert "failed" in done.stdout
    assert "LookupError" in done.stdout
    assert "nobody knows" in done.stdout
    assert re.search(r'File "\S*cases\.py", line \d+, in run', done.stdout)


def test_check_fails_where_a_startup_fails_and_does_not_run_that_test(run_pysurge, tmp_path):
    bad = CASES + "\n    @classmethod\n    def startup(cls):\n        raise ConnectionError('no database')\n"
    done = run_pysurge("check load.yml", {**project("Quick", "Failing"), "cases.py": bad})
    assert done.returncode == 2
    assert "no database" in done.stdout + done.stderr
    assert "nobody knows" not in done.stdout + done.stderr
    assert "<Failing kwargs={}>" in done.stdout, "each test of the config is told of"


def test_check_on_a_terminal(start_on_terminal):
    run = start_on_terminal("check load.yml", project("Quick", "Failing"))
    assert run.wait() == 2
    plain = without_escapes(run.screen)
    assert "<Quick kwargs={}>" in plain
    assert "<Failing kwargs={}>" in plain


def test_demo_fires_the_shipped_example(run_pysurge, tmp_path):
    done = run_pysurge("demo -d 2s")
    assert done.returncode == 0, done.stdout + done.stderr
    assert summary(tmp_path)["account"] == account(passed=240)
    assert "The target answered 240 requests." in done.stderr
    # What it says to go on with works: the folder that it names holds an example that runs.
    copied = re.search(r"cp -r (\S+) my-test", done.stderr)[1]
    assert {"config.yml"} < {path.name for path in Path(copied).iterdir()}


def test_demo_ends_on_ctrl_c(start_on_terminal, tmp_path):
    run = start_on_terminal("demo")
    run.err.wait_for("left")
    run.press(b"\x03")
    assert run.wait() == 0
    run.leaves_nothing()
    assert summary(tmp_path)["account"]["passed"] > 0
    assert "KeyboardInterrupt" not in run.screen


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_target_ends_on_a_signal(start_pysurge, number):
    run = start_pysurge("target --port 0")
    run.out.wait_for(r"http://127\.0\.0\.1:\d+")
    run.signal(number)
    assert run.wait() == 0
    assert run.stderr.endswith("answered 0 requests\n")


def test_a_port_that_is_taken(run_pysurge, target):
    done = run_pysurge(f"target --port {target.port}")
    assert done.returncode == 2
    assert "--port 0" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions(run_pysurge, shell):
    done = run_pysurge(f"completions {shell}")
    assert (done.returncode, done.stderr) == (0, "")
    for word in ("run", "check", "demo", "target", "--workers", "--duration"):
        assert word.lstrip("-") in done.stdout
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=done.stdout, text=True, check=True)


@pytest.mark.parametrize("kind", ["config", "summary"])
def test_schemas_are_those_in_the_repository(run_pysurge, kind):
    done = run_pysurge(f"schema {kind}")
    assert json.loads(done.stdout) == json.loads((REPOSITORY / f"docs/schema/{kind}.schema.json").read_text())


def test_help_names_every_command_and_the_classic_form(run_pysurge):
    done = run_pysurge("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for word in ("run", "check", "demo", "target", "completions", "schema"):
        assert re.search(rf"^  {word} ", done.stdout, re.M)
        said = run_pysurge([word, "--help"])
        assert (said.returncode, said.stderr) == (0, ""), word
        assert "xample" in said.stdout
    assert "-c CONFIG [-d MINUTES]" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_python_m_pysurge_is_the_same_command(run_pysurge):
    done = run_pysurge(["-m", "pysurge", "--version"], program=[sys.executable])
    assert done.stdout == run_pysurge("--version").stdout
