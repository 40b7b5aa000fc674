"""What the black-box tests drive the installed `pysurge` with: processes, terminals, the results they leave.

Nothing here imports pysurge: the tests see what a user sees. Every wait is for a condition, with a deadline that only a hang
reaches.
"""

import contextlib
import fcntl
import json
import os
import pty
import re
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import termios
import textwrap
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pyte

REPOSITORY = Path(__file__).resolve().parent.parent

# Upper limit of any wait: far above what a loaded machine takes, so that reaching it means that something hangs.
HANG_S = 60.0

# Between two looks at a condition that nothing announces.
POLL_S = 0.01

# Stands in the environment of all that a test starts, so that nothing of it is overlooked at the end.
MARKER = "PYSURGE_TESTED_BY"

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

CTRL_C = b"\x03"

# Of every terminal.
ROWS = 30

# Makes the terminal at standard input the controlling one of this session, then becomes the program.
_TAKE_TERMINAL = "import os, sys; os.close(os.open(os.ttyname(0), os.O_RDWR)); os.execv(sys.argv[1], sys.argv[1:])"


def executable() -> str:
    """The `pysurge` command of the environment that runs these tests."""
    beside = Path(sys.executable).parent / "pysurge"
    found = str(beside) if beside.exists() else shutil.which("pysurge")
    assert found, "pysurge is not installed in this environment"
    return found


def words(args: str | Sequence[str]) -> list[str]:
    """A command line as a list."""
    return shlex.split(args) if isinstance(args, str) else [str(arg) for arg in args]


def whole(args: str | Sequence[str], program: Sequence[str] | None, rehearsal: bool) -> list[str]:
    """The whole command line: `pysurge ARGS`, or another program with these arguments.

    The tests count hooks and requests, so a load is rehearsed only where a test is about that.
    """
    given = words(args)
    if program:
        return [*program, *given]
    fires = bool(given) and given[0] in ("run", "find-max") and "--help" not in given
    quiet = fires and not rehearsal and "--no-rehearsal" not in given
    return [executable(), *given, *(["--no-rehearsal"] if quiet else [])]


def until(condition: Callable[[], Any], what: str, timeout: float = HANG_S) -> Any:
    """Wait until a condition holds and give its value."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"still waiting after {timeout:.0f} s: {what}"
        time.sleep(POLL_S)
    return value


# Processes.


@dataclass(frozen=True)
class Stat:
    """What /proc tells of a process."""

    pid: int
    parent: int
    state: str


def stat(pid: int) -> Stat | None:
    """What /proc tells of a process; None when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, parent = text.rpartition(")")[2].split()[:2]
    return Stat(pid, int(parent), state)


def is_alive(pid: int) -> bool:
    """Whether a process still runs; one that only waits to be reaped does not."""
    found = stat(pid)
    return found is not None and found.state not in "ZX"


def processes() -> list[int]:
    """All process ids."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def workers_of(pid: int) -> list[int]:
    """The workers that a manager started and that are alive."""
    found = []
    for candidate in processes():
        with contextlib.suppress(OSError):
            child = stat(candidate)
            if child is None or child.parent != pid or child.state in "ZX":
                continue
            if b"pysurge._worker" in Path(f"/proc/{candidate}/cmdline").read_bytes():
                found.append(candidate)
    return sorted(found)


def marked(marker: str) -> list[int]:
    """Processes that were started, directly or not, with this marker, and are alive."""
    wanted = f"{MARKER}={marker}".encode()
    found = []
    for pid in processes():
        with contextlib.suppress(OSError):
            if pid != os.getpid() and wanted in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                found.append(pid)
    return [pid for pid in found if is_alive(pid)]


def kill_all(pids: Iterable[int]) -> None:
    """SIGKILL to each."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class Captured:
    """The text that comes out of a descriptor, gathered by a thread so that the writer never waits."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._data = bytearray()
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._gather, daemon=True)
        self._thread.start()

    def _gather(self) -> None:
        while True:
            try:
                data = os.read(self._fd, 65536)
            except OSError:  # a terminal whose last user is gone says so with an error
                data = b""
            with self._changed:
                self._data += data
                self._ended = not data
                self._changed.notify_all()
            if not data:
                os.close(self._fd)
                return

    @property
    def data(self) -> bytes:
        """All of it so far."""
        with self._changed:
            return bytes(self._data)

    @property
    def text(self) -> str:
        """All of it so far, as text."""
        with self._changed:
            return self._data.decode(errors="replace").replace("\r\n", "\n")

    def wait_for(self, pattern: str, timeout: float = HANG_S, count: int = 1) -> str:
        """Wait until a regular expression is found so often, and give the text."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                text = self._data.decode(errors="replace").replace("\r\n", "\n")
                if len(re.findall(pattern, text)) >= count:
                    return text
                left = deadline - time.monotonic()
                assert left > 0, f"no {pattern!r} after {timeout:.0f} s in:\n{text}"
                assert not self._ended, f"ended without {pattern!r}:\n{text}"
                self._changed.wait(left)

    def join(self, timeout: float = HANG_S) -> None:
        """Wait until the writer has closed it."""
        self._thread.join(timeout)
        assert not self._thread.is_alive(), "somebody keeps the stream open"


