"""Who handles Ctrl+C: while the engine runs, the engine alone."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_STOPS = (signal.SIGINT, signal.SIGTERM)

_Handler = Callable[[int, Any], Any] | int | None


def leave_to_engine() -> None:
    """Take Python's handlers away for good, so that no Ctrl+C the engine has heeded raises KeyboardInterrupt afterwards."""
    for number in _STOPS:
        signal.signal(number, signal.SIG_DFL)


def ignore_further() -> None:
    """Ignore what still comes once the result is out, so that the exit code is the engine's."""
    for number in _STOPS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def told_to_engine(seen: list[int] | None = None) -> Iterator[int | None]:
    """Give a descriptor at which a byte arrives for each Ctrl+C or SIGTERM; None outside the main thread.

    Which came is in ``seen`` when this context is left.

    The reader takes over the descriptor and sees its end when this context is left. Python's own low-level handler
    writes the byte, also while no Python code runs, so that this works any number of times in one process.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    except ValueError:
        os.close(reader)
        os.close(writer)
        yield None
        return
    try:
        with _handled_by(lambda number, _frame: None if seen is None else seen.append(number)):
            yield reader
    finally:
        signal.set_wakeup_fd(before)
        os.close(writer)


@contextmanager
def _handled_by(handler: _Handler) -> Iterator[None]:
    kept = {number: signal.signal(number, handler) for number in _STOPS}
    try:
        yield
    finally:
        for number, before in kept.items():
            # None is a handler that was not set from Python, and cannot be set again from it.
            signal.signal(number, signal.SIG_DFL if before is None else before)
