"""pysurge runs existing Python code as a load test, at an exact rate, from every core.

``run`` runs a load test from Python and gives its ``Result``. ``TestCase`` is a base class for what is run, ``Manager`` and
``TestRunner`` are those of pysurge 1.0.1: a config with worker processes, one class in this process. The command ``pysurge``
runs a config that is a YAML file, or classes, functions and pytest tests as they are. ``check``, ``timer``, ``count`` and
``metric`` tell of the iteration that is running, from wherever they are called.
"""

from typing import TYPE_CHECKING, Any

from ._engine import TestCase, __version__, check, count, metric, timer

if TYPE_CHECKING:
    from ._errors import ConfigError, LoadError, PysurgeError, RehearsalFailed, RunAborted, RunFailed, RunInterrupted
    from ._manager import Manager
    from ._result import Result, TestResult
    from ._run import Test, last_result, run
    from ._runner import TestRunner

__all__ = [
    "ConfigError",
    "LoadError",
    "Manager",
    "PysurgeError",
    "RehearsalFailed",
    "Result",
    "RunAborted",
    "RunFailed",
    "RunInterrupted",
    "Test",
    "TestCase",
    "TestResult",
    "TestRunner",
    "__version__",
    "check",
    "count",
    "last_result",
    "metric",
    "run",
    "timer",
]

_HOMES = {
    "_errors": ("ConfigError", "LoadError", "PysurgeError", "RehearsalFailed", "RunAborted", "RunFailed", "RunInterrupted"),
    "_manager": ("Manager",),
    "_result": ("Result", "TestResult"),
    "_run": ("Test", "last_result", "run"),
    "_runner": ("TestRunner",),
}


def __getattr__(name: str) -> Any:
    # Imported when asked for: the command and its workers need none of it, and start sooner.
    home = next((home for home, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{home}", __name__), name)