class Running:
    """A process that a test started, with what it writes."""

    def __init__(
        self, folder: Path, process: "subprocess.Popen[bytes]", stdout: Captured, stderr: Captured, marker: str
    ) -> None:
        self.folder = folder
        self.process = process
        self.out = stdout
        self.err = stderr
        self.marker = marker

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def stdout(self) -> str:
        """What it wrote to standard output so far."""
        return self.out.text

    @property
    def stderr(self) -> str:
        """What it wrote to standard error so far."""
        return self.err.text

    def workers(self, count: int = 1) -> list[int]:
        """Its workers, once there are so many."""
        return until(
            lambda: found if len(found := workers_of(self.pid)) >= count else None,
            f"{count} workers of {self.pid}\n{self.stderr}",
        )

    def signal(self, number: int) -> None:
        """Send it a signal, to it alone."""
        self.process.send_signal(number)

    def wait(self, timeout: float = HANG_S) -> int:
        """Wait until it ends, and all that it wrote is here; gives the exit code."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs after {timeout:.0f} s\n{self.stdout}\n{self.stderr}") from None
        self.out.join()
        self.err.join()
        return code

    def leaves_nothing(self, timeout: float = 15.0) -> None:
        """Wait until nothing that it started is alive."""
        until(lambda: not marked(self.marker), f"left behind: {[describe(pid) for pid in marked(self.marker)]}", timeout)


def describe(pid: int) -> str:
    """A process for a message."""
    with contextlib.suppress(OSError):
        return f"{pid} {Path(f'/proc/{pid}/cmdline').read_bytes().replace(bytes(1), b' ').decode()}"
    return f"{pid} gone"


class Terminal(Running):
    """A process on a terminal of its own."""

    fd = -1
    _seen: "Seen | None" = None

    @property
    def screen(self) -> str:
        """All that the terminal was sent, escape sequences included."""
        return self.err.text

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self.fd, keys)

    def look(self) -> "Seen":
        """What a person at it sees."""
        self._seen = self._seen or Seen(self)
        self._seen.catch_up()
        return self._seen

    def resize(self, columns: int) -> None:
        """Make the window wider or narrower; before the first look it has the columns that it was started with."""
        seen = self.look()
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
        seen.screen.resize(columns=columns)


class Seen:
    """The screen of a terminal, by an emulator that is not ours; lines are cut where the window gets narrower."""

    def __init__(self, terminal: Terminal) -> None:
        columns, _ = os.get_terminal_size(terminal.fd)
        self.screen = pyte.HistoryScreen(columns, ROWS, history=10_000)
        self._stream = pyte.ByteStream(self.screen)
        self._captured = terminal.err
        self._taken = 0

    def catch_up(self) -> None:
        """Show what came since."""
        data = self._captured.data
        self._stream.feed(data[self._taken :])
        self._taken = len(data)

    @property
    def lines(self) -> list[str]:
        """What is on the screen and what has scrolled off, without empty lines at the end."""
        scrolled = ["".join(line[x].data for x in range(max(line, default=-1) + 1)) for line in self.screen.history.top]
        lines = [line.rstrip() for line in [*scrolled, *self.screen.display]]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    @property
    def text(self) -> str:
        """The same as one text."""
        return "\n".join(self.lines)

    def is_sane(self) -> bool:
        """Whether a shell would find it as it was: the cursor seen and at the beginning of a line, long lines wrapped."""
        cursor = self.screen.cursor
        return not cursor.hidden and cursor.x == 0 and pyte.modes.DECAWM in self.screen.mode


class Launcher:
    """Starts `pysurge` in one folder and ends, at the test's end, whatever is left of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[Running] = []

    def _environment(self, marker: str, env: Mapping[str, str | None] | None) -> dict[str, str]:
        plain = {
            name: value
            for name, value in os.environ.items()
            if name not in {"NO_COLOR", "CLICOLOR_FORCE", "FORCE_COLOR", "COLUMNS", "PYTHONPATH", "PYTHONWARNINGS"}
        }
        changed = {**plain, "TERM": "xterm-256color", MARKER: marker, **(env or {})}
        return {name: value for name, value in changed.items() if value is not None}

    def write(self, files: Mapping[str, str | bytes] | None) -> None:
        """Write files into the folder."""
        for name, content in (files or {}).items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def start(
        self,
        args: str | Sequence[str],
        files: Mapping[str, str | bytes] | None = None,
        env: Mapping[str, str | None] | None = None,
        program: Sequence[str] | None = None,
        rehearsal: bool = False,
    ) -> Running:
        """Start `pysurge ARGS`, or another program, with pipes for its streams."""
        self.write(files)
        marker = uuid.uuid4().hex
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        try:
            process = subprocess.Popen(
                whole(args, program, rehearsal),
                cwd=self.folder,
                env=self._environment(marker, env),
                stdin=subprocess.DEVNULL,
                stdout=out_write,
                stderr=err_write,
                start_new_session=True,
            )
        finally:
            os.close(out_write)
            os.close(err_write)
        return self._keep(Running(self.folder, process, Captured(out_read), Captured(err_read), marker))

    def start_on_terminal(
        self,
        args: str | Sequence[str],
        files: Mapping[str, str | bytes] | None = None,
        env: Mapping[str, str | None] | None = None,
        columns: int = 120,
        pipe_stdout: bool = False,
        program: Sequence[str] | None = None,
        rehearsal: bool = False,
    ) -> Terminal:
        """Start `pysurge ARGS` on a terminal so wide; standard output can be a pipe all the same."""
        self.write(files)
        marker = uuid.uuid4().hex
        ours, theirs = pty.openpty()
        fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
        out_read, out_write = os.pipe()
        try:
            process = subprocess.Popen(
                [sys.executable, "-SIc", _TAKE_TERMINAL, *whole(args, program, rehearsal)],
                cwd=self.folder,
                env=self._environment(marker, env),
                stdin=theirs,
                stdout=out_write if pipe_stdout else theirs,
                stderr=theirs,
                start_new_session=True,
            )
        finally:
            os.close(theirs)
            os.close(out_write)
        screen = Captured(os.dup(ours))
        stdout = Captured(out_read)
        terminal = Terminal(self.folder, process, stdout if pipe_stdout else screen, screen, marker)
        terminal.fd = ours
        return self._keep(terminal)

    def _keep(self, running: Any) -> Any:
        self._started.append(running)
        return running

    def run(
        self,
        args: str | Sequence[str],
        files: Mapping[str, str | bytes] | None = None,
        env: Mapping[str, str | None] | None = None,
        timeout: float = HANG_S,
        program: Sequence[str] | None = None,
        rehearsal: bool = False,
    ) -> "subprocess.CompletedProcess[str]":
        """Run `pysurge ARGS` to its end; nothing of it may be left then."""
        running = self.start(args, files, env, program, rehearsal)
        code = running.wait(timeout)
        running.leaves_nothing()
        return subprocess.CompletedProcess(words(args), code, running.stdout, running.stderr)

    def close(self) -> None:
        """End what still runs."""
        for running in self._started:
            if running.process.poll() is None:
                running.process.kill()
                running.process.wait(HANG_S)
            kill_all(marked(running.marker))
            until(lambda running=running: not marked(running.marker), "killed processes to end")
            if isinstance(running, Terminal):
                os.close(running.fd)


