"""What is shown of the user's exceptions: the user's own frames, never ours, and only text that can be sent.

Whatever an exception does when it is asked for its text, nothing here raises for it.
"""

import sys
import traceback
from collections.abc import Iterator
from types import CodeType, FrameType, TracebackType

from ._paths import is_ours, is_users, shown

_MAX_CAUSES = 5
_MAX_GROUPED = 10
# Characters of a message that anything is done with: more than a log line shows.
_MAX_CHARS = 64 * 1024
# Frames that are shown of either end of a traceback; those of a recursion without end are thousands.
_MAX_FRAMES = 20


def type_name(exception: BaseException) -> str:
    """The exception's type, with its module unless that is ``builtins``."""
    cls = type(exception)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def message(exception: BaseException) -> str:
    """The exception's text; empty where it has none."""
    try:
        return sendable(_cut(str(exception)))
    except BaseException:
        return "(its message cannot be shown)"


def one_line(exception: BaseException) -> str:
    """Type and message on one line."""
    text = " ".join(message(exception).split())
    return f"{type_name(exception)}: {text}" if text else type_name(exception)


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_CHARS else f"{text[:_MAX_CHARS]} … ({len(text) - _MAX_CHARS} more characters)"


def sendable(text: str) -> str:
    """The text with what UTF-8 cannot say, half a surrogate pair, written as an escape."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def describe(exception: BaseException) -> tuple[str, str, str]:
    """Type, message, and the user's line nearest to the error as ``file.py:12 in run``; called for every failure."""
    return type_name(exception), message(exception), _nearest(exception.__traceback__)


def here() -> str:
    """The user's line that is being run, as ``file.py:12 in run``."""
    frame: FrameType | None = sys._getframe(1)
    first = frame
    while frame is not None and not is_users(frame.f_code.co_filename):
        frame = frame.f_back
    found = frame or first
    return sendable(f"{shown(found.f_code.co_filename)}:{found.f_lineno} in {found.f_code.co_name}") if found else ""


def is_of_handler(exception: BaseException) -> bool:
    """Whether code of the user's raised it in the middle of ours: on the main thread a signal handler does."""
    last = None
    for code, _ in _codes(exception.__traceback__):
        last = code
    return last is not None and is_users(last.co_filename)


def render(exception: BaseException) -> str:
    """The user's frames and the error, then what caused it, a line each."""
    lines = [*_frame_lines(exception.__traceback__), *_last_lines(exception)]
    cause, seen = _cause(exception), {id(exception)}
    while cause is not None and id(cause) not in seen and len(seen) <= _MAX_CAUSES:
        seen.add(id(cause))
        lines.append(f"caused by {one_line(cause)}\n")
        cause = _cause(cause)
    return sendable("".join(lines).rstrip("\n"))


def _nearest(tb: TracebackType | None) -> str:
    entry, users, last, first_file = None, None, None, None
    for code, line in _codes(tb):
        last = (code, line)
        first_file = first_file or code.co_filename
        if is_users(code.co_filename):
            users = last
        if code.co_filename == first_file:
            entry = last
    found = users or entry or last
    if found is None:
        return ""
    code, line = found
    return sendable(f"{shown(code.co_filename)}:{line} in {code.co_name}")


def _frame_lines(tb: TracebackType | None) -> list[str]:
    frames = _users_frames(tb)
    left_out = len(frames) - 2 * _MAX_FRAMES
    if left_out <= 0:
        return _shown_frames(frames)
    between = f"  … {left_out} more frames …\n"
    return [*_shown_frames(frames[:_MAX_FRAMES]), between, *_shown_frames(frames[-_MAX_FRAMES:])]


def _users_frames(tb: TracebackType | None) -> list[tuple[FrameType, int]]:
    """The user's frames; of a test that is itself an installed package, those of the file where we entered it."""
    frames = [frame for frame in traceback.walk_tb(tb) if not is_ours(frame[0].f_code.co_filename)]
    users = [frame for frame in frames if is_users(frame[0].f_code.co_filename)]
    return users or [frame for frame in frames if frame[0].f_code.co_filename == frames[0][0].f_code.co_filename]


def _shown_frames(frames: list[tuple[FrameType, int]]) -> list[str]:
    found = traceback.StackSummary.extract(iter(frames))
    return traceback.format_list(
        traceback.FrameSummary(shown(frame.filename), frame.lineno, frame.name, line=frame.line) for frame in found
    )


def _codes(tb: TracebackType | None) -> Iterator[tuple[CodeType, int]]:
    while tb is not None:
        code = tb.tb_frame.f_code
        if not is_ours(code.co_filename):
            yield code, tb.tb_lineno
        tb = tb.tb_next


def _last_lines(exception: BaseException) -> list[str]:
    if isinstance(exception, SyntaxError):
        return traceback.format_exception_only(type(exception), exception)
    text = message(exception)
    lines = [f"{type_name(exception)}: {text}\n" if text else f"{type_name(exception)}\n"]
    notes = _attribute(exception, "__notes__")
    if isinstance(notes, list):
        lines += [f"{_cut(note)}\n" for note in notes[:_MAX_GROUPED] if isinstance(note, str)]
    grouped = _attribute(exception, "exceptions")
    if isinstance(grouped, tuple):
        members = [one for one in grouped if isinstance(one, BaseException)]
        lines += [f"  with {one_line(one)}\n" for one in members[:_MAX_GROUPED]]
        if len(members) > _MAX_GROUPED:
            lines.append(f"  and {len(members) - _MAX_GROUPED} more\n")
    return lines


def _attribute(exception: BaseException, name: str) -> object:
    try:
        found: object = getattr(exception, name, None)
    except BaseException:
        return None
    return found


def _cause(exception: BaseException) -> BaseException | None:
    if exception.__cause__ is not None:
        return exception.__cause__
    return None if exception.__suppress_context__ else exception.__context__
