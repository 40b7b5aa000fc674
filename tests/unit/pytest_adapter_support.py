"""A sample project for the pytest adapter, and what comes of running it in a process of its own."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DRIVER = Path(__file__).with_name("pytest_adapter_driver.py")
HANG_S = 60

# Fixtures of a sample say here what they do; the driver hands it over.
EVENTLOG = """
import threading
EVENTS = []
def log(*words):
    EVENTS.append([threading.get_ident(), *map(str, words)])
"""


class Run:
    """What a run of the driver told."""

    def __init__(self, told: dict[str, Any], errors: str) -> None:
        self.told = told
        self.errors = errors

    @property
    def problem(self) -> dict[str, Any]:
        assert "problem" in self.told, self.told
        problem: dict[str, Any] = self.told["problem"]
        return problem

    @property
    def events(self) -> list[str]:
        """What the sample logged, without threads."""
        return [" ".join(map(str, words)) for _, *words in self.told["events"]]

    @property
    def threads(self) -> list[tuple[int, str]]:
        return [(ident, " ".join(map(str, words))) for ident, *words in self.told["events"]]

    def items(self, entry: int = 0) -> list[dict[str, Any]]:
        assert "items" in self.told, self.told
        items: list[dict[str, Any]] = self.told["items"][entry]
        return items

    def names(self, entry: int = 0) -> list[str]:
        return [item["node_id"] for item in self.items(entry)]

    def result(self, name: str) -> dict[str, Any]:
        assert "results" in self.told, self.told
        found = [result for node_id, result in self.told["results"].items() if node_id.endswith(f"::{name}")]
        assert len(found) == 1, list(self.told["results"])
        result: dict[str, Any] = found[0]
        return result

    def all_passed(self) -> "Run":
        failed = {name: result["errors"] for name, result in self.told["results"].items() if result["failed"]}
        assert not failed, failed
        assert not self.told["prepare"], self.told["prepare"]
        assert not self.told["finish"], self.told["finish"]
        return self


RunSample = Callable[..., Run]


@pytest.fixture
def run_sample(tmp_path: Path) -> RunSample:
    """`run_sample({"test_a.py": "..."}, threads=2, iterations=3)` writes the files and runs all that is in them."""

    def run(files: dict[str, str], entries: Any = None, env: dict[str, str] | None = None, **do: Any) -> Run:
        write(tmp_path, {"eventlog.py": EVENTLOG, **files})
        do["entries"] = entries or [["."]]
        return drive(tmp_path, do, env)

    return run


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))


def drive(folder: Path, do: dict[str, Any], env: dict[str, str] | None = None) -> Run:
    paths = [str(folder), os.environ.get("PYTHONPATH", "")]
    around = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONDONTWRITEBYTECODE": "1", **(env or {})}
    for name in ("PYTEST_CURRENT_TEST", "PYTEST_ADDOPTS"):
        around.pop(name, None)
    command = [sys.executable, str(DRIVER)]
    done = subprocess.run(
        command, cwd=folder, env=around, input=json.dumps(do), capture_output=True, text=True, timeout=HANG_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return Run(json.loads(done.stdout.splitlines()[-1]), done.stderr)
