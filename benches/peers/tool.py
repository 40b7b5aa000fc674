"""What a peer is to the benchmark: an environment to be installed, and three things to be asked of it."""

import os
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from harness import TIMEOUT_S, BenchError, note, percentile

SCRIPTS = Path(__file__).resolve().parent / "scripts"


def say(text: str) -> None:
    """To the person who waits."""
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Starts:
    """The instants at which tests started, in nanoseconds, in order."""

    ns: list[int]

    def achieved(self, rate: float, seconds: float) -> float:
        """Starts, as a share of those asked for."""
        return len(self.ns) / (rate * seconds)

    def late_ns(self, rate: float, share: float) -> float:
        """A percentile of how far starts are behind an even grid through the most punctual start of the first second."""
        behind = [start - number / rate * 1e9 for number, start in enumerate(self.ns)]
        origin = min(behind[: int(rate)])
        return percentile(sorted(late - origin for late in behind), share)


class Tool:
    """One tool in its own environment."""

    name: ClassVar[str]
    requirement: ClassVar[str]
    """What pip is asked for, version included."""
    how_dispatch: ClassVar[str]
    how_rate: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        self.venv = folder / self.requirement.replace("==", "-")

    def install(self) -> None:
        """Makes the environment, unless it is there."""
        done = self.venv / "installed"
        if done.exists():
            return
        say(f"installing {self.requirement}")
        venv.create(self.venv, clear=True, with_pip=True)
        command = [str(self.venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        installed = subprocess.run([*command, self.requirement], capture_output=True, text=True, check=False)
        if installed.returncode != 0:
            raise BenchError(installed.stderr.strip() or f"pip exited with {installed.returncode}")
        done.touch()

    def dispatch(self, seconds: int) -> float:
        """No-op tests per second on one core, as fast as they go, each result recorded."""
        raise NotImplementedError

    def noops(self, rate: int, seconds: int) -> Starts:
        """No-op tests at a rate."""
        raise NotImplementedError

    def sleeps(self, rate: int, seconds: int) -> Starts:
        """Tests that block for 50 ms, at a rate."""
        raise NotImplementedError

    def run(self, command: list[str], **env: object) -> str:
        """Runs one of the tool's own commands in a temporary folder; gives what it printed."""
        with tempfile.TemporaryDirectory(prefix="pysurge-bench-") as folder:
            return self._run(command, folder, env)

    def starts(self, command: list[str], **env: object) -> Starts:
        """Runs a command whose tests call `starts.mark`; gives what they noted."""
        with tempfile.TemporaryDirectory(prefix="pysurge-bench-") as folder:
            self._run(command, folder, {**env, "BENCH_STARTS": folder})
            noted = sorted(int(line) for file in Path(folder).glob("*.txt") for line in file.read_text().split())
        if len(noted) < 2:
            raise BenchError("no test was started")
        return Starts(noted)

    def _run(self, command: list[str], folder: str, env: dict[str, object]) -> str:
        command = [str(self.venv / "bin" / command[0]), *command[1:]]
        shown = [f"{name}={value}" for name, value in env.items() if name != "BENCH_STARTS"]
        note([f"[{self.requirement}]", *shown, Path(command[0]).name, *command[1:]])
        given = {name: str(value) for name, value in env.items()}
        path = str(SCRIPTS)
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env={**os.environ, "PYTHONPATH": path, **given},
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise BenchError(f"did not end within {TIMEOUT_S} s") from None
        if done.returncode != 0:
            # The last lines of a traceback say what it is.
            raise BenchError(f"exited with {done.returncode}: {(done.stderr or done.stdout).strip()[-500:]}")
        return done.stdout
