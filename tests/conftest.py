"""Fixtures of the black-box tests: each test gets an empty project folder and ends all that it starts."""

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from scripts import script
from support import Launcher, Target

# Whoever ignores a signal hands that down to all that is started here, and some tests are about these: SIGHUP under nohup,
# SIGINT and SIGQUIT in the background of a script. A handler is not handed down.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else lambda _number, _frame: None)


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


@pytest.fixture
def run_script(run_pysurge: Callable[..., Any]) -> Callable[..., Any]:
    """Runs the parts of a script; nothing goes to standard error unless it is told."""

    def run(*parts: str, files: Any = None, program: Any = (sys.executable,), env: Any = None, fails: bool = False) -> Any:
        done = run_pysurge(["script.py"], {**(files or {}), "script.py": script(*parts)}, env=env, program=list(program))
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done

    return run
