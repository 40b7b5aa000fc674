"""The machine a result comes from, and which of its cores do what."""

import contextlib
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def about() -> dict[str, Any]:
    """What a reader needs to know to believe a figure."""
    return {
        "cpu": _cpu_model(),
        "cores": cores(),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "kernel": platform.release(),
        "system": platform.platform(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "executable_build": " ".join(platform.python_build()),
        "free_threaded": not getattr(sys, "_is_gil_enabled", lambda: True)(),
    }


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0))


def load_average() -> float:
    """The load of the last minute: above a few tenths before the start, somebody else is using the machine."""
    return os.getloadavg()[0]


@contextlib.contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """What is started inside stays, with all it starts, on one of the cores this process may use; on any, for None."""
    allowed = os.sched_getaffinity(0)
    if core is not None:
        os.sched_setaffinity(0, {sorted(allowed)[core % len(allowed)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()
