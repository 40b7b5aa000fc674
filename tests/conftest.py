"""Fixtures of the black-box tests: each test gets an empty project folder and ends all that it starts."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import Launcher, Target


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[Launcher]:
    """Starts things in the test's project folder, which is `tmp_path`."""
    launcher = Launcher(tmp_path)
    yield launcher
    launcher.close()


@pytest.fixture
def run_pysurge(launcher: Launcher) -> Callable[..., Any]:
    """`run_pysurge(args, files={…}, env={…}, timeout=60)` runs the command to its end; see `Launcher.run`."""
    return launcher.run


@pytest.fixture
def start_pysurge(launcher: Launcher) -> Callable[..., Any]:
    """`start_pysurge(args, files={…}, env={…})` gives a running process; see `Launcher.start`."""
    return launcher.start


@pytest.fixture
def start_on_terminal(launcher: Launcher) -> Callable[..., Any]:
    """`start_on_terminal(args, files={…}, columns=120)` gives one on a terminal; see `Launcher.start_on_terminal`."""
    return launcher.start_on_terminal


@pytest.fixture
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A running demo target with a log of what arrived."""
    folder = tmp_path_factory.mktemp("target")
    launcher = Launcher(folder)
    log = folder / "arrivals.log"
    yield Target(launcher.start(["target", "--port", "0", "--log", str(log)]), log)
    launcher.close()