# What a run leaves.


def run_folder(folder: Path) -> Path:
    """The one run's folder below a project folder."""
    found = list((folder / "pysurge-results").iterdir())
    assert len(found) == 1, found
    return found[0]


def summary(folder: Path) -> dict[str, Any]:
    """The summary of the one run in a project folder, true to its schema, every iteration accounted for."""
    return checked_summary(run_folder(folder) / "summary.json")


def checked_summary(path: Path) -> dict[str, Any]:
    """A summary.json, true to its schema, every iteration accounted for."""
    loaded: dict[str, Any] = json.loads(path.read_text())
    schema = json.loads((REPOSITORY / "docs/schema/summary.schema.json").read_text())
    jsonschema.validate(loaded, schema)
    accounts = [loaded["account"], *(test["account"] for test in loaded["tests"])]
    for account in accounts:
        ended = sum(account[end] for end in ("passed", "failed", "dropped", "interrupted", "lost"))
        assert account["planned"] == ended or (loaded["status"] == "running" and account["planned"] > ended), account
    for end, number in loaded["account"].items():
        assert number == sum(test["account"][end] for test in loaded["tests"]), end
    for test in loaded["tests"]:
        account = test["account"]
        assert (
            sum(failure["count"] for failure in test["failures"] if failure["fails"]) + test["failures_overflow"]
            >= (account["failed"])
        )
        for figures in test["metrics"].values():
            assert figures["count"] <= account["passed"]
    return loaded


