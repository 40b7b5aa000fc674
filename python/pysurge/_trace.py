"""``pysurge check --trace``: one iteration of each test in the foreground, so that ``print`` and ``breakpoint()`` work.

It runs on the main thread of a plain interpreter at the user's own terminal, where pdb and the debuggers of editors work, too.
The steps are those of a worker: load, startup, then of each test instance, setup, run, teardown, and shutdown at the end. What
to run comes as JSON in an environment variable. Nothing is measured but how long a step took, and nothing is counted.
"""

from __future__ import annotations

import asyncio
import bdb
import contextlib
import inspect
import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, NoReturn, TypeVar

from . import _loader, _names, _rows
from ._engine import TestCase
from ._loader import Loaded
from ._names import Problem
from ._paths import is_users
from ._tracebacks import one_line, render, sendable

VARIABLE = "PYSURGE_TRACE"

EXIT_PASSED = 0
EXIT_FAILED = 2
EXIT_INTERRUPTED = 130

_DIM, _RED, _GREEN, _BOLD, _PLAIN = "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[1m", "\x1b[0m"

# In seconds, with the factor and the name of the unit.
_UNITS = ((1.0, 1.0, "s"), (1e-3, 1e3, "ms"), (0.0, 1e6, "us"))

_T = TypeVar("_T")


class FailedStepError(Exception):
    """A step failed, and everything was told."""


