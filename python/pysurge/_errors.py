"""What ``pysurge.run`` raises. Every message is whole: nothing else needs to be read to know what is wrong and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._result import Result


class PysurgeError(Exception):
    """A run was not made, or it failed and was asked about it."""


class ConfigError(PysurgeError, ValueError):
    """What was asked for is wrong: an unknown key, a value that makes no sense, a test that cannot reach the workers."""


class LoadError(PysurgeError):
    """A worker cannot load a test: an import fails, ``__init__`` refuses its kwargs. Nothing was fired."""


class RehearsalFailed(PysurgeError):
    """A test failed when it was run once before the load. Nothing was fired."""


class RunAborted(PysurgeError):
    """The run could not be carried out: a worker died before the start, the system refused what was needed."""


class RunFailed(PysurgeError):
    """A run is no success; raised by ``Result.raise_for_failure()`` alone.

    Attributes:
        result: Its result.
    """

    def __init__(self, message: str, result: Result) -> None:
        super().__init__(message)
        self.result = result


class RunInterrupted(KeyboardInterrupt):
    """Ctrl+C, after the run was ended cleanly. It is a ``KeyboardInterrupt``: the program stops unless it says otherwise.

    Attributes:
        result: What was measured until then; None where nothing was fired. ``pysurge.last_result()`` has it too.
    """

    def __init__(self, message: str, result: Result | None) -> None:
        super().__init__(message)
        self.result = result


# Users know them by the name of the package.
for _error in (PysurgeError, ConfigError, LoadError, RehearsalFailed, RunAborted, RunFailed, RunInterrupted):
    _error.__module__ = "pysurge"
