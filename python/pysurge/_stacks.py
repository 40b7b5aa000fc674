"""Where the threads of a worker stand, for those who do not hold the interpreter.

``faulthandler`` writes the stacks of all threads from the handler of a signal. The engine raises it, only when nobody can have
the interpreter. Nothing here may cost an iteration anything.
"""

import faulthandler
import fcntl
import os
import signal
import tempfile

# A real-time signal that nothing is known to use; systems without such signals have no stacks.
_SIGNAL_BEFORE_LAST = 5

# User code that closes what it did not open mostly begins from 3 on.
_LOWEST_DESCRIPTOR = 200


def register() -> tuple[int, int] | None:
    """Make ready; give the signal and the descriptor that its handler writes to."""
    last = getattr(signal, "SIGRTMAX", None)
    if last is None:
        return None
    number = int(last) - _SIGNAL_BEFORE_LAST
    try:
        opened = _open()
        try:
            kept = fcntl.fcntl(opened, fcntl.F_DUPFD_CLOEXEC, _LOWEST_DESCRIPTOR)
        finally:
            os.close(opened)
        faulthandler.register(number, file=kept, all_threads=True, chain=False)
    except (OSError, RuntimeError, ValueError):
        return None
    return number, kept


def _open() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("pysurge-stacks")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