class Tracer:
    """Takes tests through their steps and tells of each on standard error."""

    def __init__(self, orders: dict[str, Any]) -> None:
        self._orders = orders
        self._folders = list(dict.fromkeys((*orders["import_first"], *orders["import_last"])))
        self._colours = _wants_colours()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._passed = True

    def run(self) -> int:
        """Everything; gives the exit code."""
        tests = [test for test in self._orders["tests"] if test["kind"] != "pytest"]
        items = [test for test in self._orders["tests"] if test["kind"] == "pytest"]
        try:
            loaded = [(test, self._load(test)) for test in tests]
            if self._passed:
                self._objects([(test, found) for test, found in loaded if found is not None])
            if items:
                self._items(items)
        finally:
            self._close_loop()
        return EXIT_PASSED if self._passed else EXIT_FAILED

    # -- classes and functions -----------------------------------------------------------------------------------------

    def _load(self, test: dict[str, Any]) -> tuple[Loaded, dict[str, Any] | None] | None:
        self._say(f"{test['path']}", _BOLD)
        with self._told():
            self._step("import", lambda: _names.find(test["path"], self._folders))
            row = self._step("first row", lambda: self._row(test["data"])) if test["data"] else None
            kwargs = test["kwargs"]
            only_cases = test["kind"] == "class"
            loaded = self._step(
                "check", lambda: _checked(_loader.load(test["path"], kwargs, self._folders, {}, row, only_cases))
            )
            return loaded, row
        return None

    def _row(self, data: dict[str, Any]) -> dict[str, Any]:
        """The first row: which one an iteration gets in a run, its number decides."""
        if data["kind"] == "iterable":
            return dict(_checked(_rows.read(data["from"], self._folders)).rows[0])
        return _first_row(data["from"])

    def _objects(self, tests: Sequence[tuple[dict[str, Any], tuple[Loaded, dict[str, Any] | None]]]) -> None:
        classes = dict.fromkeys(loaded.make for _, (loaded, _) in tests if not loaded.is_function)
        started: list[Any] = []
        broken: list[Any] = []
        try:
            for cls in classes:
                started.append(cls)
                with self._told(broken, cls):
                    self._hook(cls, "startup", f"startup of {cls.__name__}")
            for test, (loaded, row) in tests:
                if loaded.make not in broken:
                    self._say(loaded.label, _BOLD)
                    with self._told():
                        self._iteration(loaded, test["kwargs"], row)
                        self._say("passed", _GREEN)
        finally:
            for cls in started:
                with self._told():
                    self._hook(cls, "shutdown", f"shutdown of {cls.__name__}")

    def _iteration(self, loaded: Loaded, kwargs: dict[str, Any], row: dict[str, Any] | None) -> None:
        fed = (
            {}
            if row is None
            else {name: value for name, value in row.items() if loaded.columns is None or name in loaded.columns}
        )
        if loaded.row_as == "argument":
            fed["data"] = row
        given = {**kwargs, **fed}
        if loaded.is_function:
            answer = self._step("run", lambda: self._call(lambda: loaded.make(**given)), lambda: f"kwargs: {given!r}")
            if isinstance(answer, dict) and answer:
                self._say(f"metrics: {answer!r}", _DIM)
            return
        instance = self._step("instance", lambda: loaded.make(**given), lambda: f"kwargs: {given!r}")
        if row is not None and loaded.row_as == "attribute":
            instance.data = row
        checks = _Checks(instance, self)
        about = lambda: f"{_described(instance)}\nkwargs: {given!r}"  # noqa: E731 - asked for only where a step fails
        try:
            if loaded.has_setup:
                self._hook(instance, "setup", "setup", about)
                checks.settle("setup")
            self._hook(instance, "run", "run", about)
            checks.settle("run")
            metrics = getattr(instance, "metrics", None)
            if isinstance(metrics, dict) and metrics:
                self._say(f"metrics: {metrics!r}", _DIM)
        finally:
            if loaded.has_teardown:
                # Told, and no failure: as in a run.
                with contextlib.suppress(FailedStepError):
                    self._hook(instance, "teardown", "teardown", about)

    def _hook(self, owner: Any, name: str, what: str, about: Callable[[], str] | None = None) -> None:
        hook = getattr(owner, name, None)
        if hook is None or (name in ("startup", "shutdown") and not _loader._has_own(owner, name)):
            return
        self._step(what, lambda: self._call(hook), about)

    def _call(self, function: Callable[[], Any]) -> Any:
        """Call something; what it gives to be awaited, await on the one event loop."""
        answer = function()
        return self._event_loop().run_until_complete(_awaited(answer)) if inspect.isawaitable(answer) else answer

    # -- tests of pytest -----------------------------------------------------------------------------------------------

    def _items(self, tests: Sequence[dict[str, Any]]) -> None:
        from ._pytest import Adapter, Wanted

        # Not captured: what a test prints, and its breakpoints, belong on this terminal.
        adapter = Adapter((*self._orders["pytest_args"], "--capture=no"))
        wanted = [Wanted(test["item"]["id"], test["item"]["file"]) for test in tests]
        first = tests[0]["item"]
        with self._told():
            self._step("collect", lambda: _checked_none(adapter.open(wanted, first["rootdir"], first["inifile"])))
            try:
                for test in tests:
                    self._say(test["path"], _BOLD)
                    with self._told():
                        self._item(adapter, test["item"]["id"])
            finally:
                self._fixtures_told(self._step("wide fixtures down", adapter.finish))

    def _item(self, adapter: Any, node_id: str) -> None:
        failure = self._step("wide fixtures", lambda: adapter.prepare(node_id))
        if failure is not None:
            self._fixtures_told([failure])
            raise FailedStepError
        iteration = self._step("instance", adapter.case(node_id))
        about = lambda: str(iteration.description)  # noqa: E731 - asked for only where a step fails
        try:
            self._step("setup", iteration.setup, about)
            if not iteration.skipped:
                self._step("run", iteration.run, about)
        finally:
            with contextlib.suppress(FailedStepError):
                self._step("teardown", iteration.teardown, about)
        if iteration.skipped:
            self._say(f"skipped: {iteration.skipped}", _DIM)
        elif iteration.xfailed:
            self._say(f"failed, as it was expected to: {iteration.xfailed}", _DIM)
        else:
            self._say("passed", _GREEN)

    def _fixtures_told(self, failures: Sequence[Any]) -> None:
        for failure in failures:
            self._passed = False
            self._say(f"a fixture failed: {failure.message}", _RED)
            self._say(failure.traceback)

    # -- telling -------------------------------------------------------------------------------------------------------

    def _step(self, name: str, call: Callable[[], _T], about: Callable[[], str] | None = None) -> _T:
        began_s = time.perf_counter()
        try:
            answer = call()
        except (KeyboardInterrupt, bdb.BdbQuit):
            raise
        except BaseException as error:
            self._say(f"{name} failed after {_span(time.perf_counter() - began_s)}", _RED)
            self._tell_failure(error, about)
            raise FailedStepError from None
        self._say(f"  {name:<12} {_span(time.perf_counter() - began_s)}", _DIM)
        return answer

    def _tell_failure(self, error: BaseException, about: Callable[[], str] | None) -> None:
        if isinstance(error, _names.RefusedError):
            problem = error.problem
            self._say(problem.message)
            self._say(problem.traceback)
            if problem.hint:
                self._say(f"hint: {problem.hint}")
        else:
            if about is not None:
                self._say(_text_of(about))
            self._say(render(error))
        if self._orders["pdb"]:
            _post_mortem(_cause_of(error))

    @contextlib.contextmanager
    def _told(self, broken: list[Any] | None = None, of: Any = None) -> Iterator[None]:
        """Go on with what comes next where a step failed."""
        try:
            yield
        except FailedStepError:
            self._passed = False
            if broken is not None:
                broken.append(of)

    def check_failed(self, name: str) -> None:
        """Tell of a check that failed its iteration."""
        self._say(f"check failed: {name}", _RED)

    def check_seen(self, name: str, held: bool) -> None:
        """Tell of a check."""
        self._say(f"  check {name}: {'held' if held else 'did not hold'}", _DIM)

    def _say(self, text: str, colour: str = "") -> None:
        if not text:
            return
        # What the test printed comes first.
        with contextlib.suppress(Exception):
            sys.stdout.flush()
        text = sendable(text)
        print(f"{colour}{text}{_PLAIN}" if colour and self._colours else text, file=sys.__stderr__, flush=True)

    # -- the event loop ------------------------------------------------------------------------------------------------

    def _event_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        return self._loop

    def _close_loop(self) -> None:
        loop = self._loop
        if loop is None:
            return
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        with contextlib.suppress(Exception):
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        asyncio.set_event_loop(None)
        loop.close()


