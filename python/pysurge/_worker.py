"""A worker process: ``main()`` in an interpreter that the manager started with its control socket as standard input.

Everything here runs on the main thread and outside iterations; the engine calls ``Helpers`` by name.
"""

import contextlib
import inspect
import itertools
import logging
import os
import signal
import sys
import threading
import traceback
import weakref
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from . import _descriptors, _engine, _forks, _loader, _output, _rows, _shapes, _stacks
from ._inherit import inherit
from ._names import Problem
from ._paths import is_ours
from ._tracebacks import sendable
from ._units import ClassUnit, StartupError, Units

if TYPE_CHECKING:
    from ._items import CollectedItem, Items
    from ._loop import EventLoop

log = logging.getLogger("pysurge")

# User code may put something else in its place.
_Thread = threading.Thread

# Python's own.
_RECURSION_LIMIT = 1000

# Names of stuck threads that are told, per place.
_MAX_NAMES = 5

# Frames told of a stack.
_MAX_FRAMES = 60

SendLog = Callable[[float, str, str, int, str], None]


class Forward(logging.Handler):
    """Sends log records to the manager, which writes them."""

    def __init__(self, process: str, send: SendLog) -> None:
        super().__init__()
        self._process = process
        self._send = send
        os.register_at_fork(after_in_child=self._print_instead)

    def attach(self) -> None:
        """See to it that records come here, also after user code has set up logging anew."""
        root = logging.getLogger()
        if self not in root.handlers:
            root.addHandler(self)
        # A new setup disables the loggers that it does not name.
        log.disabled = False

    def handle(self, record: logging.LogRecord) -> bool:
        """Without the handler's lock: the sender has one of its own, and threads need not queue here."""
        kept = self.filter(record)
        if kept and not _output.is_written_by_another(record):
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
        self._units = Units()
        self._forward: Forward | None = None
        self._items: Items | None = None
        self._loop: EventLoop | None = None
        # Whether nothing of it is left that would keep the interpreter from being finalized.
        self.loop_is_closed = True
        self._folders: list[str] = []
        self._script_problem: Problem | None = None
        # By the names that the engine knows them by.
        self._pool_threads: weakref.WeakValueDictionary[str, threading.Thread] = weakref.WeakValueDictionary()

    def prepare(
        self, process: str, send: _output.Sender, debug: bool, import_first: tuple[str, ...], import_last: tuple[str, ...]
    ) -> None:
        """Set up logging and the import path, before any user code is imported."""
        logging.getLogger().setLevel(logging.DEBUG if debug else logging.INFO)
        self._forward = Forward(process, send)
        self._forward.attach()
        _output.install(send.print)
        inherited, script = inherit()
        self._folders = list(dict.fromkeys((*import_first, *import_last)))
        # Python put the current folder or our own in front; what is wanted there is told, and wanted once.
        between = [path for path in (*inherited, *sys.path) if path and path not in self._folders]
        last = [path for path in import_last if path not in import_first]
        sys.path[:] = dict.fromkeys((*import_first, *between, *last))
        if script is not None:
            self._script_problem = _loader.import_script(script)

    def open_pytest(self, args: tuple[str, ...], worker: int, workers: int) -> None:
        """Make ready for tests of pytest."""
        from ._items import Items

        self._items = Items(args, worker, workers)

    def collect(self, entries: list[tuple[str, str | None, str | None]]) -> "list[list[CollectedItem] | Problem]":
        """Find the tests of pytest that each entry, a path with ``-k`` and ``-m``, stands for."""
        from ._pytest import Entry

        return self._opened_items().collect([Entry(*entry) for entry in entries])

    def open_items(self, wanted: list[tuple[str, str]], rootdir: str, inifile: str | None) -> None:
        """Collect the tests of the plan that are pytest's, by node id and file."""
        from ._pytest import Wanted

        self._opened_items().open([Wanted(*each) for each in wanted], rootdir, inifile)

    def _opened_items(self) -> "Items":
        if self._items is None:
            raise RuntimeError("open_pytest comes first")
        return self._items

    def load_item(self, node_id: str, data: bool) -> _loader.Loaded | Problem:
        """Load the next test of the plan, one of pytest."""
        items = self._opened_items()
        answer = items.load(node_id, data)
        self._units.add(items.unit(node_id) if isinstance(answer, _loader.Loaded) else None)
        return answer

    def load(
        self,
        path: str,
        kwargs: dict[str, Any],
        row: dict[str, Any],
        data: dict[str, Any] | None,
        test_case: bool,
    ) -> _loader.Loaded | Problem:
        """Load the next test of the plan.

        ``row`` are further kwargs of its first iteration, ``data`` the row that it is fed with; ``test_case`` says that only a
        class derived from ``TestCase`` is meant.
        """
        if path.startswith("__main__.") and self._script_problem is not None:
            answer: _loader.Loaded | Problem = self._script_problem
        else:
            answer = _loader.load(path, kwargs, self._folders, row, data, test_case)
        if isinstance(answer, _loader.Loaded) and answer.is_coroutine:
            self._event_loop()
        made = answer.make if isinstance(answer, _loader.Loaded) and not answer.is_function else None
        self._units.add(ClassUnit(made) if inspect.isclass(made) else None)
        return answer

    def rows(self, name: str) -> _rows.Rows | Problem:
        """Read the rows of a Python iterable."""
        return _rows.read(name, self._folders)

    def sample(self, function: str, duration_s: float | None) -> _shapes.Samples | Problem:
        """Sample the shape of a test."""
        return _shapes.sample(function, duration_s, self._folders)

    def startup(self) -> list[StartupError | None]:
        """Run ``startup`` once per class; per test, what went wrong."""
        self._keep_forwarding()
        answers = self._units.start_up(self._await)
        self._keep_forwarding()
        return answers

    def _keep_forwarding(self) -> None:
        if self._forward is not None:
            self._forward.attach()

    def shutdown(self) -> None:
        """Run ``shutdown`` of every class whose ``startup`` was tried."""
        if self._loop is not None:
            self._loop.finish()
        self._units.shut_down(self._await)
        if self._items is not None:
            self._items.finish()
        if self._loop is not None:
            self.loop_is_closed = self._loop.close()

    def loop_waker(self) -> _engine.LoopWaker:
        """What wakes the event loop."""
        return self._event_loop().waker

    def start_tasks(self, runner: _engine.TaskRunner) -> None:
        """Let the event loop run the iterations of a coroutine test."""
        self._event_loop().add(runner)

    def _event_loop(self) -> "EventLoop":
        if self._loop is None:
            # Costs what importing asyncio costs: only whoever has coroutines pays.
            from ._loop import EventLoop

            self._loop = EventLoop()
        return self._loop

    def _await(self, awaitable: Any) -> Any:
        return self._event_loop().wait(awaitable)

    def spawn(self, name: str, thread: _engine.PoolThread) -> None:
        """Make a pool thread. They are daemons: one that is stuck must not keep the interpreter from ending."""
        pool_thread = _Thread(target=self._live, args=(thread,), name=name, daemon=True)
        pool_thread.start()
        self._pool_threads[name] = pool_thread

    def _live(self, thread: _engine.PoolThread) -> None:
        thread.run()
        if self._items is not None:
            self._items.thread_ended()

    def log_stacks(self, tests: list[str]) -> None:
        """Write the stacks of the pool threads of some tests that are in user code."""
        pool = list(self._pool_threads.items())
        names = {thread.ident: name for name, thread in pool if name.rpartition("-")[0] in tests}
        stuck: dict[str, list[str]] = {}
        for ident, frame in sys._current_frames().items():
            # A thread that is in the engine has only frames of ours.
            lines = _stack(frame) if ident in names else ""
            if lines:
                stuck.setdefault(lines, []).append(names[ident])
        # Threads that hang mostly hang in one place: it is told once.
        for lines, threads in stuck.items():
            if len(threads) == 1:
                who = f"thread {threads[0]} still runs after the grace period and is abandoned"
            else:
                who = f"{len(threads)} threads ({_some(threads)}) still run after the grace period and are abandoned"
            log.error("%s:\n%s", who, lines)
        if self._loop is not None:
            self._loop.log_stacks(tests)

    def stacks(self, running: list[tuple[str, str, int | None]]) -> list[str | None]:
        """Where iterations stand: of each the name of its test's threads, that of its thread, and of a task when it began."""
        frames = sys._current_frames()
        stacks: list[str | None] = []
        for test, name, started_ns in running:
            if started_ns is not None:
                stacks.append(self._loop.stack(test, started_ns) if self._loop is not None else None)
                continue
            thread = self._pool_threads.get(name)
            frame = frames.get(thread.ident or 0) if thread is not None else None
            stacks.append((frame and _stack(frame)) or None)
        return stacks

    def stack_file(self) -> tuple[int, int] | None:
        """The signal whose handler writes the stacks of all threads, and the descriptor it writes to."""
        return _stacks.register()


