"""The own suites of well-known projects, fired as load: every test that passes under pytest passes here, too."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from sdists import ITSDANGEROUS, JINJA, Project, unpack
from support import summary

# How often each test is run in each of two workers.
TIMES = 3


@pytest.mark.parametrize("project", [ITSDANGEROUS, JINJA], ids=lambda project: project.name)
def test_what_passes_under_pytest_passes_as_load(project: Project, run_pysurge, tmp_path, tmp_path_factory):
    root = unpack(project, tmp_path_factory.mktemp("sdist"))
    for part in root.iterdir():
        shutil.move(part, tmp_path / part.name)
    path = os.pathsep.join(str(tmp_path / folder) for folder in (project.source, "site-packages"))
    deselected = [f"--deselect={node_id}" for node_id in project.not_thread_safe]
    expected = passes_under_pytest(tmp_path, project.tests, deselected, path)
    assert expected > 250
    # One user per test and worker: all are done however slow the machine is.
    users, iterations = 2 * expected, 2 * TIMES * expected
    args = ["run", project.tests, "--users", str(users), "--iterations", str(iterations), "-d", "100s", "--workers", "2"]
    args += [f"--pytest-arg={option}" for option in deselected]
    done = run_pysurge(args, env={"PYTHONPATH": path}, timeout=150, rehearsal=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"rehearsed {expected} tests" in done.stderr.replace(",", "")
    tests = summary(tmp_path)["tests"]
    assert len(tests) == expected
    accounts = {test["label"]: test["account"] for test in tests}
    assert {label: account for label, account in accounts.items() if account["passed"] != 2 * TIMES} == {}
    # Hundreds of tests are no wall of text.
    assert len(done.stdout.splitlines()) < 150


def passes_under_pytest(folder: Path, tests: str, options: list[str], path: str) -> int:
    """How many tests pass, or fail as they are expected to, under pytest alone."""
    report = folder / "plain.xml"
    plain = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *options, tests]
    done = subprocess.run(
        plain, cwd=folder, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert re.search(r"\d+ passed", done.stdout), done.stdout + done.stderr
    cases = list(ElementTree.parse(report).getroot().iter("testcase"))
    assert not [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    skipped = [case.find("skipped") for case in cases]
    return sum(skip is None or skip.get("type") == "pytest.xfail" for skip in skipped)