def run_log(folder: Path) -> str:
    """The log of the one run in a project folder."""
    return (run_folder(folder) / "run.log").read_text()


def account(**ends: int) -> dict[str, int]:
    """An account with these ends, all others 0, and what they add up to."""
    names = ("passed", "failed", "dropped", "interrupted", "lost")
    return {"planned": sum(ends.values()), **dict.fromkeys(names, 0), **ends}


def report_in(text: str) -> str:
    """The report, from its verdict on: which one it is depends on how busy the machine is."""
    found = re.search(r"^(VALID|DEGRADED|INVALID)  ", text, re.M)
    assert found, text
    return text[found.start() :]


def without_escapes(text: str) -> str:
    """The text without escape sequences."""
    return ESCAPE.sub("", text)


# Files of a project.


def config(*tests: Mapping[str, Any] | tuple[str, float]) -> str:
    """A config file with these tests: entries, or class and rate."""
    entries = [{"test_class": entry[0], "rate": entry[1]} if isinstance(entry, tuple) else dict(entry) for entry in tests]
    return json.dumps({"tests": entries}, indent=1)  # JSON is YAML


# What the test cases of these tests have at hand. A short line appended at once is never torn.
_CASE = """
import atexit
import ctypes
import hashlib
import itertools
import logging
import os
import signal
import sqlite3
import ssl
import subprocess
import sys
import threading
import time
import zlib

from pysurge import TestCase

numbers = itertools.count()


def note(*words):
    with open("journal", "a") as journal:
        journal.write(" ".join(map(str, words)) + "\\n")


def first():
    \"""Whether nobody asked before, in any process.\"""
    try:
        os.close(os.open("first", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


class Case(TestCase):
"""


def case(body: str, rate: float = 20, **entry: Any) -> dict[str, str]:
    """A project of one test, `case.Case`: a module whose class has this body, and its config `c.yml`."""
    module = _CASE + textwrap.indent(body.strip("\n") + "\n", "    ")
    return {"case.py": module, "c.yml": config({"test_class": "case.Case", "rate": rate, **entry})}


def journal(folder: Path) -> list[list[str]]:
    """What test cases noted, as words."""
    path = folder / "journal"
    return [line.split(" ") for line in path.read_text().splitlines()] if path.exists() else []


# The demo target.


@dataclass(frozen=True)
class Arrival:
    """A request as the target logged it."""

    at_ns: int
    method: str
    path: str
    status: int
    request_id: str


class Target:
    """A running `pysurge target` and its own log."""

    def __init__(self, running: Running, log: Path) -> None:
        self._running = running
        self._log = log
        text = running.out.wait_for(r"http://127\.0\.0\.1:\d+\n")
        self.url = text.splitlines()[0]
        self.port = int(self.url.rpartition(":")[2])

    def arrivals(self) -> list[Arrival]:
        """What arrived so far, in the order of the log."""
        lines = (line.split(" ") for line in self._log.read_text().splitlines())
        return [Arrival(int(at), method, path, int(status), request) for at, method, path, status, request in lines]
