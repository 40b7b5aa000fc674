"""What is started up and shut down once in a worker, however many tests of the plan use it.

That is a class, or the wide fixtures of a test of pytest.
"""

import inspect
import logging
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from ._tracebacks import one_line, render

log = logging.getLogger("pysurge")

# Runs a coroutine to its end on the worker's event loop.
Await = Callable[[Any], Any]


class StartupError(NamedTuple):
    """Why something does not run in this worker."""

    name: str
    message: str
    traceback: str


class Unit(Protocol):
    """Something that is started up once."""

    @property
    def key(self) -> object:
        """Equal, and of equal hash, for tests that share it."""

    def start_up(self, await_: Await) -> StartupError | None:
        """Start it up; what went wrong. Raises nothing."""

    def shut_down(self, await_: Await) -> None:
        """Undo that; called wherever it was tried. Raises nothing."""


class ClassUnit:
    """A class with its ``startup`` and ``shutdown``; one that is no TestCase need not have them."""

    def __init__(self, cls: type[Any]) -> None:
        self._cls = cls

    @property
    def key(self) -> object:
        """The class itself."""
        return self._cls

    def start_up(self, await_: Await) -> StartupError | None:
        """Run ``startup``."""
        cls = self._cls
        log.debug("test class %s calling startup()", cls.__name__)
        try:
            self._call("startup", await_)
        except BaseException as error:
            log.error("Startup for %s failed! Not running this test.\n%s", cls, render(error))
            return StartupError(f"{cls.__module__}.{cls.__qualname__}", one_line(error), render(error))
        return None

    def shut_down(self, await_: Await) -> None:
        """Run ``shutdown``."""
        log.debug("test class %s calling shutdown()", self._cls.__name__)
        try:
            self._call("shutdown", await_)
        except BaseException as error:
            log.error("Warning: shutdown for %s failed.\n%s", self._cls, render(error))

    def _call(self, hook: str, await_: Await) -> None:
        function = getattr(self._cls, hook, None)
        if function is not None:
            answer = function()
            if inspect.isawaitable(answer):
                await_(answer)


class Units:
    """The units of a worker's tests, each once, in the order of the plan."""

    def __init__(self) -> None:
        self._of_tests: list[Unit | None] = []
        self._tried: list[Unit] = []
        self._errors: dict[object, StartupError | None] = {}

    def add(self, unit: Unit | None) -> None:
        """Add that of the next test; None where it has none, a function for example."""
        self._of_tests.append(unit)

    def start_up(self, await_: Await) -> list[StartupError | None]:
        """Start each up once; per test, what went wrong. May be called again where a signal handler raised in the middle."""
        errors = self._errors
        for unit in self._of_tests:
            if unit is not None and unit.key not in errors:
                self._tried.append(unit)
                errors[unit.key] = None
                errors[unit.key] = unit.start_up(await_)
        return [None if unit is None else errors[unit.key] for unit in self._of_tests]

    def shut_down(self, await_: Await) -> None:
        """Shut down whatever was tried to be started up, once."""
        while self._tried:
            self._tried.pop(0).shut_down(await_)
