"""A process that user code forked from a worker. It is none itself, and ends when user code in it comes back to us.

It has a copy of the pools and none of the threads that serve them. Must never send to the manager.
"""

import contextlib
import os
import sys

from . import _engine
from ._tracebacks import render


def see_to(channel: int) -> None:
    """See to it that a forked process is known as one, and has no part in the channel."""
    os.register_at_fork(after_in_child=lambda: _forked(channel))


def _forked(channel: int) -> None:
    _engine.forked(end)
    # Else the manager would not see the end of the worker while the child lives.
    with contextlib.suppress(OSError):
        os.close(channel)


def end(error: BaseException | None) -> None:
    """End this process, as a script does that ended or raised; hooks of the interpreter's end are the parent's."""
    code: object = 0
    if isinstance(error, SystemExit):
        code = error.code or 0
    if not isinstance(code, int) or (error is not None and not isinstance(error, SystemExit)):
        with contextlib.suppress(BaseException):
            print(code if isinstance(error, SystemExit) else render(error or RuntimeError()), file=sys.stderr, flush=True)
        code = 1
    # The system has no others.
    os._exit(code & 0xFF)