class _Checks:
    """The checks that an instance of ``TestCase`` makes: shown, and heeded where one fails its iteration."""

    def __init__(self, instance: Any, tracer: Tracer) -> None:
        self._tracer = tracer
        self._failed: list[str] = []
        if isinstance(instance, TestCase):
            made = instance.check

            def check(name: str, held: object, *, fail: bool = False) -> bool:
                answer = made(name, held, fail=fail)
                tracer.check_seen(name, answer)
                if fail and not answer:
                    self._failed.append(name)
                return answer

            with contextlib.suppress(Exception):
                instance.check = check  # type: ignore[method-assign]

    def settle(self, _phase: str) -> None:
        """End the iteration where a check failed it."""
        if self._failed:
            for name in self._failed:
                self._tracer.check_failed(name)
            raise FailedStepError


async def _awaited(awaitable: Any) -> Any:
    return await awaitable


def _checked(answer: _T | Problem) -> _T:
    if isinstance(answer, Problem):
        raise _names.RefusedError(answer)
    return answer


def _checked_none(problem: Problem | None) -> None:
    if problem is not None:
        raise _names.RefusedError(problem)


def _first_row(file: str) -> dict[str, Any]:
    with open(file, encoding="utf-8-sig", newline="") as rows:
        if file.endswith(".csv"):
            import csv

            return dict(next(csv.DictReader(rows)))
        row = json.loads(next(line for line in rows if line.strip()))
    return dict(row)


def _described(instance: Any) -> str:
    try:
        return f"iteration: {instance.description if hasattr(instance, 'description') else instance}"
    except Exception as error:
        return f"its description cannot be shown: {one_line(error)}"


def _text_of(about: Callable[[], str]) -> str:
    try:
        return about()
    except Exception as error:
        return f"it cannot be described: {one_line(error)}"


def _span(seconds: float) -> str:
    factor, unit = next((factor, unit) for least, factor, unit in _UNITS if seconds >= least)
    return f"{seconds * factor:.3g} {unit}"


def _wants_colours() -> bool:
    return bool(sys.stderr and sys.stderr.isatty() and not os.environ.get("NO_COLOR"))


# -- the debugger ------------------------------------------------------------------------------------------------------


def _cause_of(error: BaseException) -> BaseException:
    """What user code raised, behind what was made of it."""
    if isinstance(error, _names.RefusedError) and error.__context__ is not None:
        return error.__context__
    return error


def _post_mortem(error: BaseException) -> None:
    """Open pdb at the user's frame nearest to the error."""
    import pdb

    if error.__traceback__ is None:
        return
    debugger = pdb.Pdb()
    debugger.reset()
    up = _frames_below_users(error.__traceback__)
    if up:
        debugger.cmdqueue.append(f"up {up}")
    debugger.interaction(None, error.__traceback__)


def _frames_below_users(tb: TracebackType) -> int:
    files = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(tb)]
    users = [place for place, file in enumerate(files) if is_users(file)]
    return len(files) - 1 - users[-1] if users else 0


# -- the process -------------------------------------------------------------------------------------------------------


def main() -> NoReturn:
    """Trace what the environment says, and end the process."""
    orders = json.loads(os.environ.pop(VARIABLE))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(processName)s %(threadName)s %(levelname)s %(message)s")
    last = [path for path in orders["import_last"] if path not in orders["import_first"]]
    between = [path for path in sys.path if path]
    sys.path[:] = dict.fromkeys((*orders["import_first"], *between, *last))
    tracer = Tracer(orders)
    try:
        exit_code = tracer.run()
    except KeyboardInterrupt:
        exit_code = EXIT_INTERRUPTED
    except bdb.BdbQuit:
        exit_code = EXIT_FAILED
    sys.exit(exit_code)
