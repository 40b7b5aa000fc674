"""Where a worker keeps its own descriptors: out of the way of user code that closes all it finds from 0 or 3 on.

A number beyond those that programs close (1,024 mostly) for the channel to the manager; beyond the lowest for an event loop,
whose descriptors are many and made by others.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator

# Beyond what is closed by those who mean "all": 256, 1,024, 2,048. The kernel's table has 64 KiB for it.
_CHANNEL_FROM = 4000

# Of as many low numbers, none is an event loop's.
_LOOP_FROM = 64


def take_channel() -> int:
    """Move the channel from standard input, which reads nothing from now on, and give its descriptor."""
    channel = -1
    for least in (_CHANNEL_FROM, _LOOP_FROM, 3):
        # Where so few descriptors are allowed that there is no such number, a lower one must do.
        with contextlib.suppress(OSError):
            channel = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, least)
            break
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return channel


@contextlib.contextmanager
def none_low() -> Iterator[None]:
    """Whatever is opened within has no low number, if there are descriptors enough."""
    fillers: list[int] = []
    try:
        while not fillers or fillers[-1] < _LOOP_FROM - 1:
            fillers.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        _close(fillers)
    try:
        yield
    finally:
        _close(fillers)


def _close(descriptors: list[int]) -> None:
    while descriptors:
        os.close(descriptors.pop())