def _some(names: list[str]) -> str:
    shown = ", ".join(sorted(names)[:_MAX_NAMES])
    return shown if len(names) <= _MAX_NAMES else f"{shown}, …"


def _stack(frame: FrameType) -> str:
    stack = itertools.dropwhile(_is_of_thread, traceback.extract_stack(frame))
    lines = [frame for frame in stack if not is_ours(frame.filename)]
    return "".join(traceback.format_list(lines[-_MAX_FRAMES:])).rstrip("\n")


def _is_of_thread(frame: traceback.FrameSummary) -> bool:
    return frame.filename in (threading.__file__, __file__)


def _handle_no_signals() -> None:
    """Let nothing that user code has set disturb our own ending: handlers may raise."""
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            # What is raised here is of one that was on its way.
            with contextlib.suppress(BaseException):
                signal.signal(number, signal.SIG_IGN)


def main() -> NoReturn:
    """Serve the manager at standard input until the run is over, and end the process."""
    # The manager decides when this process ends. Not SIG_IGN, which programs that a test starts would inherit.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    channel = _descriptors.take_channel()
    _forks.see_to(channel)
    helpers = Helpers()
    clean = _engine.serve(channel, helpers)
    sys.setrecursionlimit(max(sys.getrecursionlimit(), _RECURSION_LIMIT))
    _handle_no_signals()
    _output.end()
    for stream in (sys.stdout, sys.stderr):
        # User code may have closed it, or put something else in its place.
        with contextlib.suppress(Exception):
            stream.flush()
    if not (clean and helpers.loop_is_closed):
        # Threads are still in user code: finalizing the interpreter under them may crash or hang.
        os._exit(0)
    sys.exit(0)


if __name__ == "__main__":
    main()
