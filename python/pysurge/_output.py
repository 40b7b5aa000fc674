"""What Python code prints in a worker: whole lines, each with the thread that printed it, sent to the manager.

``install`` puts a stream of ours in front of ``sys.stdout`` and ``sys.stderr``. A thread's text waits for the end of its line
in a place of that thread's own, so lines never mix. Nothing waits for the manager: what it cannot take is dropped and counted.
Bytes written to ``.buffer`` or to the descriptor go through the worker's pipe, as C code's do. Must never hold a lock while it
sends: a signal handler or a destructor may print in the middle of a print.
"""

from __future__ import annotations

import collections
import contextlib
import io
import logging
import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TextIO

from ._tracebacks import sendable

# Whether it is standard output, the thread's name, the line.
SendLine = Callable[[bool, str, str], None]

# What is kept of a line; of the manager's pipes it is as much.
_MAX_LINE_CHARS = 64 * 1024

_installed: list[LineStream] = []


class Sender(Protocol):
    """Sends a log record when it is called, and a printed line by ``print``."""

    def __call__(self, created_s: float, thread: str, level: str, level_number: int, message: str, /) -> None:
        """Send a log record."""

    def print(self, is_stdout: bool, thread: str, line: str, /) -> None:
        """Send a line."""


def install(send: SendLine) -> None:
    """From now on, send what is printed."""
    for name in ("stdout", "stderr"):
        under = getattr(sys, name)
        # Python has none where its descriptor was closed.
        if under is not None:
            stream = LineStream(under, name == "stdout", send)
            _installed.append(stream)
            setattr(sys, name, stream)
            with contextlib.suppress(Exception):
                under.reconfigure(line_buffering=True)
    # In a process that user code forked nobody sends, and what is unfinished here is the parent's.
    os.register_at_fork(after_in_child=lambda: _leave(keep=False))


def end() -> None:
    """From now on, write to what was there before: nobody sends any more, and what is unfinished is not lost."""
    _leave(keep=True)


def _leave(keep: bool) -> None:
    for stream in _installed:
        stream.leave(keep)


def is_written_by_another(record: logging.LogRecord) -> bool:
    """Whether a handler of user code writes a log record to a stream that comes to the manager: then it is shown already."""
    logger: logging.Logger | None = logging.getLogger(record.name)
    while logger is not None:
        for handler in logger.handlers:
            stream = getattr(handler, "stream", None)
            if stream is not None and record.levelno >= handler.level and _is_sent(stream):
                return True
        logger = logger.parent if logger.propagate else None
    return False


def _is_sent(stream: Any) -> bool:
    return any(stream is ours or stream is ours.under for ours in _installed)


class _Unfinished:
    """A thread's text without an end of line yet."""

    __slots__ = ("__weakref__", "_stream", "chars", "name", "parts")

    def __init__(self, stream: LineStream) -> None:
        # One for good: text is put in and taken out a piece at a time, so that none is lost to whoever interrupts.
        self.parts: collections.deque[str] = collections.deque()
        self.chars = 0
        self.name = threading.current_thread().name
        self._stream = stream

    def take(self) -> list[str]:
        """Take all of it. A signal handler that prints meanwhile may take the rest: it is in that one's line then."""
        taken: list[str] = []
        try:
            while self.parts:
                taken.append(self.parts.popleft())
        except IndexError:
            # Between the look and the step, somebody else took the last one.
            pass
        self.chars = 0
        return taken

    def __del__(self) -> None:
        # The thread has ended. Where the interpreter has, too, there may be nothing left to write to.
        with contextlib.suppress(Exception):
            self._stream.finish(self)


class LineStream(io.TextIOBase):
    """A text stream that sends lines; all else is as the stream under it has it."""

    def __init__(self, under: TextIO, is_stdout: bool, send: SendLine) -> None:
        super().__init__()
        self.under = under
        self._is_stdout = is_stdout
        self._send: SendLine | None = send
        self._local = threading.local()
        self._all: weakref.WeakSet[_Unfinished] = weakref.WeakSet()

    def write(self, text: str) -> int:
        """Take text, and send the lines that it completes."""
        if self._send is None or self.under.closed:
            return self.under.write(text)
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        try:
            unfinished = self._local.unfinished
        except AttributeError:
            unfinished = self._of_new_thread()
        if "\n" not in text:
            # A line without end must not fill the memory.
            if unfinished.chars < _MAX_LINE_CHARS:
                unfinished.chars += len(text)
                unfinished.parts.append(text)
            return len(text)
        before = unfinished.take()
        lines = text.split("\n")
        if before:
            lines[0] = "".join((*before, lines[0]))
        rest = lines.pop()
        if rest:
            unfinished.chars = len(rest)
            unfinished.parts.append(rest)
        name = unfinished.name
        for line in lines:
            self._send_line(name, line)
        return len(text)

    def _of_new_thread(self) -> _Unfinished:
        unfinished = self._local.unfinished = _Unfinished(self)
        self._all.add(unfinished)
        return unfinished

    def _send_line(self, thread: str, line: str) -> None:
        send = self._send
        if send is None:
            self.under.write(f"{line}\n")
            return
        line = line[:_MAX_LINE_CHARS].removesuffix("\r")
        try:
            send(self._is_stdout, thread, line)
        except UnicodeEncodeError:
            send(self._is_stdout, sendable(thread), sendable(line))

    def finish(self, unfinished: _Unfinished) -> None:
        """Send what has no end, for none will come."""
        parts = unfinished.take()
        if parts:
            self._send_line(unfinished.name, "".join(parts))

    def leave(self, keep: bool) -> None:
        """Send nothing any more; what comes goes to the stream under this one, what has no end too if it is to be kept."""
        self._send = None
        for unfinished in list(self._all):
            if keep:
                self.finish(unfinished)
            else:
                unfinished.parts.clear()

    def writelines(self, lines: Iterable[str]) -> None:  # type: ignore[override]
        """As of any text stream."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Hand on what was written as bytes; a line is sent when it is whole."""
        self.under.flush()

    def close(self) -> None:
        """Close the stream under this one; its descriptor stays open."""
        self.under.close()

    # As the stream under it has it. io.TextIOBase has these itself, so that none would be looked up there.

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self.under.closed

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of bytes that are written beside it."""
        return self.under.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        """What is done with what the encoding has not."""
        return self.under.errors

    @property
    def newlines(self) -> Any:  # type: ignore[override]
        """As of the stream under it."""
        return self.under.newlines

    @property
    def line_buffering(self) -> bool:
        """It is sent line by line."""
        return True

    def fileno(self) -> int:
        """The descriptor of the worker's pipe."""
        return self.under.fileno()

    def isatty(self) -> bool:
        """It is none."""
        return self.under.isatty()

    def readable(self) -> bool:
        """It is not."""
        return False

    def writable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is not."""
        return False

    def detach(self) -> Any:
        """The bytes under it; the stream is of no use afterwards."""
        return getattr(self.under, "detach")()  # noqa: B009 - not every text stream has it

    def __getattr__(self, name: str) -> Any:
        # buffer, name, mode, reconfigure, …
        return getattr(self.under, name)

    def __del__(self) -> None:
        # io.IOBase would close what is under it.
        pass

    def __repr__(self) -> str:
        """Tells what it is."""
        return f"<lines to the manager over {self.under!r}>"
