"""A worker process: ``main()`` in an interpreter that the manager started with its control socket as standard input.

Everything here runs on the main thread and outside iterations; the engine calls ``Helpers`` by name.
"""

import contextlib
import itertools
import logging
import os
import signal
import sys
import threading
import traceback
import weakref
from collections.abc import Callable
from typing import Any, NoReturn

from . import _engine, _loader, _shapes
from ._inherit import inherit
from ._tracebacks import one_line, render, sendable

log = logging.getLogger("pysurge")

# Names of stuck threads that are told, per place.
_MAX_NAMES = 5

SendLog = Callable[[float, str, str, int, str], None]


class Forward(logging.Handler):
    """Sends log records to the manager, which writes them."""

    def __init__(self, process: str, send: SendLog) -> None:
        super().__init__()
        self._process = process
        self._send = send
        os.register_at_fork(after_in_child=self._print_instead)

    def handle(self, record: logging.LogRecord) -> bool:
        """Without the handler's lock: the sender has one of its own, and threads need not queue here."""
        kept = self.filter(record)
        if kept:
            self.emit(kept if isinstance(kept, logging.LogRecord) else record)
        return bool(kept)

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record, with its traceback where it has one."""
        try:
            text = sendable(self.format(record))
            self._send(record.created, sendable(record.threadName or ""), record.levelname, record.levelno, text)
        except Exception:
            self.handleError(record)

    def _print_instead(self) -> None:
        """In a process that user code forked nobody sends for us, and the sender's lock may be held for ever."""
        self.setFormatter(logging.Formatter(f"%(asctime)s {self._process} %(threadName)s %(levelname)s %(message)s"))
        self._send = lambda _created, _thread, _level, _number, text: _print_unlocked(text)


def _print_unlocked(text: str) -> None:
    os.write(1, f"{text}\n".encode())


class Helpers:
    """What the engine asks of Python."""

    def __init__(self) -> None:
        self._classes: list[type[_engine.TestCase] | None] = []
        self._tried: list[type[_engine.TestCase]] = []
        self._folders: list[str] = []
        self._script_problem: _loader.Problem | None = None
        self._pool_threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()

    def prepare(
        self, process: str, send: SendLog, debug: bool, import_first: tuple[str, ...], import_last: tuple[str, ...]
    ) -> None:
        """Set up logging and the import path, before any user code is imported."""
        root = logging.getLogger()
        root.setLevel(logging.DEBUG if debug else logging.INFO)
        root.addHandler(Forward(process, send))
        # What user code prints reaches the manager line by line.
        for stream in (sys.stdout, sys.stderr):
            reconfigure = getattr(stream, "reconfigure", None)
            if reconfigure is not None:
                reconfigure(line_buffering=True)
        inherited, script = inherit()
        self._folders = list(dict.fromkeys((*import_first, *import_last)))
        # Python put the current folder or our own in front; what is wanted there is told, and wanted once.
        between = [path for path in (*inherited, *sys.path) if path and path not in self._folders]
        last = [path for path in import_last if path not in import_first]
        sys.path[:] = dict.fromkeys((*import_first, *between, *last))
        if script is not None:
            self._script_problem = _loader.import_script(script)

    def load(self, path: str, kwargs: dict[str, Any], row: dict[str, Any] | None = None) -> _loader.Loaded | _loader.Problem:
        """Load the next test of the plan; ``row`` are further kwargs of its first iteration."""
        if path.startswith("__main__.") and self._script_problem is not None:
            answer: _loader.Loaded | _loader.Problem = self._script_problem
        else:
            answer = _loader.load(path, kwargs, self._folders, row)
        self._classes.append(answer.cls if isinstance(answer, _loader.Loaded) else None)
        return answer

    def sample(self, function: str, duration_s: float | None) -> _shapes.Samples | _loader.Problem:
        """Sample the shape of a test."""
        return _shapes.sample(function, duration_s, self._folders)

    def startup(self) -> list[tuple[str, str, str] | None]:
        """Run ``startup`` once per class; per test, what went wrong."""
        errors: dict[type[_engine.TestCase], tuple[str, str, str] | None] = {}
        for cls in self._classes:
            if cls is None or cls in errors:
                continue
            self._tried.append(cls)
            log.debug("test class %s calling startup()", cls.__name__)
            try:
                cls.startup()
                errors[cls] = None
            except BaseException as error:
                log.error("Startup for %s failed! Not running this test.\n%s", cls, render(error))
                errors[cls] = (f"{cls.__module__}.{cls.__qualname__}", one_line(error), render(error))
        return [errors.get(cls) if cls is not None else None for cls in self._classes]

    def shutdown(self) -> None:
        """Run ``shutdown`` of every class whose ``startup`` was tried."""
        for cls in self._tried:
            log.debug("test class %s calling shutdown()", cls.__name__)
            try:
                cls.shutdown()
            except BaseException as error:
                log.error("Warning: shutdown for %s failed.\n%s", cls, render(error))

    def spawn(self, name: str, thread: _engine.PoolThread) -> None:
        """Make a pool thread. They are daemons: one that is stuck must not keep the interpreter from ending."""
        pool_thread = threading.Thread(target=thread.run, name=name, daemon=True)
        pool_thread.start()
        self._pool_threads.add(pool_thread)

    def log_stacks(self, tests: list[str]) -> None:
        """Write the stacks of the pool threads of some tests that are in user code."""
        names = {thread.ident: thread.name for thread in self._pool_threads if thread.name.rpartition("-")[0] in tests}
        stuck: dict[str, list[str]] = {}
        for ident, frame in sys._current_frames().items():
            # A thread that is in the engine has only the frames of threading.Thread itself.
            stack = itertools.dropwhile(_is_of_thread, traceback.extract_stack(frame))
            lines = "".join(traceback.format_list(list(stack))).rstrip("\n")
            if ident in names and lines:
                stuck.setdefault(lines, []).append(names[ident])
        # Threads that hang mostly hang in one place: it is told once.
        for lines, threads in stuck.items():
            if len(threads) == 1:
                who = f"thread {threads[0]} still runs after the grace period and is abandoned"
            else:
                who = f"{len(threads)} threads ({_some(threads)}) still run after the grace period and are abandoned"
            log.error("%s:\n%s", who, lines)


def _some(names: list[str]) -> str:
    shown = ", ".join(sorted(names)[:_MAX_NAMES])
    return shown if len(names) <= _MAX_NAMES else f"{shown}, …"


def _is_of_thread(frame: traceback.FrameSummary) -> bool:
    return frame.filename == threading.__file__


def main() -> NoReturn:
    """Serve the manager at standard input until the run is over, and end the process."""
    # The manager decides when this process ends. Not SIG_IGN, which programs that a test starts would inherit.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    channel = os.dup(0)  # not inheritable, unlike 0 itself
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    clean = _engine.serve(channel, Helpers())
    for stream in (sys.stdout, sys.stderr):
        # User code may have closed it, or put something else in its place.
        with contextlib.suppress(Exception):
            stream.flush()
    if not clean:
        # Threads are still in user code: finalizing the interpreter under them may crash or hang.
        os._exit(0)
    sys.exit(0)


if __name__ == "__main__":
    main()
